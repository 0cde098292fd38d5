//! Rotations, creations and issuances that are stopped at every point, and meet faults at every request.
//!
//! A process that is killed is played by a panic at a point that a hook names: nothing of the rotation runs after it. The command's
//! tests kill real processes.

mod model;

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use cloudflare_access_host::rotation::{
    Creation, Delivery, Hook, Issuance, POINTS, Proof, ProofError, ProofFuture, Rotation, RotationError, StateError,
    StateFolder, Step,
};
use cloudflare_access_host::{
    AccessTokens, Account, CallOptions, CreateParams, Credentials, Destination, DestinationError, DestinationFuture,
    ErrorKind, ExposeSecret, IssueKey, Pair, Runtime, ServiceToken, Tokens,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, Operation, Simulator, Wait};

use tokio::task::JoinSet;

use crate::code_cache;
use crate::coverage::{Handed, uncovered};

/// How many cells run at once; most of their time they wait for faults that hold the line.
const AT_ONCE: usize = 16;
const DAY: Duration = Duration::from_hours(24);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::builder().cache(code_cache()).build().unwrap());

/// A simulator, a state folder, and a place that remembers which pairs it was given.
struct World {
    simulator: Arc<Simulator>,
    account: Tokens<Account>,
    folder: tempfile::TempDir,
    place: Place,
}

/// A destination in memory.
#[derive(Clone, Debug)]
struct Place {
    simulator: Arc<Simulator>,
    pairs: Arc<Mutex<Vec<(usize, Pair)>>>,
    fails: Arc<Mutex<u32>>,
}

impl Destination for Place {
    fn name(&self) -> String {
        "place".to_owned()
    }

    fn check<'a>(&'a self, _: Option<&'a str>) -> DestinationFuture<'a> {
        Box::pin(async { Ok(()) })
    }

    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a> {
        Box::pin(async move {
            let mut fails = self.fails.lock().unwrap();
            if *fails > 0 {
                *fails -= 1;
                return Err(DestinationError::new("the place is closed"));
            }
            self.pairs.lock().unwrap().push((self.simulator.commits().len(), pair.clone()));
            Ok(())
        })
    }
}

/// Access, as the simulator plays it.
#[derive(Clone, Debug)]
struct Access(Arc<Simulator>);

impl Proof for Access {
    fn check(&self) -> ProofFuture<'_> {
        Box::pin(async { Ok(()) })
    }

    fn prove<'a>(&'a self, pair: &'a Pair) -> ProofFuture<'a> {
        let passes = self.0.authenticate(&pair.client_id, pair.client_secret.expose_secret());
        Box::pin(async move { passes.map_err(|refusal| ProofError::passing(refusal.to_string())) })
    }
}

impl World {
    async fn new() -> Self {
        let simulator = Arc::new(Simulator::start().await.unwrap());
        let account = AccessTokens::builder()
            .credentials(Credentials::api_token(API_TOKEN))
            .base_url(simulator.base_url().parse().unwrap())
            .runtime(RUNTIME.clone())
            .options(CallOptions::new().timeout(Duration::from_secs(20)).attempt_timeout(Duration::from_millis(300)))
            .build()
            .unwrap()
            .account(ACCOUNT_ID);
        let place = Place { simulator: Arc::clone(&simulator), pairs: Arc::default(), fails: Arc::default() };
        Self { simulator, account, folder: tempfile::tempdir().unwrap(), place }
    }

    fn state(&self) -> StateFolder {
        StateFolder::open(self.folder.path().join("rotations")).unwrap()
    }

    fn delivery(&self) -> Delivery {
        Delivery::to(self.place.clone()).proven_by(Access(Arc::clone(&self.simulator))).prove_within(Duration::ZERO)
    }

    /// Makes the token whose secret the place holds.
    fn add_token(&self) -> String {
        let issued = self.simulator.add_token(self.simulator.account(), "CI");
        let secret = issued.client_secret.expose().to_owned().into();
        self.place.pairs.lock().unwrap().push((0, Pair::new(issued.token.client_id, secret)));
        issued.token.id
    }

    /// There is exactly one token, the place holds a pair that passes, no secret is left in the state folder, and, unless a lock-out was
    /// accepted, the place held a pair that passed at every moment.
    fn check(&self, is_locked_out: bool, about: &str) {
        let tokens = self.simulator.tokens(self.simulator.account());
        let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
        assert_eq!(token.name, "CI", "{about}");
        let pairs = self.place.pairs.lock().unwrap();
        let (_, last) = pairs.last().unwrap_or_else(|| panic!("{about}: nothing was delivered"));
        let passes = self.simulator.authenticate(&last.client_id, last.client_secret.expose_secret());
        assert_eq!(passes, Ok(()), "{about}: {tokens:?}");
        if !is_locked_out {
            assert_eq!(uncovered(&self.simulator.commits(), &self.handed(&pairs), &self.now()), Ok(()), "{about}");
        }
        self.assert_no_secret_in(&self.folder.path().join("rotations"), about);
    }

    fn now(&self) -> String {
        self.simulator.timestamp_in(Duration::ZERO)
    }

    /// The pairs with their versions: with one token the secrets count up from 1.
    fn handed(&self, pairs: &[(usize, Pair)]) -> Vec<Handed> {
        let issued = self.simulator.issued_secrets();
        let version = |pair: &Pair| {
            let secret = pair.client_secret.expose_secret();
            u32::try_from(issued.iter().position(|issued| issued.expose() == secret).unwrap() + 1).unwrap()
        };
        pairs.iter().map(|(commits, pair)| Handed { commits: *commits, version: version(pair) }).collect()
    }

    fn assert_no_secret_in(&self, folder: &Path, about: &str) {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for secret in self.simulator.issued_secrets() {
                assert!(!text.contains(secret.expose()), "{about}: a secret is in {}", path.display());
            }
        }
    }
}

/// What is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Rotation,
    Creation,
    Issuance,
}

impl What {
    /// What there is before.
    fn prepare(self, world: &World) -> String {
        if self == Self::Rotation { world.add_token() } else { String::new() }
    }

    async fn run(
        self,
        world: &World,
        id: &str,
        state: &StateFolder,
        accepts: bool,
    ) -> Result<ServiceToken, RotationError> {
        let (account, delivery) = (world.account.clone(), world.delivery());
        let observe = &mut |_: Step| {};
        match self {
            Self::Rotation => {
                let rotation = Rotation::new(account, id, DAY, delivery).end_overlap(true).accept_lockout(accepts);
                rotation.run(state, observe).await
            }
            Self::Creation => Creation::new(account, CreateParams::named("CI"), delivery).run(state, observe).await,
            Self::Issuance => {
                let key = IssueKey::random().unwrap();
                Issuance::new(account, CreateParams::named("CI"), key, delivery).run(state, observe).await
            }
        }
    }

    /// Runs the same call again until it is done, or says that the secret is lost; then once more with the lock-out accepted. Returns
    /// whether it was.
    async fn until_done(self, world: &World, id: &str, about: &str) -> bool {
        for _ in 0..4 {
            match self.run(world, id, &world.state(), false).await {
                Ok(_) => return false,
                Err(RotationError::SecretLost { until, .. }) => {
                    assert!(until.is_some(), "{about}: the end of the old secret is not told");
                    let token = &world.simulator.tokens(world.simulator.account())[0];
                    assert_eq!(token.client_secret_version, 2, "{about}: rotated over a lost secret");
                    let old = world.simulator.issued_secrets().remove(0);
                    assert_eq!(world.simulator.authenticate(&token.client_id, old.expose()), Ok(()), "{about}");
                    self.run(world, id, &world.state(), true).await.unwrap_or_else(|error| panic!("{about}: {error}"));
                    return true;
                }
                Err(error) => {
                    assert!(!world.simulator.faults().is_empty() || is_worth_a_repeat(&error), "{about}: {error}");
                }
            }
        }
        panic!("{about}: it is never done");
    }
}

fn is_worth_a_repeat(error: &RotationError) -> bool {
    matches!(
        error,
        RotationError::Look(_)
            | RotationError::NotApplied(_)
            | RotationError::Unclear(_)
            | RotationError::OverlapNotEnded(_)
            | RotationError::NotNamed(_)
    )
}

/// Ends the task that reaches a point, as the end of its process would.
fn killing_at(point: &'static str) -> Hook {
    Arc::new(move |reached| {
        if reached == point {
            resume_unwind(Box::new("killed"));
        }
    })
}

async fn points_of(what: What) -> Vec<String> {
    let world = World::new().await;
    let id = what.prepare(&world);
    let reached = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&reached);
    let state = world.state().with_hook(Arc::new(move |point| noted.lock().unwrap().push(point.to_owned())));
    what.run(&world, &id, &state, false).await.unwrap();
    world.check(false, &format!("{what:?} without a kill"));
    drop(state);
    Arc::into_inner(reached).unwrap().into_inner().unwrap()
}

/// The points before the intent is in the state folder.
const IS_NOT_BEGUN: [&str; 5] = ["look", "check", "intent", "intent-written", "intent-synced"];

#[tokio::test]
async fn what_is_killed_at_any_point_is_gone_on_with_and_locks_nobody_out() {
    let mut covered = Vec::new();
    for what in [What::Rotation, What::Creation, What::Issuance] {
        let reached = points_of(what).await;
        for point in POINTS.into_iter().filter(|point| reached.iter().any(|reached| reached == point)) {
            covered.push(point);
            let about = format!("{what:?} killed at {point}");
            let world = Arc::new(World::new().await);
            let id = what.prepare(&world);
            let (running, its_id) = (Arc::clone(&world), id.clone());
            let killed = tokio::spawn(async move {
                let state = running.state().with_hook(killing_at(point));
                what.run(&running, &its_id, &state, false).await.map(drop)
            });
            assert!(killed.await.is_err_and(|error| error.is_panic()), "{about}: it was not");
            let is_lost =
                what == What::Rotation && ["answer", "journal", "journal-written", "journal-synced"].contains(&point);
            // Then it is complete, and the same call would begin another one.
            let is_complete = ["finish-renamed", "finish-kept"].contains(&point);
            assert_eq!(
                world.state().unfinished().unwrap().is_empty(),
                is_complete || IS_NOT_BEGUN.contains(&point),
                "{about}"
            );
            let is_locked_out = !is_complete && what.until_done(&world, &id, &about).await;
            assert_eq!(is_locked_out, is_lost, "{about}");
            world.check(is_locked_out, &about);
            let secrets = world.simulator.issued_secrets().len();
            assert!(secrets <= 3, "{about}: {secrets} secrets");
        }
    }
    for point in POINTS {
        assert!(covered.contains(&point), "nothing was killed at {point}");
    }
}

/// What happens to a request, on which side of the change.
fn faults() -> Vec<FaultKind> {
    vec![
        FaultKind::Close,
        FaultKind::NeverAnswer,
        FaultKind::HtmlPage { status: 520 },
        FaultKind::TruncatedJson,
        FaultKind::RateLimited { wait: Wait::Unsaid },
        FaultKind::error(400, 12130, "access.api.error.invalid_request: no"),
    ]
}

/// A call, the fault that it meets, and what to call the two.
fn cells() -> Vec<(What, Fault, String)> {
    let mut cells = Vec::new();
    for what in [What::Rotation, What::Creation, What::Issuance] {
        for operation in [Operation::Get, Operation::List, Operation::Create, Operation::Update, Operation::Rotate] {
            for kind in faults() {
                for (skip, is_after) in [(0, false), (0, true), (1, true), (2, false)] {
                    let fault = Fault::new(kind.clone()).on(operation).skipping(skip).times(3);
                    let fault = if is_after { fault.after_commit() } else { fault.before_commit() };
                    if fault.check().is_ok() {
                        let about = format!("{what:?} with {fault:?}");
                        cells.push((what, fault, about));
                    }
                }
            }
        }
    }
    cells
}

/// Returns whether the fault was met, and whether a secret was lost by it.
async fn meet(what: What, fault: Fault, about: String) -> (bool, bool) {
    let world = World::new().await;
    let id = what.prepare(&world);
    world.simulator.inject(fault);
    let first = what.run(&world, &id, &world.state(), false).await;
    if world.simulator.requests().iter().all(|request| request.fault.is_none()) {
        return (false, false);
    }
    world.simulator.clear_faults();
    let is_locked_out = first.is_err() && what.until_done(&world, &id, &about).await;
    world.check(is_locked_out, &about);
    (true, is_locked_out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_fault_at_any_request_the_same_call_ends_with_one_token_and_locks_nobody_out() {
    let (mut waiting, mut running) = (cells().into_iter(), JoinSet::new());
    let (mut met, mut lost) = (0, 0);
    loop {
        while running.len() < AT_ONCE
            && let Some((what, fault, about)) = waiting.next()
        {
            running.spawn(meet(what, fault, about));
        }
        let Some(cell) = running.join_next().await else { break };
        let (is_met, is_lost) = cell.unwrap();
        met += u32::from(is_met);
        lost += u32::from(is_lost);
    }
    assert!(met > 50 && lost > 2, "{met} faults were met, {lost} secrets were lost");
}

#[tokio::test]
async fn of_two_at_once_one_waits_for_its_turn_and_there_is_one_rotation() {
    for what in [What::Rotation, What::Creation, What::Issuance] {
        let world = World::new().await;
        let id = what.prepare(&world);
        let (one, other) = (world.state(), world.state());
        let (one, other) = tokio::join!(what.run(&world, &id, &one, false), what.run(&world, &id, &other, false));
        let about = format!("{what:?}: {one:?} {other:?}");
        let busy = [&one, &other]
            .into_iter()
            .filter(|result| matches!(result, Err(RotationError::State(StateError::Busy(_)))));
        assert!(busy.count() == 1 && (one.is_ok() || other.is_ok()), "{about}");
        world.check(false, &about);
    }
}

#[tokio::test]
async fn a_pair_that_is_not_proven_is_delivered_nowhere_and_stays_in_the_journal_until_it_is() {
    let world = World::new().await;
    let id = world.add_token();
    let mut behaviour = world.simulator.behaviour();
    behaviour.application.learns_after_seconds = 60;
    world.simulator.set_behaviour(behaviour);
    let rotation = || {
        let url = world.simulator.application_url();
        let delivery = Delivery::to(world.place.clone()).proven_by(Application(url)).prove_within(Duration::ZERO);
        Rotation::new(world.account.clone(), &id, DAY, delivery).end_overlap(true)
    };
    let error = rotation().run(&world.state(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, RotationError::NotProven(_)), "{error}");
    assert_eq!((world.place.pairs.lock().unwrap().len(), world.simulator.commits().len()), (1, 1), "{error}");
    let (_, unfinished) = world.state().unfinished().unwrap().remove(0);
    assert!(unfinished.previous_secret_ends().is_some() && unfinished.delivered().is_empty(), "{unfinished:?}");
    assert!(!format!("{unfinished:?}").contains(world.simulator.issued_secrets()[1].expose()));
    world.simulator.advance(Duration::from_secs(61));
    rotation().run(&world.state(), &mut |_| {}).await.unwrap();
    world.check(false, "after the edge has learnt of it");
}

/// The simulator's application, asked as a machine does.
#[derive(Debug)]
struct Application(String);

impl Proof for Application {
    fn check(&self) -> ProofFuture<'_> {
        Box::pin(async { Ok(()) })
    }

    fn prove<'a>(&'a self, pair: &'a Pair) -> ProofFuture<'a> {
        Box::pin(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (address, path) = self.0.strip_prefix("http://").unwrap().split_once('/').unwrap();
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (id, secret) = (&pair.client_id, pair.client_secret.expose_secret());
            let request = format!(
                "GET /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
                 cf-access-client-id: {id}\r\ncf-access-client-secret: {secret}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let refused = || ProofError::passing(answer.lines().next().unwrap_or_default());
            if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(refused()) }
        })
    }
}

#[tokio::test]
async fn a_destination_that_fails_keeps_the_secret_in_the_journal_and_gets_it_the_next_time() {
    for what in [What::Rotation, What::Creation, What::Issuance] {
        let world = World::new().await;
        let id = what.prepare(&world);
        *world.place.fails.lock().unwrap() = 1;
        let error = what.run(&world, &id, &world.state(), false).await.unwrap_err();
        let RotationError::NotDelivered { failures } = &error else { panic!("{what:?}: {error}") };
        assert_eq!(failures[0].0, "place");
        let secrets = world.simulator.issued_secrets().len();
        what.run(&world, &id, &world.state(), false).await.unwrap();
        assert_eq!(world.simulator.issued_secrets().len(), secrets, "{what:?}: another secret was made");
        world.check(false, &format!("{what:?}"));
    }
}

#[tokio::test]
async fn what_others_do_to_the_token_meanwhile_is_seen_before_anything_is_delivered_or_ended() {
    let world = World::new().await;
    let id = world.add_token();
    *world.place.fails.lock().unwrap() = 1;
    let error = What::Rotation.run(&world, &id, &world.state(), false).await.unwrap_err();
    assert!(matches!(error, RotationError::NotDelivered { .. }), "{error}");
    // Somebody else rotates by hand and gives that secret to the machines.
    let by_hand =
        world.account.rotate_with_overlap(&id, DAY, cloudflare_access_host::RunningOverlap::End).await.unwrap();
    let error = What::Rotation.run(&world, &id, &world.state(), true).await.unwrap_err();
    assert!(matches!(error, RotationError::Superseded { shown: 3, kept: 2 }), "{error}");
    assert_eq!(world.place.pairs.lock().unwrap().len(), 1, "a secret that somebody has replaced was delivered");
    let secret = by_hand.issued.client_secret.expose_secret();
    assert_eq!(world.simulator.authenticate(by_hand.issued.token.client_id.as_deref().unwrap(), secret), Ok(()));
    let state = world.state();
    let (subject, _) = state.unfinished().unwrap().remove(0);
    assert!(state.abandon(&subject).unwrap() && state.unfinished().unwrap().is_empty());
    world.assert_no_secret_in(state.path(), "abandoned");
    world.account.delete(&id).await.unwrap();
    let error = What::Rotation.run(&world, &id, &state, false).await.unwrap_err();
    assert!(matches!(&error, RotationError::Look(error) if error.kind == ErrorKind::NotFound), "{error}");
}

#[cfg(unix)]
#[test]
fn the_folder_and_its_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("b");
    StateFolder::open(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
    let error = StateFolder::open(&path).unwrap_err();
    assert!(matches!(error, StateError::NotPrivate(_)) && error.to_string().contains("chmod 700"), "{error}");
}
