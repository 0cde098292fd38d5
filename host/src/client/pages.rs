//! A list page by page.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::client::scope::Scope;
use crate::client::tokens::Tokens;
use crate::error::Error;
use crate::types::{ListPageParams, TokenPage};

/// The pages of a list, each asked for when it is wanted. From [`Tokens::pages`].
///
/// A [`Stream`] that ends after the last page, and after an error. To go on after an error, begin another one at the same
/// [`page`](ListPageParams::page).
///
/// ```no_run
/// # async fn example(account: cloudflare_access_host::Tokens<cloudflare_access_host::Account>)
/// # -> Result<(), cloudflare_access_host::Error> {
/// use cloudflare_access_host::ListPageParams;
///
/// let mut pages = account.pages(ListPageParams::new());
/// while let Some(page) = pages.next().await {
///     for token in page?.tokens {
///         println!("{}", token.id);
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is asked for before the first page is wanted"]
pub struct Pages<S> {
    tokens: Tokens<S>,
    params: ListPageParams,
    progress: Progress,
}

enum Progress {
    /// The page that the parameters name is the next one.
    Next,
    Asked(Pin<Box<dyn Future<Output = Result<TokenPage, Error>> + Send>>),
    Ended,
}

impl<S> Pages<S> {
    pub(super) fn new(tokens: Tokens<S>, params: ListPageParams) -> Self {
        Self { tokens, params, progress: Progress::Next }
    }
}

impl<S: Clone + Into<Scope> + Send + Sync + Unpin + 'static> Pages<S> {
    /// Returns the next page; none after the last one and after an error.
    ///
    /// Can be cancelled: a page that was asked for and not awaited to its end is what the next call returns.
    pub async fn next(&mut self) -> Option<Result<TokenPage, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<S: Clone + Into<Scope> + Send + Sync + Unpin + 'static> Stream for Pages<S> {
    type Item = Result<TokenPage, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Progress::Next = this.progress {
            let (tokens, params) = (this.tokens.clone(), this.params.clone());
            this.progress = Progress::Asked(Box::pin(async move { tokens.list_page(params).await }));
        }
        let Progress::Asked(page) = &mut this.progress else { return Poll::Ready(None) };
        let page = ready!(page.as_mut().poll(context));
        // A server that names the same page as the next one does not get on.
        let asked = this.params.page.unwrap_or(1);
        let next = page.as_ref().ok().and_then(|page| page.next_page).filter(|next| *next > asked);
        this.progress = if next.is_some() { Progress::Next } else { Progress::Ended };
        this.params.page = next;
        Poll::Ready(Some(page))
    }
}

impl<S: fmt::Debug> fmt::Debug for Pages<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, params, progress: _ } = self;
        formatter.debug_struct("Pages").field("tokens", tokens).field("params", params).finish_non_exhaustive()
    }
}
