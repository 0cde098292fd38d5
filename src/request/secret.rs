//! A string that `Debug` shows as `[redacted]`: the credentials of a request.

use std::fmt;

/// A credential. There is no `Display`; the text is reached by [`Secret::reveal`] alone, so a search for that word
/// finds every use.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text: for the header that carries it, and for taking it out of what a server says.
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
