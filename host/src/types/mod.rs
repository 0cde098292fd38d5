//! What goes into the calls and comes out of them.

mod issue_key;
mod lifecycle;
#[cfg(feature = "serde")]
pub(crate) mod serialized;
mod service_tokens;
mod time;

pub use issue_key::{InvalidIssueKey, IssueKey};
pub use lifecycle::{
    Clock, Ensured, ExpiringToken, ExpiryReport, OverlappingToken, RefreshParams, RefreshReport, RefreshedToken,
    RunningOverlap, Selector, TimeLeft,
};
pub use service_tokens::{
    CreateParams, Deletion, IssuedToken, JsonField, ListAllParams, ListPageParams, PreviousSecret, ServiceToken,
    TokenDuration, TokenPage, UpdateParams, UpdatedToken,
};
