//! `list-all`: every page, once, and then an end.
//!
//! It ends at the last page that the answers name, at an empty page, at a page that brings no new token (a server may
//! ignore `page`), and at a hard cap, which is an error: a list is whole or it is none. Pages whose number is known
//! beforehand are fetched several at a time.

use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{BuildHasher, DefaultHasher, Hasher};

use crate::contract::types::{ErrorKind, ServiceToken, TokenPage};
use crate::exchange::concurrent::{AT_ONCE, all};
use crate::exchange::{Call, Head, Host};
use crate::failure::{Failure, Result};
use crate::operations::service_tokens::list;
use crate::request::Query;
use crate::response::TOKENS_LIMIT;

/// About as many as the rate limit allows requests in five minutes.
const PAGES_LIMIT: u32 = 1000;
/// About how much the pages under way may take together. Answers have a hard limit of 8 MiB.
const UNDER_WAY: usize = 6 * 1024 * 1024;

/// Returns all tokens of the scope that a query selects.
pub async fn list_all(call: &Call<'_, impl Host>, query: Query<'_>) -> Result<Vec<ServiceToken>> {
    Ok(with_head(call, query).await?.0)
}

/// Returns those of all tokens of the scope for which a condition holds.
pub async fn every(
    call: &Call<'_, impl Host>,
    condition: impl FnMut(&ServiceToken) -> bool,
) -> Result<Vec<ServiceToken>> {
    let mut tokens = list_all(call, Query::default()).await?;
    tokens.retain(condition);
    Ok(tokens)
}

/// Returns all tokens that a query selects, and the head of the first answer. Names are compared again: how the API
/// compares them is not documented.
pub async fn with_head(call: &Call<'_, impl Host>, query: Query<'_>) -> Result<(Vec<ServiceToken>, Head)> {
    let tokens_left = Cell::new(TOKENS_LIMIT);
    let fetch = |page: Option<u32>| list(call, Query { page, ..query }, &tokens_left);
    let (first, head) = fetch(None).await?;
    // Fewer where pages are large.
    let size = TOKENS_LIMIT.saturating_sub(tokens_left.get());
    let at_once = UNDER_WAY.checked_div(size).unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
    let at_once = u32::try_from(at_once).unwrap_or(1);
    let mut gathered = Gathered { tokens: Vec::new(), ids: HashSet::with_hasher(Seed(call.host.now().0)) };
    let mut last = 1_u32;
    let mut known_pages = gathered.add(first, last);
    while let Some(known) = known_pages {
        let next = last.saturating_add(1);
        last = known.min(last.saturating_add(at_once));
        if last > PAGES_LIMIT {
            let message = format!("the list has more than {PAGES_LIMIT} pages: ask for one page at a time");
            return Err(Failure::new(ErrorKind::InvalidResponse, message));
        }
        let pages = all((next..=last).map(|number| fetch(Some(number))).collect()).await;
        for (number, page) in (next..=last).zip(pages) {
            known_pages = gathered.add(page?.0, number);
            if known_pages.is_none() {
                break;
            }
        }
    }
    let mut tokens = gathered.tokens;
    tokens.retain(|token| query.name.is_none() || token.name.as_deref() == query.name);
    Ok((tokens, head))
}

/// The tokens of the pages so far, each once, where it came first.
struct Gathered {
    tokens: Vec<ServiceToken>,
    ids: HashSet<String, Seed>,
}

/// A seed of hashes that a server does not know, so that it cannot choose ids whose hashes collide.
struct Seed(u64);

impl BuildHasher for Seed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

impl Gathered {
    /// Adds the page of this number. Returns up to which page all are known to exist, if there is one after this.
    fn add(&mut self, page: TokenPage, number: u32) -> Option<u32> {
        let before = self.tokens.len();
        self.tokens.reserve(page.tokens.len());
        self.ids.reserve(page.tokens.len());
        for token in page.tokens {
            if self.ids.insert(token.id.clone()) {
                self.tokens.push(token);
            }
        }
        let has_new = self.tokens.len() > before;
        page.next_page.filter(|_| has_new)?;
        Some(page.total_pages.unwrap_or(0).max(number.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Error, ListAllParams, RequestOptions};
    use crate::exchange::scripted_host::{Reply, ScriptedHost, Sent, options};
    use crate::request::{Function, arguments};

    fn page_of(ids: &[&str], info: &str) -> Reply {
        let tokens: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}","name":"n{id}"}}"#)).collect();
        Reply::new(200, &format!(r#"{{"success":true,"result":[{}],"result_info":{info}}}"#, tokens.join(",")))
    }

    fn number(sent: &Sent) -> u32 {
        let after = sent.url.split_once("?page=").map_or("1", |(_, after)| after);
        after.split('&').next().and_then(|digits| digits.parse().ok()).expect("a number")
    }

    fn run(host: &ScriptedHost, name: Option<&str>) -> Result<Vec<String>, Error> {
        let options = RequestOptions { max_retries: Some(0), ..options() };
        let params = ListAllParams { name: name.map(str::to_owned), search: None, per_page: Some(2) };
        let tokens =
            host.run(Function::ListAll, options, async |call| list_all(call, arguments::list_all(&params)?).await)?;
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
        assert_eq!(host.lines(), ["GET ?per_page=2", "GET ?page=2&per_page=2", "GET ?page=3&per_page=2"]);
    }

    #[test]
    fn pages_whose_number_is_known_are_fetched_six_at_a_time() {
        let host = ScriptedHost::with_rule(|sent| {
            let number = number(sent);
            let id = number.to_string();
            page_of(&[&id], &format!(r#"{{"page":{number},"per_page":1,"total_pages":14}}"#)).after(100)
        });
        let expected: Vec<String> = (1..=14).map(|number| number.to_string()).collect();
        assert_eq!(run(&host, None).expect("a list"), expected);
        assert_eq!((host.most_under_way(), host.elapsed().as_millis()), (6, 400));
    }

    #[test]
    fn without_a_number_of_pages_it_ends_at_the_first_page_that_is_not_full_or_is_empty() {
        for last in [&["3"][..], &[]] {
            let info = |page| format!(r#"{{"page":{page},"per_page":2}}"#);
            let host = ScriptedHost::with_replies([page_of(&["1", "2"], &info(1)), page_of(last, &info(2))]);
            assert_eq!(run(&host, None).expect("a list").len(), 2 + last.len());
            assert_eq!(host.sent().len(), 2);
        }
        let counted = r#"{"page":1,"per_page":2,"total_count":2}"#;
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], counted)]);
        assert_eq!(run(&host, None).expect("a list"), ["1", "2"]);
    }

    #[test]
    fn it_ends_where_the_server_ignores_the_page_in_whatever_order() {
        for info in [r#"{"page":1,"per_page":2,"total_pages":900}"#, r#"{"per_page":2}"#, r#"{"page":1,"per_page":2}"#]
        {
            let host = ScriptedHost::with_rule(move |sent| {
                let ids = if number(sent).is_multiple_of(2) { ["2", "1"] } else { ["1", "2"] };
                page_of(&ids, info)
            });
            assert_eq!(run(&host, None).expect("a list"), ["1", "2"], "{info}");
            assert!(host.sent().len() <= 7, "{info}: {} requests", host.sent().len());
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
    fn a_token_that_comes_again_comes_once() {
        let info = |page| format!(r#"{{"page":{page},"per_page":2,"total_pages":2}}"#);
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], &info(1)), page_of(&["2", "3"], &info(2))]);
        assert_eq!(run(&host, None).expect("a list"), ["1", "2", "3"]);
        let host = ScriptedHost::with_replies([page_of(&["2", "1", "2"], "null")]);
        assert_eq!(run(&host, None).expect("a list"), ["2", "1"]);
    }

    #[test]
    fn names_are_compared_again() {
        let host = ScriptedHost::with_replies([page_of(&["1", "11", "2"], "null")]);
        assert_eq!(run(&host, Some("n1")).expect("a list"), ["1"]);
        assert_eq!(host.lines(), ["GET ?name=n1&per_page=2"]);
    }

    #[test]
    fn a_list_without_end_is_an_error_and_never_shortened() {
        let host = ScriptedHost::with_rule(|sent| {
            let number = number(sent);
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
        let host = ScriptedHost::with_replies([page_of(&["1", "2"], info)]).and_then(|_| Reply::new(500, "{}"));
        let error = run(&host, None).expect_err("a list");
        assert_eq!((error.status, error.attempts), (Some(500), 3));
    }

    #[test]
    fn pages_under_way_at_once_share_the_memory_for_tokens() {
        // Each page takes half of it, but for the first, which is small.
        let host = ScriptedHost::with_rule(|sent| {
            let number = number(sent);
            let info = format!(r#"{{"page":{number},"total_pages":4}}"#);
            let note = "x".repeat(if number == 1 { 10 } else { 8 * 1024 * 1024 - 10_000 });
            let body =
                format!(r#"{{"success":true,"result":[{{"id":"{number}","note":"{note}"}}],"result_info":{info}}}"#);
            Reply::new(200, &body).after(10)
        });
        let error = run(&host, None).expect_err("a list");
        assert!(error.message.contains("16 MiB"), "{}", error.message);
        assert_eq!(host.most_under_way(), 3);
    }
}
