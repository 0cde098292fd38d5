//! A fault: a kind, which requests it meets, how often, and on which side of the change.
//!
//! Faults wait in a queue in the order in which they were injected. A request meets the first that matches it; one that still
//! has requests to skip counts it and lets it pass on to the next.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{FaultKind, Operation, ScopeKind};

/// A misbehaviour and when it happens: by default to the next request of the API, once, and before the change is made
/// (after it for the kinds whose answer says that it was).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    kind: FaultKind,
    #[serde(default)]
    operation: Option<Operation>,
    #[serde(default)]
    scope: Option<ScopeKind>,
    #[serde(default)]
    skip: u32,
    #[serde(default = "once")]
    times: Option<u32>,
    #[serde(default)]
    moment: Option<Moment>,
}

/// On which side of the change the fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Nothing is changed.
    BeforeCommit,
    /// The change is made, then the answer is faulty.
    AfterCommit,
}

/// A fault that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError(String);

impl Fault {
    /// This kind, for the next request, once.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, operation: None, scope: None, skip: 0, times: once(), moment: None }
    }

    /// Only requests for this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only requests under `/accounts/`, or only those under `/zones/`.
    #[must_use]
    pub fn under(mut self, scope: ScopeKind) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Not the first `requests` that match.
    #[must_use]
    pub fn skipping(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// So many requests in place of one.
    #[must_use]
    pub fn times(mut self, requests: u32) -> Self {
        self.times = Some(requests);
        self
    }

    /// Every request that matches, until the faults are cleared.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.times = None;
        self
    }

    /// Nothing is changed.
    #[must_use]
    pub fn before_commit(self) -> Self {
        self.at(Moment::BeforeCommit)
    }

    /// The change is made, then the answer is faulty.
    #[must_use]
    pub fn after_commit(self) -> Self {
        self.at(Moment::AfterCommit)
    }

    /// On this side of the change.
    #[must_use]
    pub fn at(mut self, moment: Moment) -> Self {
        self.moment = Some(moment);
        self
    }

    /// What happens.
    #[must_use]
    pub fn kind(&self) -> &FaultKind {
        &self.kind
    }

    /// On which side of the change it happens.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment.unwrap_or(self.kind.moments()[0])
    }

    /// Checks that the kind can be on this side of the change, and that its numbers are a status and headers.
    ///
    /// # Errors
    /// It cannot: a client would be told the opposite of what is. Or the status, a header or a location is not HTTP.
    pub fn check(&self) -> Result<(), FaultError> {
        if !self.kind.moments().contains(&self.moment()) {
            let commits = self.kind.commits();
            let (name, moment) = (self.kind.name(), self.moment());
            return Err(FaultError(format!(
                "{name} at {moment:?}: its changes happen {commits:?}; leave the moment out"
            )));
        }
        self.kind.check_http().map_err(FaultError)
    }

    /// Whether the request meets this fault now. Counts it either way.
    fn meets(&mut self, operation: Operation, scope: ScopeKind) -> bool {
        if self.operation.is_some_and(|only| only != operation) || self.scope.is_some_and(|only| only != scope) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
        }
    }
}

/// Takes the fault that a request meets from the queue; it stays there if it has more requests to meet.
pub(crate) fn take(queue: &mut Vec<Fault>, operation: Operation, scope: ScopeKind) -> Option<Fault> {
    let index = queue.iter_mut().position(|fault| fault.meets(operation, scope))?;
    let fault = queue[index].clone();
    if fault.times == Some(0) {
        queue.remove(index);
    }
    Some(fault)
}

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be none")]
fn once() -> Option<u32> {
    Some(1)
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "impossible fault: {}", self.0)
    }
}

impl std::error::Error for FaultError {}
