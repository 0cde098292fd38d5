//! How a command ends: the exit codes, their names in JSON, and what the help says of them, in one table.

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Defect,
    Usage,
    Configuration,
    Credential,
    NotFound,
    Refused,
    RateLimited,
    NoAnswer,
    MayHaveChanged,
    NotConfirmed,
    NotRenewed,
    Due,
    AccessRefused,
    NotProtected,
    NotProven,
    NotDelivered,
    Interrupted,
}

use Exit::{
    AccessRefused, Configuration, Credential, Defect, Done, Due, Interrupted, MayHaveChanged, NoAnswer, NotConfirmed,
    NotDelivered, NotFound, NotProtected, NotProven, NotRenewed, RateLimited, Refused, Usage,
};

/// Every end, its code, its name and its meaning.
const TABLE: [(Exit, u8, &str, &str); 18] = [
    (Done, 0, "done", "done"),
    (Defect, 1, "defect", "this program or the component failed, or its output could not be written"),
    (Usage, 2, "usage", "the command line is wrong, or a name fits no single token"),
    (Configuration, 3, "configuration", "the set-up is wrong: no credential, two of them, a bad base URL"),
    (Credential, 4, "credential", "the API does not accept the credential, or it may not do this"),
    (NotFound, 5, "not-found", "there is no such token, account or zone"),
    (Refused, 6, "refused", "the API refused: a conflict, a token in use, values it does not take, a quota"),
    (RateLimited, 7, "rate-limited", "too many requests; the message says how long to wait"),
    (NoAnswer, 8, "no-answer", "no usable answer from the API or the application, and nothing has changed"),
    (
        MayHaveChanged,
        9,
        "may-have-changed",
        "no usable answer from the API, and something may have changed: look before you try again",
    ),
    (NotConfirmed, 10, "not-confirmed", "not confirmed"),
    (NotRenewed, 11, "not-renewed", "tokens that were due could not be renewed; the output or the log says which"),
    (Due, 12, "due", "with expiring --fail: a token has expired or does so soon"),
    (AccessRefused, 13, "access-refused", "with verify: Access refuses the pair"),
    (NotProtected, 14, "not-protected", "with verify: the URL answers without a pair, so it proves nothing"),
    (
        NotProven,
        15,
        "not-proven",
        "with --verify: the new pair does not pass, and nothing was delivered; the state folder keeps it",
    ),
    (
        NotDelivered,
        16,
        "not-delivered",
        "a destination does not have the new secret; the state folder keeps it, and resume goes on",
    ),
    (Interrupted, 130, "interrupted", "interrupted"),
];

impl Exit {
    /// The code that the process ends with.
    pub fn code(self) -> u8 {
        self.row().1
    }

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (Self, u8, &'static str, &'static str) {
        TABLE.into_iter().find(|(exit, ..)| *exit == self).unwrap_or(TABLE[1])
    }
}

/// What the help and the man page say of the exit status.
pub fn help() -> String {
    let lines = TABLE.iter().map(|(_, code, _, meaning)| format!("\n  {code:<4} {meaning}"));
    format!("Exit status:{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_a_code_and_a_name_of_its_own() {
        for (index, (exit, code, name, _)) in TABLE.iter().enumerate() {
            assert_eq!((exit.code(), exit.name()), (*code, *name));
            assert!(TABLE[..index].iter().all(|(_, other, also, _)| other != code && also != name), "{exit:?}");
        }
    }
}
