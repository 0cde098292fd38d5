//! Rotation with a time in which both secrets pass: begin it, end it, extend it.
//!
//! A token has two secrets at most, so a rotation while an overlap is running ends the older one, and a rotation whose
//! answer was lost must not simply be made again. After a lost answer the token is looked at: what it shows decides.

use crate::contract::lifecycle::OverlappingToken;
use crate::contract::types::{ErrorKind, IssuedToken, Outcome, Scope, ServiceToken};
use crate::exchange::{Call, Host};
use crate::failure::{Failure, FailureClass, Result};
use crate::operations::rotation::{Rotation, about};
use crate::operations::service_tokens;
use crate::request::{BodyFields, Target, arguments};
use crate::response::redactor::cut;
use crate::timestamp::Timestamp;

/// What to do where it is not known whether a rotation happened.
const LOOK: &str = "look at it with `get` before anything else";
/// A time that has passed by every clock. The API ends an old secret whose time has passed, and asking twice does no
/// harm.
const LONG_AGO: &str = "2000-01-01T00:00:00Z";
/// How many bytes of the message of one failure stand in that of another.
const REASON_LIMIT: usize = 500;

/// Rotates the secret of a token and lets the old one pass for this many seconds.
///
/// Where the version of the secret is known, the rotation is sent again if a look shows that it did not happen.
/// Otherwise it is sent once.
pub async fn rotate(
    call: &Call<'_, impl Host>,
    target: Target<'_>,
    overlap_seconds: u32,
    end_running_overlap: bool,
) -> Result<OverlappingToken> {
    arguments::overlap_seconds(overlap_seconds)?;
    let (before, head) = service_tokens::look(call, target).await?;
    let now = call.time_of_day(&head);
    if !end_running_overlap {
        refuse_running_overlap(&before, target, now)?;
    }
    let end = now.after(overlap_seconds).to_rfc3339();
    let rotation = Rotation::of(&before, target, Some(&end));
    if rotation.version.is_none() && matches!(call.settings.scope, Scope::Zone(_)) {
        let message =
            "the API does not show the `client-secret-version` of this token, and a zone has no other rotation";
        return Err(about(target, ErrorKind::Rejected, message));
    }
    // How often it was sent, and how often that may have rotated the secret.
    let (mut sent, mut lost) = (0_u32, 0_u32);
    loop {
        let failure = match rotation.send(call, lost > 0).await {
            Ok(issued) => return Ok(overlapping(issued, rotation.version, now, end)),
            Err(failure) => failure,
        };
        sent = sent.saturating_add(1);
        let finding = match failure.error.outcome {
            Outcome::NotApplied if lost == 0 => return Err(failure),
            Outcome::Applied => {
                Finding::Rotation(Some(end_of_overlap(failure.error.previous_secret_expires_at.as_deref(), &end)))
            }
            outcome => {
                lost = lost.saturating_add((outcome == Outcome::Unknown).into());
                match service_tokens::get(call, target).await {
                    Ok(after) => finding(&before, &after, &rotation, now, &end),
                    Err(look) => Finding::Nothing(cut(call.message(&look), REASON_LIMIT)),
                }
            }
        };
        let may_repeat = rotation.version.is_some()
            && matches!(finding, Finding::NoRotation)
            && failure.class == FailureClass::Passing
            && sent <= call.settings.retries;
        if !may_repeat || !call.pause(sent, failure.asked_wait).await {
            // Where one request may have rotated, the old secret passes until the end of the overlap in either case.
            return Err(completed(failure, finding, Some(end).filter(|_| lost == 1)));
        }
    }
}

/// Ends the old secret of a rotation now.
pub async fn end(call: &Call<'_, impl Host>, target: Target<'_>) -> Result<ServiceToken> {
    move_end(call, target, LONG_AGO).await
}

/// Lets the old secret of a rotation pass for this many seconds from now.
pub async fn extend(call: &Call<'_, impl Host>, target: Target<'_>, overlap_seconds: u32) -> Result<ServiceToken> {
    arguments::overlap_seconds(overlap_seconds)?;
    let (token, head) = service_tokens::look(call, target).await?;
    let now = call.time_of_day(&head);
    if let Some(end) = shown_end(&token).filter(|end| *end <= now) {
        let message = format!("the old secret ended at {}, and what has ended does not come back", end.to_rfc3339());
        return Err(about(target, ErrorKind::Conflict, message));
    }
    move_end(call, target, &now.after(overlap_seconds).to_rfc3339()).await
}

async fn move_end(call: &Call<'_, impl Host>, target: Target<'_>, end: &str) -> Result<ServiceToken> {
    let fields = BodyFields { previous_client_secret_expires_at: Some(end), ..BodyFields::default() };
    service_tokens::change(call, target, fields).await
}

/// Refuses a rotation that would end a secret which machines may still use.
fn refuse_running_overlap(token: &ServiceToken, target: Target<'_>, now: Timestamp) -> Result<()> {
    let shown = token.previous_client_secret_expires_at.as_deref().unwrap_or_default();
    let end = Timestamp::from_rfc3339(shown);
    if shown.is_empty() || end.is_some_and(|end| end <= now) {
        return Ok(());
    }
    let mut failure = about(target, ErrorKind::Conflict, format!("an overlap is running until {shown}"));
    failure.error.previous_secret_expires_at = end.map(Timestamp::to_rfc3339);
    failure.advice.push_str(
        ": a rotation ends the old secret, which machines may still use; call `end-overlap` once none does, or pass \
         `end-running-overlap`",
    );
    Err(failure)
}

/// Returns until when the secret before the current one passes, where a token shows it.
fn shown_end(token: &ServiceToken) -> Option<Timestamp> {
    token.previous_client_secret_expires_at.as_deref().and_then(Timestamp::from_rfc3339)
}

/// Returns until when the old secret passes after a rotation: what the API shows, or what was asked for.
fn end_of_overlap(shown: Option<&str>, asked: &str) -> String {
    shown.and_then(Timestamp::from_rfc3339).map_or_else(|| asked.to_owned(), Timestamp::to_rfc3339)
}

/// Returns a new secret with the end of the old one. After more than one rotation the old one has ended, whatever the
/// answer says about the one after it.
fn overlapping(issued: IssuedToken, version: Option<u32>, now: Timestamp, asked: String) -> OverlappingToken {
    let is_one_rotation = version.zip(issued.token.client_secret_version).is_none_or(|(asked, shown)| shown <= asked);
    let shown = issued.token.previous_client_secret_expires_at.clone();
    let previous_secret_expires_at = if is_one_rotation { shown.unwrap_or(asked) } else { now.to_rfc3339() };
    OverlappingToken { issued, previous_secret_expires_at }
}

/// What is known about a rotation whose new secret did not come.
enum Finding {
    /// It happened, and the old secret passes until then. None: the token was rotated more than once.
    Rotation(Option<String>),
    /// The token shows no rotation.
    NoRotation,
    /// The token could not be looked at, for this reason.
    Nothing(String),
}

/// Returns what a look at a token after a rotation shows.
fn finding(
    before: &ServiceToken,
    after: &ServiceToken,
    rotation: &Rotation<'_>,
    now: Timestamp,
    asked: &str,
) -> Finding {
    let is_rotation = match (rotation.version, after.client_secret_version) {
        (Some(version), Some(shown)) if shown > version => return Finding::Rotation(None),
        (Some(version), shown) => shown == Some(version),
        // An overlap that was not there before, or ends otherwise than before, is that of a rotation.
        (None, _) => shown_end(after).is_some_and(|end| end > now && shown_end(before) != Some(end)),
    };
    if is_rotation {
        Finding::Rotation(Some(end_of_overlap(after.previous_client_secret_expires_at.as_deref(), asked)))
    } else {
        Finding::NoRotation
    }
}

/// Completes a failure with what is known about the rotation. `end`: until when the old secret passes where that is not
/// known from the API.
fn completed(mut failure: Box<Failure>, finding: Finding, end: Option<String>) -> Box<Failure> {
    let (outcome, end, what) = match finding {
        Finding::Rotation(Some(end)) => {
            // A conflict: another caller rotated at the same time, and may have the secret.
            let secret = match failure.error.kind {
                ErrorKind::Conflict => "this call has no secret of it, which another caller may have",
                _ => "its secret is lost",
            };
            let what = format!(
                "the rotation happened and {secret}; the old secret passes until {end}, and a further \
                 rotation ends it: extend the overlap, or replace the token, before then"
            );
            (Outcome::Applied, Some(end), what)
        }
        Finding::Rotation(None) => {
            let what = "the token was rotated more than once since: the old secret has ended";
            (Outcome::Applied, None, what.to_owned())
        }
        Finding::NoRotation => {
            let what = "the token, looked at afterwards, showed no rotation, but a late one may follow";
            (Outcome::Unknown, end, format!("{what}; {LOOK}"))
        }
        Finding::Nothing(reason) => {
            (Outcome::Unknown, end, format!("the token could not be looked at afterwards ({reason}); {LOOK}"))
        }
    };
    failure.error.outcome = outcome;
    failure.error.previous_secret_expires_at = end;
    failure.add(&what);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Error, RequestOptions};
    use crate::exchange::scripted_host::{Reply, ScriptedHost, account, options};
    use crate::request::Function;

    /// An hour from the time that the wall clock of the host shows.
    const END: &str = "2026-11-24T11:00:00Z";

    fn zone() -> Scope {
        Scope::Zone("z".into())
    }

    fn rotate_in(scope: &Scope, host: &ScriptedHost, end_running: bool) -> Result<OverlappingToken, Error> {
        host.run_in(scope.clone(), Function::RotateWithOverlap, Some(options()), async |call| {
            rotate(call, call.target("i")?, 3600, end_running).await
        })
    }

    /// A token as the API shows it: its version, its secret, and the end of its overlap.
    fn shown(version: Option<u32>, secret: Option<&str>, overlap: Option<&str>) -> Reply {
        let mut fields = vec![r#""id":"i""#.to_owned()];
        fields.extend(version.map(|version| format!(r#""client_secret_version":{version}"#)));
        fields.extend(secret.map(|secret| format!(r#""client_secret":"{secret}""#)));
        fields.extend(overlap.map(|overlap| format!(r#""previous_client_secret_expires_at":"{overlap}""#)));
        Reply::result(&format!("{{{}}}", fields.join(",")))
    }

    fn put() -> String {
        format!(r#"PUT /i {{"client_secret_version":3,"previous_client_secret_expires_at":"{END}"}}"#)
    }

    fn post() -> String {
        format!(r#"POST /i/rotate {{"previous_client_secret_expires_at":"{END}"}}"#)
    }

    #[test]
    fn a_known_version_is_raised_in_accounts_and_zones() {
        for scope in [account(), zone()] {
            let host = ScriptedHost::with_replies([shown(Some(2), None, None), shown(Some(3), Some("new"), Some(END))]);
            let rotated = rotate_in(&scope, &host, false).expect("rotated");
            assert_eq!(rotated.issued.client_secret, "new");
            assert_eq!(rotated.previous_secret_expires_at, END);
            assert_eq!(host.lines(), ["GET /i".to_owned(), put()]);
        }
    }

    #[test]
    fn after_a_lost_answer_the_token_is_looked_at_and_rotated_only_if_it_was_not() {
        let host = ScriptedHost::with_replies([
            shown(Some(2), None, None),
            Reply::lost(),
            shown(Some(2), None, None),
            shown(Some(3), Some("new"), Some(END)),
        ]);
        assert_eq!(rotate_in(&account(), &host, false).expect("rotated").issued.client_secret, "new");
        assert_eq!(host.lines(), ["GET /i".to_owned(), put(), "GET /i".to_owned(), put()]);
        let host = ScriptedHost::with_replies([
            shown(Some(2), None, None),
            Reply::lost(),
            shown(Some(3), None, Some("2026-11-24T11:00:00.5Z")),
        ]);
        let error = rotate_in(&account(), &host, false).expect_err("lost");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Connection, Outcome::Applied, 3));
        assert_eq!(error.previous_secret_expires_at.as_deref(), Some(END));
        assert_eq!(error.token_id.as_deref(), Some("i"));
        assert_eq!(host.lines(), ["GET /i".to_owned(), put(), "GET /i".to_owned()]);
    }

    #[test]
    fn a_repeat_that_brings_no_secret_tells_that_the_first_one_worked() {
        let host = ScriptedHost::with_replies([
            shown(Some(2), None, None),
            Reply::lost(),
            shown(Some(2), None, None),
            shown(Some(3), None, Some(END)),
        ]);
        let error = rotate_in(&account(), &host, false).expect_err("lost");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Connection, Outcome::Applied));
        assert_eq!(error.previous_secret_expires_at.as_deref(), Some(END));
        assert!(error.message.contains("an earlier attempt made the rotation"), "{}", error.message);
    }

    #[test]
    fn a_version_that_somebody_else_raised_is_said_to_be() {
        let host = ScriptedHost::with_replies([shown(Some(2), None, None), shown(Some(3), None, Some(END))]);
        let error = rotate_in(&account(), &host, false).expect_err("no secret");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::Applied));
        assert!(
            error.message.contains("another caller may have") && !error.message.contains("is lost"),
            "{}",
            error.message
        );
        assert!(error.message.contains("another caller"), "{}", error.message);
    }

    #[test]
    fn a_secret_of_a_later_version_is_returned_and_the_old_one_said_to_have_ended() {
        let host = ScriptedHost::with_replies([shown(Some(2), None, None), shown(Some(4), Some("new"), Some(END))]);
        let rotated = rotate_in(&account(), &host, false).expect("rotated");
        assert_eq!(rotated.issued.client_secret, "new");
        assert_eq!(rotated.previous_secret_expires_at, "2026-11-24T10:00:00Z");
        let host =
            ScriptedHost::with_replies([shown(Some(2), None, None), Reply::lost(), shown(Some(4), None, Some(END))]);
        let error = rotate_in(&account(), &host, false).expect_err("lost");
        assert_eq!((error.outcome, error.previous_secret_expires_at), (Outcome::Applied, None));
    }

    #[test]
    fn a_rotation_of_which_nothing_can_be_found_out_stays_unknown() {
        let unchanged = || shown(Some(2), None, None);
        for (replies, end) in [
            // The look fails: one request may have rotated, so the old secret passes until the end in either case.
            (vec![unchanged(), Reply::lost(), Reply::refusal(403, 9999)], Some(END)),
            // Three may have.
            (
                vec![unchanged(), Reply::lost(), unchanged(), Reply::lost(), unchanged(), Reply::lost(), unchanged()],
                None,
            ),
            // A refusal after a lost answer proves nothing about that one.
            (vec![unchanged(), Reply::lost(), unchanged(), Reply::refusal(403, 9999), unchanged()], Some(END)),
            (vec![unchanged(), shown(None, None, None), unchanged()], Some(END)),
        ] {
            let count = replies.len();
            let host = ScriptedHost::with_replies(replies);
            let error = rotate_in(&account(), &host, false).expect_err("lost");
            assert_eq!((error.outcome, host.sent().len()), (Outcome::Unknown, count), "{}", error.message);
            assert_eq!(error.previous_secret_expires_at.as_deref(), end, "{}", error.message);
            assert!(error.message.contains("before anything else"), "{}", error.message);
        }
    }

    #[test]
    fn a_look_that_fails_says_why() {
        let host = ScriptedHost::with_replies([shown(Some(2), None, None), Reply::lost(), Reply::refusal(403, 9999)]);
        let error = rotate_in(&account(), &host, false).expect_err("lost");
        assert!(error.message.contains("could not be looked at afterwards (403"), "{}", error.message);
    }

    #[test]
    fn what_is_certainly_not_done_is_said_to_be() {
        for refusal in [Reply::refusal(403, 9999), Reply::refusal(400, 12130)] {
            let host = ScriptedHost::with_replies([shown(Some(2), None, None), refusal]);
            let error = rotate_in(&account(), &host, false).expect_err("refused");
            assert_eq!((error.outcome, error.previous_secret_expires_at), (Outcome::NotApplied, None));
        }
    }

    #[test]
    fn without_a_version_an_account_rotates_once_and_looks_and_a_zone_is_rejected() {
        let unknown = || shown(None, None, None);
        let host = ScriptedHost::with_replies([unknown(), shown(None, Some("new"), None)]);
        let rotated = rotate_in(&account(), &host, false).expect("rotated");
        assert_eq!((rotated.issued.client_secret.as_str(), rotated.previous_secret_expires_at.as_str()), ("new", END));
        assert_eq!(host.lines(), ["GET /i".to_owned(), post()]);
        for (look, outcome) in [
            (shown(None, None, Some(END)), Outcome::Applied),
            (shown(None, None, None), Outcome::Unknown),
            (shown(None, None, Some("2026-11-24T09:00:00Z")), Outcome::Unknown),
            (Reply::refusal(403, 9999), Outcome::Unknown),
        ] {
            let host = ScriptedHost::with_replies([unknown(), Reply::lost(), look]);
            let error = rotate_in(&account(), &host, false).expect_err("lost");
            assert_eq!((error.outcome, error.previous_secret_expires_at.as_deref()), (outcome, Some(END)));
            assert_eq!(host.lines(), ["GET /i".to_owned(), post(), "GET /i".to_owned()]);
        }
        let host = ScriptedHost::with_replies([unknown()]);
        let error = rotate_in(&zone(), &host, false).expect_err("rejected");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Rejected, Outcome::NotApplied, 1));
    }

    #[test]
    fn a_running_overlap_is_not_ended_unless_that_is_asked_for() {
        for running in ["2026-11-24T10:00:01Z", "2027-01-01T00:00:00+02:00", "not a time"] {
            let host = ScriptedHost::with_replies([shown(Some(2), None, Some(running))]);
            let error = rotate_in(&account(), &host, false).expect_err("running");
            assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Conflict, Outcome::NotApplied, 1));
            assert_eq!(error.token_id.as_deref(), Some("i"));
            let host = ScriptedHost::with_replies([
                shown(Some(2), None, Some(running)),
                shown(Some(3), Some("new"), Some(END)),
            ]);
            assert!(rotate_in(&account(), &host, true).is_ok(), "{running}");
        }
        let ended = shown(Some(2), None, Some("2026-11-24T10:00:00Z"));
        let host = ScriptedHost::with_replies([ended, shown(Some(3), Some("new"), Some(END))]);
        assert!(rotate_in(&account(), &host, false).is_ok());
    }

    #[test]
    fn an_overlap_of_no_time_is_refused_before_anything_is_sent() {
        let host = ScriptedHost::default();
        let run = host
            .run(Function::RotateWithOverlap, options(), async |call| rotate(call, call.target("i")?, 0, false).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.starts_with("rotate-with-overlap: overlap-seconds is 0"), "{}", error.message);
        let run = host.run_in(zone(), Function::ExtendOverlap, Some(options()), async |call| {
            extend(call, call.target("i")?, 0).await
        });
        assert!(run.expect_err("accepted").message.starts_with("extend-overlap: overlap-seconds is 0"));
    }

    #[test]
    fn a_rotation_is_not_begun_without_time_for_an_answer() {
        let options = RequestOptions { timeout_ms: Some(1000), attempt_timeout_ms: Some(1000), ..options() };
        let host = ScriptedHost::with_replies([shown(Some(2), None, None).after(900)]);
        let run = host
            .run(Function::RotateWithOverlap, options, async |call| rotate(call, call.target("i")?, 60, false).await);
        let error = run.expect_err("too late");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Timeout, Outcome::NotApplied, 1));
    }

    #[test]
    fn an_attempt_that_takes_too_long_leaves_time_to_look() {
        let slow = shown(Some(3), Some("new"), Some(END)).after(31_000);
        let host = ScriptedHost::with_replies([shown(Some(2), None, None), slow, shown(Some(3), None, Some(END))]);
        let error = rotate_in(&account(), &host, false).expect_err("late");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::Applied));
    }

    #[test]
    fn an_overlap_is_counted_from_the_date_of_the_answer() {
        let date = |reply: Reply| reply.with_header("date", "Tue, 24 Nov 2026 10:00:50 GMT");
        let host = ScriptedHost::with_rule(move |sent| {
            let secret = if sent.body.is_some() { Some("new") } else { None };
            date(shown(Some(if secret.is_some() { 3 } else { 2 }), secret, Some("2026-11-24T10:00:40Z")))
        });
        host.run(Function::RotateWithOverlap, options(), async |call| rotate(call, call.target("i")?, 30, false).await)
            .expect("rotated: by the clock of the API no overlap is running");
        let end = r#"{"client_secret_version":3,"previous_client_secret_expires_at":"2026-11-24T10:01:20Z"}"#;
        assert_eq!(host.lines(), ["GET /i".to_owned(), format!("PUT /i {end}")]);
        let run = host.run(Function::ExtendOverlap, options(), async |call| extend(call, call.target("i")?, 30).await);
        assert_eq!(run.expect_err("ended by the clock of the API").kind, ErrorKind::Conflict);
    }

    #[test]
    fn an_overlap_is_ended_by_a_time_long_ago_and_extended_from_now() {
        let host = ScriptedHost::with_rule(|_| shown(Some(2), None, Some("2026-11-24T10:00:01Z")));
        host.run_in(zone(), Function::EndOverlap, Some(options()), async |call| end(call, call.target("i")?).await)
            .expect("ended");
        let run = host.run_in(zone(), Function::ExtendOverlap, Some(options()), async |call| {
            extend(call, call.target("i")?, 3600).await
        });
        run.expect("extended");
        assert_eq!(
            host.lines(),
            [
                r#"PUT /i {"previous_client_secret_expires_at":"2000-01-01T00:00:00Z"}"#.to_owned(),
                "GET /i".to_owned(),
                format!(r#"PUT /i {{"previous_client_secret_expires_at":"{END}"}}"#),
            ]
        );
    }

    #[test]
    fn what_has_ended_is_not_extended() {
        let long = format!("2026-11-24T10:00:00.{}Z", "9".repeat(100_000));
        for ended in ["2026-11-24T10:00:00Z", "2000-01-01T00:00:00Z", &long] {
            let host = ScriptedHost::with_replies([shown(Some(2), None, Some(ended))]);
            let run = host.run_in(zone(), Function::ExtendOverlap, Some(options()), async |call| {
                extend(call, call.target("i")?, 60).await
            });
            let error = run.expect_err("ended");
            assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
            assert!(error.message.len() < 200, "{}", error.message.len());
        }
    }
}
