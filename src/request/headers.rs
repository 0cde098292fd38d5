//! The headers that the options add to a request.

use crate::contract::types::{ErrorKind, Header};
use crate::failure::{Failure, Result};
use crate::request::Credentials;

/// All headers together, in bytes and in number. A host may end the component over a larger block.
const SIZE_LIMIT: usize = 16 * 1024;
const COUNT_LIMIT: usize = 64;

/// What the component or HTTP sets itself, or what would change how the request is read.
const RESERVED: &str = "accept accept-encoding authorization connection content-encoding content-length content-type cookie expect \
    host http2-settings keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer \
    transfer-encoding upgrade x-auth-email x-auth-key x-auth-user-service-key";

/// Checks the headers of the options, and returns them with their names in lower case. Of a wrong name nothing is
/// shown, since a whole header pasted there holds a value.
pub fn check(given: Vec<Header>, credentials: &Credentials) -> Result<Vec<(String, String)>> {
    let refuse = |message: String| Err(Failure::configuration(format!("headers: {message}")));
    let size: usize = given.iter().map(|header| header.name.len().saturating_add(header.value.len())).sum();
    let count = given.len();
    if count > COUNT_LIMIT || size > SIZE_LIMIT {
        let most = format_args!("at most {COUNT_LIMIT} with {SIZE_LIMIT} bytes can be sent");
        return refuse(format!("{count} with {size} bytes, and {most}"));
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut headers = Vec::with_capacity(count);
    for Header { name, value } in given {
        if name.is_empty() {
            return refuse("a name is empty".to_owned());
        }
        if let Some(length) = name.bytes().position(|byte| !is_token(byte)) {
            return refuse(format!(
                "a name has a character that no name has, after {length} good ones: name and value are two fields"
            ));
        }
        credentials.refuse_in(ErrorKind::InvalidConfiguration, "headers: a name", &name)?;
        credentials.refuse_in(ErrorKind::InvalidConfiguration, "headers: a value", &value)?;
        let name = name.to_ascii_lowercase();
        if RESERVED.split(' ').any(|reserved| reserved == name) {
            return refuse(format!(
                "{name} is set by the component or by HTTP itself; credentials go into `endpoint.credentials`"
            ));
        }
        let number = headers.len().saturating_add(1);
        check_value(&format!("headers: the value of header {number}"), &value)?;
        headers.push((name, value));
    }
    Ok(headers)
}

/// Accepts visible ASCII and spaces. The value may be secret, so the message tells only where it breaks the rule.
pub fn check_value(source: &str, value: &str) -> Result<()> {
    match value.bytes().position(|byte| !matches!(byte, b' '..=b'~')) {
        None => Ok(()),
        Some(length) => Err(Failure::configuration(format!(
            "{source} has a character that no header can carry, after {length} good ones (a line break?)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    fn check(given: Vec<Header>) -> Result<Vec<(String, String)>> {
        super::check(given, &Credentials::ApiToken("s3cret".into()))
    }

    #[test]
    fn headers_cannot_carry_a_second_one_or_replace_ours() {
        for (name, value, expected) in [
            ("Authorization", "x", "authorization is set by the component"),
            ("X-Auth-Key", "x", "x-auth-key is set by"),
            ("Content-Length", "9", "content-length is set by"),
            (
                "x-a",
                "b\r\nAuthorization: c",
                "headers: the value of header 1 has a character that no header can carry, after 1 good ones",
            ),
            ("x-a", "\u{e9}", "header 1 has a character"),
            ("x-a\r\nb", "c", "a character that no name has, after 3 good ones"),
            ("", "c", "a name is empty"),
            ("x a", "c", "a character that no name has, after 1 good ones"),
        ] {
            let message = check(vec![header(name, value)]).expect_err("accepted").error.message;
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_value_that_is_pasted_into_a_name_is_not_shown() {
        let pasted = header("X-Proxy-Secret: hunter2hunter2", "");
        let message = check(vec![pasted]).expect_err("accepted").error.message;
        assert!(message.contains("name and value are two fields") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn names_may_repeat() {
        let given = vec![header("User-Agent", "mine/1"), header("X-Trace", "1"), header("x-trace", "2")];
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [pair("user-agent", "mine/1"), pair("x-trace", "1"), pair("x-trace", "2")];
        assert_eq!(check(given).expect("accepted"), expected);
    }

    #[test]
    fn there_are_not_too_many_and_not_too_large_ones() {
        let many = (0..65).map(|_| header("x", "")).collect();
        assert!(check(many).expect_err("accepted").error.message.contains("65 with 65 bytes"));
        let large = vec![header("x", &"y".repeat(SIZE_LIMIT))];
        assert!(check(large).is_err());
    }
}
