//! One attempt failed: what that means. Its kind, whether it may be repeated, and whether the change may have happened.
//!
//! The rule of certainty: `NotApplied` only where the request did not leave, where the API said no in a way it only says
//! before acting (4xx but for the timeouts, or an envelope with a code that means a refusal), or where nothing changes
//! anyway. `Applied` only after `success: true`. Everything between is `Unknown`.

use crate::bindings::exports::cloudflare::access::types::{ApiError, ErrorKind, Outcome};
use crate::catalogue::{meaning, reason};
use crate::envelope::Foreign;
use crate::error::clean;
use crate::host::{Cause, Duration, Headers};
use crate::repeat::Class;
use crate::retry_after::asked_wait;
use crate::text::{contains, decimal, joined, split_once};
use crate::token::Unusable;

/// A failed attempt.
pub struct Trouble {
    pub kind: ErrorKind,
    /// As if the operation changed something; for one that only reads, nothing ever happened.
    pub outcome: Outcome,
    pub class: Class,
    /// What happened, in words.
    pub what: String,
    pub hint: Option<&'static str>,
    pub head: Option<Head>,
    pub api_errors: Vec<ApiError>,
    pub token_id: Option<String>,
}

/// What is worth keeping of the head of an answer.
pub struct Head {
    pub status: u16,
    pub ray_id: Option<String>,
    pub asked_wait: Option<Duration>,
    content_type: Option<String>,
}

impl Head {
    pub fn new(status: u16, headers: &impl Headers, secrets: &[&str]) -> Self {
        Self {
            status,
            ray_id: headers.get("cf-ray").filter(|ray| is_ray_id(ray, secrets)),
            asked_wait: asked_wait(headers),
            content_type: headers.get("content-type").map(|value| clean(&value, secrets)),
        }
    }

    fn described(&self) -> String {
        joined(&[&decimal(self.status), " ", reason(self.status)])
    }
}

/// What a failure means: for the caller, for the state of the API, and for another try.
type Judgement = (ErrorKind, Outcome, Class);

impl Trouble {
    #[inline(never)]
    fn new(
        (kind, outcome, class): Judgement,
        what: String,
        hint: Option<&'static str>,
        head: Option<Head>,
    ) -> Box<Self> {
        Box::new(Self { kind, outcome, class, what, hint, head, api_errors: Vec::new(), token_id: None })
    }

    /// No whole answer came. With a head the status counts; a server that says 503 and breaks off still says 503.
    pub fn without_answer(cause: Cause, head: Option<Head>) -> Box<Self> {
        let (kind, outcome, class, what) = match cause {
            Cause::NotSent(what) => (ErrorKind::Connection, Outcome::NotApplied, Class::NotSent, what),
            Cause::Denied(what) => (ErrorKind::DeniedByHost, Outcome::NotApplied, Class::Final, what),
            Cause::Lost(what) => (ErrorKind::Connection, Outcome::Unknown, Class::Passing, what),
            Cause::TimedOut(what) => (ErrorKind::Timeout, Outcome::Unknown, Class::Passing, what),
            Cause::Unreadable(what) => (ErrorKind::InvalidResponse, Outcome::Unknown, Class::Final, what),
        };
        let (judgement, what) = match &head {
            None => ((kind, outcome, class), what.to_owned()),
            Some(head) => {
                let judgement = match head.status {
                    429 => (ErrorKind::RateLimited, Outcome::NotApplied, Class::RateLimited),
                    status if is_refusal(status) => (kind, Outcome::NotApplied, class),
                    _ => (kind, outcome, class),
                };
                (judgement, joined(&[&head.described(), ", but ", what]))
            }
        };
        Self::new(judgement, what, None, head)
    }

    /// The time of the call was over before the request left.
    pub fn too_late() -> Box<Self> {
        let what = "the time of the call was over before the request could be sent";
        Self::new((ErrorKind::Timeout, Outcome::NotApplied, Class::Final), what.to_owned(), None, None)
    }

    /// The API says no.
    pub fn refused(head: Head, api_errors: Vec<ApiError>) -> Box<Self> {
        let status = head.status;
        let (kind, hint) = meaning(status, &api_errors);
        let class = match (status, kind) {
            (429, _) => Class::RateLimited,
            (408 | 500.., _) | (_, ErrorKind::Unavailable | ErrorKind::RateLimited) => Class::Passing,
            _ => Class::Final,
        };
        let outcome = match kind {
            _ if status == 429 => Outcome::NotApplied,
            // A code that the API gives only before it acts; elsewhere the status has to say it.
            _ if is_refusal(status) && kind != ErrorKind::Unavailable => Outcome::NotApplied,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::InUse
                if (200..300).contains(&status) =>
            {
                Outcome::NotApplied
            }
            _ => Outcome::Unknown,
        };
        let what = if (200..300).contains(&status) {
            joined(&[&head.described(), ", but the API says that it failed"])
        } else {
            head.described()
        };
        let mut trouble = Self::new((kind, outcome, class), what, hint, Some(head));
        trouble.api_errors = api_errors;
        trouble
    }

    /// An answer that is not this API's.
    pub fn foreign(mut head: Head, foreign: Foreign, body: &[u8], secrets: &[&str]) -> Box<Self> {
        head.ray_id = head.ray_id.or_else(|| ray_id_in_page(body, secrets));
        let status = head.status;
        let body = match foreign {
            Foreign::Empty => "an empty body".to_owned(),
            Foreign::CutShort => "JSON that ends too early".to_owned(),
            Foreign::OtherJson => "JSON that is not this API's".to_owned(),
            Foreign::NotJson => {
                let content_type = head.content_type.as_deref().unwrap_or("no content-type");
                joined(&["a body that is not JSON (", content_type, ")"])
            }
        };
        let what = joined(&[&head.described(), " with ", &body]);
        let is_cut = matches!(foreign, Foreign::Empty | Foreign::CutShort);
        let (kind, outcome, class, hint) = match status {
            429 => (ErrorKind::RateLimited, Outcome::NotApplied, Class::RateLimited, None),
            408 | 500.. => (ErrorKind::Unavailable, Outcome::Unknown, Class::Passing, None),
            200..300 if is_cut => (ErrorKind::InvalidResponse, Outcome::Unknown, Class::Passing, None),
            300..400 => (ErrorKind::InvalidResponse, Outcome::Unknown, Class::Final, Some(REDIRECT)),
            _ if is_refusal(status) => (ErrorKind::InvalidResponse, Outcome::NotApplied, Class::Final, Some(BASE_URL)),
            _ => (ErrorKind::InvalidResponse, Outcome::Unknown, Class::Final, Some(BASE_URL)),
        };
        Self::new((kind, outcome, class), what, hint, Some(head))
    }

    /// `success: true`, with a result that is no use.
    pub fn unusable(head: Head, unusable: Unusable) -> Box<Self> {
        let what = joined(&[&head.described(), ", but ", &unusable.reason]);
        let mut trouble =
            Self::new((ErrorKind::InvalidResponse, Outcome::Applied, Class::Final), what, None, Some(head));
        trouble.token_id = unusable.token_id;
        trouble
    }
}

const REDIRECT: &str = "redirects are not followed, since they would carry the credential away: check the base URL";
/// What to check where the answers are not the API's.
pub const BASE_URL: &str = "check that the base URL is the API's and that nothing between answers in its place";

/// Statuses that a server gives instead of acting. 408 and 425 may come after it acted, 499 and 460 from a proxy that
/// stopped waiting for it.
fn is_refusal(status: u16) -> bool {
    matches!(status, 400..500) && !matches!(status, 408 | 425 | 460 | 499)
}

/// Whether a text is a ray id, such as `9f1c2ab34cd56ef7-AMS`, and no part of a secret, which may well look like one.
fn is_ray_id(text: &str, secrets: &[&str]) -> bool {
    let (number, place) = split_once(text, "-").unwrap_or((text, ""));
    let is_number = number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_place = place.len() <= 8 && place.bytes().all(|letter| letter.is_ascii_alphanumeric());
    is_number && is_place && !secrets.iter().any(|secret| contains(secret, number) || contains(text, secret))
}

/// The ray id that a page of the edge shows: `Ray ID: <strong>9f1c…</strong>`. Only the start of the body is looked at.
fn ray_id_in_page(body: &[u8], secrets: &[&str]) -> Option<String> {
    let start = body.get(..65_536).unwrap_or(body);
    let label = b"Ray ID:";
    let after = start
        .windows(label.len())
        .position(|part| part == label)
        .and_then(|at| start.get(at.saturating_add(label.len())..))?;
    let words = after.get(..80).unwrap_or(after).split(|byte| !byte.is_ascii_alphanumeric());
    words.filter_map(|word| str::from_utf8(word).ok()).find(|word| is_ray_id(word, secrets)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoHeaders;

    impl Headers for NoHeaders {
        fn get(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn head(status: u16) -> Head {
        Head::new(status, &NoHeaders, &[])
    }

    fn coded(code: u32, message: &str) -> Vec<ApiError> {
        vec![ApiError {
            code: Some(code),
            message: message.into(),
            documentation_url: None,
            pointer: None,
            chain: Vec::new(),
        }]
    }

    #[test]
    fn a_no_is_certain_only_where_the_api_says_it_before_acting() {
        use ErrorKind::{Conflict, NotFound, RateLimited, Rejected, Unavailable};
        for (status, errors, kind, class, outcome) in [
            (400, coded(12130, ""), Rejected, Class::Final, Outcome::NotApplied),
            (404, coded(12135, ""), NotFound, Class::Final, Outcome::NotApplied),
            (409, vec![], Conflict, Class::Final, Outcome::NotApplied),
            (408, vec![], Unavailable, Class::Passing, Outcome::Unknown),
            (429, coded(971, ""), RateLimited, Class::RateLimited, Outcome::NotApplied),
            (429, vec![], RateLimited, Class::RateLimited, Outcome::NotApplied),
            (403, coded(971, ""), RateLimited, Class::Passing, Outcome::NotApplied),
            (500, coded(971, ""), RateLimited, Class::Passing, Outcome::Unknown),
            (403, coded(10001, "internal error"), Unavailable, Class::Passing, Outcome::Unknown),
            (500, vec![], Unavailable, Class::Passing, Outcome::Unknown),
            (500, coded(12130, ""), Unavailable, Class::Passing, Outcome::Unknown),
            (200, coded(12135, ""), NotFound, Class::Final, Outcome::NotApplied),
            (200, coded(10003, ""), Rejected, Class::Final, Outcome::Unknown),
            (200, vec![], Rejected, Class::Final, Outcome::Unknown),
        ] {
            let trouble = Trouble::refused(head(status), errors);
            assert_eq!(
                (trouble.kind, trouble.class, trouble.outcome),
                (kind, class, outcome),
                "{status}: {}",
                trouble.what
            );
        }
    }

    #[test]
    fn an_answer_of_somebody_else_proves_little() {
        use ErrorKind::{InvalidResponse, RateLimited, Unavailable};
        for (status, foreign, kind, class, outcome) in [
            (200, Foreign::Empty, InvalidResponse, Class::Passing, Outcome::Unknown),
            (200, Foreign::CutShort, InvalidResponse, Class::Passing, Outcome::Unknown),
            (200, Foreign::NotJson, InvalidResponse, Class::Final, Outcome::Unknown),
            (200, Foreign::OtherJson, InvalidResponse, Class::Final, Outcome::Unknown),
            (302, Foreign::Empty, InvalidResponse, Class::Final, Outcome::Unknown),
            (403, Foreign::NotJson, InvalidResponse, Class::Final, Outcome::NotApplied),
            (404, Foreign::NotJson, InvalidResponse, Class::Final, Outcome::NotApplied),
            (413, Foreign::Empty, InvalidResponse, Class::Final, Outcome::NotApplied),
            (408, Foreign::Empty, Unavailable, Class::Passing, Outcome::Unknown),
            (499, Foreign::Empty, InvalidResponse, Class::Final, Outcome::Unknown),
            (429, Foreign::OtherJson, RateLimited, Class::RateLimited, Outcome::NotApplied),
            (502, Foreign::Empty, Unavailable, Class::Passing, Outcome::Unknown),
            (523, Foreign::NotJson, Unavailable, Class::Passing, Outcome::Unknown),
        ] {
            let trouble = Trouble::foreign(head(status), foreign, b"", &[]);
            assert_eq!((trouble.kind, trouble.class, trouble.outcome), (kind, class, outcome), "{status} {foreign:?}");
        }
    }

    #[test]
    fn without_an_answer_only_proof_counts() {
        use ErrorKind::{Connection, DeniedByHost, InvalidResponse, RateLimited, Timeout};
        for (cause, status, kind, class, outcome) in [
            (Cause::NotSent(""), None, Connection, Class::NotSent, Outcome::NotApplied),
            (Cause::Denied(""), None, DeniedByHost, Class::Final, Outcome::NotApplied),
            (Cause::Lost(""), None, Connection, Class::Passing, Outcome::Unknown),
            (Cause::Lost(""), Some(201), Connection, Class::Passing, Outcome::Unknown),
            (Cause::Lost(""), Some(400), Connection, Class::Passing, Outcome::NotApplied),
            (Cause::Lost(""), Some(429), RateLimited, Class::RateLimited, Outcome::NotApplied),
            (Cause::TimedOut(""), Some(200), Timeout, Class::Passing, Outcome::Unknown),
            (Cause::Unreadable(""), Some(200), InvalidResponse, Class::Final, Outcome::Unknown),
        ] {
            let trouble = Trouble::without_answer(cause, status.map(head));
            assert_eq!((trouble.kind, trouble.class, trouble.outcome), (kind, class, outcome), "{cause:?} {status:?}");
        }
    }

    #[test]
    fn the_ray_id_comes_from_the_header_or_from_the_page() {
        let page = b"<p>Cloudflare Ray ID: <strong class=\"font-semibold\">9f1c2ab34cd56ef7</strong> &bull;</p>";
        let trouble = Trouble::foreign(head(520), Foreign::NotJson, page, &[]);
        assert_eq!(trouble.head.and_then(|head| head.ray_id).as_deref(), Some("9f1c2ab34cd56ef7"));
        assert_eq!(ray_id_in_page(b"no ray", &[]), None);
        assert_eq!(ray_id_in_page(b"Ray ID: \xff\xff", &[]), None);
        for (text, secret, expected) in [
            ("9f1c2ab34cd56ef7-AMS", "", true),
            ("9f1c2ab34cd56ef7", "other", true),
            ("9f1c2ab34cd56ef7", "9f1c2ab34cd56ef7", false),
            ("9f1c2ab34cd56ef7-AMS", "cfk_9f1c2ab34cd56ef70000", false),
            ("9f1c2ab34cd56ef7-AMS", "AMS", false),
            ("9f1c2ab34cd56ef", "", false),
            ("not-a-ray", "", false),
            ("9f1c2ab34cd56ef7-AMSTERDAM", "", false),
        ] {
            let secrets: Vec<_> = Some(secret).filter(|secret| !secret.is_empty()).into_iter().collect();
            assert_eq!(is_ray_id(text, &secrets), expected, "{text}");
        }
    }
}
