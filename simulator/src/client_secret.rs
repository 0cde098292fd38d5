//! The identifiers and secrets that the API makes.
//!
//! A secret is `cfast_`, 40 letters and digits, and 8 hexadecimal digits of a checksum over what comes before; in its older form it is
//! 64 hexadecimal digits. Its `Debug`
//! shows nothing of it; whoever needs the text asks for it by name.

use std::fmt;

use fastrand::Rng;

use crate::SecretForm;

/// The secret of a service token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// The text that a machine sends as `CF-Access-Client-Secret`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn random(random: &mut Rng, form: SecretForm) -> Self {
        if form == SecretForm::Hexadecimal {
            return Self(format!("{:032x}{:032x}", random.u128(..), random.u128(..)));
        }
        let mut text = String::with_capacity(54);
        text.push_str("cfast_");
        text.extend(std::iter::repeat_with(|| random.alphanumeric()).take(40));
        let checksum = crc32fast::hash(text.as_bytes());
        Self(format!("{text}{checksum:08x}"))
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// A new token id: a random UUID.
pub(crate) fn random_token_id(random: &mut Rng) -> String {
    uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid().to_string()
}

/// A new client id: 32 hexadecimal digits and `.access`.
pub(crate) fn random_client_id(random: &mut Rng) -> String {
    format!("{:032x}.access", random.u128(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_the_documented_form_and_a_checksum_of_its_text() {
        let secret = ClientSecret::random(&mut Rng::with_seed(1), SecretForm::Checksummed);
        let text = secret.expose();
        assert_eq!(text.len(), 54);
        let (start, checksum) = text.split_at(46);
        assert!(start.strip_prefix("cfast_").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric())));
        assert_eq!(checksum, format!("{:08x}", crc32fast::hash(start.as_bytes())));
    }

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        assert_eq!(format!("{:?}", ClientSecret::random(&mut Rng::new(), SecretForm::Checksummed)), "[redacted]");
    }
}
