//! The seven operations, and the two facts about each that decide everything after a failure: whether it changes
//! anything, and whether only one answer can carry what it makes.

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    List,
    Get,
    Create,
    /// `raises_secret`: the caller sends a secret version, which may make a new secret.
    Update {
        raises_secret: bool,
    },
    Delete,
    Refresh,
    Rotate,
}

impl Operation {
    /// The name in the contract, which begins every message about the operation.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update { .. } => "update",
            Self::Delete => "delete",
            Self::Refresh => "refresh",
            Self::Rotate => "rotate",
        }
    }

    /// Whether the API holds something else after it.
    pub fn changes(self) -> bool {
        !matches!(self, Self::List | Self::Get)
    }

    /// Whether sending it twice makes two tokens or two secrets, of which only the last one's is known. For an update
    /// with a secret version it is so even if both carry the same version: the first makes the secret, the second does
    /// not, and the answer that had it is gone.
    pub fn is_sent_once(self) -> bool {
        matches!(self, Self::Create | Self::Rotate | Self::Update { raises_secret: true })
    }

    /// Whether a good answer always carries a new secret.
    pub fn makes_a_secret(self) -> bool {
        matches!(self, Self::Create | Self::Rotate)
    }

    #[cfg(test)]
    pub const ALL: [Self; 8] = [
        Self::List,
        Self::Get,
        Self::Create,
        Self::Update { raises_secret: false },
        Self::Update { raises_secret: true },
        Self::Delete,
        Self::Refresh,
        Self::Rotate,
    ];
}
