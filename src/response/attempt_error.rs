//! One attempt failed: its kind, whether it may be repeated, and whether the change may have happened.
//!
//! The rule of certainty: `NotApplied` only where the request did not leave, where the API said no in a way it only
//! says before acting (4xx but for the timeouts, or an envelope with a code that means a refusal), or where nothing
//! changes anyway. `Applied` only after `success: true`. Everything between is `Unknown`.

use std::time::Duration;

use crate::contract::types::{ApiError, Error, ErrorKind, Outcome};
use crate::exchange::{Cause, Headers, NoAnswer};
use crate::request::{Effect, Request, Target};
use crate::response::catalogue::meaning;
use crate::response::head::ray_id_in_page;
use crate::response::{AnswerHead, ErrorHead, Failure, FailureClass, Foreign, Redactor, Unusable};

const REDIRECT: &str = "redirects are not followed, since they would carry the credential away: check the base URL";
const BASE_URL: &str = "check that the base URL is the API's and that nothing between answers in its place";

/// A failed attempt.
pub struct AttemptError {
    pub kind: ErrorKind,
    /// As if the request changed something; after one that only reads, nothing ever happened.
    outcome: Outcome,
    pub class: FailureClass,
    /// What happened, in our words.
    what: String,
    hint: Option<&'static str>,
    head: Option<ErrorHead>,
    api_errors: Vec<ApiError>,
    /// The token that the answer names.
    token_id: Option<String>,
}

/// What a failure means: for the caller, for the state of the API, and for another try.
type Classification = (ErrorKind, Outcome, FailureClass);

impl AttemptError {
    fn new(
        (kind, outcome, class): Classification,
        what: String,
        hint: Option<&'static str>,
        head: Option<ErrorHead>,
    ) -> Box<Self> {
        Box::new(Self { kind, outcome, class, what, hint, head, api_errors: Vec::new(), token_id: None })
    }

    /// No whole answer came. With a head the status counts; a server that says 503 and breaks off still says 503.
    pub fn without_answer<H: Headers>(no_answer: NoAnswer<H>, redactor: &Redactor) -> Box<Self> {
        let (kind, outcome, class, what) = match no_answer.cause {
            Cause::NotSent(what) => (ErrorKind::Connection, Outcome::NotApplied, FailureClass::NotSent, what),
            Cause::Denied(what) => (ErrorKind::DeniedByHost, Outcome::NotApplied, FailureClass::Final, what),
            Cause::Lost(what) => (ErrorKind::Connection, Outcome::Unknown, FailureClass::Passing, what),
            Cause::TimedOut(what) => (ErrorKind::Timeout, Outcome::Unknown, FailureClass::Passing, what),
            Cause::Unreadable(what) => (ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Final, what),
        };
        let Some((status, headers)) = no_answer.head else {
            return Self::new((kind, outcome, class), what.to_owned(), None, None);
        };
        let classification = match status {
            429 => (ErrorKind::RateLimited, Outcome::NotApplied, FailureClass::RateLimited),
            status if is_refusal(status) => (kind, Outcome::NotApplied, class),
            _ => (kind, outcome, class),
        };
        let head = ErrorHead::new(&AnswerHead { status, headers }, redactor);
        Self::new(classification, format!("{}, but {what}", head.described()), None, Some(head))
    }

    /// The time of the call was over, or not enough for a request that makes a secret, before it was sent.
    pub fn too_late() -> Box<Self> {
        let what = "the time of the call was over before the request could be sent".to_owned();
        Self::new((ErrorKind::Timeout, Outcome::NotApplied, FailureClass::Final), what, None, None)
    }

    /// The API says no.
    pub fn refused<H: Headers>(head: &AnswerHead<H>, api_errors: Vec<ApiError>, redactor: &Redactor) -> Box<Self> {
        let status = head.status;
        let (kind, hint) = meaning(status, &api_errors);
        let is_good_status = head.is_good();
        let is_limit = kind == ErrorKind::RateLimited && (is_good_status || is_refusal(status));
        let class = match kind {
            _ if status == 429 || is_limit => FailureClass::RateLimited,
            _ if matches!(status, 408 | 500..) => FailureClass::Passing,
            ErrorKind::Unavailable | ErrorKind::RateLimited => FailureClass::Passing,
            _ => FailureClass::Final,
        };
        let outcome = match kind {
            _ if class == FailureClass::RateLimited => Outcome::NotApplied,
            // A code that the API gives only before it acts; elsewhere the status has to say it.
            _ if is_refusal(status) && kind != ErrorKind::Unavailable => Outcome::NotApplied,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::InUse
                if is_good_status =>
            {
                Outcome::NotApplied
            }
            _ => Outcome::Unknown,
        };
        let head = ErrorHead::new(head, redactor);
        let what = if is_good_status {
            format!("{}, but the API says that it failed", head.described())
        } else {
            head.described()
        };
        let mut error = Self::new((kind, outcome, class), what, hint, Some(head));
        error.api_errors = api_errors;
        error
    }

    /// An answer that is not this API's.
    pub fn foreign<H: Headers>(head: &AnswerHead<H>, foreign: Foreign, body: &str, redactor: &Redactor) -> Box<Self> {
        let mut head = ErrorHead::new(head, redactor);
        head.ray_id = head.ray_id.or_else(|| ray_id_in_page(body, redactor));
        let status = head.status;
        let body = match foreign {
            Foreign::Empty => "an empty body".to_owned(),
            Foreign::CutShort => "JSON that ends too early".to_owned(),
            Foreign::OtherJson => "JSON that is not this API's".to_owned(),
            Foreign::NotJson => match &head.content_type {
                Some(content_type) => format!("a body that is not JSON ({content_type})"),
                None => "a body that is not JSON (no content-type)".to_owned(),
            },
        };
        let what = format!("{} with {body}", head.described());
        let is_passing = matches!(foreign, Foreign::Empty | Foreign::CutShort);
        let (kind, outcome, class, hint) = match status {
            429 => (ErrorKind::RateLimited, Outcome::NotApplied, FailureClass::RateLimited, None),
            408 | 500.. => (ErrorKind::Unavailable, Outcome::Unknown, FailureClass::Passing, None),
            300..=399 => (ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Final, Some(REDIRECT)),
            status if is_refusal(status) => {
                (ErrorKind::InvalidResponse, Outcome::NotApplied, FailureClass::Final, Some(BASE_URL))
            }
            200..=299 if is_passing => (ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Passing, None),
            _ => (ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Final, Some(BASE_URL)),
        };
        Self::new((kind, outcome, class), what, hint, Some(head))
    }

    /// `success: true`, with a result that is no use.
    pub fn unusable<H: Headers>(head: &AnswerHead<H>, unusable: &Unusable, redactor: &Redactor) -> Box<Self> {
        let head = ErrorHead::new(head, redactor);
        let what = format!("{}, but {}", head.described(), unusable.reason);
        let classification = (ErrorKind::InvalidResponse, Outcome::Applied, FailureClass::Final);
        let mut error = Self::new(classification, what, None, Some(head));
        error.token_id.clone_from(&unusable.token_id);
        error
    }

    pub fn asked_wait(&self) -> Option<Duration> {
        self.head.as_ref().and_then(|head| head.asked_wait)
    }

    /// Returns whether the request, if it changes something, may have done so.
    pub fn may_have_changed(&self) -> bool {
        self.outcome != Outcome::NotApplied
    }

    /// Returns the failure of a request whose last attempt this was. `may_have_changed`: whether an earlier attempt may
    /// have made the change.
    pub fn into_failure(
        self,
        request: &Request<'_>,
        may_have_changed: bool,
        retry_after: Option<Duration>,
        redactor: &Redactor,
    ) -> Box<Failure> {
        let outcome = match self.outcome {
            _ if request.effect == Effect::Read => Outcome::NotApplied,
            Outcome::NotApplied if may_have_changed => Outcome::Unknown,
            outcome => outcome,
        };
        let target = request.target.map(Target::id);
        let asked_wait = self.asked_wait();
        let error = Error {
            kind: self.kind,
            outcome,
            message: message(&self.what, &self.api_errors, self.hint, outcome),
            status: self.head.as_ref().map(|head| head.status),
            ray_id: self.head.and_then(|head| head.ray_id),
            retry_after_ms: retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
            api_errors: self.api_errors,
            attempts: 0,
            token_id: target.or(self.token_id.as_deref()).and_then(|id| redactor.unchanged(id)),
            previous_secret_expires_at: None,
        };
        Box::new(Failure { error, class: self.class, asked_wait })
    }
}

/// Returns whether a server gives a status instead of acting. 408 and 425 may come after it acted, 499 and 460 from a
/// proxy that stopped waiting for it.
fn is_refusal(status: u16) -> bool {
    matches!(status, 400..500) && !matches!(status, 408 | 425 | 460 | 499)
}

/// Returns the message of an error: what came, what the API said, what may have come of it, and what to do.
fn message(what: &str, errors: &[ApiError], hint: Option<&str>, outcome: Outcome) -> String {
    let mut message = what.to_owned();
    for error in errors.iter().take(3) {
        message.push_str("; ");
        push_error(&mut message, error.code, &error.message);
        for cause in error.chain.iter().take(3) {
            message.push_str(" <- ");
            push_error(&mut message, cause.code, &cause.message);
        }
    }
    let effect = match outcome {
        Outcome::NotApplied => None,
        Outcome::Unknown => Some("it may have been done all the same"),
        Outcome::Applied => Some("it was done all the same"),
    };
    for part in effect.into_iter().chain(hint) {
        message.extend(["; ", part]);
    }
    message
}

fn push_error(message: &mut String, code: Option<u32>, text: &str) {
    message.push_str(if text.is_empty() { "an error without a text" } else { text });
    if let Some(code) = code {
        message.extend([" (code ", &code.to_string(), ")"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::ApiErrorCause;

    type NoHeaders = Vec<(String, String)>;

    fn head(status: u16) -> AnswerHead<NoHeaders> {
        AnswerHead { status, headers: Vec::new() }
    }

    fn redactor() -> Redactor {
        Redactor::new([])
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
            (400, coded(12130, ""), Rejected, FailureClass::Final, Outcome::NotApplied),
            (404, coded(12135, ""), NotFound, FailureClass::Final, Outcome::NotApplied),
            (409, vec![], Conflict, FailureClass::Final, Outcome::NotApplied),
            (408, vec![], Unavailable, FailureClass::Passing, Outcome::Unknown),
            (429, coded(971, ""), RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (429, coded(10100, ""), RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (429, vec![], RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (403, coded(971, ""), RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (200, coded(971, ""), RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (500, coded(971, ""), RateLimited, FailureClass::Passing, Outcome::Unknown),
            (408, coded(971, ""), RateLimited, FailureClass::Passing, Outcome::Unknown),
            (403, coded(10001, "internal error"), Unavailable, FailureClass::Passing, Outcome::Unknown),
            (500, vec![], Unavailable, FailureClass::Passing, Outcome::Unknown),
            (500, coded(12130, ""), Unavailable, FailureClass::Passing, Outcome::Unknown),
            (200, coded(12135, ""), NotFound, FailureClass::Final, Outcome::NotApplied),
            (200, coded(10003, ""), Rejected, FailureClass::Final, Outcome::Unknown),
            (200, vec![], Rejected, FailureClass::Final, Outcome::Unknown),
        ] {
            let error = AttemptError::refused(&head(status), errors, &redactor());
            assert_eq!((error.kind, error.class, error.outcome), (kind, class, outcome), "{status}: {}", error.what);
        }
    }

    #[test]
    fn an_answer_of_somebody_else_proves_little() {
        use ErrorKind::{InvalidResponse, RateLimited, Unavailable};
        for (status, foreign, kind, class, outcome) in [
            (200, Foreign::Empty, InvalidResponse, FailureClass::Passing, Outcome::Unknown),
            (200, Foreign::CutShort, InvalidResponse, FailureClass::Passing, Outcome::Unknown),
            (200, Foreign::NotJson, InvalidResponse, FailureClass::Final, Outcome::Unknown),
            (200, Foreign::OtherJson, InvalidResponse, FailureClass::Final, Outcome::Unknown),
            (302, Foreign::Empty, InvalidResponse, FailureClass::Final, Outcome::Unknown),
            (403, Foreign::NotJson, InvalidResponse, FailureClass::Final, Outcome::NotApplied),
            (404, Foreign::NotJson, InvalidResponse, FailureClass::Final, Outcome::NotApplied),
            (413, Foreign::Empty, InvalidResponse, FailureClass::Final, Outcome::NotApplied),
            (408, Foreign::Empty, Unavailable, FailureClass::Passing, Outcome::Unknown),
            (499, Foreign::Empty, InvalidResponse, FailureClass::Final, Outcome::Unknown),
            (429, Foreign::OtherJson, RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (502, Foreign::Empty, Unavailable, FailureClass::Passing, Outcome::Unknown),
            (523, Foreign::NotJson, Unavailable, FailureClass::Passing, Outcome::Unknown),
        ] {
            let error = AttemptError::foreign(&head(status), foreign, "", &redactor());
            assert_eq!((error.kind, error.class, error.outcome), (kind, class, outcome), "{status} {foreign:?}");
        }
    }

    #[test]
    fn without_an_answer_only_proof_counts() {
        use ErrorKind::{Connection, DeniedByHost, InvalidResponse, RateLimited, Timeout};
        for (cause, status, kind, class, outcome) in [
            (Cause::NotSent(""), None, Connection, FailureClass::NotSent, Outcome::NotApplied),
            (Cause::Denied(""), None, DeniedByHost, FailureClass::Final, Outcome::NotApplied),
            (Cause::Lost(""), None, Connection, FailureClass::Passing, Outcome::Unknown),
            (Cause::Lost(""), Some(201), Connection, FailureClass::Passing, Outcome::Unknown),
            (Cause::Lost(""), Some(400), Connection, FailureClass::Passing, Outcome::NotApplied),
            (Cause::Lost(""), Some(429), RateLimited, FailureClass::RateLimited, Outcome::NotApplied),
            (Cause::TimedOut(""), Some(200), Timeout, FailureClass::Passing, Outcome::Unknown),
            (Cause::Unreadable(""), Some(200), InvalidResponse, FailureClass::Final, Outcome::Unknown),
        ] {
            let head = status.map(|status| (status, NoHeaders::new()));
            let error = AttemptError::without_answer(NoAnswer { cause, head }, &redactor());
            assert_eq!((error.kind, error.class, error.outcome), (kind, class, outcome), "{cause:?} {status:?}");
        }
    }

    #[test]
    fn a_message_tells_what_came_what_the_api_said_the_effect_and_the_remedy() {
        let mut errors = coded(6003, "Invalid request headers");
        errors[0].chain.push(ApiErrorCause { code: Some(6111), message: "Invalid format".into() });
        errors.push(ApiError { code: None, ..coded(0, "").remove(0) });
        assert_eq!(
            message("400 Bad Request", &errors, Some("check it"), Outcome::Unknown),
            "400 Bad Request; Invalid request headers (code 6003) <- Invalid format (code 6111); an error without a \
             text; it may have been done all the same; check it"
        );
        assert_eq!(message("500", &[], None, Outcome::NotApplied), "500");
    }

    #[test]
    fn the_ray_id_comes_from_the_header_or_from_the_page() {
        let ray = AnswerHead { status: 520, headers: vec![("cf-ray".to_owned(), "9f1c2ab34cd56ef7-AMS".to_owned())] };
        let ray_id = |head: &AnswerHead<NoHeaders>, body: &str| {
            AttemptError::foreign(head, Foreign::NotJson, body, &redactor()).head.and_then(|head| head.ray_id)
        };
        assert_eq!(ray_id(&ray, "").as_deref(), Some("9f1c2ab34cd56ef7-AMS"));
        assert_eq!(ray_id(&head(520), "Ray ID: <b>9f1c2ab34cd56ef7</b>").as_deref(), Some("9f1c2ab34cd56ef7"));
    }
}
