//! Command lines that a person can paste into a shell.

/// The command line of this process.
pub fn this_command() -> String {
    line(&arguments())
}

/// The command line of this process with an option more.
pub fn this_command_with(option: &[&str]) -> String {
    line(&with_option(arguments(), option))
}

fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// At the end, or before the `--` that ends the options.
fn with_option(mut arguments: Vec<String>, option: &[&str]) -> Vec<String> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, option.iter().map(|word| (*word).to_owned()));
    arguments
}

/// A command line of this program.
pub fn command(arguments: &[&str]) -> String {
    arguments.iter().fold("access-tokens".to_owned(), |line, argument| line + " " + &quoted(argument))
}

fn line(arguments: &[String]) -> String {
    command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// One word for a shell of POSIX: as it is where no shell minds, else in single quotes.
pub fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_added_where_it_is_one() {
        for (arguments, with_key) in [
            (&["issue", "the CI"][..], "access-tokens issue 'the CI' --key k"),
            (&["issue", "--", "-CI"], "access-tokens issue --key k -- -CI"),
        ] {
            let arguments = arguments.iter().map(ToString::to_string).collect();
            assert_eq!(line(&with_option(arguments, &["--key", "k"])), with_key);
        }
    }

    #[test]
    fn a_word_that_a_shell_would_change_is_quoted() {
        for (word, shown) in [
            ("f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"),
            ("https://a.b:80/c", "https://a.b:80/c"),
            ("", "''"),
            ("cost $HOME `id`", "'cost $HOME `id`'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
