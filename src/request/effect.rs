//! What a request does to the account, which decides what may follow a failure.

/// What sending a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Something changes, and sending it twice does no more than sending it once.
    Change,
    /// A token or a secret is made each time it is sent, or only the first time, but only the answer to that time
    /// carries it.
    MakeSecret,
}

impl Effect {
    /// Returns whether it must not be sent again once it may have been processed.
    pub fn is_sent_once(self) -> bool {
        self == Self::MakeSecret
    }

    #[cfg(test)]
    pub const ALL: [Self; 3] = [Self::Read, Self::Change, Self::MakeSecret];
}
