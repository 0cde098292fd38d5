//! What a file holds that a pair was, or may have been, written to.

use cloudflare_access_host::SecretString;
use serde_json::{Map, Value};

use crate::destination::names::{Names, is_name_of_a_variable};
use crate::environment::{some, variables_in, without_ends};

/// A pair, or part of one, in any of the formats that have names, and what is there besides.
#[derive(Debug, Default)]
pub struct Contents {
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    /// The names of other values.
    pub others: Vec<String>,
}

impl Contents {
    /// Reads the text of a file. A pair stands under the given names, or under those of scripts, wrangler or headers.
    pub fn of(text: &str, names: &Names) -> Self {
        let values: Vec<(String, String)> = match serde_json::from_str::<Map<String, Value>>(without_ends(text)) {
            Ok(object) => object
                .into_iter()
                .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect(),
            Err(_) => variables_in(text).into_iter().filter(|(name, _)| is_name_of_a_variable(name)).collect(),
        };
        let known = [names.clone(), Names::of_scripts(), Names::of_wrangler(), Names::of_headers()];
        let mut contents = Self::default();
        for (name, value) in values {
            if known.iter().any(|names| names.client_id == name) {
                contents.client_id = contents.client_id.or_else(|| some(&value));
            } else if known.iter().any(|names| names.client_secret == name) {
                contents.client_secret = contents.client_secret.or_else(|| some(&value).map(SecretString::from));
            } else {
                contents.others.push(name);
            }
        }
        contents
    }
}

#[cfg(test)]
mod tests {
    use cloudflare_access_host::{ExposeSecret, Pair};

    use super::*;
    use crate::destination::format::{Form, Format};

    #[test]
    fn a_pair_is_found_in_every_format_that_has_names() {
        let own: Names = "APP_ID,APP_SECRET".parse().unwrap();
        for format in [Format::Env, Format::Json, Format::Header] {
            for names in [own.clone(), Names::of_scripts(), Names::of_wrangler()] {
                for secret in ["cfast_x", "it's \"$(id)\" \\ ü", "'", "a''b"] {
                    let form = Form { format, names: names.clone() };
                    let text = form.text(&Pair::new("1.access", secret.into())).unwrap();
                    let contents = Contents::of(text.expose_secret(), &own);
                    assert_eq!(contents.client_id.as_deref(), Some("1.access"), "{form:?}");
                    assert_eq!(contents.client_secret.unwrap().expose_secret(), secret, "{form:?}");
                    assert_eq!(contents.others, [] as [String; 0]);
                }
            }
        }
    }

    #[test]
    fn what_is_there_besides_a_pair_is_named() {
        for (text, client_id, others) in [
            ("", None, &[][..]),
            ("precious", None, &[]),
            ("say x = y", None, &[]),
            ("# CF_ACCESS_CLIENT_ID=a\nexport CF_ACCESS_CLIENT_ID='b'\nDB=x\n", Some("b"), &["DB"]),
            (r#"{"CF_ACCESS_CLIENT_ID":"b","db":{"x":1}}"#, Some("b"), &["db"]),
            ("APP_ID=b\n", None, &["APP_ID"]),
        ] {
            let contents = Contents::of(text, &Names::of_scripts());
            assert_eq!(
                (contents.client_id.as_deref(), contents.others.as_slice()),
                (client_id, &others.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }
}
