//! The key under which a token is issued.

use std::fmt;
use std::str::FromStr;

const LONGEST: usize = 64;

/// The key under which [`issue`](crate::Tokens::issue) makes a token: 1 to 64 letters and digits of ASCII, `.`, `_` and `-`.
///
/// Choose one for each token, and keep it until [`finish_issue`](crate::Tokens::finish_issue) has succeeded: the same key finds the
/// token again, from any host. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssueKey(String);

/// An error for a text that is no [`IssueKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key of `issue`; a key is 1 to {LONGEST} of the characters A-Z a-z 0-9 . _ -")]
pub struct InvalidIssueKey(String);

impl IssueKey {
    /// Checks a key that the caller has chosen.
    ///
    /// # Errors
    ///
    /// [`InvalidIssueKey`] when it is empty, longer than 64 characters, or has others than those of a key.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidIssueKey> {
        let text = text.into();
        let is_of_a_key = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_key = (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_of_a_key);
        if is_key { Ok(Self(text)) } else { Err(InvalidIssueKey(text)) }
    }

    /// Makes a key that nobody has used before, of 32 hexadecimal digits. Store it before the first call with it.
    ///
    /// # Errors
    ///
    /// The error of the system where it gives no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IssueKey {
    type Err = InvalidIssueKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for IssueKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_64_characters_that_no_shell_and_no_name_minds() {
        for text in ["a", "ci-2026.11_a", "0123456789abcdef0123456789abcdef", &"x".repeat(64)] {
            assert_eq!(text.parse::<IssueKey>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "a]", "ä", "a:b", "a\n", &"x".repeat(65)] {
            let refused = text.parse::<IssueKey>().unwrap_err();
            assert!(refused.to_string().contains("1 to 64 of the characters"), "{refused}");
        }
    }

    #[test]
    fn a_random_key_is_a_key_and_another_each_time() {
        let (one, other) = (IssueKey::random().unwrap(), IssueKey::random().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.as_str().len(), IssueKey::new(one.as_str())), (32, Ok(one.clone())));
    }
}
