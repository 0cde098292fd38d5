//! Which error a failed attempt is, whether the request may be repeated, and whether its change may have happened.
//!
//! The rule of certainty: `NotApplied` only where the request did not leave, where the API said no in a way it only
//! says before acting (4xx but for the timeouts, or an envelope with a code that means a refusal), or where nothing
//! changes anyway. `Applied` only after `success: true`. Everything between is `Unknown`.

use std::fmt::Display;

use crate::contract::types::{ApiError, ErrorKind, Outcome};
use crate::exchange::{Cause, Head, NoAnswer};
use crate::failure::{Failure, FailureClass};
use crate::request::{Effect, Request};
use crate::response::catalogue::{meaning, reason};
use crate::response::retry_after::asked_wait;
use crate::response::{Foreign, Unusable};

const REDIRECT: &str = "redirects are not followed, since they would carry the credential away: check the base URL";
const BASE_URL: &str = "check that the base URL is the API's and that nothing between answers in its place";

/// What a failure means: for the caller, for the state of the API, and for another try. The outcome is as if the
/// request changed something.
type Classification = (ErrorKind, Outcome, FailureClass);

fn failure((kind, outcome, class): Classification, message: impl Into<String>) -> Box<Failure> {
    let mut failure = Failure::new(kind, message);
    failure.error.outcome = outcome;
    failure.class = class;
    failure
}

/// Makes the failure of an attempt that had an answer. `what` follows the status in its message.
fn answered(classification: Classification, head: &Head, what: impl Display) -> Box<Failure> {
    let mut failure = failure(classification, format!("{} {}{what}", head.status, reason(head.status)));
    failure.error.status = Some(head.status);
    failure.error.ray_id = head.headers.get("cf-ray").filter(|text| is_ray_id(text));
    failure.asked_wait = asked_wait(&*head.headers);
    failure
}

/// No whole answer came. With a head the status counts; a server that says 503 and breaks off still says 503.
pub fn without_answer(NoAnswer { cause, head }: NoAnswer) -> Box<Failure> {
    let (kind, outcome, class, what) = match cause {
        Cause::NotSent(what) => (ErrorKind::Connection, Outcome::NotApplied, FailureClass::NotSent, what),
        Cause::Denied(what) => (ErrorKind::DeniedByHost, Outcome::NotApplied, FailureClass::Final, what),
        Cause::Lost(what) => (ErrorKind::Connection, Outcome::Unknown, FailureClass::Passing, what),
        Cause::TimedOut(what) => (ErrorKind::Timeout, Outcome::Unknown, FailureClass::Passing, what),
        Cause::Unreadable(what) => (ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Final, what),
    };
    let Some(head) = head else { return failure((kind, outcome, class), what) };
    let classification = match head.status {
        429 => (ErrorKind::RateLimited, Outcome::NotApplied, FailureClass::RateLimited),
        status if is_refusal(status) => (kind, Outcome::NotApplied, class),
        _ => (kind, outcome, class),
    };
    answered(classification, &head, format_args!(", but {what}"))
}

/// The time of the call was over, or not enough for a request that makes a secret, before it was sent.
pub fn too_late() -> Box<Failure> {
    Failure::new(ErrorKind::Timeout, "the time of the call was over before the request could be sent")
}

/// The API says no.
pub fn refused(head: &Head, api_errors: Vec<ApiError>) -> Box<Failure> {
    let status = head.status;
    let (kind, hint) = meaning(status, &api_errors);
    let is_limit = kind == ErrorKind::RateLimited && (head.is_good() || is_refusal(status));
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
            if head.is_good() =>
        {
            Outcome::NotApplied
        }
        _ => Outcome::Unknown,
    };
    let what = if head.is_good() { ", but the API says that it failed" } else { "" };
    let mut failure = answered((kind, outcome, class), head, what);
    failure.error.api_errors = api_errors;
    failure.add(hint);
    failure
}

/// An answer that is not this API's.
pub fn foreign(head: &Head, foreign: Foreign, body: &str) -> Box<Failure> {
    let content_type = || head.headers.get("content-type").unwrap_or_else(|| "no content-type".to_owned());
    let what = match foreign {
        Foreign::Empty => "an empty body".to_owned(),
        Foreign::CutShort => "JSON that ends too early".to_owned(),
        Foreign::OtherJson => "JSON that is not this API's".to_owned(),
        Foreign::NotJson => format!("a body that is not JSON ({})", content_type()),
    };
    let is_passing = matches!(foreign, Foreign::Empty | Foreign::CutShort);
    let (classification, hint) = match head.status {
        429 => ((ErrorKind::RateLimited, Outcome::NotApplied, FailureClass::RateLimited), ""),
        408 | 500.. => ((ErrorKind::Unavailable, Outcome::Unknown, FailureClass::Passing), ""),
        300..=399 => ((ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Final), REDIRECT),
        status if is_refusal(status) => {
            ((ErrorKind::InvalidResponse, Outcome::NotApplied, FailureClass::Final), BASE_URL)
        }
        200..=299 if is_passing => ((ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Passing), ""),
        _ => ((ErrorKind::InvalidResponse, Outcome::Unknown, FailureClass::Final), BASE_URL),
    };
    let mut failure = answered(classification, head, format_args!(" with {what}"));
    failure.error.ray_id = failure.error.ray_id.or_else(|| ray_id_in_page(body));
    failure.add(hint);
    failure
}

/// `success: true`, with a result that is no use.
pub fn unusable(head: &Head, Unusable { reason, token_id }: Unusable) -> Box<Failure> {
    let classification = (ErrorKind::InvalidResponse, Outcome::Applied, FailureClass::Final);
    let mut failure = answered(classification, head, format_args!(", but {reason}"));
    failure.error.token_id = token_id;
    failure
}

/// Completes the failure of the last attempt with what is known of the request. `may_have_changed`: whether an earlier
/// attempt may have made the change.
pub fn completed(mut failure: Box<Failure>, request: &Request<'_>, may_have_changed: bool) -> Box<Failure> {
    let error = &mut failure.error;
    error.outcome = match error.outcome {
        _ if request.effect == Effect::Read => Outcome::NotApplied,
        Outcome::NotApplied if may_have_changed => Outcome::Unknown,
        outcome => outcome,
    };
    let effect = match error.outcome {
        Outcome::NotApplied => "",
        Outcome::Unknown => "; it may have been done all the same",
        Outcome::Applied => "; it was done all the same",
    };
    failure.advice.insert_str(0, effect);
    if let Some(target) = request.target {
        error.token_id = Some(target.id().to_owned());
    }
    failure
}

/// Returns whether a server gives a status instead of acting. 408 and 425 may come after it acted, 499 and 460 from a
/// proxy that stopped waiting for it.
fn is_refusal(status: u16) -> bool {
    matches!(status, 400..500) && !matches!(status, 408 | 425 | 460 | 499)
}

/// Returns whether a text has the form of a ray id, such as `9f1c2ab34cd56ef7-AMS`.
fn is_ray_id(text: &str) -> bool {
    let (number, place) = text.split_once('-').unwrap_or((text, ""));
    let is_number = number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_number && place.len() <= 8 && place.bytes().all(|letter| letter.is_ascii_alphanumeric())
}

/// Returns the ray id that a page of the edge shows: `Ray ID: <strong>9f1c…</strong>`. Only the start of the body is
/// looked at.
fn ray_id_in_page(body: &str) -> Option<String> {
    let start = body.get(..body.floor_char_boundary(65_536)).unwrap_or(body);
    let (_, after) = start.split_once("Ray ID:")?;
    let mut words = after.split(|character: char| !character.is_ascii_alphanumeric()).take(16);
    words.find(|word| is_ray_id(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::scripted_host::head;

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
            let failure = refused(&head(status), errors);
            assert_eq!(
                (failure.error.kind, failure.class, failure.error.outcome),
                (kind, class, outcome),
                "{status}: {}",
                failure.error.message
            );
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
            let failure = super::foreign(&head(status), foreign, "");
            assert_eq!(
                (failure.error.kind, failure.class, failure.error.outcome),
                (kind, class, outcome),
                "{status} {foreign:?}"
            );
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
            let head = status.map(head);
            let failure = without_answer(NoAnswer { cause, head });
            assert_eq!(
                (failure.error.kind, failure.class, failure.error.outcome),
                (kind, class, outcome),
                "{cause:?} {status:?}"
            );
        }
    }

    #[test]
    fn the_ray_id_comes_from_the_header_or_from_the_page() {
        let with_ray =
            || Head { headers: Box::new(vec![("cf-ray".to_owned(), "9f1c2ab34cd56ef7-AMS".to_owned())]), ..head(520) };
        let ray_id = |head: &Head, body: &str| foreign(head, Foreign::NotJson, body).error.ray_id;
        assert_eq!(ray_id(&with_ray(), "").as_deref(), Some("9f1c2ab34cd56ef7-AMS"));
        assert_eq!(ray_id(&head(520), "Ray ID: <b>9f1c2ab34cd56ef7</b>").as_deref(), Some("9f1c2ab34cd56ef7"));
    }

    #[test]
    fn a_ray_id_is_one_by_its_form() {
        for (text, expected) in [
            ("9f1c2ab34cd56ef7-AMS", true),
            ("9f1c2ab34cd56ef7", true),
            ("9f1c2ab34cd56ef", false),
            ("not-a-ray", false),
            ("9f1c2ab34cd56ef7-AMSTERDAM", false),
        ] {
            assert_eq!(is_ray_id(text), expected, "{text}");
        }
    }

    #[test]
    fn the_page_of_the_edge_shows_a_ray_id() {
        let page = "<p>Cloudflare Ray ID: <strong class=\"font-semibold\">9f1c2ab34cd56ef7</strong> &bull;</p>";
        assert_eq!(ray_id_in_page(page).as_deref(), Some("9f1c2ab34cd56ef7"));
        assert_eq!(ray_id_in_page("no ray"), None);
        assert_eq!(ray_id_in_page("Ray ID: \u{fffd}"), None);
    }
}
