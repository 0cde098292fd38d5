//! Any sequence of operations, each of which may meet a fault, against a model of what should be: at the end the tokens that
//! the model has are those that there are, and exactly the pairs that it says pass do.
//!
//! After an unknown outcome a caller of the model makes the call again: after a rotation without the look that the contract asks
//! for, so that the model also has what a second rotation ends. Whether a rotation happened once or twice on the way is looked up
//! with the simulator, since it decides about the old secret.

use std::time::Duration;

use cloudflare_access_host_tests::requests::{named, unchanged};
use cloudflare_access_host_tests::types::{
    CreateParams, Error, ErrorKind, IssuedToken, Outcome, PreviousSecret, RequestOptions, Scope, UpdateParams,
};
use cloudflare_access_host_tests::{Cases, Host, Instance, options, scope};
use cloudflare_access_simulator::{Fault, FaultKind, Moment, Operation, Simulator};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Times are whole days and half a day apart, so that no check falls on the second in which something ends.
const DAY: i64 = 86_400;
const HALF_A_DAY: i64 = DAY / 2;

#[derive(Clone, Debug)]
enum Act {
    Issue { days: i64 },
    Create { days: i64 },
    RefreshExpiring { days: i64 },
    Rotate(Overlap),
    RaiseVersion,
    EndOverlap,
    Disable,
    Enable,
    Refresh,
    Renew { days: i64 },
    Rename,
    Delete,
    Wait { days: i64 },
}

/// What becomes of the old secret.
#[derive(Clone, Copy, Debug)]
enum Overlap {
    None,
    /// By `rotate`, which takes a time.
    Until {
        days: i64,
    },
    /// By `rotate-with-overlap`, which makes the time.
    Within {
        days: i64,
    },
}

#[derive(Clone, Debug)]
struct Step {
    act: Act,
    on: Index,
    fault: Option<Fault>,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (1_i64..60).prop_map(|days| Act::Issue { days }),
        2 => (1_i64..60).prop_map(|days| Act::Create { days }),
        1 => (1_i64..90).prop_map(|days| Act::RefreshExpiring { days }),
        1 => Just(Act::Rotate(Overlap::None)),
        1 => (1_i64..20).prop_map(|days| Act::Rotate(Overlap::Until { days })),
        1 => (1_i64..20).prop_map(|days| Act::Rotate(Overlap::Within { days })),
        1 => Just(Act::RaiseVersion),
        1 => Just(Act::EndOverlap),
        1 => Just(Act::Disable),
        1 => Just(Act::Enable),
        1 => Just(Act::Refresh),
        1 => (1_i64..400).prop_map(|days| Act::Renew { days }),
        1 => Just(Act::Rename),
        1 => Just(Act::Delete),
        2 => (1_i64..90).prop_map(|days| Act::Wait { days }),
    ]
}

/// Faults that are over by the next request.
fn faults() -> impl Strategy<Value = Fault> {
    let kinds = vec![
        FaultKind::Close,
        FaultKind::Reset,
        FaultKind::CloseInHead,
        FaultKind::TruncatedBody,
        FaultKind::TruncatedJson,
        FaultKind::GarbageJson,
        FaultKind::NotHttp,
        FaultKind::NeverAnswer,
        FaultKind::NullResult,
        FaultKind::InternalError,
        FaultKind::EmptyBody { status: 200 },
        FaultKind::HtmlPage { status: 520 },
        FaultKind::error(500, 1000, "made by the test"),
        FaultKind::missing("/result/client_secret"),
        FaultKind::CloseAfterAnswer,
    ];
    (select(kinds), select(vec![Moment::BeforeCommit, Moment::AfterCommit]), 0_u32..2).prop_map(
        |(kind, moment, skip)| {
            let fault = Fault::new(kind).skipping(skip);
            let moved = fault.clone().at(moment);
            if moved.check().is_ok() { moved } else { fault }
        },
    )
}

fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let step = (acts(), any::<Index>(), proptest::option::weighted(0.4, faults())).prop_map(|(act, on, fault)| Step {
        act,
        on,
        fault,
    });
    proptest::collection::vec(step, 1..16)
}

/// A token as the model has it.
#[derive(Debug)]
struct Known {
    id: String,
    client_id: String,
    name: String,
    secret: String,
    /// Secrets before it, and until when each passes; zero: no longer.
    earlier: Vec<(String, i64)>,
    /// Until when a secret passes that nobody has: one that a rotation made whose answer was lost, and the next one ended.
    lost_until: i64,
    enabled: bool,
    expires: i64,
}

impl Known {
    /// A new secret; the one before it passes until then, all others no longer.
    fn takes(&mut self, secret: String, until: i64) {
        self.ends_overlap();
        let old = std::mem::replace(&mut self.secret, secret);
        self.earlier.push((old, until));
    }

    fn ends_overlap(&mut self) {
        for (_, end) in &mut self.earlier {
            *end = 0;
        }
        self.lost_until = 0;
    }
}

struct World {
    simulator: Simulator,
    plugin: Instance,
    options: RequestOptions,
    account: Scope,
    tokens: Vec<Known>,
    /// How many tokens there have been, for names that differ.
    made: usize,
}

/// So many days and half a day.
fn hours(days: i64) -> i64 {
    days * 24 + 12
}

impl World {
    async fn new() -> Self {
        let simulator = Simulator::builder().quota(1000).start().await.expect("a simulator");
        let options = RequestOptions {
            timeout_ms: Some(20_000),
            attempt_timeout_ms: Some(500),
            max_retries: None,
            ..options(&simulator)
        };
        let account = scope(simulator.account());
        Self { plugin: Host::shared().instance().await, options, account, simulator, tokens: Vec::new(), made: 0 }
    }

    fn now(&self) -> i64 {
        self.simulator.now().unix_timestamp()
    }

    fn in_days(&self, days: i64) -> (String, i64) {
        let seconds = days * DAY + HALF_A_DAY;
        let text = self.simulator.timestamp_in(Duration::from_secs(seconds.unsigned_abs()));
        (text, self.now() + seconds)
    }

    fn rotations(&self, id: &str) -> usize {
        let makes = |operation| matches!(operation, Operation::Rotate | Operation::Update);
        self.simulator.commits().iter().filter(|commit| commit.token_id == id && makes(commit.operation)).count()
    }

    async fn take(&mut self, step: Step) {
        self.simulator.clear_faults();
        if let Some(fault) = step.fault {
            self.simulator.inject(fault);
        }
        match step.act {
            Act::Issue { days } => self.issue(days).await,
            Act::Create { days } => self.create(days).await,
            Act::RefreshExpiring { days } => self.refresh_expiring(days).await,
            Act::Wait { days } => self.simulator.advance(Duration::from_secs((days * DAY).unsigned_abs())),
            _ if self.tokens.is_empty() => {}
            act => {
                let index = step.on.index(self.tokens.len());
                self.act_on(index, act).await;
            }
        }
    }

    async fn issue(&mut self, days: i64) {
        let params = self.to_live(days);
        let account = self.simulator.account().id().to_owned();
        let issued = self.plugin.issue(&account, &params, None, Some(&self.options)).await.expect("issued");
        self.made(params, days, issued);
    }

    /// A plain create, and the recipe for a lost answer: what was made is found by its name and gets a new secret.
    async fn create(&mut self, days: i64) {
        let params = self.to_live(days);
        let since = self.simulator.timestamp_in(Duration::ZERO);
        let issued = again_until_done(async || {
            match self.plugin.create(&self.account, &params, Some(&self.options)).await {
                Ok(issued) => return Some(issued),
                Err(error) => assert_may_go_again(&error),
            }
            let some = Some(&self.options);
            let found =
                until_done(async || self.plugin.resolve_create(&self.account, &params.name, &since, some).await).await;
            let lost = found.first()?;
            let account = self.simulator.account().id();
            let previous = PreviousSecret::ExpiresNow;
            Some(until_done(async || self.plugin.rotate(account, &lost.id, &previous, some).await).await)
        })
        .await;
        self.made(params, days, issued);
    }

    fn to_live(&self, days: i64) -> CreateParams {
        CreateParams { duration: Some(format!("{}h", hours(days))), ..named(&format!("token {}", self.made)) }
    }

    fn made(&mut self, params: CreateParams, days: i64, issued: IssuedToken) {
        self.made += 1;
        self.tokens.push(Known {
            id: issued.token.id,
            client_id: issued.token.client_id.expect("a client id"),
            name: params.name,
            secret: issued.client_secret,
            earlier: Vec::new(),
            lost_until: 0,
            enabled: true,
            expires: self.now() + hours(days) * 3600,
        });
    }

    async fn refresh_expiring(&mut self, days: i64) {
        // Other fractions of a day than those of the expiries.
        let within = days * DAY + HALF_A_DAY / 2;
        let account = self.simulator.account().id().to_owned();
        until_done(async || {
            let report = self.plugin.refresh_expiring(&account, within.unsigned_abs(), Some(&self.options)).await?;
            match report.tokens.into_iter().find_map(|token| token.refreshed.err()) {
                Some(error) => Err(error),
                None => Ok(()),
            }
        })
        .await;
        let now = self.now();
        for token in self.tokens.iter_mut().filter(|token| token.enabled && token.expires <= now + within) {
            token.expires = now + 365 * DAY;
        }
    }

    async fn rotate(&mut self, index: usize, id: &str, overlap: Overlap) {
        let account = self.simulator.account().id().to_owned();
        let (previous, until) = match overlap {
            Overlap::None => (PreviousSecret::ExpiresNow, 0),
            Overlap::Until { days } | Overlap::Within { days } => {
                let (text, until) = self.in_days(days);
                (PreviousSecret::ExpiresAt(text), until)
            }
        };
        let before = self.rotations(id);
        let some = Some(&self.options);
        let issued = until_done(async || match overlap {
            Overlap::Within { days } => {
                let seconds = (days * DAY + HALF_A_DAY).unsigned_abs();
                let rotated = self.plugin.rotate_with_overlap(&account, id, seconds, some).await;
                rotated.map(|overlapping| overlapping.issued)
            }
            _ => self.plugin.rotate(&account, id, &previous, some).await,
        });
        let secret = issued.await.client_secret;
        let is_lost = self.rotations(id) > before + 1;
        self.tokens[index].takes(secret, if is_lost { 0 } else { until });
        self.tokens[index].lost_until = if is_lost { until } else { 0 };
    }

    async fn act_on(&mut self, index: usize, act: Act) {
        let id = self.tokens[index].id.clone();
        match act {
            Act::Rotate(overlap) => self.rotate(index, &id, overlap).await,
            Act::RaiseVersion => {
                let secret = again_until_done(async || {
                    let some = Some(&self.options);
                    let read = until_done(async || self.plugin.get(&self.account, &id, some).await).await;
                    let version = read.client_secret_version.expect("a version");
                    let params = UpdateParams { client_secret_version: Some(version + 1), ..unchanged() };
                    match self.plugin.update(&self.account, &id, &params, some).await {
                        // Without a secret in the answer it was left out: the next version has another.
                        Ok(updated) => updated.client_secret,
                        Err(error) => {
                            assert_may_go_again(&error);
                            None
                        }
                    }
                })
                .await;
                self.tokens[index].takes(secret, 0);
            }
            Act::EndOverlap => {
                until_done(async || self.plugin.end_overlap(&self.account, &id, Some(&self.options)).await.map(drop))
                    .await;
                self.tokens[index].ends_overlap();
            }
            Act::Disable => {
                until_done(async || self.plugin.disable(&self.account, &id, Some(&self.options)).await.map(drop)).await;
                self.tokens[index].enabled = false;
                self.tokens[index].ends_overlap();
            }
            Act::Enable => {
                until_done(async || self.plugin.enable(&self.account, &id, Some(&self.options)).await.map(drop)).await;
                self.tokens[index].enabled = true;
            }
            Act::Refresh => {
                let account = self.simulator.account().id().to_owned();
                until_done(async || self.plugin.refresh(&account, &id, Some(&self.options)).await.map(drop)).await;
                // A refresh never shortens a life.
                self.tokens[index].expires = self.tokens[index].expires.max(self.now() + 365 * DAY);
            }
            Act::Renew { days } => {
                let params = UpdateParams { duration: Some(format!("{}h", hours(days))), ..unchanged() };
                until_done(async || {
                    self.plugin.update(&self.account, &id, &params, Some(&self.options)).await.map(drop)
                })
                .await;
                self.tokens[index].expires = self.now() + hours(days) * 3600;
            }
            Act::Rename => {
                let name = format!("{} again", self.tokens[index].name);
                let params = UpdateParams { name: Some(name.clone()), ..unchanged() };
                until_done(async || {
                    self.plugin.update(&self.account, &id, &params, Some(&self.options)).await.map(drop)
                })
                .await;
                self.tokens[index].name = name;
            }
            Act::Delete => {
                let mut may_be_gone = false;
                until_done(async || match self.plugin.delete(&self.account, &id, Some(&self.options)).await {
                    // Gone by a call whose answer was lost.
                    Err(error) if may_be_gone && error.kind == ErrorKind::NotFound => Ok(()),
                    result => {
                        may_be_gone = result.is_err();
                        result.map(drop)
                    }
                })
                .await;
                self.tokens.remove(index);
            }
            Act::Issue { .. } | Act::Create { .. } | Act::RefreshExpiring { .. } | Act::Wait { .. } => {
                unreachable!("not about one token")
            }
        }
    }

    /// The tokens are those of the model, and exactly what it says passes.
    fn check(&self) {
        let now = self.now();
        let found = self.simulator.tokens(self.simulator.account());
        let mut names: Vec<_> = found.iter().map(|token| (token.id.as_str(), token.name.as_str())).collect();
        let mut expected: Vec<_> = self.tokens.iter().map(|token| (token.id.as_str(), token.name.as_str())).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
        let every_secret = self.simulator.issued_secrets();
        for token in &self.tokens {
            let shown = found.iter().find(|shown| shown.id == token.id).expect("compared above");
            assert!(is_near(shown.expires_at.unix_timestamp(), token.expires), "{shown:?} is not {token:?}");
            let overlap_ends =
                token.earlier.iter().map(|(_, end)| *end).max().unwrap_or_default().max(token.lost_until);
            if overlap_ends > now {
                let shown_end = shown.previous_client_secret_expires_at.expect("an old secret");
                assert!(is_near(shown_end.unix_timestamp(), overlap_ends), "{shown:?} is not {token:?}");
            }
            let lives = token.enabled && token.expires > now;
            let mut lost = 0;
            for secret in &every_secret {
                let secret = secret.expose();
                let passes = self.simulator.authenticate(&token.client_id, secret).is_ok();
                match token.earlier.iter().find(|(earlier, _)| earlier == secret) {
                    Some((_, until)) => {
                        assert_eq!(passes, lives && *until > now, "an earlier secret of {token:?} at {now}");
                    }
                    None if token.secret == secret => assert_eq!(passes, lives, "{token:?} at {now}"),
                    None => lost += i32::from(passes),
                }
            }
            assert_eq!(lost, i32::from(lives && token.lost_until > now), "secrets that nobody has, {token:?} at {now}");
        }
    }
}

/// Whether two times are the same, give or take what a test may last.
fn is_near(shown: i64, expected: i64) -> bool {
    (shown - expected).abs() < HALF_A_DAY / 2
}

/// A call whose failure leaves it open, or certain, whether it happened may be made again; nothing else is expected here.
fn assert_may_go_again(error: &Error) {
    assert!(error.attempts > 0 && error.outcome != Outcome::NotApplied || error.status.is_some(), "{error:?}");
}

/// Makes a call until it succeeds.
async fn until_done<T>(mut call: impl AsyncFnMut() -> Result<T, Error>) -> T {
    again_until_done(async || match call().await {
        Ok(done) => Some(done),
        Err(error) => {
            assert_may_go_again(&error);
            None
        }
    })
    .await
}

/// Does something until it gives a value. A step has one fault; what comes on top of it is a machine that stands still for longer
/// than an attempt may take.
async fn again_until_done<T>(mut step: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..10 {
        if let Some(done) = step().await {
            return done;
        }
    }
    panic!("it never succeeds");
}

#[test]
fn whatever_is_done_and_whatever_fails_the_usable_tokens_are_those_of_the_model() {
    let together = proptest::collection::vec(sequences(), 8);
    // Eight sequences at once, of up to 15 steps each: some 30 ms of processor time, and for the faults that hold a line most of a
    // second of waiting, which is why there are 200 cases in 100,000.
    Cases::of("model", 500).shrinking_at_most(40).check(&together, |sequences| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let running: Vec<_> = sequences.into_iter().map(|steps| tokio::task::spawn_local(run(steps))).collect();
            for sequence in running {
                sequence.await.expect("the model holds");
            }
        });
        Ok(())
    });
}

async fn run(steps: Vec<Step>) {
    let mut world = World::new().await;
    for step in steps {
        world.take(step).await;
    }
    world.simulator.clear_faults();
    world.check();
}
