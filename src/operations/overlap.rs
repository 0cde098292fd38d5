//! Rotation with a time in which both secrets pass: begin it, end it, extend it.
//!
//! A token has two secrets at most, so a rotation while an overlap is running ends the older one, and a rotation whose
//! answer was lost must not simply be made again. After a lost answer the token is looked at: what it shows decides.

use crate::contract::lifecycle::OverlappingToken;
use crate::contract::types::{ErrorKind, IssuedToken, Outcome, Scope, ServiceToken, UpdatedToken};
use crate::exchange::{Call, Host};
use crate::operations::steps::Answered;
use crate::operations::{clock, steps};
use crate::request::{BodyFields, Collection, Target, TokenId, arguments};
use crate::response::{Failure, FailureClass, Result};
use crate::timestamp::Timestamp;

/// What to do where it is not known whether a rotation happened.
const LOOK: &str = "look at it with `get` before anything else";
/// A time that has passed by every clock. The API ends an old secret whose time has passed, and asking twice does no
/// harm.
const LONG_AGO: &str = "2000-01-01T00:00:00Z";

/// Rotates the secret of a token and lets the old one pass for this many seconds.
pub async fn rotate(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    id: &str,
    overlap_seconds: u32,
    end_running_overlap: bool,
) -> Result<OverlappingToken> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    arguments::overlap_seconds(overlap_seconds)?;
    let Answered { value: token, head } = steps::get(call, &collection, id.target()).await?;
    let (now, _) = clock::now(call, &head);
    if !end_running_overlap {
        refuse_running_overlap(call, &token, id.target(), now)?;
    }
    let end = now.after(overlap_seconds);
    let (now_text, end_text) = (text(now)?, text(end)?);
    let rotation = Rotation { collection: &collection, target: id.target(), now, now_text, end, end_text };
    match token.client_secret_version.and_then(|version| version.checked_add(1)) {
        Some(version) => rotation.to_version(call, version).await,
        None => rotation.once(call, &token).await,
    }
}

/// Ends the old secret of a rotation now.
pub async fn end(call: &Call<'_, impl Host>, scope: &Scope, id: &str) -> Result<ServiceToken> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    move_end(call, &collection, id.target(), LONG_AGO).await
}

/// Lets the old secret of a rotation pass for this many seconds from now.
pub async fn extend(call: &Call<'_, impl Host>, scope: &Scope, id: &str, overlap_seconds: u32) -> Result<ServiceToken> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    arguments::overlap_seconds(overlap_seconds)?;
    let Answered { value: token, head } = steps::get(call, &collection, id.target()).await?;
    let (now, _) = clock::now(call, &head);
    if let Some(end) = overlap_end(&token).filter(|end| *end <= now) {
        let message = format!("the old secret ended at {}, and what has ended does not come back", text(end)?);
        return Err(conflict(call, message, id.target()));
    }
    move_end(call, &collection, id.target(), &text(now.after(overlap_seconds))?).await
}

async fn move_end<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    target: Target<'_>,
    end: &str,
) -> Result<ServiceToken> {
    let fields = BodyFields { previous_client_secret_expires_at: Some(end), ..BodyFields::default() };
    Ok(steps::update(call, collection, target, &fields).await?.token)
}

/// Refuses a rotation that would end a secret which machines may still use.
fn refuse_running_overlap(
    call: &Call<'_, impl Host>,
    token: &ServiceToken,
    target: Target<'_>,
    now: Timestamp,
) -> Result<()> {
    let Some(shown) = token.previous_client_secret_expires_at.as_deref().filter(|shown| !shown.is_empty()) else {
        return Ok(());
    };
    let end = Timestamp::from_rfc3339(shown);
    if end.is_some_and(|end| end <= now) {
        return Ok(());
    }
    let message = format!(
        "an overlap is running until {}: a rotation ends the old secret, which machines may still use; call \
         `end-overlap` once none does, or pass `end-running-overlap`",
        call.clean(shown)
    );
    let mut failure = conflict(call, message, target);
    failure.error.previous_secret_expires_at = end.and_then(Timestamp::to_rfc3339);
    Err(failure)
}

fn conflict(call: &Call<'_, impl Host>, message: String, target: Target<'_>) -> Box<Failure> {
    let mut failure = Failure::new(ErrorKind::Conflict, message);
    failure.error.token_id = call.unchanged(target.id());
    failure
}

/// Returns until when the secret before the current one passes, where a token shows it.
fn overlap_end(token: &ServiceToken) -> Option<Timestamp> {
    token.previous_client_secret_expires_at.as_deref().and_then(Timestamp::from_rfc3339)
}

/// Returns a time as text.
fn text(time: Timestamp) -> Result<String> {
    let message = "the clock shows a time outside of the years 0 to 9999";
    time.to_rfc3339().ok_or_else(|| Failure::new(ErrorKind::InvalidResponse, message.to_owned()))
}

/// A rotation that is to be made.
struct Rotation<'a> {
    collection: &'a Collection<'a>,
    target: Target<'a>,
    now: Timestamp,
    now_text: String,
    /// Until when the old secret is to pass.
    end: Timestamp,
    end_text: String,
}

impl Rotation<'_> {
    /// Rotates by an update to the next version. After a lost answer the token is looked at; if it shows no rotation,
    /// the update is sent again.
    async fn to_version<H: Host>(&self, call: &Call<'_, H>, version: u32) -> Result<OverlappingToken> {
        let fields = BodyFields {
            client_secret_version: Some(version),
            previous_client_secret_expires_at: Some(&self.end_text),
            ..BodyFields::default()
        };
        // How often it was sent, and how often that may have rotated the secret.
        let (mut sent, mut lost) = (0_u32, 0_u32);
        loop {
            let failure = match steps::update(call, self.collection, self.target, &fields).await {
                Ok(updated) => return self.judge(call, updated, version, lost > 0),
                Err(failure) => failure,
            };
            sent = sent.saturating_add(1);
            match failure.error.outcome {
                Outcome::Applied => return Err(Self::applied(failure, Some(self.end))),
                Outcome::NotApplied if lost == 0 => return Err(failure),
                Outcome::NotApplied => {}
                Outcome::Unknown => lost = lost.saturating_add(1),
            }
            let token = match steps::get(call, self.collection, self.target).await {
                Ok(token) => token.value,
                Err(look) => return Err(self.not_looked_at(failure, &look, lost)),
            };
            match token.client_secret_version {
                Some(shown) if shown > version => return Err(Self::applied(failure, None)),
                Some(shown) if shown == version => {
                    return Err(Self::applied(failure, overlap_end(&token).or(Some(self.end))));
                }
                _ => {}
            }
            let may_repeat = failure.class == FailureClass::Passing && sent <= call.settings().retries;
            if !may_repeat || !call.pause(sent, failure.asked_wait).await {
                return Err(self.unknown(failure, lost));
            }
        }
    }

    /// Returns what the answer to an update shows. `is_repeat`: whether an earlier update may have arrived.
    fn judge(
        &self,
        call: &Call<'_, impl Host>,
        UpdatedToken { token, client_secret }: UpdatedToken,
        version: u32,
        is_repeat: bool,
    ) -> Result<OverlappingToken> {
        let shown = token.client_secret_version;
        if let Some(client_secret) = client_secret {
            let is_one_rotation = shown.is_none_or(|shown| shown <= version);
            return Ok(self.overlapping(IssuedToken { token, client_secret }, is_one_rotation));
        }
        let (kind, outcome, what) = match shown {
            Some(shown) if shown == version && is_repeat => (
                ErrorKind::Connection,
                Outcome::Applied,
                "an earlier attempt made the rotation, and its answer was lost",
            ),
            Some(shown) if shown == version => (
                ErrorKind::Conflict,
                Outcome::Applied,
                "the token was rotated, and the answer has no secret: another caller may have done it at the same time",
            ),
            _ => (
                ErrorKind::InvalidResponse,
                Outcome::Unknown,
                "the answer has no secret and does not show the version that was asked for",
            ),
        };
        let mut failure = Failure::new(kind, what.to_owned());
        failure.error.token_id = call.unchanged(self.target.id());
        failure.error.outcome = outcome;
        if outcome == Outcome::Applied {
            return Err(Self::applied(failure, overlap_end(&token).or(Some(self.end))));
        }
        failure.add(LOOK);
        Err(failure)
    }

    /// Rotates by the operation `rotate`, which makes a new secret each time, so it is sent once. After a lost answer
    /// the token is looked at.
    async fn once<H: Host>(&self, call: &Call<'_, H>, before: &ServiceToken) -> Result<OverlappingToken> {
        if !self.collection.is_account {
            let message =
                "the API does not show the `client-secret-version` of this token, and a zone has no other rotation";
            let mut failure = Failure::new(ErrorKind::Rejected, message.to_owned());
            failure.error.token_id = call.unchanged(self.target.id());
            return Err(failure);
        }
        let failure = match steps::rotate(call, self.collection, self.target, Some(&self.end_text)).await {
            Ok(issued) => return Ok(self.overlapping(issued, true)),
            Err(failure) => failure,
        };
        match failure.error.outcome {
            Outcome::NotApplied => Err(failure),
            Outcome::Applied => Err(Self::applied(failure, Some(self.end))),
            Outcome::Unknown => match steps::get(call, self.collection, self.target).await {
                Err(look) => Err(self.not_looked_at(failure, &look, 1)),
                // An overlap that was not there before, or ends otherwise than before, is that of a rotation.
                Ok(Answered { value: after, .. }) => match overlap_end(&after) {
                    Some(end) if end > self.now && Some(end) != overlap_end(before) => {
                        Err(Self::applied(failure, Some(end)))
                    }
                    _ => Err(self.unknown(failure, 1)),
                },
            },
        }
    }

    /// Returns the result. After more than one rotation the old secret has ended, whatever the answer says about the
    /// one after it.
    fn overlapping(&self, issued: IssuedToken, is_one_rotation: bool) -> OverlappingToken {
        let shown = issued.token.previous_client_secret_expires_at.as_ref();
        let end = if is_one_rotation { shown.unwrap_or(&self.end_text) } else { &self.now_text };
        OverlappingToken { previous_secret_expires_at: end.clone(), issued }
    }

    /// The rotation happened and its secret is lost. `end`: until when the old secret passes; none if it has been
    /// rotated away.
    fn applied(mut failure: Box<Failure>, end: Option<Timestamp>) -> Box<Failure> {
        failure.error.outcome = Outcome::Applied;
        let end = end.and_then(Timestamp::to_rfc3339);
        match &end {
            Some(end) => failure.add(&format!(
                "the rotation happened and its secret is lost; the old secret passes until {end}, and a further \
                 rotation ends it: extend the overlap, or replace the token, before then"
            )),
            None => failure.add("the token was rotated more than once since: the old secret has ended"),
        }
        failure.error.previous_secret_expires_at = end;
        failure
    }

    /// It is not known whether the rotation happened. Where one request may have made it, the old secret passes until
    /// the end of the overlap in either case.
    fn unknown(&self, mut failure: Box<Failure>, requests: u32) -> Box<Failure> {
        failure.error.outcome = Outcome::Unknown;
        failure.add("the token, looked at afterwards, showed no rotation, but a late one may follow");
        failure.add(LOOK);
        failure.error.previous_secret_expires_at = (requests == 1).then(|| self.end_text.clone());
        failure
    }

    fn not_looked_at(&self, mut failure: Box<Failure>, look: &Failure, requests: u32) -> Box<Failure> {
        failure.error.outcome = Outcome::Unknown;
        failure.add(&format!("the token could not be looked at afterwards ({})", look.error.message));
        failure.add(LOOK);
        failure.error.previous_secret_expires_at = (requests == 1).then(|| self.end_text.clone());
        failure
    }
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
        host.run(Function::RotateWithOverlap, options(), async |call| rotate(call, scope, "i", 3600, end_running).await)
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
            (vec![unchanged(), shown(None, None, None)], None),
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
            .run(Function::RotateWithOverlap, options(), async |call| rotate(call, &account(), "i", 0, false).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.starts_with("rotate-with-overlap: overlap-seconds is 0"), "{}", error.message);
        let run = host.run(Function::ExtendOverlap, options(), async |call| extend(call, &account(), "i", 0).await);
        assert!(run.expect_err("accepted").message.starts_with("extend-overlap: overlap-seconds is 0"));
    }

    #[test]
    fn a_rotation_is_not_begun_without_time_for_an_answer() {
        let options = RequestOptions { timeout_ms: Some(1000), attempt_timeout_ms: Some(1000), ..options() };
        let host = ScriptedHost::with_replies([shown(Some(2), None, None).after(900)]);
        let run =
            host.run(Function::RotateWithOverlap, options, async |call| rotate(call, &account(), "i", 60, false).await);
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
    fn an_overlap_is_ended_by_a_time_long_ago_and_extended_from_now() {
        let host = ScriptedHost::with_rule(|_| shown(Some(2), None, Some("2026-11-24T10:00:01Z")));
        host.run(Function::EndOverlap, options(), async |call| end(call, &zone(), "i").await).expect("ended");
        let run = host.run(Function::ExtendOverlap, options(), async |call| extend(call, &zone(), "i", 3600).await);
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
            let run = host.run(Function::ExtendOverlap, options(), async |call| extend(call, &zone(), "i", 60).await);
            let error = run.expect_err("ended");
            assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
            assert!(error.message.len() < 200, "{}", error.message.len());
        }
    }
}
