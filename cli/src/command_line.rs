//! Command lines that a person can paste into a shell.

/// The command line of this process.
pub fn this_command() -> String {
    std::env::args_os()
        .skip(1)
        .fold("access-tokens".to_owned(), |line, argument| line + " " + &quoted(&argument.to_string_lossy()))
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
