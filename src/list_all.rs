//! `list-all`: every page, once, and then an end.
//!
//! The official clients ask for pages until an empty one comes, for ever where a server ignores `page`. This one ends at the
//! last page that the answers name, at an empty page, at a page that repeats, and at a hard cap, which is an error: a list
//! is whole or it is none. Pages whose number is known beforehand are fetched several at a time.

use crate::arguments::Collection;
use crate::bindings::exports::cloudflare::access::types::{
    Error, ErrorKind, ListAllParams, RequestOptions, Scope, ServiceToken, TokenPage,
};
use crate::call::Call;
use crate::concurrent::{AT_ONCE, all};
use crate::host::Host;
use crate::operations::check_filters;
use crate::order::order;
use crate::request::Query;
use crate::steps;
use crate::text::{decimal, joined};
use crate::token::Budget;

/// About as many as the rate limit allows requests in five minutes.
const PAGES_LIMIT: u32 = 1000;
/// About how much the pages under way may take together. Answers have a hard limit of 8 MiB.
const UNDER_WAY: usize = 6 * 1024 * 1024;

pub fn list_all(
    host: &impl Host,
    scope: &Scope,
    params: &ListAllParams,
    options: Option<RequestOptions>,
) -> Result<Vec<ServiceToken>, Box<Error>> {
    let collection = Collection::of(scope)?;
    check_filters(params.name.as_deref(), params.search.as_deref(), params.per_page)?;
    let query = Query {
        name: params.name.as_deref(),
        search: params.search.as_deref(),
        per_page: params.per_page,
        ..Query::default()
    };
    within(&Call::begin(host, collection, options)?, query)
}

/// The same as a part of a call.
pub fn within<H: Host>(call: &Call<'_, H>, query: Query<'_>) -> Result<Vec<ServiceToken>, Box<Error>> {
    let mut tokens = every_page(call, query)?;
    if query.name.is_some() {
        tokens.retain(|token| token.name.as_deref() == query.name);
    }
    Ok(tokens)
}

fn every_page<H: Host>(call: &Call<'_, H>, query: Query<'_>) -> Result<Vec<ServiceToken>, Box<Error>> {
    let budget = Budget::default();
    let fetch = |page: Option<u32>| steps::list(call, Query { page, ..query }, &budget);
    let mut gathered = Gathered::default();
    let mut last = 1_u32;
    let mut more = gathered.add(call.host().block_on(fetch(None))?, last);
    // Fewer where pages are large.
    let at_once = UNDER_WAY.checked_div(budget.spent()).unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
    let at_once = u32::try_from(at_once).unwrap_or(1);
    while let More::UpTo(known) = more {
        let first = last.saturating_add(1);
        last = known.min(last.saturating_add(at_once));
        if last > PAGES_LIMIT {
            let what =
                joined(&["the list has more than ", &decimal(PAGES_LIMIT), " pages: ask for one page at a time"]);
            return Err(call.error_of_its_own("list-all", ErrorKind::InvalidResponse, &what));
        }
        let pages = call.host().block_on(all((first..=last).map(|number| fetch(Some(number))).collect()));
        for (number, page) in (first..=last).zip(pages) {
            more = gathered.add(page?, number);
            if more == More::No {
                break;
            }
        }
    }
    drop_repeated(&mut gathered.tokens);
    Ok(gathered.tokens)
}

/// Whether there are pages after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    No,
    /// All pages up to this one are known to exist.
    UpTo(u32),
}

/// The pages so far.
#[derive(Default)]
struct Gathered {
    tokens: Vec<ServiceToken>,
    /// How many tokens the last page has.
    last_page: usize,
}

impl Gathered {
    /// Adds a page that was asked for by this number.
    fn add(&mut self, mut page: TokenPage, number: u32) -> More {
        let previous = self.tokens.iter().rev().take(self.last_page).rev();
        let repeats = !page.tokens.is_empty() && page.tokens.iter().map(id).eq(previous.map(id));
        // A server that numbers the page as asked and knows how many there are is believed: one token a page may well move.
        let is_ignored = repeats && (page.page != Some(number) || page.total_pages.is_none());
        self.last_page = page.tokens.len();
        self.tokens.append(&mut page.tokens);
        match page.next_page {
            Some(_) if !is_ignored => More::UpTo(page.total_pages.unwrap_or(0).max(number.saturating_add(1))),
            _ => More::No,
        }
    }
}

fn id(token: &ServiceToken) -> &str {
    &token.id
}

/// Leaves each token once, where it came first: one that comes again has moved between two pages.
fn drop_repeated(tokens: &mut Vec<ServiceToken>) {
    let id = |index: usize| tokens.get(index).map(id);
    let mut is_repeated = vec![false; tokens.len()];
    let mut before = None;
    for index in order(tokens.len(), &|first, second| id(first) < id(second)) {
        if before.replace(id(index)) == Some(id(index))
            && let Some(is_repeated) = is_repeated.get_mut(index)
        {
            *is_repeated = true;
        }
    }
    let mut is_repeated = is_repeated.into_iter();
    tokens.retain(|_| is_repeated.next() != Some(true));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_host::{Reply, ScriptedHost, options};

    fn page_of(ids: &[&str], info: &str) -> Reply {
        let tokens: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}","name":"n{id}"}}"#)).collect();
        Reply::json(200, &format!(r#"{{"success":true,"result":[{}],"result_info":{info}}}"#, tokens.join(",")))
    }

    fn run(host: &ScriptedHost, name: Option<&str>) -> Result<Vec<String>, Box<Error>> {
        let options = RequestOptions { max_retries: Some(0), ..options() };
        let params = ListAllParams { name: name.map(str::to_owned), search: None, per_page: Some(2) };
        let tokens = list_all(host, &Scope::Account("a".into()), &params, Some(options))?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    #[test]
    fn it_ends_at_the_last_page_that_the_answers_name() {
        let info = |page| format!(r#"{{"page":{page},"per_page":2,"total_pages":3}}"#);
        let host = ScriptedHost::with_replies([
            page_of(&["1", "2"], &info(1)),
            page_of(&["3", "4"], &info(2)),
            page_of(&["5"], &info(3)),
        ]);
        assert_eq!(run(&host, None).expect("a list"), ["1", "2", "3", "4", "5"]);
        let paths = host.paths();
        assert!(paths[0].ends_with("?per_page=2") && paths[1].ends_with("?page=2&per_page=2"), "{paths:?}");
        assert_eq!(paths.len(), 3);
    }

    #[test]
    fn without_a_number_of_pages_it_ends_at_the_first_page_that_is_not_full_or_is_empty() {
        for last in [&["3"][..], &[]] {
            let info = |page| format!(r#"{{"page":{page},"per_page":2}}"#);
            let host = ScriptedHost::with_replies([page_of(&["1", "2"], &info(1)), page_of(last, &info(2))]);
            assert_eq!(run(&host, None).expect("a list").len(), 2 + last.len());
            assert_eq!(host.paths().len(), 2);
        }
        let counted = r#"{"page":1,"per_page":2,"total_count":2}"#;
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], counted)]);
        assert_eq!(run(&host, None).expect("a list"), ["1", "2"]);
    }

    #[test]
    fn it_ends_where_the_server_ignores_the_page() {
        for info in [r#"{"page":1,"per_page":2,"total_pages":9}"#, r#"{"per_page":2}"#, r#"{"page":1,"per_page":2}"#] {
            let host = ScriptedHost::with_replies(vec![page_of(&["1", "2"], info); 20]);
            assert_eq!(run(&host, None).expect("a list"), ["1", "2"], "{info}");
            assert!(host.paths().len() <= 7, "{info}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_about_pages_has_one() {
        for info in ["null", "{}"] {
            let host = ScriptedHost::with_replies([page_of(&["1", "2", "3"], info)]);
            assert_eq!(run(&host, None).expect("a list").len(), 3);
        }
    }

    #[test]
    fn a_token_that_moves_between_pages_comes_once() {
        let info = |page| format!(r#"{{"page":{page},"per_page":2,"total_pages":2}}"#);
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], &info(1)), page_of(&["2", "3"], &info(2))]);
        assert_eq!(run(&host, None).expect("a list"), ["1", "2", "3"]);
    }

    #[test]
    fn a_token_that_is_twice_on_a_page_comes_once() {
        let host = ScriptedHost::with_replies([page_of(&["2", "1", "2"], "null")]);
        assert_eq!(run(&host, None).expect("a list"), ["2", "1"]);
    }

    #[test]
    fn names_are_compared_again() {
        let host = ScriptedHost::with_replies([page_of(&["1", "11", "2"], "null")]);
        assert_eq!(run(&host, Some("n1")).expect("a list"), ["1"]);
        assert!(host.paths()[0].contains("name=n1&"));
    }

    #[test]
    fn a_list_without_end_is_an_error_and_never_shortened() {
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], r#"{"page":1,"per_page":2,"total_pages":1001}"#)]);
        host.then_repeat(|path| {
            let (_, after) = path.split_once("?page=").expect("a page");
            let number: u32 = after.split('&').next().and_then(|digits| digits.parse().ok()).expect("a number");
            let (a, b) = (format!("{number}a"), format!("{number}b"));
            page_of(&[&a, &b], &format!(r#"{{"page":{number},"per_page":2,"total_pages":1001}}"#))
        });
        let error = run(&host, None).expect_err("a list");
        assert_eq!(error.kind, ErrorKind::InvalidResponse);
        assert!(error.message.contains("more than 1000 pages"), "{}", error.message);
    }

    #[test]
    fn a_page_that_fails_fails_the_list() {
        let info = r#"{"page":1,"per_page":2,"total_pages":3}"#;
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], info), Reply::json(500, "{}")]);
        host.then_repeat(|_| Reply::json(500, "{}"));
        let error = run(&host, None).expect_err("a list");
        assert_eq!((error.status, error.attempts), (Some(500), 2));
    }
}
