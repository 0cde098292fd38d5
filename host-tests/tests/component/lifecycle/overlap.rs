//! Rotation with an overlap: both secrets pass until its end, a lost answer is found out about, and no call ends a secret unasked.

use std::time::Duration;

use cloudflare_access_host_tests::requests::{MomentFrom, named};
use cloudflare_access_host_tests::types::{Error, ErrorKind, IssuedToken, Outcome, RequestOptions, Scope};
use cloudflare_access_host_tests::{Host, Instance, options, scope};
use cloudflare_access_simulator::{Fault, FaultKind, Operation, Simulator};

use super::{DAY, HOUR, passes};

const AN_HOUR: Duration = Duration::from_hours(1);

/// A token whose secret machines use, and what a test needs to rotate it.
struct Rotated {
    simulator: Simulator,
    plugin: Instance,
    options: RequestOptions,
    home: Scope,
    first: IssuedToken,
}

impl Rotated {
    async fn in_account() -> Self {
        Self::make(|simulator| scope(simulator.account())).await
    }

    async fn in_zone() -> Self {
        Self::make(|simulator| scope(simulator.zone())).await
    }

    async fn make(home: impl Fn(&Simulator) -> Scope) -> Self {
        let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
        let home = home(&simulator);
        // Attempts are given up soon, so that a fault that holds the line costs little.
        let options = RequestOptions {
            timeout_ms: Some(20_000),
            attempt_timeout_ms: Some(1000),
            max_retries: Some(2),
            ..options(&simulator)
        };
        let mut plugin = Host::shared().instance().await;
        let first = plugin.create(&home, &named("CI"), Some(&options)).await.expect("created");
        simulator.clear_requests();
        Self { simulator, plugin, options, home, first }
    }

    /// Rotates with an overlap of an hour.
    async fn rotate(&mut self) -> Result<String, Error> {
        let rotated =
            self.plugin.rotate_with_overlap(&self.home, &self.first.token.id, HOUR, false, Some(&self.options));
        rotated.await.map(|overlapping| overlapping.issued.client_secret)
    }

    fn passes(&self, secret: &str) -> bool {
        passes(&self.simulator, &self.first.token, secret)
    }

    /// How many secrets there were after the first one.
    fn rotations(&self) -> usize {
        self.simulator.issued_secrets().len() - 1
    }

    /// An hour from now, as the API writes times, which sort as text.
    fn in_an_hour(&self) -> String {
        self.simulator.timestamp_in(AN_HOUR)
    }

    fn operations(&self) -> Vec<Operation> {
        self.simulator.requests().iter().filter_map(|request| request.operation).collect()
    }
}

/// The rotation happened and its secret is lost: the error says so, says until when the old secret passes, and does not advise what
/// ends it. `began`: an hour from when the rotation began.
#[track_caller]
fn assert_happened_and_lost(error: &Error, rotated: &Rotated, began: &str, about: &str) {
    assert_eq!(error.outcome, Outcome::Applied, "{about}: {error:?}");
    assert_eq!(error.token_id.as_ref(), Some(&rotated.first.token.id), "{about}");
    let end = error.previous_secret_expires_at.as_deref().unwrap_or_else(|| panic!("{about}: {error:?}"));
    assert!((began..=&rotated.in_an_hour()).contains(&end), "{about}: {end}");
    assert!(error.message.contains(end) && error.message.contains("a further rotation ends it"), "{}", error.message);
    assert_advises_no_rotation(error);
    assert_eq!(rotated.rotations(), 1, "{about}");
    assert!(rotated.passes(&rotated.first.client_secret), "{about}: the old secret passes");
}

#[track_caller]
fn assert_advises_no_rotation(error: &Error) {
    let message = error.message.strip_prefix("rotate-with-overlap: ").expect("the function that was called");
    for advice in ["rotate again", "rotate it again", "`rotate`", "`rotate-with-overlap`", "the call can be made again"]
    {
        assert!(!message.contains(advice), "{message}");
    }
}

/// Faults of which a client cannot tell whether the change happened, and which are over by the next request.
fn lost_answers() -> [FaultKind; 15] {
    [
        FaultKind::Close,
        FaultKind::Reset,
        FaultKind::CloseInHead,
        FaultKind::TruncatedBody,
        FaultKind::CutChunks,
        FaultKind::NotHttp,
        FaultKind::NeverAnswer,
        FaultKind::StallAfterHead,
        FaultKind::StallInBody,
        FaultKind::TruncatedJson,
        FaultKind::InternalError,
        FaultKind::EmptyBody { status: 200 },
        FaultKind::HtmlPage { status: 520 },
        FaultKind::error(503, 1000, "later"),
        FaultKind::error(408, 1000, "too slow"),
    ]
}

#[tokio::test]
async fn an_overlap_lets_both_secrets_pass_until_it_ends_or_is_ended() {
    for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
        let Rotated { simulator, plugin, options, home, first } = &mut token;
        let (some, id) = (Some(&*options), first.token.id.as_str());
        let passes = |secret: &str| passes(simulator, &first.token, secret);

        let second = plugin.rotate_with_overlap(home, id, DAY, false, some).await.expect("rotated").issued;
        assert!(passes(&first.client_secret) && passes(&second.client_secret));
        plugin.extend_overlap(home, id, 3 * DAY, some).await.expect("extended");
        simulator.advance(Duration::from_hours(2 * 24));
        assert!(passes(&first.client_secret), "extended past its first end");
        simulator.advance(Duration::from_hours(2 * 24));
        assert!(!passes(&first.client_secret), "ended by itself");
        let error = plugin.extend_overlap(home, id, DAY, some).await.expect_err("it has ended");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
        assert_eq!(error.token_id.as_deref(), Some(id));

        // By now the simulator is four days ahead, and its clock counts.
        let in_a_day = MomentFrom::now(simulator, Duration::from_hours(24));
        let third = plugin.rotate_with_overlap(home, id, DAY, false, some).await.expect("rotated");
        assert!(in_a_day.is(&third.previous_secret_expires_at), "{}", third.previous_secret_expires_at);
        assert!(passes(&second.client_secret));
        plugin.extend_overlap(home, id, HOUR, some).await.expect("shortened");
        simulator.advance(AN_HOUR);
        assert!(!passes(&second.client_secret), "ended by the shorter time");

        let fourth = plugin.rotate_with_overlap(home, id, DAY, false, some).await.expect("rotated");
        for _ in 0..2 {
            plugin.end_overlap(home, id, some).await.expect("ended");
            assert!(!passes(&third.issued.client_secret) && passes(&fourth.issued.client_secret));
        }
        assert_eq!(token.rotations(), 3);
    }
}

#[tokio::test]
async fn an_overlap_of_no_length_is_refused_before_anything_is_sent() {
    let mut token = Rotated::in_account().await;
    let Rotated { simulator, plugin, options, home, first } = &mut token;
    let (some, id) = (Some(&*options), first.token.id.as_str());
    for error in [
        plugin.rotate_with_overlap(home, id, 0, false, some).await.expect_err("no overlap"),
        plugin.extend_overlap(home, id, 0, some).await.expect_err("no overlap"),
    ] {
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.contains("overlap-seconds is 0"), "{}", error.message);
    }
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn a_rotation_takes_a_get_and_an_update_to_the_next_version() {
    for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
        let in_an_hour = token.in_an_hour();
        let secret = token.rotate().await.expect("rotated");
        assert!(token.passes(&secret) && token.passes(&token.first.client_secret));
        assert_eq!(token.operations(), [Operation::Get, Operation::Update]);
        let sent = token.simulator.requests()[1].json();
        let fields: Vec<_> = sent.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(fields, ["client_secret_version", "previous_client_secret_expires_at"], "and nothing else");
        assert_eq!(sent["client_secret_version"], 2);
        assert!(sent["previous_client_secret_expires_at"].as_str() >= Some(&in_an_hour), "{sent}");
    }
}

#[tokio::test]
async fn while_an_overlap_is_running_a_rotation_is_a_conflict_unless_it_may_end_the_oldest_secret() {
    for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
        let in_an_hour = token.in_an_hour();
        let second = token.rotate().await.expect("rotated");
        token.simulator.clear_requests();

        let error = token.rotate().await.expect_err("the overlap is running");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
        assert!(error.previous_secret_expires_at.as_deref() >= Some(&in_an_hour), "{error:?}");
        assert_eq!((error.token_id.as_ref(), token.operations()), (Some(&token.first.token.id), vec![Operation::Get]));
        assert!(token.passes(&token.first.client_secret) && token.passes(&second), "nothing changed");

        let Rotated { plugin, options, home, first, .. } = &mut token;
        let third =
            plugin.rotate_with_overlap(home, &first.token.id, HOUR, true, Some(options)).await.expect("rotated");
        assert!(!token.passes(&token.first.client_secret), "the oldest has ended");
        assert!(token.passes(&second) && token.passes(&third.issued.client_secret));

        // One that has ended is none.
        token.simulator.advance(AN_HOUR);
        let fourth = token.rotate().await.expect("rotated");
        assert!(token.passes(&third.issued.client_secret) && token.passes(&fourth));
    }
}

#[tokio::test]
async fn after_an_answer_that_was_lost_with_the_rotation_made_the_token_is_looked_at_and_the_old_secret_passes() {
    for kind in lost_answers() {
        for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
            let about = format!("{kind:?} in {:?}", token.home);
            let began = token.in_an_hour();
            token.simulator.inject(Fault::new(kind.clone()).on(Operation::Update).after_commit());
            let error = token.rotate().await.expect_err(&about);
            assert!(token.simulator.faults().is_empty(), "{about} was not met");
            assert_eq!(token.operations(), [Operation::Get, Operation::Update, Operation::Get], "{about}");
            assert_happened_and_lost(&error, &token, &began, &about);
        }
    }
}

#[tokio::test]
async fn after_an_answer_that_was_lost_with_nothing_changed_the_rotation_is_made_once() {
    for kind in lost_answers() {
        for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
            let about = format!("{kind:?} in {:?}", token.home);
            token.simulator.inject(Fault::new(kind.clone()).on(Operation::Update).before_commit());
            let secret = token.rotate().await.unwrap_or_else(|error| panic!("{about}: {error:?}"));
            assert!(token.simulator.faults().is_empty(), "{about} was not met");
            let asked = [Operation::Get, Operation::Update, Operation::Get, Operation::Update];
            assert_eq!(token.operations(), asked, "{about}");
            assert_eq!(token.rotations(), 1, "{about}");
            assert!(token.passes(&secret) && token.passes(&token.first.client_secret), "{about}");
        }
    }
}

#[tokio::test]
async fn every_attempt_lost_before_the_change_is_unknown_and_says_to_look() {
    let mut token = Rotated::in_account().await;
    let began = token.in_an_hour();
    token.simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).before_commit().forever());
    let error = token.rotate().await.expect_err("no answer");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Connection, Outcome::Unknown));
    assert!(error.message.contains("look at it with `get` before anything else"), "{}", error.message);
    assert_advises_no_rotation(&error);
    // Three updates may still be under way. They make one rotation at most, since all ask for the same version.
    assert_eq!(error.attempts, 1 + 2 * 3);
    assert!(error.previous_secret_expires_at.is_none_or(|end| (began..=token.in_an_hour()).contains(&end)));
    assert!(token.rotations() == 0 && token.passes(&token.first.client_secret));
}

#[tokio::test]
async fn an_update_that_arrives_late_is_not_doubled_by_its_repeat() {
    for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
        let began = token.in_an_hour();
        // The look comes too early: it shows the token as it was.
        let stale = FaultKind::replaced("/result/client_secret_version", 1);
        token.simulator.inject(Fault::new(stale).on(Operation::Get).skipping(1));
        token.simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).after_commit());
        let error = token.rotate().await.expect_err("the secret is lost");
        let asked = [Operation::Get, Operation::Update, Operation::Get, Operation::Update];
        assert_eq!(token.operations(), asked);
        assert_happened_and_lost(&error, &token, &began, "a stale look");
    }
}

#[tokio::test]
async fn an_answer_without_the_secret_is_a_rotation_whose_secret_is_lost() {
    for (kind, about) in [
        (FaultKind::missing("/result/client_secret"), "no secret"),
        (FaultKind::replaced("/result/client_secret", serde_json::Value::Null), "a secret of null"),
        (FaultKind::NullResult, "no token"),
        (FaultKind::GarbageJson, "no JSON"),
    ] {
        let mut token = Rotated::in_account().await;
        let began = token.in_an_hour();
        token.simulator.inject(Fault::new(kind).on(Operation::Update).after_commit());
        let error = token.rotate().await.expect_err(about);
        assert!(token.simulator.faults().is_empty(), "{about} was not met");
        assert_happened_and_lost(&error, &token, &began, about);
    }
}

#[tokio::test]
async fn where_the_token_cannot_be_looked_at_afterwards_the_outcome_is_unknown() {
    let mut token = Rotated::in_account().await;
    let began = token.in_an_hour();
    token.simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).after_commit());
    token.simulator.inject(Fault::new(FaultKind::error(403, 9999, "not now")).on(Operation::Get).skipping(1));
    let error = token.rotate().await.expect_err("the answer is lost");
    assert!(token.simulator.faults().is_empty(), "both were met");
    assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Connection, Outcome::Unknown, 3));
    assert!(error.message.contains("look at it with `get` before anything else"), "{}", error.message);
    assert_advises_no_rotation(&error);
    let end = error.previous_secret_expires_at.as_ref().expect("known in either case");
    assert!((&began..=&token.in_an_hour()).contains(&end), "{end}");
    assert!(token.passes(&token.first.client_secret));
}

#[tokio::test]
async fn an_answer_that_shows_more_than_one_rotation_says_that_the_old_secret_has_ended() {
    let mut token = Rotated::in_account().await;
    token.simulator.inject(Fault::new(FaultKind::replaced("/result/client_secret_version", 3)).on(Operation::Update));
    let Rotated { simulator, plugin, options, home, first } = &mut token;
    let rotated = plugin.rotate_with_overlap(home, &first.token.id, HOUR, false, Some(options)).await.expect("rotated");
    let now = simulator.timestamp_in(Duration::ZERO);
    assert!(rotated.previous_secret_expires_at <= now, "{}", rotated.previous_secret_expires_at);
}

/// Answers to `get` have no version, as those of older deployments of the API.
fn without_version(simulator: &Simulator) {
    simulator.inject(Fault::new(FaultKind::missing("/result/client_secret_version")).on(Operation::Get).forever());
}

#[tokio::test]
async fn without_a_version_the_rotation_is_sent_once_and_the_token_looked_at_afterwards() {
    let mut token = Rotated::in_account().await;
    without_version(&token.simulator);
    let secret = token.rotate().await.expect("rotated");
    assert_eq!(token.operations(), [Operation::Get, Operation::Rotate]);
    assert!(token.passes(&secret) && token.passes(&token.first.client_secret));

    for kind in lost_answers() {
        let about = format!("{kind:?} after the change");
        let mut token = Rotated::in_account().await;
        without_version(&token.simulator);
        let began = token.in_an_hour();
        token.simulator.inject(Fault::new(kind.clone()).on(Operation::Rotate).after_commit());
        let error = token.rotate().await.expect_err(&about);
        assert_eq!(token.operations(), [Operation::Get, Operation::Rotate, Operation::Get], "{about}");
        assert_happened_and_lost(&error, &token, &began, &about);

        let about = format!("{kind:?} before the change");
        let mut token = Rotated::in_account().await;
        without_version(&token.simulator);
        token.simulator.inject(Fault::new(kind).on(Operation::Rotate).before_commit());
        let error = token.rotate().await.expect_err(&about);
        assert_eq!(token.operations(), [Operation::Get, Operation::Rotate, Operation::Get], "{about}");
        assert_eq!((error.outcome, token.rotations()), (Outcome::Unknown, 0), "{about}");
        assert!(error.message.contains("look at it with `get` before anything else"), "{}", error.message);
        assert_advises_no_rotation(&error);
    }
}

#[tokio::test]
async fn without_a_version_a_zone_has_no_rotation_and_nothing_is_changed() {
    let mut token = Rotated::in_zone().await;
    without_version(&token.simulator);
    let error = token.rotate().await.expect_err("no way to rotate");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Rejected, Outcome::NotApplied));
    assert_eq!((token.operations(), token.rotations()), (vec![Operation::Get], 0));
    assert!(error.message.contains("`client-secret-version`"), "{}", error.message);
}

#[tokio::test]
async fn without_the_time_that_a_rotation_takes_none_is_begun() {
    let mut token = Rotated::in_account().await;
    token.simulator.inject(
        Fault::new(FaultKind::Delay { duration: Duration::from_millis(900) }).on(Operation::Get).after_commit(),
    );
    token.options = RequestOptions { timeout_ms: Some(1000), max_retries: Some(0), ..token.options };
    let error = token.rotate().await.expect_err("too late");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::NotApplied));
    assert_eq!((token.operations(), token.rotations()), (vec![Operation::Get], 0));
}

#[tokio::test]
async fn disabling_ends_the_overlap_and_enabling_does_not_bring_it_back() {
    for mut token in [Rotated::in_account().await, Rotated::in_zone().await] {
        let second = token.rotate().await.expect("rotated");
        let Rotated { plugin, options, home, first, .. } = &mut token;
        let disabled = plugin.disable(home, &first.token.id, Some(options)).await.expect("disabled");
        assert_eq!(disabled.enabled, Some(false));
        assert!(!token.passes(&second) && !token.passes(&token.first.client_secret));
        let Rotated { plugin, options, home, first, .. } = &mut token;
        let enabled = plugin.enable(home, &first.token.id, Some(options)).await.expect("enabled");
        assert_eq!(enabled.enabled, Some(true));
        assert!(token.passes(&second));
        assert!(!token.passes(&token.first.client_secret), "the overlap is over");
    }
}
