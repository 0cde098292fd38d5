//! The names that a pair is stored under.

use std::fmt;
use std::str::FromStr;

/// The names of the client id and of the client secret. Both are names that a shell takes for a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub client_id: String,
    pub client_secret: String,
}

impl Names {
    /// Returns the names that scripts read.
    pub fn of_scripts() -> Self {
        Self::new("CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET")
    }

    /// Returns the names that wrangler and `cf` read.
    pub fn of_wrangler() -> Self {
        Self::new("CLOUDFLARE_ACCESS_CLIENT_ID", "CLOUDFLARE_ACCESS_CLIENT_SECRET")
    }

    /// Returns the names of the request headers, which are also those of the one-header form.
    pub fn of_headers() -> Self {
        Self::new("cf-access-client-id", "cf-access-client-secret")
    }

    fn new(client_id: &str, client_secret: &str) -> Self {
        Self { client_id: client_id.to_owned(), client_secret: client_secret.to_owned() }
    }
}

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "wrangler" {
            return Ok(Self::of_wrangler());
        }
        let (client_id, client_secret) = text.split_once(',').ok_or(
            "two names with a comma between them are needed, such as APP_CLIENT_ID,APP_CLIENT_SECRET; or the word wrangler",
        )?;
        if let Some(name) = [client_id, client_secret].into_iter().find(|name| !is_name_of_a_variable(name)) {
            return Err(format!(
                "{name:?} is no name of a variable; use letters, digits and _, and begin with no digit"
            ));
        }
        if client_id == client_secret {
            return Err("the client id and the secret need two different names".to_owned());
        }
        Ok(Self::new(client_id, client_secret))
    }
}

/// The form that is parsed.
impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{},{}", self.client_id, self.client_secret)
    }
}

/// Tells whether a shell takes a text for the name of a variable.
pub fn is_name_of_a_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_two_variables_of_a_shell_or_the_word_for_those_of_wrangler() {
        assert_eq!("APP_ID,_s2".parse(), Ok(Names::new("APP_ID", "_s2")));
        assert_eq!("wrangler".parse(), Ok(Names::of_wrangler()));
        for names in [Names::of_scripts(), Names::of_wrangler()] {
            assert_eq!(names.to_string().parse(), Ok(names));
        }
        for text in ["", "A", "A,A", "A,", ",B", "A,B,C", "1A,B", "A-B,C", "A$(id),B", "A,B ", "Ä,B", "A\n,B"] {
            assert!(text.parse::<Names>().is_err(), "{text:?}");
        }
    }
}
