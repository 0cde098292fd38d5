//! Any sequence of operations, each of which may meet a fault, against a model of what should be: at the end the tokens that
//! the model has are those that there are, and exactly the pairs that it says pass do.
//!
//! A caller of the model does what the contract says. After an unknown outcome it makes the call again, but not where the call makes
//! a secret: then it looks at the token first, and where a rotation has happened whose answer was lost, it leaves the token alone until
//! the old secret has ended. So no call ends the last secret that anybody has, unless it was made to.

use std::time::Duration;

use cloudflare_access_host_tests::requests::{due_within, named, unchanged};
use cloudflare_access_host_tests::types::{
    CreateParams, Error, ErrorKind, IssuedToken, Outcome, PreviousSecret, RequestOptions, Scope, UpdateParams,
};
use cloudflare_access_host_tests::{Cases, Host, Instance, options, scope};
use cloudflare_access_simulator::{Fault, FaultKind, Moment, Simulator};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Times are whole days and half a day apart, so that no check falls on the second in which something ends.
const DAY: i64 = 86_400;
const HALF_A_DAY: i64 = DAY / 2;

#[derive(Clone, Debug)]
enum Act {
    /// With a crash, the process dies before it has stored the secret, and another one begins anew.
    Issue {
        days: i64,
        crashes: bool,
    },
    Create {
        days: i64,
    },
    RefreshExpiring {
        days: i64,
    },
    Rotate(Rotation),
    EndOverlap,
    Disable,
    Enable,
    Refresh,
    Renew {
        days: i64,
    },
    Rename,
    Delete,
    Wait {
        days: i64,
    },
}

/// How a new secret is made, and what becomes of the old one.
#[derive(Clone, Copy, Debug)]
enum Rotation {
    /// By `rotate`: the old one ends.
    AtOnce,
    /// By `update` to the next version: the old one ends.
    ByVersion,
    /// By `rotate`, which takes a time.
    Until { days: i64 },
    /// By `rotate-with-overlap`, which makes the time.
    Within {
        days: i64,
        /// Whether an overlap that is running may end for it.
        end_running: bool,
    },
}

impl Rotation {
    /// For how many days and half a day the old secret passes; 0 if it ends at once.
    fn days(self) -> i64 {
        match self {
            Self::AtOnce | Self::ByVersion => 0,
            Self::Until { days } | Self::Within { days, .. } => days,
        }
    }
}

#[derive(Clone, Debug)]
struct Step {
    act: Act,
    on: Index,
    fault: Option<Fault>,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (1_i64..60, any::<bool>()).prop_map(|(days, crashes)| Act::Issue { days, crashes }),
        2 => (1_i64..60).prop_map(|days| Act::Create { days }),
        1 => (1_i64..90).prop_map(|days| Act::RefreshExpiring { days }),
        1 => Just(Act::Rotate(Rotation::AtOnce)),
        1 => Just(Act::Rotate(Rotation::ByVersion)),
        1 => (1_i64..20).prop_map(|days| Act::Rotate(Rotation::Until { days })),
        3 => (1_i64..20, any::<bool>()).prop_map(|(days, end_running)| Act::Rotate(Rotation::Within { days, end_running })),
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
            // An empty body with a good status says that a delete was made. A server that says so without having made it lies,
            // and is believed.
            let moment = if matches!(fault.kind(), FaultKind::EmptyBody { .. }) { Moment::AfterCommit } else { moment };
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

/// A token as the model has it. It has two secrets at most.
#[derive(Debug)]
struct Known {
    id: String,
    client_id: String,
    name: String,
    /// None: a rotation made it, and its answer was lost.
    secret: Option<String>,
    version: u32,
    /// The secret before it, if anybody has it, and until when it passes.
    previous: Option<(Option<String>, i64)>,
    enabled: bool,
    expires: i64,
}

impl Known {
    /// A new secret, which may be lost. The one before it passes until then.
    fn takes(&mut self, secret: Option<String>, until: i64) {
        self.previous = Some((std::mem::replace(&mut self.secret, secret), until));
        self.version += 1;
    }

    fn ends_overlap(&mut self) {
        if let Some((_, until)) = &mut self.previous {
            *until = 0;
        }
    }

    fn overlap_is_running(&self, now: i64) -> bool {
        self.previous.as_ref().is_some_and(|(_, until)| *until > now)
    }

    /// Whether the secret before is the only one that passes and that anybody has.
    fn previous_is_needed(&self, now: i64) -> bool {
        self.secret.is_none() && self.previous.as_ref().is_some_and(|(secret, until)| secret.is_some() && *until > now)
    }
}

/// How a call ended that makes a secret.
enum Made {
    Secret(String),
    /// It happened, and the secret is lost.
    Lost,
    /// It was refused and nothing happened.
    Refused,
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

    async fn take(&mut self, step: Step) {
        self.simulator.clear_faults();
        if let Some(fault) = step.fault {
            self.simulator.inject(fault);
        }
        match step.act {
            Act::Issue { days, crashes } => self.issue(days, crashes).await,
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

    async fn issue(&mut self, days: i64, crashes: bool) {
        let params = self.to_live(days);
        let account = self.simulator.account().id().to_owned();
        let key = self.made.to_string();
        let some = Some(&self.options);
        let mut issued = until_done(async || self.plugin.issue(&account, &params, &key, some).await).await;
        if crashes {
            self.plugin = Host::shared().instance().await;
            issued = until_done(async || self.plugin.issue(&account, &params, &key, some).await).await;
        }
        let mut may_be_finished = false;
        until_done(async || match self.plugin.finish_issue(&account, &key, some).await {
            Err(error) if may_be_finished && error.kind == ErrorKind::NotFound => Ok(()),
            result => {
                may_be_finished |= result.as_ref().is_err_and(|error| error.outcome != Outcome::NotApplied);
                result.map(drop)
            }
        })
        .await;
        self.made(params, days, issued);
    }

    /// A plain create, and the recipe for a lost answer: what was made is found by its name and gets a new secret.
    async fn create(&mut self, days: i64) {
        let params = self.to_live(days);
        let since = self.simulator.timestamp_in(Duration::ZERO);
        let issued = again_until_done(async || {
            let some = Some(&self.options);
            match self.plugin.create(&self.account, &params, some).await {
                Ok(issued) => return Some(issued),
                Err(error) => assert_is_expected(&error),
            }
            let found =
                until_done(async || self.plugin.resolve_create(&self.account, &params.name, &since, some).await).await;
            let lost = found.first()?;
            let account = self.simulator.account().id();
            let previous = PreviousSecret::ExpiresNow;
            // Nobody has a secret of this token, so that a rotation ends nothing.
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
            secret: Some(issued.client_secret),
            version: issued.token.client_secret_version.expect("a version"),
            previous: None,
            enabled: true,
            expires: self.now() + hours(days) * 3600,
        });
    }

    async fn refresh_expiring(&mut self, days: i64) {
        // Other fractions of a day than those of the expiries.
        let within = days * DAY + HALF_A_DAY / 2;
        let account = self.simulator.account().id().to_owned();
        until_done(async || {
            let params = due_within(u32::try_from(within).expect("days"));
            let report = self.plugin.refresh_expiring(&account, &params, Some(&self.options)).await?;
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

    /// Gives a token a new secret, unless that would end the last one that anybody has.
    async fn rotate(&mut self, index: usize, how: Rotation) {
        let now = self.now();
        let (is_running, is_needed) =
            (self.tokens[index].overlap_is_running(now), self.tokens[index].previous_is_needed(now));
        let refuses = matches!(how, Rotation::Within { end_running: false, .. });
        if is_needed && !refuses {
            return;
        }
        let until = if how.days() == 0 { 0 } else { self.in_days(how.days()).1 };
        let secret = match self.make_secret(index, how).await {
            Made::Refused => {
                return assert!(refuses && is_running, "refused without a reason: {:?}", self.tokens[index]);
            }
            Made::Secret(secret) => Some(secret),
            Made::Lost => None,
        };
        assert!(!refuses || !is_running, "an overlap was ended unasked: {:?}", self.tokens[index]);
        self.tokens[index].takes(secret, until);
    }

    /// Makes a call that makes a secret, once; and again only where it is known that nothing happened.
    async fn make_secret(&mut self, index: usize, how: Rotation) -> Made {
        let began = self.in_days(how.days()).0;
        let (id, version) = (self.tokens[index].id.clone(), self.tokens[index].version);
        for _ in 0..10 {
            let outcome = match self.call(&id, version + 1, how).await {
                Ok(Some(secret)) => return Made::Secret(secret),
                // The answer left the secret out.
                Ok(None) => Outcome::Unknown,
                Err(error) if (error.kind, error.outcome) == (ErrorKind::Conflict, Outcome::NotApplied) => {
                    return Made::Refused;
                }
                Err(error) => {
                    assert_is_expected(&error);
                    if let (Outcome::Applied, Rotation::Within { days, .. }) = (error.outcome, how) {
                        let told = error.previous_secret_expires_at.as_ref().expect("the old secret passes");
                        assert!((&began..=&self.in_days(days).0).contains(&told), "{error:?}");
                    }
                    error.outcome
                }
            };
            let read = until_done(async || self.plugin.get(&self.account, &id, Some(&self.options)).await).await;
            let shown = read.client_secret_version.expect("a version");
            match outcome {
                Outcome::NotApplied => assert_eq!(shown, version, "not applied"),
                Outcome::Applied => assert_eq!(shown, version + 1, "applied"),
                Outcome::Unknown => assert!(shown == version || shown == version + 1, "rotated twice: {shown}"),
            }
            if shown > version {
                return Made::Lost;
            }
        }
        panic!("it never succeeds");
    }

    /// The call itself: the new secret, where the answer has one.
    async fn call(&mut self, id: &str, version: u32, how: Rotation) -> Result<Option<String>, Error> {
        let account = self.simulator.account().id().to_owned();
        let previous = match how {
            Rotation::Until { days } => PreviousSecret::ExpiresAt(self.in_days(days).0),
            _ => PreviousSecret::ExpiresNow,
        };
        let some = Some(&self.options);
        match how {
            Rotation::AtOnce | Rotation::Until { .. } => {
                self.plugin.rotate(&account, id, &previous, some).await.map(|issued| Some(issued.client_secret))
            }
            Rotation::Within { days, end_running } => {
                let seconds = u32::try_from(days * DAY + HALF_A_DAY).expect("days");
                let rotated = self.plugin.rotate_with_overlap(&self.account, id, seconds, end_running, some).await;
                rotated.map(|overlapping| Some(overlapping.issued.client_secret))
            }
            Rotation::ByVersion => {
                let params = UpdateParams { client_secret_version: Some(version), ..unchanged() };
                self.plugin.update(&self.account, id, &params, some).await.map(|updated| updated.client_secret)
            }
        }
    }

    async fn act_on(&mut self, index: usize, act: Act) {
        let id = self.tokens[index].id.clone();
        match act {
            Act::Rotate(how) => self.rotate(index, how).await,
            Act::EndOverlap if self.tokens[index].previous_is_needed(self.now()) => {}
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
            assert_eq!(shown.client_secret_version, token.version, "{token:?}");
            let previous = token.previous.as_ref().filter(|_| token.overlap_is_running(now));
            if let Some((_, until)) = previous {
                let shown_end = shown.previous_client_secret_expires_at.expect("an old secret");
                assert!(is_near(shown_end.unix_timestamp(), *until), "{shown:?} is not {token:?}");
            }
            let lives = token.enabled && token.expires > now;
            // The secrets that pass: those that somebody has, and those that were lost.
            let places: Vec<_> =
                [Some(&token.secret), previous.map(|(secret, _)| secret)].into_iter().flatten().collect();
            let mut lost = places.iter().filter(|secret| lives && secret.is_none()).count();
            for secret in &every_secret {
                let secret = secret.expose();
                let passes = self.simulator.authenticate(&token.client_id, secret).is_ok();
                let is_known = places.iter().any(|place| place.as_deref() == Some(secret));
                if passes && !is_known && lost > 0 {
                    lost -= 1;
                } else {
                    assert_eq!(passes, is_known && lives, "a secret of {token:?} at {now}");
                }
            }
            assert_eq!(lost, 0, "secrets that nobody has, of {token:?} at {now}");
        }
    }
}

/// Whether two times are the same, give or take what a test may last.
fn is_near(shown: i64, expected: i64) -> bool {
    (shown - expected).abs() < HALF_A_DAY / 2
}

/// An error of one fault: what it was sent for may have happened or not. Nothing is refused before it is sent.
fn assert_is_expected(error: &Error) {
    assert!(error.attempts > 0 && (error.outcome != Outcome::NotApplied || error.status.is_some()), "{error:?}");
}

/// Makes a call until it succeeds: what the contract says to do after a failure of a call that makes no secret.
async fn until_done<T>(mut call: impl AsyncFnMut() -> Result<T, Error>) -> T {
    again_until_done(async || match call().await {
        Ok(done) => Some(done),
        Err(error) => {
            assert_is_expected(&error);
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
