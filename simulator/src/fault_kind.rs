//! The ways in which the server can misbehave, and what each lets a client conclude about its change.
//!
//! [`FaultKind`] is not `non_exhaustive`, and [`FaultName`] has one case per kind: a test that matches on either stops compiling
//! when a kind is added. [`FaultKind::all`] has at least one value of every kind, for a test that runs through them.
//!
//! As JSON a kind is its name in kebab case, `"close"`, or an object with the name as its key,
//! `{"error": {"status": 503, "code": 1000, "message": "later"}}`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumDiscriminants, EnumIter, IntoEnumIterator};

use crate::Moment;

/// One way to misbehave. The head of each group says what its kinds have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, EnumDiscriminants)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[strum_discriminants(
    name(FaultName),
    doc = "The kinds of [`FaultKind`] without their values.",
    derive(Display, EnumIter, Hash, PartialOrd, Ord, Serialize),
    serde(rename_all = "kebab-case"),
    strum(serialize_all = "kebab-case")
)]
pub enum FaultKind {
    // The API says no, in its envelope or something like it.
    /// An error in the envelope.
    Error {
        /// The HTTP status.
        status: u16,
        /// Cloudflare's code; 971 means a rate limit at any status.
        code: u32,
        /// The text.
        message: String,
    },
    /// 403 with code 10001 and the text "internal error", which passes.
    InternalError,
    /// 400 with code 6003, the useful message in its `error_chain`.
    ErrorChain,
    /// 429 with code 971.
    RateLimited {
        /// How the answer says when to come again.
        wait: Wait,
    },
    /// 200 with `success: false`.
    UnsuccessfulOk,
    /// An error object without the envelope.
    FlatError {
        /// The HTTP status.
        status: u16,
    },
    /// `success: false` with `errors: null`.
    NullErrors {
        /// The HTTP status.
        status: u16,
    },
    /// `success: false` with the code as a string.
    StringCodes {
        /// The HTTP status.
        status: u16,
    },
    /// `success: false` and errors without codes, `messages` and `result`.
    MissingKeys {
        /// The HTTP status.
        status: u16,
    },

    // The answer does not come from the API.
    /// Exactly this answer, plus `date` and `content-length`.
    Response {
        /// The HTTP status.
        status: u16,
        /// Names and values, in this order.
        headers: Vec<(String, String)>,
        /// The bytes of the body.
        body: Body,
    },
    /// A page for people from the edge, with a ray id.
    HtmlPage {
        /// The HTTP status: 520 to 530 from an edge without origin, 403 from its firewall.
        status: u16,
    },
    /// An answer with no body at all.
    EmptyBody {
        /// The HTTP status.
        status: u16,
    },
    /// The JSON text `null` as the whole body, as the global rate limiter sends it with 429.
    NullBody {
        /// The HTTP status.
        status: u16,
    },
    /// A redirect. Following it would carry the credential away.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to.
        location: String,
    },

    // The change happened and the API says so, in a form that is unusual or unusable.
    /// `success: true` with `result: null`.
    NullResult,
    /// The right answer with one value replaced or added, such as a number where a text belongs.
    Replaced {
        /// Which, as a JSON pointer: `/result/client_id`, `/result/0/id`, `/result_info/total_pages`.
        pointer: String,
        /// What is there instead.
        value: serde_json::Value,
    },
    /// The right answer with one value left out.
    Missing {
        /// Which, as a JSON pointer: `/result/client_secret`, `/result/id`.
        pointer: String,
    },
    /// Every key of the result twice, first with a wrong value, then with the right one.
    DuplicateKeys,
    /// Bytes in the name that are not UTF-8.
    InvalidUtf8,
    /// A result of arrays in arrays.
    NestedJson {
        /// How many.
        depth: usize,
    },
    /// A result of many tokens, on one page.
    LongList {
        /// How many.
        tokens: usize,
    },
    /// A page of tokens nobody has seen before, whatever page is asked for, of a list that never ends.
    EndlessList {
        /// How many per page.
        tokens: usize,
    },
    /// The right answer, with spaces before its last brace.
    LargeBody {
        /// The length of the whole body in bytes.
        bytes: usize,
    },
    /// The right answer, with many more headers.
    LargeHead {
        /// The length of the added headers in bytes.
        bytes: usize,
    },
    /// The right answer with a message whose `type` is null.
    NullMessageType,
    /// The right answer with a note in `errors`, although `success` is true.
    ErrorsOnSuccess,

    // The answer cannot be read.
    /// The first half of the right answer, as if it were all of it.
    TruncatedJson,
    /// Bytes of no meaning that claim to be JSON.
    GarbageJson,

    // The connection fails. Over HTTP/2 these have no bytes of their own: what ends the connection ends it without an answer,
    // what holds holds the stream, and what ends in a whole answer is that answer.
    /// Closed without an answer.
    Close,
    /// Reset without an answer.
    Reset,
    /// Closed in the middle of the head.
    CloseInHead,
    /// Closed in the middle of a body whose length was announced.
    TruncatedBody,
    /// Closed in the middle of a chunked body.
    CutChunks,
    /// Bytes that are not HTTP, then closed.
    NotHttp,
    /// Exactly these bytes in place of an HTTP answer, then closed.
    RawBytes {
        /// The bytes.
        bytes: Body,
    },
    /// Nothing, until the client goes.
    NeverAnswer,
    /// The head, then nothing until the client goes.
    StallAfterHead,
    /// The head and half the body, then nothing until the client goes.
    StallInBody,
    /// The right answer, its head byte by byte.
    DripHead {
        /// The time between two bytes.
        #[serde(rename = "interval_ms", with = "milliseconds")]
        interval: Duration,
    },
    /// The right answer, its body byte by byte.
    DripBody {
        /// The time between two bytes.
        #[serde(rename = "interval_ms", with = "milliseconds")]
        interval: Duration,
    },
    /// 413 before the body of the request is read, then closed for writing.
    ContentTooLarge,
    /// The right answer, then closed without having said so: the next request on the connection fails.
    CloseAfterAnswer,

    // The answer is right.
    /// The right answer, late. Before the commit, a client that goes during the wait prevents the change.
    Delay {
        /// How late.
        #[serde(rename = "duration_ms", with = "milliseconds")]
        duration: Duration,
    },
}

/// How an answer with status 429 says when to come again. Every case has exactly the headers it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Not at all.
    Unsaid,
    /// `Retry-After` in seconds; may be negative.
    Seconds(i64),
    /// `Retry-After` as an HTTP date so many seconds after the `date` of the answer; may be negative.
    DateAfterSeconds(i64),
    /// `Retry-After` with any text.
    Text(String),
    /// Only `Ratelimit`, with no request left for so many seconds.
    RatelimitHeader(u64),
}

/// The bytes of a body. As JSON a string, or an array of bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BodyText", into = "BodyText")]
pub struct Body(pub Vec<u8>);

/// Whether the change of a request with a certain fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Commits {
    /// It does not, and a client can know that from the answer.
    Never,
    /// It may or may not: only the server knows.
    Maybe,
    /// It does, and the answer says so.
    Always,
}

impl FaultKind {
    /// At least one value of every kind, more where the values matter to a client.
    #[must_use]
    pub fn all() -> Vec<Self> {
        FaultName::iter().flat_map(FaultName::examples).collect()
    }

    /// The kind without its values.
    #[must_use]
    pub fn name(&self) -> FaultName {
        self.into()
    }

    /// Whether the change happens: what a client can conclude at most.
    #[must_use]
    pub fn commits(&self) -> Commits {
        match self {
            Self::Error { code: 971, .. } => Commits::Never,
            Self::Error { code: 10001, message, .. } if message.contains("internal error") => Commits::Maybe,
            Self::Error { status, .. }
            | Self::NullErrors { status }
            | Self::StringCodes { status }
            | Self::MissingKeys { status } => refusal(*status),
            Self::ErrorChain | Self::RateLimited { .. } | Self::UnsuccessfulOk | Self::ContentTooLarge => {
                Commits::Never
            }
            Self::FlatError { status }
            | Self::Response { status, .. }
            | Self::HtmlPage { status }
            | Self::EmptyBody { status }
            | Self::NullBody { status }
            | Self::Redirect { status, .. } => other_answer(*status),
            Self::NullResult
            | Self::Replaced { .. }
            | Self::Missing { .. }
            | Self::DuplicateKeys
            | Self::InvalidUtf8
            | Self::NestedJson { .. }
            | Self::LongList { .. }
            | Self::EndlessList { .. }
            | Self::LargeBody { .. }
            | Self::LargeHead { .. }
            | Self::NullMessageType
            | Self::ErrorsOnSuccess
            | Self::DripHead { .. }
            | Self::DripBody { .. }
            | Self::CloseAfterAnswer => Commits::Always,
            Self::InternalError
            | Self::TruncatedJson
            | Self::GarbageJson
            | Self::Close
            | Self::Reset
            | Self::CloseInHead
            | Self::TruncatedBody
            | Self::CutChunks
            | Self::NotHttp
            | Self::RawBytes { .. }
            | Self::NeverAnswer
            | Self::StallAfterHead
            | Self::StallInBody
            | Self::Delay { .. } => Commits::Maybe,
        }
    }

    /// The moments at which it can be, for a test that runs through them. A [`FaultKind::Delay`] makes its change at either.
    #[must_use]
    pub fn moments(&self) -> &'static [Moment] {
        match self.commits() {
            Commits::Never => &[Moment::BeforeCommit],
            Commits::Maybe => &[Moment::BeforeCommit, Moment::AfterCommit],
            Commits::Always => &[Moment::AfterCommit],
        }
    }

    /// Whether the change may have happened when a client sees this.
    #[must_use]
    pub fn may_be_after_commit(&self) -> bool {
        self.moments().contains(&Moment::AfterCommit)
    }

    /// Whether the change may not have happened when a client sees this.
    #[must_use]
    pub fn may_be_before_commit(&self) -> bool {
        self.moments().contains(&Moment::BeforeCommit)
    }

    /// Whether the whole right answer arrives in the end, so that a client that is patient and accepts its size can use it.
    #[must_use]
    pub fn answer_is_whole(&self) -> bool {
        matches!(
            self,
            Self::LargeBody { .. }
                | Self::LargeHead { .. }
                | Self::NullMessageType
                | Self::ErrorsOnSuccess
                | Self::DripHead { .. }
                | Self::DripBody { .. }
                | Self::CloseAfterAnswer
                | Self::Delay { .. }
        )
    }
}

impl FaultName {
    fn examples(self) -> Vec<FaultKind> {
        match self {
            Self::Error => [(400, 12130), (401, 10000), (403, 10000), (403, 9999), (408, 1000), (409, 12132)]
                .into_iter()
                .chain([(400, 971), (422, 12130), (500, 10001), (502, 1000), (503, 1000), (504, 1000)])
                .map(|(status, code)| FaultKind::error(status, code, "made by the simulator"))
                .collect(),
            Self::InternalError => vec![FaultKind::InternalError],
            Self::ErrorChain => vec![FaultKind::ErrorChain],
            Self::RateLimited => [
                Wait::Unsaid,
                Wait::Seconds(1),
                Wait::Seconds(7200),
                Wait::Seconds(-5),
                Wait::DateAfterSeconds(1),
                Wait::Text("soon".to_owned()),
                Wait::RatelimitHeader(1),
            ]
            .map(|wait| FaultKind::RateLimited { wait })
            .into(),
            Self::UnsuccessfulOk => vec![FaultKind::UnsuccessfulOk],
            Self::FlatError => [400, 500].map(|status| FaultKind::FlatError { status }).into(),
            Self::NullErrors => [400, 500].map(|status| FaultKind::NullErrors { status }).into(),
            Self::StringCodes => [400, 500].map(|status| FaultKind::StringCodes { status }).into(),
            Self::MissingKeys => [403, 500].map(|status| FaultKind::MissingKeys { status }).into(),
            Self::Response => vec![FaultKind::Response {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
                body: "not the envelope".into(),
            }],
            Self::HtmlPage => [200, 403, 502, 520, 523].map(|status| FaultKind::HtmlPage { status }).into(),
            Self::EmptyBody => [200, 204, 404, 502].map(|status| FaultKind::EmptyBody { status }).into(),
            Self::NullBody => [200, 429, 500].map(|status| FaultKind::NullBody { status }).into(),
            Self::Redirect => [301, 302, 303, 307, 308]
                .map(|status| FaultKind::Redirect { status, location: "https://elsewhere.example/".to_owned() })
                .into(),
            Self::NullResult => vec![FaultKind::NullResult],
            Self::Replaced => vec![
                FaultKind::replaced("/result/client_id", 17),
                FaultKind::replaced("/result/id", serde_json::Value::Null),
                FaultKind::replaced("/result/brand_new_field", serde_json::json!({"a": [1, 2]})),
                FaultKind::replaced("/result_info/total_pages", "many"),
            ],
            Self::Missing => vec![FaultKind::missing("/result/client_secret"), FaultKind::missing("/result/id")],
            Self::DuplicateKeys => vec![FaultKind::DuplicateKeys],
            Self::InvalidUtf8 => vec![FaultKind::InvalidUtf8],
            Self::NestedJson => vec![FaultKind::NestedJson { depth: 100_000 }],
            Self::LongList => vec![FaultKind::LongList { tokens: 10_000 }],
            Self::EndlessList => vec![FaultKind::EndlessList { tokens: 100 }],
            Self::LargeBody => vec![FaultKind::LargeBody { bytes: 64 << 20 }],
            Self::LargeHead => vec![FaultKind::LargeHead { bytes: 1 << 20 }],
            Self::NullMessageType => vec![FaultKind::NullMessageType],
            Self::ErrorsOnSuccess => vec![FaultKind::ErrorsOnSuccess],
            Self::TruncatedJson => vec![FaultKind::TruncatedJson],
            Self::GarbageJson => vec![FaultKind::GarbageJson],
            Self::Close => vec![FaultKind::Close],
            Self::Reset => vec![FaultKind::Reset],
            Self::CloseInHead => vec![FaultKind::CloseInHead],
            Self::TruncatedBody => vec![FaultKind::TruncatedBody],
            Self::CutChunks => vec![FaultKind::CutChunks],
            Self::NotHttp => vec![FaultKind::NotHttp],
            Self::RawBytes => [
                "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
                "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\n{}",
            ]
            .map(|bytes| FaultKind::RawBytes { bytes: bytes.into() })
            .into(),
            Self::NeverAnswer => vec![FaultKind::NeverAnswer],
            Self::StallAfterHead => vec![FaultKind::StallAfterHead],
            Self::StallInBody => vec![FaultKind::StallInBody],
            Self::DripHead => vec![FaultKind::DripHead { interval: Duration::from_secs(1) }],
            Self::DripBody => vec![FaultKind::DripBody { interval: Duration::from_secs(1) }],
            Self::ContentTooLarge => vec![FaultKind::ContentTooLarge],
            Self::CloseAfterAnswer => vec![FaultKind::CloseAfterAnswer],
            Self::Delay => vec![FaultKind::Delay { duration: Duration::from_millis(300) }],
        }
    }
}

/// Short ways to write the kinds with several values.
impl FaultKind {
    /// [`FaultKind::Error`].
    #[must_use]
    pub fn error(status: u16, code: u32, message: &str) -> Self {
        Self::Error { status, code, message: message.to_owned() }
    }

    /// [`FaultKind::Replaced`].
    #[must_use]
    pub fn replaced(pointer: &str, value: impl Into<serde_json::Value>) -> Self {
        Self::Replaced { pointer: pointer.to_owned(), value: value.into() }
    }

    /// [`FaultKind::Missing`].
    #[must_use]
    pub fn missing(pointer: &str) -> Self {
        Self::Missing { pointer: pointer.to_owned() }
    }
}

/// What an error in the envelope says about the change.
fn refusal(status: u16) -> Commits {
    if status == 408 || status >= 500 { Commits::Maybe } else { Commits::Never }
}

/// What an answer that is not the envelope says about the change. 303 is the redirect after the work is done.
fn other_answer(status: u16) -> Commits {
    if matches!(status, 300..=302 | 304..=407 | 409..=499) { Commits::Never } else { Commits::Maybe }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BodyText {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<BodyText> for Body {
    fn from(text: BodyText) -> Self {
        match text {
            BodyText::Text(text) => Self(text.into_bytes()),
            BodyText::Bytes(bytes) => Self(bytes),
        }
    }
}

impl From<Body> for BodyText {
    fn from(body: Body) -> Self {
        String::from_utf8(body.0).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_example_of_its_own_name() {
        for name in FaultName::iter() {
            let examples = name.examples();
            assert!(!examples.is_empty() && examples.iter().all(|kind| kind.name() == name), "{name}");
        }
    }

    #[test]
    fn every_kind_survives_json() {
        for kind in FaultKind::all() {
            let text = serde_json::to_string(&kind).expect("a kind is JSON");
            assert_eq!(serde_json::from_str::<FaultKind>(&text).expect("its own JSON"), kind, "{text}");
        }
    }
}
