//! Takes credentials out of what the component returns.
//!
//! With `credentials::host` the component does not know the credential, so it cannot see that a server has sent it back. Everything
//! that a call returns therefore passes through a [`Redactor`] before a caller, a span or a log gets it:
//!
//! - The text of an error loses credentials, client secrets and control characters, and is cut where it is too long.
//! - A ray id and the id of a token are kept as they are only if they have the form of one.
//! - The other fields of a token are data and stay as the server sent them.

use std::fmt;
use std::sync::Arc;

use crate::bindings::{lifecycle, types};
use crate::credentials::{CredentialHeaders, X_AUTH_EMAIL};

const REDACTED: &str = "[redacted]";
/// As many characters of a credential in a row count as the credential: a text that was cut, or a server that sends it in parts,
/// shows no more than this leaves.
const PIECE: usize = 12;
/// Header values that are shorter are no credentials.
const SHORTEST_HEADER_VALUE: usize = 8;
/// The component cuts the texts of a server at half of this.
const TEXT_LIMIT: usize = 1_000;
/// A message has up to twelve texts of a server in it.
const MESSAGE_LIMIT: usize = 8_000;

/// Takes the credential of a call out of what the component returns. From
/// [`AccessHooks::redactor`](crate::hooks::AccessHooks::redactor).
#[derive(Clone, Default)]
pub struct Redactor {
    credential: Option<Arc<CredentialHeaders>>,
    /// Other values that the requests carry. The component knows them and takes them out of texts itself.
    header_values: Vec<String>,
}

impl Redactor {
    pub(crate) fn new(credential: Arc<CredentialHeaders>) -> Self {
        Self { credential: Some(credential), header_values: Vec::new() }
    }

    pub(crate) fn with_header_values<'a>(mut self, values: impl Iterator<Item = &'a str>) -> Self {
        self.header_values = values.filter(|value| value.len() >= SHORTEST_HEADER_VALUE).map(str::to_owned).collect();
        self
    }

    /// Cleans what a function of the component returned, in place.
    pub fn clean(&self, received: &mut impl Received) {
        received.clean(self);
    }

    /// Text without credentials, client secrets and control characters, of an ordinary length.
    pub(crate) fn text(&self, text: &str) -> String {
        self.cut(text, TEXT_LIMIT)
    }

    fn message(&self, message: &str) -> String {
        self.cut(message, MESSAGE_LIMIT)
    }

    /// A ray id, such as `9f1c2ab34cd56ef7-AMS`; none if the text is something else or a part of a credential.
    pub(crate) fn ray_id(&self, text: &str) -> Option<String> {
        let (number, place) = text.split_once('-').unwrap_or((text, ""));
        let is_number = number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_place = place.len() <= 8 && place.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_of_a_header = || self.header_values.iter().any(|value| contains(value, number) || contains(text, value));
        let is_ray_id = is_number && is_place && !is_of_a_header() && self.text(text) == text;
        is_ray_id.then(|| text.to_owned())
    }

    /// Returns a UUID as it is, since none holds a credential, and cleans any other id like text.
    fn id(&self, id: &str) -> String {
        if is_uuid(id) { id.to_owned() } else { self.text(id) }
    }

    fn cut(&self, text: &str, limit: usize) -> String {
        // First, so that no character that is dropped can hide a credential.
        let text: String = text.chars().filter(|character| !is_unprintable(*character)).collect();
        let hidden = self.hidden(&text);
        let mut cleaned = String::with_capacity(text.len());
        let mut was_hidden = false;
        for (at, character) in text.char_indices() {
            match (hidden[at], was_hidden) {
                (false, _) => cleaned.push(character),
                (true, false) => cleaned.push_str(REDACTED),
                (true, true) => {}
            }
            was_hidden = hidden[at];
        }
        if let Some((end, _)) = cleaned.char_indices().nth(limit) {
            cleaned.truncate(end);
            cleaned.push('…');
        }
        cleaned
    }

    /// Which bytes of a text are of a credential or a client secret, whatever overlaps.
    fn hidden(&self, text: &str) -> Vec<bool> {
        let mut hidden = vec![false; text.len()];
        for (name, secret) in self.credential.iter().flat_map(|credential| credential.secrets()) {
            // Pieces of an address are words that may stand anywhere.
            let piece = if *name == X_AUTH_EMAIL { secret.len() } else { secret.len().min(PIECE) };
            for (at, part) in text.as_bytes().windows(piece.max(1)).enumerate() {
                if secret.as_bytes().windows(piece.max(1)).any(|known| known.eq_ignore_ascii_case(part)) {
                    hidden[at..at + part.len()].fill(true);
                }
            }
        }
        for (at, prefix) in text.match_indices("cfast_") {
            let secret = text[at + prefix.len()..].bytes().take_while(u8::is_ascii_alphanumeric).count();
            hidden[at..at + prefix.len() + secret].fill(true);
        }
        hidden
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Redactor([redacted])")
    }
}

/// What a function of the component returns.
pub trait Received {
    /// Takes out what a caller must not see.
    fn clean(&mut self, redactor: &Redactor);
}

impl Received for types::Error {
    fn clean(&mut self, redactor: &Redactor) {
        let text = |text: &mut String| *text = redactor.text(text);
        self.message = redactor.message(&self.message);
        self.ray_id = self.ray_id.take().and_then(|ray_id| redactor.ray_id(&ray_id));
        self.token_id = self.token_id.take().map(|id| redactor.id(&id));
        for error in &mut self.api_errors {
            text(&mut error.message);
            error.documentation_url.iter_mut().for_each(text);
            error.pointer.iter_mut().for_each(text);
            error.chain.iter_mut().for_each(|cause| text(&mut cause.message));
        }
    }
}

impl Received for lifecycle::IssueError {
    fn clean(&mut self, redactor: &Redactor) {
        self.error.clean(redactor);
        // An id that is not kept as it is names no token; the working name does.
        if let Some(progress) = &mut self.progress {
            progress.token_id.take_if(|id| redactor.id(id) != *id);
        }
    }
}

impl Received for types::ServiceToken {
    fn clean(&mut self, redactor: &Redactor) {
        if !is_uuid(&self.id) {
            self.id = redactor.id(&self.id);
        }
    }
}

impl Received for types::IssuedToken {
    fn clean(&mut self, redactor: &Redactor) {
        self.token.clean(redactor);
    }
}

impl Received for types::UpdatedToken {
    fn clean(&mut self, redactor: &Redactor) {
        self.token.clean(redactor);
    }
}

impl Received for types::TokenPage {
    fn clean(&mut self, redactor: &Redactor) {
        self.tokens.clean(redactor);
    }
}

impl Received for lifecycle::ExpiringToken {
    fn clean(&mut self, redactor: &Redactor) {
        self.token.clean(redactor);
    }
}

impl Received for lifecycle::ExpiryReport {
    fn clean(&mut self, redactor: &Redactor) {
        self.expiring.clean(redactor);
        self.disabled.clean(redactor);
        self.forever.clean(redactor);
        self.unreadable.clean(redactor);
    }
}

impl Received for lifecycle::RefreshedToken {
    fn clean(&mut self, redactor: &Redactor) {
        self.id = redactor.id(&self.id);
        self.refreshed.clean(redactor);
    }
}

impl Received for lifecycle::RefreshReport {
    fn clean(&mut self, redactor: &Redactor) {
        self.tokens.clean(redactor);
    }
}

impl Received for lifecycle::OverlappingToken {
    fn clean(&mut self, redactor: &Redactor) {
        self.issued.clean(redactor);
    }
}

impl Received for lifecycle::EnsuredToken {
    fn clean(&mut self, redactor: &Redactor) {
        self.token.clean(redactor);
    }
}

impl<T: Received> Received for Vec<T> {
    fn clean(&mut self, redactor: &Redactor) {
        for received in self {
            received.clean(redactor);
        }
    }
}

impl<T: Received, E: Received> Received for Result<T, E> {
    fn clean(&mut self, redactor: &Redactor) {
        match self {
            Ok(received) => received.clean(redactor),
            Err(error) => error.clean(redactor),
        }
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    text.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase())
}

fn is_uuid(text: &str) -> bool {
    let is_in_form = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_in_form)
}

/// What could end a line, change how it reads, or stand in a text without being seen.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;

    const TOKEN: &str = "cfut_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd1234";
    const KEY: &str = "0123456789abcdef0123456789abcdef01234";
    const EMAIL: &str = "me@example.com";

    fn redactor(credentials: &Credentials) -> Redactor {
        Redactor::new(Arc::new(credentials.headers().unwrap()))
    }

    #[test]
    fn text_loses_the_credential_in_whatever_form_and_keeps_the_rest() {
        let redactor = redactor(&Credentials::api_token(TOKEN));
        for (text, cleaned) in [
            (format!("bad header Bearer {TOKEN}, again"), "bad header Bearer [redacted], again"),
            (format!("{TOKEN}{TOKEN}"), "[redacted]"),
            (TOKEN.to_uppercase(), "[redacted]"),
            (format!("x{}…", &TOKEN[..20]), "x[redacted]…"),
            (format!("{} and {}", &TOKEN[..25], &TOKEN[25..]), "[redacted] and [redacted]"),
            (format!("{}\u{0}\r\n\u{200b}{}", &TOKEN[..6], &TOKEN[6..]), "[redacted]"),
            ("secret=cfast_aB3, cfast_".to_owned(), "secret=[redacted], [redacted]"),
            ("a\tb\u{1b}[2Jc\u{202e} é 🙂".to_owned(), "ab[2Jc é 🙂"),
            (TOKEN[..11].to_owned(), &TOKEN[..11]),
        ] {
            assert_eq!(redactor.text(&text), cleaned, "{text:?}");
        }
    }

    #[test]
    fn a_key_and_its_address_are_both_taken_out_and_words_of_the_address_are_not() {
        let redactor = redactor(&Credentials::api_key(EMAIL, KEY));
        let text = format!("{EMAIL}:{KEY}, see https://example.com/");
        assert_eq!(redactor.text(&text), "[redacted]:[redacted], see https://example.com/");
    }

    #[test]
    fn text_is_cut_after_the_credential_is_taken_out() {
        let redactor = redactor(&Credentials::api_token(TOKEN));
        let text = format!("{}{TOKEN}", "é".repeat(TEXT_LIMIT - 5));
        assert_eq!(redactor.text(&text), format!("{}[reda…", "é".repeat(TEXT_LIMIT - 5)));
        assert_eq!(redactor.text(&"é".repeat(TEXT_LIMIT)), "é".repeat(TEXT_LIMIT));
    }

    #[test]
    fn a_ray_id_has_its_own_form_and_is_no_part_of_a_credential() {
        let key = redactor(&Credentials::api_key(EMAIL, KEY));
        let of_proxy = Redactor::default().with_header_values(["9F1C2AB34CD56EF7", "AMS"].into_iter());
        for (redactor, text, is_ray_id) in [
            (&key, "9f1c2ab34cd56ef7-AMS", true),
            (&key, "9f1c2ab34cd56ef7", true),
            (&key, "89abcdef01234567-AMS", false),
            (&key, "89ABCDEF01234567-AMS", false),
            (&key, "9f1c2ab34cd56ef", false),
            (&key, "9f1c2ab34cd56ef7-AMSTERDAM", false),
            (&key, "9f1c2ab34cd56ef7-A.S", false),
            (&key, "not-a-ray", false),
            (&key, TOKEN, false),
            (&of_proxy, "9f1c2ab34cd56ef7-AMS", false),
            (&of_proxy, "9f1c2ab34cd56ef8-AMS", true),
        ] {
            assert_eq!(redactor.ray_id(text).is_some(), is_ray_id, "{text}");
        }
    }

    #[test]
    fn an_id_is_kept_where_it_is_a_uuid() {
        let redactor = redactor(&Credentials::api_token(TOKEN));
        let id = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";
        assert_eq!(redactor.id(id), id);
        assert_eq!(redactor.id("an-id-of-another-form"), "an-id-of-another-form");
        assert_eq!(redactor.id(TOKEN), "[redacted]");
    }

    #[test]
    fn debug_shows_no_credential() {
        let redactor = redactor(&Credentials::api_token(TOKEN)).with_header_values(["hunter2hunter2"].into_iter());
        assert_eq!(format!("{redactor:?}"), "Redactor([redacted])");
    }
}
