//! `list-all`: every page, once, and then an end.
//!
//! The official clients ask for pages until an empty one comes, for ever where a server ignores `page`. This one ends at the last page that
//! the answers name, at an empty page, at a page that brings no new token, and at a hard cap, which is an error: a list is whole or it is
//! none. Pages whose number is known beforehand are fetched several at a time.

use std::collections::BTreeSet;

use crate::bindings::exports::cloudflare::access::types::{ErrorKind, ListAllParams, Scope, ServiceToken, TokenPage};
use crate::exchange::call::Call;
use crate::exchange::concurrent::{AT_ONCE, all};
use crate::exchange::host::Host;
use crate::operations::steps::{self, Dated};
use crate::request::arguments;
use crate::request::ids::Collection;
use crate::request::requests::Query;
use crate::response::failure::Failure;
use crate::response::token::Budget;

/// About as many as the rate limit allows requests in five minutes.
const PAGES_LIMIT: u32 = 1000;
/// About how much the pages under way may take together. Answers have a hard limit of 8 MiB.
const UNDER_WAY: usize = 6 * 1024 * 1024;

/// Returns all tokens of a scope.
pub async fn list_all(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    params: &ListAllParams,
) -> Result<Vec<ServiceToken>, Box<Failure>> {
    let ListAllParams { name, search, per_page } = params;
    let collection = call.collection(scope)?;
    arguments::filters(name.as_deref(), search.as_deref(), *per_page)?;
    let query = Query { name: name.as_deref(), search: search.as_deref(), per_page: *per_page, page: None };
    Ok(every(call, &collection, query).await?.value)
}

/// Returns all tokens of a collection, as a part of a call. Names are compared again: how the API compares them is not documented.
pub async fn every<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    query: Query<'_>,
) -> Result<Dated<Vec<ServiceToken>>, Box<Failure>> {
    let mut tokens = every_page(call, collection, query).await?;
    if query.name.is_some() {
        tokens.value.retain(|token| token.name.as_deref() == query.name);
    }
    Ok(tokens)
}

async fn every_page<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    query: Query<'_>,
) -> Result<Dated<Vec<ServiceToken>>, Box<Failure>> {
    let budget = Budget::default();
    let fetch = |page: Option<u32>| steps::list(call, collection, Query { page, ..query }, &budget);
    let mut gathered = Gathered::default();
    let before = budget.left();
    let Dated { value: first, server_time } = fetch(None).await?;
    // Fewer where pages are large.
    let size = before.saturating_sub(budget.left());
    let at_once = UNDER_WAY.checked_div(size).unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
    let at_once = u32::try_from(at_once).unwrap_or(1);
    let mut last = 1_u32;
    let mut known_pages = gathered.add(first, last);
    while let Some(known) = known_pages {
        let next = last.saturating_add(1);
        last = known.min(last.saturating_add(at_once));
        if last > PAGES_LIMIT {
            let message = format!("the list has more than {PAGES_LIMIT} pages: ask for one page at a time");
            return Err(call.failure(ErrorKind::InvalidResponse, message));
        }
        let pages = all((next..=last).map(|number| fetch(Some(number))).collect()).await;
        for (number, page) in (next..=last).zip(pages) {
            known_pages = gathered.add(page?.value, number);
            if known_pages.is_none() {
                break;
            }
        }
    }
    Ok(Dated { value: gathered.tokens, server_time })
}

/// The tokens of the pages so far, each once, where it came first.
#[derive(Default)]
struct Gathered {
    tokens: Vec<ServiceToken>,
    ids: BTreeSet<String>,
}

impl Gathered {
    /// Adds the page of this number. Returns up to which page all are known to exist, if there is one after this.
    fn add(&mut self, page: TokenPage, number: u32) -> Option<u32> {
        let before = self.tokens.len();
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
