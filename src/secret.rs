//! Text that must not be seen: credentials on their way into a request.
//!
//! The one type through which the guest holds them. Its `Debug` prints `[redacted]`; the only way to the text is
//! `reveal`, so a search for that word finds every use.

use std::fmt;

/// A credential. `Debug` prints `[redacted]`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for the header that carries it, and for taking it out of what the server says.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        assert_eq!(format!("{:?}", Some(Secret::new("cfut_abc".into()))), "Some([redacted])");
    }
}
