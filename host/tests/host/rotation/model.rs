//! Any sequence of rotations, kills, faults, waits and changes by other people.
//!
//! After each step: there is at most one token; a run of ours has not ended a pair that the place held and that passed, unless it was
//! told to accept the lock-out; and a secret that a run has made is with the place, in the state folder, or known there to be lost. In
//! the end a rotation succeeds, unless somebody has deleted the token.

use std::sync::Arc;
use std::time::Duration;

use cloudflare_access_host::rotation::{POINTS, RotationError};
use cloudflare_access_host::{ErrorKind, ExposeSecret, PreviousSecret, UpdateParams};
use cloudflare_access_simulator::{Fault, FaultKind, Operation};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{What, World, killing_at};
use crate::cases::Cases;

#[derive(Clone, Debug)]
enum Act {
    /// The rotation is made or gone on with.
    Run {
        accepts: bool,
    },
    /// The same, and its process dies at a point.
    Kill {
        point: Index,
    },
    /// The same, and an answer is lost.
    Fault {
        kind: FaultKind,
        operation: Operation,
        skip: u32,
        is_after: bool,
    },
    /// The same, and the place takes nothing.
    Closed,
    Wait {
        hours: u64,
    },
    /// Somebody else rotates, and may give the secret to the place.
    RotateByHand {
        delivers: bool,
    },
    Rename,
    Enable {
        enabled: bool,
    },
    /// Somebody gives up what is unfinished.
    Abandon,
    Delete,
}

fn acts() -> impl Strategy<Value = Act> {
    let operations = select(vec![Operation::Get, Operation::Update, Operation::List]);
    let kinds = select(vec![
        FaultKind::Close,
        FaultKind::TruncatedJson,
        FaultKind::HtmlPage { status: 520 },
        FaultKind::InternalError,
    ]);
    prop_oneof![
        6 => any::<bool>().prop_map(|accepts| Act::Run { accepts }),
        8 => any::<Index>().prop_map(|point| Act::Kill { point }),
        6 => (kinds, operations, 0..3_u32, any::<bool>())
            .prop_map(|(kind, operation, skip, is_after)| Act::Fault { kind, operation, skip, is_after }),
        2 => Just(Act::Closed),
        4 => (1..30_u64).prop_map(|hours| Act::Wait { hours }),
        2 => any::<bool>().prop_map(|delivers| Act::RotateByHand { delivers }),
        1 => Just(Act::Rename),
        2 => any::<bool>().prop_map(|enabled| Act::Enable { enabled }),
        1 => Just(Act::Abandon),
        1 => Just(Act::Delete),
    ]
}

struct Model {
    world: Arc<World>,
    id: String,
    /// Secrets that the state folder need not know: those of other people, and those that were given up.
    not_ours: Vec<String>,
}

impl Model {
    async fn new() -> Self {
        let world = Arc::new(World::new().await);
        let id = world.add_token();
        Self { world, id, not_ours: Vec::new() }
    }

    async fn take(&mut self, act: Act) {
        let passed_before = self.held_pair_passes();
        let mut may_end = false;
        let about = format!("{act:?}");
        match act {
            Act::Run { accepts } => {
                may_end = accepts;
                self.run(accepts, &about).await;
            }
            Act::Kill { point } => self.kill(POINTS[point.index(POINTS.len())]).await,
            Act::Fault { kind, operation, skip, is_after } => {
                let fault = Fault::new(kind).on(operation).skipping(skip);
                self.world.simulator.inject(if is_after { fault.after_commit() } else { fault.before_commit() });
                let _ = What::Rotation.run(&self.world, &self.id, &self.world.state(), false).await;
                self.world.simulator.clear_faults();
            }
            Act::Closed => {
                *self.world.place.fails.lock().unwrap() = 1;
                let _ = What::Rotation.run(&self.world, &self.id, &self.world.state(), false).await;
                *self.world.place.fails.lock().unwrap() = 0;
            }
            other => {
                may_end = true;
                self.act_as_others(other).await;
            }
        }
        if passed_before && !may_end {
            assert!(
                self.held_pair_passes(),
                "{about} ended a pair that machines have: {:?}",
                self.world.simulator.commits()
            );
        }
        self.check_secret(&about);
    }

    /// A run without a fault ends well or says why it must not.
    async fn run(&mut self, accepts: bool, about: &str) {
        let is_enabled = self.token().is_some_and(|token| token.enabled);
        match What::Rotation.run(&self.world, &self.id, &self.world.state(), accepts).await {
            Ok(_) => {
                // A pair that was proven is delivered, even if somebody has switched the token off since.
                assert!(self.held_pair_passes() || !is_enabled, "{about}");
                assert!(self.world.state().unfinished().unwrap().is_empty(), "{about}");
                self.world.assert_no_secret_in(self.world.state().path(), about);
            }
            Err(RotationError::Look(error)) => {
                assert!(error.kind == ErrorKind::NotFound && self.token().is_none(), "{about}: {error}");
            }
            Err(RotationError::NotProven(error)) => assert!(!is_enabled, "{about}: {error}"),
            // Somebody else's overlap is running.
            Err(RotationError::NotApplied(error)) => {
                assert!(error.kind == ErrorKind::Conflict && !accepts, "{about}: {error}");
            }
            Err(RotationError::SecretLost { until, .. }) => assert!(until.is_some() && !accepts, "{about}"),
            Err(RotationError::Superseded { shown, kept }) => assert!(shown > kept, "{about}"),
            Err(error) => panic!("{about}: {error}"),
        }
    }

    async fn kill(&mut self, point: &'static str) {
        let (world, id) = (Arc::clone(&self.world), self.id.clone());
        let killed = tokio::spawn(async move {
            let state = world.state().with_hook(killing_at(point));
            let _ = What::Rotation.run(&world, &id, &state, false).await;
        });
        // It may end before it comes to the point.
        if let Err(error) = killed.await {
            assert_eq!(error.into_panic().downcast_ref(), Some(&"killed"), "another panic, to be killed at {point}");
        }
    }

    async fn act_as_others(&mut self, act: Act) {
        let (world, id) = (Arc::clone(&self.world), self.id.clone());
        let hour = Duration::from_hours(1);
        let account = &world.account;
        match act {
            Act::Wait { hours } => world.simulator.advance(hour * u32::try_from(hours).unwrap()),
            Act::RotateByHand { delivers } => {
                let until = PreviousSecret::ExpiresAt(world.simulator.timestamp_in(24 * hour));
                let Ok(issued) = account.rotate(&id, until).await else { return };
                self.not_ours.push(issued.client_secret.expose_secret().to_owned());
                if delivers {
                    let pair = cloudflare_access_host::Pair::new(issued.token.client_id.unwrap(), issued.client_secret);
                    let commits = world.simulator.commits().len();
                    world.place.pairs.lock().unwrap().push((commits, pair));
                }
            }
            Act::Rename => drop(account.update(&id, UpdateParams::new().name("renamed")).await),
            Act::Enable { enabled } => drop(account.update(&id, UpdateParams::new().enabled(enabled)).await),
            Act::Abandon => {
                for (subject, _) in world.state().unfinished().unwrap() {
                    world.state().abandon(&subject).unwrap();
                }
                let secrets = world.simulator.issued_secrets();
                self.not_ours.extend(secrets.iter().map(|secret| secret.expose().to_owned()));
            }
            Act::Delete => drop(account.delete(&id).await),
            Act::Run { .. } | Act::Kill { .. } | Act::Fault { .. } | Act::Closed => unreachable!("ours"),
        }
    }

    fn token(&self) -> Option<cloudflare_access_simulator::Token> {
        let mut tokens = self.world.simulator.tokens(self.world.simulator.account());
        assert!(tokens.len() <= 1, "{tokens:?}");
        tokens.pop()
    }

    fn held_pair_passes(&self) -> bool {
        let pairs = self.world.place.pairs.lock().unwrap();
        let (_, pair) = pairs.last().unwrap();
        self.world.simulator.authenticate(&pair.client_id, pair.client_secret.expose_secret()).is_ok()
    }

    /// The newest secret is with the place, or the state folder knows that it is on its way or lost.
    fn check_secret(&self, about: &str) {
        let newest = self.world.simulator.issued_secrets().pop().unwrap();
        let newest = newest.expose();
        let pairs = self.world.place.pairs.lock().unwrap();
        let is_delivered = pairs.iter().any(|(_, pair)| pair.client_secret.expose_secret() == newest);
        let is_known = is_delivered || self.not_ours.iter().any(|secret| secret == newest);
        assert!(is_known || !self.world.state().unfinished().unwrap().is_empty(), "{about}: a secret is forgotten");
    }

    /// Once nobody interferes any more, a rotation succeeds.
    async fn end(mut self) {
        if self.token().is_none() {
            return;
        }
        self.act_as_others(Act::Enable { enabled: true }).await;
        for _ in 0..4 {
            self.world.simulator.advance(Duration::from_hours(25));
            match What::Rotation.run(&self.world, &self.id, &self.world.state(), false).await {
                Ok(_) => return assert!(self.held_pair_passes(), "after the end"),
                Err(RotationError::Superseded { .. }) => self.act_as_others(Act::Abandon).await,
                Err(RotationError::NotApplied(error)) if error.kind == ErrorKind::Conflict => {}
                Err(error) => panic!("in the end: {error}"),
            }
        }
        panic!("no rotation succeeds");
    }
}

#[test]
fn whatever_happens_in_between_no_run_ends_a_pair_that_machines_have_and_no_secret_is_forgotten() {
    let sequences = proptest::collection::vec(acts(), 1..20);
    Cases::of("rotation", 400).shrinking_at_most(100).check(&sequences, |acts| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for act in acts {
                model.take(act).await;
            }
            model.end().await;
        });
        Ok(())
    });
}
