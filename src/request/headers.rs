//! The headers that the options add to a request.

use crate::contract::types::Header;
use crate::failure::{Failure, Result};
use crate::request::quoted::looks_like_a_credential;

/// All headers together, in bytes and in number. A host may end the component over a larger block.
const SIZE_LIMIT: usize = 16 * 1024;
const COUNT_LIMIT: usize = 64;

/// What the component or HTTP sets itself, or what would change how the request is read.
const RESERVED: &str = "accept accept-encoding authorization connection content-encoding content-length content-type cookie expect \
    host http2-settings keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer \
    transfer-encoding upgrade x-auth-email x-auth-key x-auth-user-service-key";

/// Additional headers, with names in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AdditionalHeaders {
    pub user_agent: Option<String>,
    pub others: Vec<(String, String)>,
}

impl AdditionalHeaders {
    /// Checks the headers of the options. Of a wrong name only the part that could be one is shown, since a whole header
    /// pasted there holds a value, and nothing where it could be a credential.
    pub fn given(given: Vec<Header>) -> Result<Self> {
        let refuse = |message: String| Err(Failure::configuration(format!("headers: {message}")));
        let size: usize = given.iter().map(|header| header.name.len().saturating_add(header.value.len())).sum();
        let count = given.len();
        if count > COUNT_LIMIT || size > SIZE_LIMIT {
            return refuse(format!(
                "{count} with {size} bytes, and at most {COUNT_LIMIT} with {SIZE_LIMIT} bytes can be sent"
            ));
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let mut headers = Self::default();
        for Header { name, value } in given {
            let name = name.to_ascii_lowercase();
            if name.is_empty() {
                return refuse("a name is empty".to_owned());
            }
            if let Some(length) = name.bytes().position(|byte| !is_token(byte)) {
                return refuse(format!(
                    "a name has a character that no name has, after {length} good ones: name and value are two fields"
                ));
            }
            if RESERVED.split(' ').any(|reserved| reserved == name) {
                return refuse(format!(
                    "{name} is set by the component or by HTTP itself; credentials go into `endpoint.credentials`"
                ));
            }
            let shown = if looks_like_a_credential(&name) { "a value" } else { &name };
            check_value(&format!("headers: {shown}"), &value)?;
            match name.as_str() {
                "user-agent" => headers.user_agent = Some(value),
                _ => headers.others.push((name, value)),
            }
        }
        Ok(headers)
    }
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

    #[test]
    fn headers_cannot_carry_a_second_one_or_replace_ours() {
        for (name, value, expected) in [
            ("Authorization", "x", "authorization is set by the component"),
            ("X-Auth-Key", "x", "x-auth-key is set by"),
            ("Content-Length", "9", "content-length is set by"),
            (
                "x-a",
                "b\r\nAuthorization: c",
                "headers: x-a has a character that no header can carry, after 1 good ones",
            ),
            ("x-a", "\u{e9}", "headers: x-a has a character"),
            ("x-a\r\nb", "c", "a character that no name has, after 3 good ones"),
            ("", "c", "a name is empty"),
            ("x a", "c", "a character that no name has, after 1 good ones"),
        ] {
            let message = AdditionalHeaders::given(vec![header(name, value)]).expect_err("accepted").error.message;
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_value_that_is_pasted_into_a_name_is_not_shown() {
        let pasted = header("X-Proxy-Secret: hunter2hunter2", "");
        let message = AdditionalHeaders::given(vec![pasted]).expect_err("accepted").error.message;
        assert!(message.contains("name and value are two fields") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn names_may_repeat_and_the_user_agent_is_told_apart() {
        let given = vec![header("User-Agent", "mine/1"), header("X-Trace", "1"), header("x-trace", "2")];
        let headers = AdditionalHeaders::given(given).expect("accepted");
        assert_eq!(headers.user_agent.as_deref(), Some("mine/1"));
        assert_eq!(headers.others, [("x-trace".into(), "1".into()), ("x-trace".into(), "2".to_owned())]);
    }

    #[test]
    fn there_are_not_too_many_and_not_too_large_ones() {
        let many = (0..65).map(|_| header("x", "")).collect();
        assert!(AdditionalHeaders::given(many).expect_err("accepted").error.message.contains("65 with 65 bytes"));
        let large = vec![header("x", &"y".repeat(SIZE_LIMIT))];
        assert!(AdditionalHeaders::given(large).is_err());
    }
}
