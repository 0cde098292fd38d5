//! The rotating service and the reader in wasmCloud, with NATS as the store: one of two hosts is stopped at every step of a rotation.
//!
//! A rotation reads the store, reads the token, changes it, writes the store, and answers. In each round a new host is stopped while it
//! is between two of them. Meanwhile other callers ask the other host to rotate the same token, and readers use the pair there without a
//! pause. The application takes ten minutes to learn a new secret, by the clock of the simulator, which stands still within a round.

use std::path::Path;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use cloudflare_access_host_tests::component_under_test;
use cloudflare_access_host_tests::edge::samples;
use cloudflare_access_host_tests::edge::serve::{Answer, ask};
use cloudflare_access_host_tests::programs::wait_until;
use cloudflare_access_host_tests::registry::Registry;
use cloudflare_access_simulator::{API_TOKEN, Fault, FaultKind, Operation, Simulator};

use crate::gate::{Closes, Gate};
use crate::wasmcloud::{Cluster, Manifest, is_ready};

const CALLER_SECRET: &str = "a-secret-of-the-caller-00001";
/// How many callers ask the host that goes on, in each round.
const CALLERS: usize = 4;
const READERS: usize = 2;
const STORE: &str = "service-tokens";

/// When a host is stopped, and what a rotation has come to then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is not: both hosts are asked at once.
    Never,
    /// The token is not read yet. Nothing happened.
    Reading,
    /// The change is sent, and the API has not made it.
    Changing,
    /// The API has made the change, and the host has no answer. The secret is lost.
    Changed,
    /// The host has the secret, and the store does not. It is lost.
    Writing,
    /// The store has the secret, and the host does not know.
    Written,
    /// The host is told to stop during the change, and may end what it has begun.
    Draining,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Never, Self::Reading, Self::Changing, Self::Changed, Self::Writing, Self::Written, Self::Draining];

    /// Whether the secret of the host's rotation is nowhere.
    fn is_lost(self) -> bool {
        matches!(self, Self::Changed | Self::Writing)
    }

    /// Whether the API has made the host's rotation when the other callers begin.
    fn has_rotated(self) -> bool {
        matches!(self, Self::Changed | Self::Writing | Self::Written)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_at_any_step_of_a_rotation_doubles_none_and_locks_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bed = Bed::start(folder.path()).await;
    let (is_over, reads, lock_out) = (AtomicBool::new(false), AtomicUsize::new(0), RwLock::new(()));
    let address = bed.steady();
    let read = || {
        while !is_over.load(Ordering::Relaxed) {
            let _nobody_is_locked_out = lock_out.read().expect("no panic");
            let answer = ask(&address, "reader.example", "GET", "/", None).expect("an answer");
            assert_eq!(answer.status, 200, "the pair of the store does not pass: {}", answer.text);
            reads.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|threads| {
        let over = SetWhenDropped(&is_over);
        let readers: Vec<_> = (0..READERS).map(|_| threads.spawn(read)).collect();
        for step in Step::ALL {
            let said = bed.stop_at(step);
            bed.judge(step, &said);
            let before = reads.load(Ordering::Relaxed);
            wait_until("reads after a host was stopped", || {
                let has_failed = readers.iter().any(ScopedJoinHandle::is_finished);
                (has_failed || reads.load(Ordering::Relaxed) > before + 2 * READERS).then_some(())
            });
            // Whoever asks for the end of a running overlap accepts that machines are locked out for a moment: no reader reads.
            let _locked_out = lock_out.write().expect("no panic");
            bed.go_on(step);
        }
        drop(over);
        for reader in readers {
            reader.join().expect("the pair passed at every read");
        }
    });
    println!("{} rotations, {} reads", bed.version - 1, reads.load(Ordering::Relaxed));
}

/// One token, the API, and a cluster whose first host goes on.
struct Bed {
    simulator: Simulator,
    cluster: Cluster,
    manifest: Manifest,
    token_id: String,
    /// The version of the newest secret that the API should have made.
    version: u32,
    _registry: Registry,
}

/// What was answered in a round.
struct Said {
    by_the_stopped: std::io::Result<Answer>,
    by_the_other: Vec<Answer>,
}

impl Bed {
    async fn start(folder: &Path) -> Self {
        let simulator = Simulator::start().await.expect("a simulator");
        let mut behaviour = simulator.behaviour();
        behaviour.application.learns_after_seconds = 600;
        simulator.set_behaviour(behaviour);
        let token_id = simulator.add_token(simulator.account(), "CI pipeline").token.id;
        let registry = Registry::start(folder);
        for service in ["rotate-service", "pair-reader"] {
            let component = samples::file(service, &samples::built("samples", service, &[]));
            registry.push(&format!("{service}:0.1.0"), &component);
        }
        registry.push("cloudflare-access:0.1.0", &samples::file("cloudflare-access", component_under_test()));
        let manifest = manifest(&registry, &simulator, &token_id);
        let mut cluster = Cluster::start(1, folder);
        cluster.serve_from(0, &manifest);
        let bed = Self { simulator, cluster, manifest, token_id, version: 2, _registry: registry };
        // The store is filled by the first rotation.
        assert_eq!(rotate(&bed.steady(), "/rotate").expect("an answer").status, 204);
        bed.simulator.advance(Duration::from_hours(2));
        bed
    }

    /// The address of the host that goes on.
    fn steady(&self) -> String {
        self.cluster.hosts[0].address.clone()
    }

    /// Adds a host, asks it to rotate, stops it at a step, and asks the other one.
    fn stop_at(&mut self, step: Step) -> Said {
        self.simulator.clear_requests();
        let closes = match step {
            Step::Writing => Some(Closes::BeforeTheWrite),
            Step::Written => Some(Closes::AfterTheWrite),
            _ => None,
        };
        let subject = format!("$KV.{STORE}.{}", self.token_id);
        let gate = closes.map(|closes| Gate::open(self.cluster.nats_url(), &subject, closes));
        let data = gate.as_ref().map_or(self.cluster.nats_url(), |gate| &gate.url).to_owned();
        let number = self.cluster.hosts.len();
        self.cluster.add_host(&data);
        self.cluster.serve_from(number, &self.manifest);
        let never = Fault::new(FaultKind::NeverAnswer);
        match step {
            Step::Reading => self.simulator.inject(never.on(Operation::Get)),
            Step::Changing => self.simulator.inject(never.on(Operation::Update)),
            Step::Changed => self.simulator.inject(never.on(Operation::Update).after_commit()),
            // The change is answered when another request comes.
            Step::Draining => self.simulator.hold_answers(2..=3),
            Step::Never | Step::Writing | Step::Written => {}
        }
        let steady = self.steady();
        std::thread::scope(|threads| {
            let address = self.cluster.hosts[number].address.clone();
            let stopped = threads.spawn(move || rotate(&address, "/rotate"));
            let received = |count| (self.simulator.request_count() >= count).then_some(());
            match step {
                Step::Never => {}
                Step::Reading => wait_until("the read", || received(1)),
                Step::Changing | Step::Draining => wait_until("the change", || received(2)),
                Step::Changed => {
                    wait_until("the change", || (!self.simulator.commits().is_empty()).then_some(()));
                }
                Step::Writing | Step::Written => gate.as_ref().expect("a gate").wait_until_closed(),
            }
            let host = &mut self.cluster.hosts[number];
            match step {
                Step::Never => {}
                Step::Draining => {
                    host.tell_to_stop();
                    wait_until("a host that wants no more requests", || (!is_ready(&host.probe)).then_some(()));
                }
                _ => host.kill(),
            }
            let callers: Vec<_> = (0..CALLERS).map(|_| threads.spawn(|| rotate(&steady, "/rotate"))).collect();
            let answer = |caller: ScopedJoinHandle<'_, std::io::Result<Answer>>| caller.join().expect("no panic");
            let by_the_other = callers.into_iter().map(|caller| answer(caller).expect("an answer")).collect();
            let by_the_stopped = answer(stopped);
            if step == Step::Draining {
                self.cluster.hosts[number].wait_for_its_end();
            }
            Said { by_the_stopped, by_the_other }
        })
    }

    /// Checks that the API made one secret, and that what was said of it is true.
    fn judge(&mut self, step: Step, Said { by_the_stopped, by_the_other }: &Said) {
        let mut made: Vec<_> = self.simulator.commits().iter().map(|commit| commit.client_secret_version).collect();
        made.dedup();
        self.version += 1;
        assert_eq!(made, [self.version], "{step:?}");
        // A host that was killed said nothing, and one that was told to stop ended what it had begun.
        let is_killed = !matches!(step, Step::Never | Step::Draining);
        assert_eq!(by_the_stopped.is_err(), is_killed, "{step:?}: {by_the_stopped:?}");
        let answers: Vec<_> = by_the_other.iter().chain(by_the_stopped.as_ref().ok()).collect();
        let rotated = answers.iter().filter(|answer| answer.status == 204).count();
        assert_eq!(rotated, usize::from(!step.has_rotated()), "{step:?}: {answers:?}");
        for answer in &answers {
            let secrets = self.simulator.issued_secrets();
            assert!(secrets.iter().all(|secret| !answer.text.contains(secret.expose())), "an answer has a secret");
        }
        for answer in answers.iter().filter(|answer| answer.status != 204) {
            assert_eq!(answer.status, 409, "{step:?}: {answer:?}");
            let said = answer.body["message"].as_str().expect("a message");
            let has_newest = said.contains("the store has the newest secret");
            // While the secret is on its way to the store, either can be true.
            assert!(!(has_newest && step.is_lost()) && (has_newest || step != Step::Written), "{step:?}: {said}");
            // Only while somebody else is rotating can a caller find that it came too late.
            let may_be_late = answer.body["outcome"] == "applied" && !step.has_rotated();
            assert!(may_be_late || answer.body["outcome"] == "not-applied", "{step:?}: {said}");
        }
    }

    /// Replaces a lost secret, and lets the overlap end.
    fn go_on(&mut self, step: Step) {
        if step.is_lost() {
            let answer = rotate(&self.steady(), "/rotate?end-running-overlap").expect("an answer");
            assert_eq!(answer.status, 204, "{step:?}: {answer:?}");
            self.version += 1;
        }
        self.simulator.advance(Duration::from_hours(2));
    }
}

/// Asks a host to rotate.
fn rotate(address: &str, target: &str) -> std::io::Result<Answer> {
    ask(address, "rotate.example", "POST", target, Some(CALLER_SECRET))
}

fn manifest(registry: &Registry, simulator: &Simulator, token_id: &str) -> Manifest {
    Manifest::read(
        "rotation.json",
        &[
            ("cloudflare-access@sha256:DIGEST", &registry.by_digest("cloudflare-access:0.1.0")),
            ("registry.example", &registry.address),
            ("YOUR-API-TOKEN", API_TOKEN),
            ("YOUR-CALLER-SECRET", CALLER_SECRET),
            ("YOUR-ACCOUNT-ID", simulator.account().id()),
            ("YOUR-TOKEN-ID", token_id),
            ("https://api.cloudflare.com/client/v4", simulator.base_url()),
            ("api.cloudflare.com", &simulator.address().to_string()),
            ("https://application.example/", &simulator.application_url()),
            ("application.example", &simulator.address().to_string()),
        ],
    )
}

/// Sets a flag at the end of a scope, also when that is a panic.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
