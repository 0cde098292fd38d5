//! What a command printed, as it may be shown.

use cloudflare_access_host::{ExposeSecret, SecretString};

use crate::command_line::quoted;

/// How much of each output of a command is kept, in bytes.
pub const KEPT: usize = 16 * 1024;

/// Returns the lines of the outputs of a command, without control characters, and with the secret taken out in every form that it is
/// written in.
pub fn without_secrets(printed: &[Vec<u8>], secret: &SecretString) -> Vec<String> {
    let forms = forms(secret.expose_secret());
    printed.iter().flat_map(|bytes| lines(bytes, &forms)).collect()
}

fn lines(bytes: &[u8], forms: &[String]) -> Vec<String> {
    let is_cut = bytes.len() >= KEPT;
    // The last line of what was cut could be the beginning of a secret.
    let whole = if is_cut { bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0) } else { bytes.len() };
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    let lines = text.lines().map(|line| {
        let line: String = line.chars().filter(|character| *character == '\t' || !character.is_control()).collect();
        forms.iter().fold(line, |line, form| line.replace(form, "[redacted]"))
    });
    lines.chain(is_cut.then(|| "[the rest is not shown]".to_owned())).collect()
}

/// A secret as it is, as a shell has it, and as JSON has it; the longest form first.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let mut forms =
        vec![secret.to_owned(), quoted(secret), secret.replace('\'', r"'\''"), json.trim_matches('"').to_owned()];
    forms.retain(|form| !form.is_empty());
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::format::{Form, Format};
    use crate::destination::names::Names;
    use clap::ValueEnum;
    use cloudflare_access_host::Pair;

    #[test]
    fn no_form_of_a_secret_that_was_written_is_shown() {
        for secret in ["cfast_abc", "it's", "a\"b\\c", "\"", "'", "x y"] {
            for format in Format::value_variants() {
                let form = Form { format: *format, names: Names::of_scripts() };
                let text = form.text(&Pair::new("1.access", secret.into())).unwrap();
                let text = text.expose_secret().replace("\"CF_ACCESS", "CF_ACCESS");
                let value = text.trim_end().rsplit(['=', ':']).next().unwrap().trim_end_matches('}').to_owned();
                let shown = without_secrets(&[format!("a {value} b\n").into_bytes()], &secret.into());
                assert!(shown.len() == 1 && shown[0].contains("[redacted]"), "{value} {shown:?}");
                assert!(!shown[0].contains(&value), "{value} {shown:?}");
            }
        }
    }

    #[test]
    fn control_characters_do_not_hide_a_secret_or_reach_a_terminal() {
        let shown = without_secrets(&[b"\x1b[31mcfa\x07st_x\r\n".to_vec(), b"\xffb\n".to_vec()], &"cfast_x".into());
        assert_eq!(shown, ["[31m[redacted]", "\u{fffd}b"]);
    }

    #[test]
    fn where_the_output_is_cut_no_beginning_of_a_secret_is_shown() {
        let mut bytes = vec![b'a'; KEPT - 8];
        bytes.extend(b"\ncfast_a");
        assert_eq!(without_secrets(&[bytes], &"cfast_abc".into())[1..], ["[the rest is not shown]"]);
        let one_line = vec![b'a'; KEPT];
        assert_eq!(without_secrets(&[one_line], &"aab".into()), ["[the rest is not shown]"]);
    }
}
