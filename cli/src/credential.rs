//! The credential of a command: from the file that is given, or else from the environment.
//!
//! A value that cannot be right is refused before anything is sent. The message names the variable or the file, and never the value.

use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use cloudflare_access_host::Credentials;

use crate::environment::{some, variable, variable_in};
use crate::failure::Failure;

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const KEY: &str = "CLOUDFLARE_API_KEY";
const EMAIL: &str = "CLOUDFLARE_EMAIL";

/// Names that other tools read, and the name that this one reads.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("CF_API_TOKEN", TOKEN),
    ("CF_TOKEN", TOKEN),
    ("CLOUDFLARE_TOKEN", TOKEN),
    ("CF_DNS_API_TOKEN", TOKEN),
    ("CF_API_KEY", KEY),
    ("CF_KEY", KEY),
    ("CF_API_EMAIL", EMAIL),
    ("CF_EMAIL", EMAIL),
];

/// Where the credential and the variables beside it come from.
#[derive(Debug)]
pub enum Source {
    /// The environment.
    Environment,
    /// A file, by its name in messages, and its text.
    File {
        /// How messages call it.
        name: String,
        /// What is in it.
        text: String,
    },
}

impl Source {
    /// Reads the file that is given; `-` is standard input.
    pub fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else { return Ok(Self::Environment) };
        let is_standard_input = path.as_os_str() == "-";
        let name = if is_standard_input {
            "standard input (--credentials-file -)".to_owned()
        } else {
            format!("the credentials file {}", path.display())
        };
        let text = if is_standard_input { standard_input() } else { std::fs::read_to_string(path) };
        let text = text.map_err(|error| Failure::configuration(&format!("{name} cannot be read: {error}")))?;
        if !is_standard_input {
            warn_if_others_can_read(path);
        }
        Ok(Self::File { name, text })
    }

    /// Reads a variable of the file, or else of the environment.
    pub fn variable(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.own_variable(name)? {
            Some(value) => Ok(Some(value)),
            None => variable(name),
        }
    }

    /// Finds the one complete credential.
    pub fn credentials(&self) -> Result<Credentials, Failure> {
        if let Self::File { name, text } = self
            && !text.contains('=')
        {
            let token = some(text).ok_or_else(|| Failure::configuration(&format!("{name} is empty")))?;
            check(TOKEN, &token).map_err(|wrong| Failure::configuration(&format!("{name} {wrong}")))?;
            return Ok(Credentials::api_token(token));
        }
        let [token, key, email] = [TOKEN, KEY, EMAIL].map(|name| self.checked(name));
        let (token, key, email) = (token?, key?, email?);
        let read = |name: &str| match name {
            TOKEN => token.clone(),
            KEY => key.clone(),
            EMAIL => email.clone(),
            _ => None,
        };
        Credentials::from_variables(read).map_err(|error| match self {
            Self::Environment => Failure::configuration(&error).advice(
                self.other_name()
                    .unwrap_or_else(|| "Or put the token into a file and give --credentials-file.".to_owned()),
            ),
            Self::File { name, .. } => {
                let failure = Failure::configuration(&format!("{name} has no usable credential: {error}"));
                match self.other_name() {
                    Some(advice) => failure.advice(advice),
                    None => failure,
                }
            }
        })
    }

    /// Tells which credential it is and where it comes from.
    pub fn describe(&self) -> Result<String, Failure> {
        self.credentials()?;
        let name = if self.own_variable(KEY)?.is_some() { "a global API key" } else { "an API token" };
        Ok(match self {
            Self::Environment if self.own_variable(KEY)?.is_some() => format!("{name} from {KEY} and {EMAIL}"),
            Self::Environment => format!("{name} from {TOKEN}"),
            Self::File { name: file, .. } => format!("{name} from {file}"),
        })
    }

    fn own_variable(&self, name: &str) -> Result<Option<String>, Failure> {
        match self {
            Self::Environment => variable(name),
            Self::File { text, .. } => Ok(variable_in(text, name)),
        }
    }

    fn checked(&self, variable: &str) -> Result<Option<String>, Failure> {
        let value = self.own_variable(variable)?;
        if let Some(value) = &value {
            check(variable, value).map_err(|wrong| {
                Failure::configuration(&match self {
                    Self::Environment => format!("{variable} {wrong}"),
                    Self::File { name, .. } => format!("{variable} in {name} {wrong}"),
                })
            })?;
        }
        Ok(value)
    }

    /// What to do where the credential has the name that another tool gives it.
    fn other_name(&self) -> Option<String> {
        let is_set = |name: &str| matches!(self.own_variable(name), Ok(Some(_)));
        let (other, name) = OTHER_NAMES.into_iter().find(|(other, name)| is_set(other) && !is_set(name))?;
        Some(match self {
            Self::Environment => {
                format!("{other} is set, and this command reads {name}:\n  export {name}=\"${other}\"")
            }
            Self::File { .. } => format!("It has {other}, and this command reads {name}: give the line that name."),
        })
    }
}

/// Standard input, which can be read once only.
fn standard_input() -> std::io::Result<String> {
    static TEXT: OnceLock<String> = OnceLock::new();
    if let Some(text) = TEXT.get() {
        return Ok(text.clone());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(TEXT.get_or_init(|| text).clone())
}

/// Tells what is wrong with a value, without the value.
fn check(variable: &str, value: &str) -> Result<(), String> {
    let is_quoted = |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    if is_quoted('"') || is_quoted('\'') {
        return Err("has quotes around its value, which are sent as a part of it; take them off".to_owned());
    }
    if value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err("begins with \"Bearer \"; give the token alone, since the header is added to it".to_owned());
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has white space or other characters inside that a request header cannot carry".to_owned());
    }
    if variable == EMAIL {
        return Ok(());
    }
    let has = |prefix: &str| value.starts_with(prefix);
    if has("cfast_") {
        return Err(format!(
            "is the secret of a service token, which opens applications; {variable} needs {} of the API",
            if variable == KEY { "a global key" } else { "a token" }
        ));
    }
    let is_old_token = value.len() == 40 && !value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match variable {
        KEY if has("cfut_") || has("cfat_") || is_old_token => {
            Err(format!("is an API token, not a global API key; set it as {TOKEN} and unset {KEY}"))
        }
        TOKEN if has("cfk_") => {
            Err(format!("is a global API key, not an API token; set it as {KEY}, with {EMAIL}, and unset {TOKEN}"))
        }
        _ if is_a_name(value) => {
            Err("looks like the name of a variable or of a CI secret, not like its value".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether a text is written like the name of a variable: `CF_DNS_API_TOKEN`.
fn is_a_name(text: &str) -> bool {
    let is_of_a_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let text = text.trim_matches(['$', '{', '}']);
    text.contains('_') && text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(is_of_a_name)
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Once;

    use crate::command_line::quoted;
    use crate::message::tell;
    // `watch` reads the file in every round.
    static TOLD: Once = Once::new();
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o077 != 0) {
        let path = path.display().to_string();
        TOLD.call_once(|| tell(format_args!("warning: other users can read {path}:\n  chmod 600 {}", quoted(&path))));
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_right_is_named_and_not_shown() {
        let old_token = "aB3-".repeat(10);
        for (variable, value, text) in [
            (TOKEN, "\"hunter2\"", "quotes"),
            (TOKEN, "'hunter2'", "quotes"),
            (TOKEN, "Bearer hunter2", "Bearer"),
            (TOKEN, "bearer hunter2", "Bearer"),
            (TOKEN, "hun ter2", "white space"),
            (TOKEN, "hun\nter2", "white space"),
            (TOKEN, "cfast_hunter2", "secret of a service token"),
            (KEY, "cfast_hunter2", "secret of a service token"),
            (TOKEN, "cfk_hunter2", "global API key"),
            (KEY, "cfut_hunter2", "API token"),
            (KEY, "cfat_hunter2", "API token"),
            (KEY, &old_token, "API token"),
            (TOKEN, "CF_DNS_API_TOKEN", "name of a variable"),
            (TOKEN, "${CF_DNS_API_TOKEN}", "name of a variable"),
            (EMAIL, "\"hunter2@example.com\"", "quotes"),
        ] {
            let wrong = check(variable, value).unwrap_err();
            assert!(wrong.contains(text) && !wrong.contains("hunter2") && !wrong.contains(&old_token), "{wrong}");
        }
        for (variable, value) in
            [(TOKEN, &*old_token), (TOKEN, "cfut_x"), (KEY, "cfk_x"), (KEY, &"0a".repeat(18)), (EMAIL, "a_b@c.d")]
        {
            assert_eq!(check(variable, value), Ok(()), "{value}");
        }
    }
}
