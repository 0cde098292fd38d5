//! The text that a destination takes.

use clap::ValueEnum;
use cloudflare_access_host::{DestinationError, ExposeSecret, Pair, SecretString};
use serde_json::json;

use crate::command_line::quoted;
use crate::destination::names::Names;

/// How a pair is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// NAME=value lines, quoted for a shell where needed
    Env,
    /// A JSON object with the two names as its keys
    Json,
    /// {"cf-access-client-id":…,"cf-access-client-secret":…}, the value of the one header that an application may take both in
    Header,
    /// The secret alone, without a line end
    Secret,
}

/// A format, and the names that it uses.
#[derive(Clone, Debug)]
pub struct Form {
    pub format: Format,
    pub names: Names,
}

impl Form {
    /// Writes a pair.
    ///
    /// # Errors
    ///
    /// The pair has a control character, which no request header can carry.
    pub fn text(&self, pair: &Pair) -> Result<SecretString, DestinationError> {
        refuse_control_characters(pair)?;
        let (id, secret) = (pair.client_id.as_str(), pair.client_secret.expose_secret());
        let object = |names: &Names| {
            let pair = json!({ names.client_id.as_str(): id, names.client_secret.as_str(): secret });
            pair.to_string()
        };
        let text = match self.format {
            Format::Env => line(&self.names.client_id, id) + &line(&self.names.client_secret, secret),
            Format::Json => object(&self.names) + "\n",
            Format::Header => object(&Names::of_headers()),
            Format::Secret => secret.to_owned(),
        };
        Ok(text.into())
    }
}

/// Refuses a pair that no request header can carry. So no value has a line end, either.
pub fn refuse_control_characters(pair: &Pair) -> Result<(), DestinationError> {
    let has_control = |text: &str| text.chars().any(char::is_control);
    if has_control(&pair.client_id) || has_control(pair.client_secret.expose_secret()) {
        return Err(DestinationError::new(
            "the pair has a control character, which no request header can carry, so it is delivered nowhere",
        ));
    }
    Ok(())
}

/// Writes a line that sets a variable, for a shell or `docker run --env-file`. What a shell would run or change is quoted.
pub fn line(name: &str, value: &str) -> String {
    name.to_owned() + "=" + &quoted(value) + "\n"
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::test_runner::{Config, TestRunner};
    use proptest::{prop_assert, prop_assert_eq};

    use super::*;

    fn text(format: Format, secret: &str) -> Result<String, DestinationError> {
        let form = Form { format, names: Names::of_wrangler() };
        Ok(form.text(&Pair::new("1.access", secret.into()))?.expose_secret().to_owned())
    }

    #[test]
    fn each_format_has_the_pair_as_its_reader_takes_it() {
        for (format, secret, written) in [
            (Format::Env, "it's", "CLOUDFLARE_ACCESS_CLIENT_ID=1.access\nCLOUDFLARE_ACCESS_CLIENT_SECRET='it'\\''s'\n"),
            (
                Format::Json,
                "a\"\\b",
                "{\"CLOUDFLARE_ACCESS_CLIENT_ID\":\"1.access\",\"CLOUDFLARE_ACCESS_CLIENT_SECRET\":\"a\\\"\\\\b\"}\n",
            ),
            (Format::Header, "s", r#"{"cf-access-client-id":"1.access","cf-access-client-secret":"s"}"#),
            (Format::Secret, "it's", "it's"),
        ] {
            assert_eq!(text(format, secret).unwrap(), written);
        }
    }

    /// A hundredth of the cases of other property tests, or fifty, since each runs a shell. The macro `proptest!` would run all.
    #[test]
    fn a_shell_that_sources_the_lines_runs_nothing_and_has_the_values() {
        let all = std::env::var("PROPTEST_CASES").map_or(500, |cases| cases.parse().unwrap());
        let config = Config { cases: (all / 100).max(50), failure_persistence: None, ..Config::default() };
        let value = r#"[ -~]{0,12}|['"\\$`;|&<>(){}*?~#!= ]{0,8}|\$\(exit 3\)|'; exit 3; '|[^\pC]{0,8}"#;
        let tried = TestRunner::new(config).run(&(value, value), |(client_id, secret)| {
            let form = Form { format: Format::Env, names: Names::of_scripts() };
            let lines = form.text(&Pair::new(client_id.as_str(), secret.as_str().into())).unwrap();
            let shown = "printf '%s\\n%s' \"$CF_ACCESS_CLIENT_ID\" \"$CF_ACCESS_CLIENT_SECRET\"";
            let script = lines.expose_secret().to_owned() + shown;
            let shell = Command::new("sh").args(["-c", &script]).env_clear().output().unwrap();
            prop_assert_eq!(String::from_utf8(shell.stdout).unwrap(), client_id + "\n" + &secret);
            prop_assert!(shell.status.success() && shell.stderr.is_empty());
            Ok(())
        });
        tried.unwrap();
    }

    #[test]
    fn a_pair_that_no_header_can_carry_is_written_in_no_format() {
        for format in Format::value_variants() {
            for secret in ["x\nLD_PRELOAD=y", "x\0", "x\r", "x\u{85}"] {
                assert!(text(*format, secret).is_err(), "{format:?} {secret:?}");
            }
        }
    }
}
