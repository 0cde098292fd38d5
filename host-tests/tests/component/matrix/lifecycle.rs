//! Every fault at every step of every function of `lifecycle`: what the function tells is true, nothing is doubled, and the secret
//! that machines use passes. Which error it is exactly is decided by the requests that a function is made of; see `matrix`.

use std::sync::Arc;
use std::time::Duration;

use cloudflare_access_host_tests::lifecycle::Ensured;
use cloudflare_access_host_tests::requests::{named, unchanged};
use cloudflare_access_host_tests::types::{
    CreateParams, Error, ErrorKind, IssuedToken, Outcome, RequestOptions, UpdateParams,
};
use cloudflare_access_host_tests::{Action, Done, Host, ISSUE_KEY, Instance, NEW_NAME, SECONDS, options, scope};
use cloudflare_access_simulator::{
    Fault, FaultKind, FaultName, Moment, Operation, Refusal, Scope, ScopeKind, Simulator, Token,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{AT_ONCE, hangs, is_about, kinds};
use crate::issue::{action_of, is_final};

/// What there is before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A token that expires in half an hour.
    Token,
    /// The same, switched off.
    Disabled,
    /// The same, and an overlap is running.
    Overlap,
    /// A token that `issue` made.
    Issued,
}

/// Every step of every function: the request that meets the fault.
const STEPS: [(Action, Before, Operation); 22] = [
    (Action::Expiring, Before::Token, Operation::List),
    (Action::RefreshExpiring, Before::Token, Operation::List),
    (Action::RefreshExpiring, Before::Token, Operation::Refresh),
    (Action::RotateWithOverlap, Before::Token, Operation::Get),
    (Action::RotateWithOverlap, Before::Token, Operation::Update),
    (Action::EndOverlap, Before::Overlap, Operation::Update),
    (Action::ExtendOverlap, Before::Overlap, Operation::Get),
    (Action::ExtendOverlap, Before::Overlap, Operation::Update),
    (Action::Find, Before::Token, Operation::List),
    (Action::Ensure, Before::Nothing, Operation::List),
    (Action::Ensure, Before::Nothing, Operation::Create),
    (Action::Ensure, Before::Token, Operation::List),
    (Action::Ensure, Before::Token, Operation::Update),
    (Action::Issue, Before::Nothing, Operation::List),
    (Action::Issue, Before::Nothing, Operation::Create),
    (Action::Issue, Before::Issued, Operation::List),
    (Action::Issue, Before::Issued, Operation::Update),
    (Action::FinishIssue, Before::Issued, Operation::List),
    (Action::FinishIssue, Before::Issued, Operation::Update),
    (Action::ResolveCreate, Before::Token, Operation::List),
    (Action::Disable, Before::Token, Operation::Update),
    (Action::Enable, Before::Disabled, Operation::Update),
];

#[derive(Clone, Debug)]
struct Cell {
    kind: FaultKind,
    action: Action,
    before: Before,
    step: Operation,
    scope: ScopeKind,
    moment: Moment,
    forever: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_step_of_the_lifecycle_is_told_as_it_was_and_doubles_nothing() {
    for action in Action::LIFECYCLE {
        assert!(STEPS.iter().any(|(of, ..)| *of == action), "{action:?} has no step");
    }
    let permits = Arc::new(Semaphore::new(AT_ONCE as usize));
    let mut running = JoinSet::new();
    for cell in cells() {
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire().await.expect("never closed");
            let name = format!("{cell:?}");
            let violations = tokio::spawn(run(cell)).await.unwrap_or_else(|_| vec!["panicked or trapped".to_owned()]);
            violations.into_iter().map(|violation| format!("{name}: {violation}")).collect::<Vec<_>>()
        });
    }
    let cells = running.len();
    let mut wrong: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    wrong.sort();
    println!("{cells} cells");
    assert!(wrong.is_empty(), "{} violations in {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for kind in kinds() {
        // As good as one of 64 MB here: it is over the limit.
        let kind = if kind.name() == FaultName::LargeBody { FaultKind::LargeBody { bytes: 9 << 20 } } else { kind };
        for &moment in kind.moments() {
            for (action, before, step) in STEPS {
                let only_lists = matches!(kind.name(), FaultName::LongList | FaultName::EndlessList);
                if !is_about(&kind, step) || (only_lists && step != Operation::List) {
                    continue;
                }
                // A zone differs in the path alone, which is as well seen with a fault that passes.
                let in_account = [false, true].map(|forever| (ScopeKind::Account, forever));
                let in_zone = action.exists_in(ScopeKind::Zone).then_some((ScopeKind::Zone, false));
                for (scope, forever) in in_account.into_iter().chain(in_zone) {
                    cells.push(Cell { kind: kind.clone(), action, before, step, scope, moment, forever });
                }
            }
        }
    }
    cells
}

async fn run(cell: Cell) -> Vec<String> {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    let home = match cell.scope {
        ScopeKind::Account => simulator.account(),
        ScopeKind::Zone => simulator.zone(),
    }
    .clone();
    let mut plugin = Host::shared().instance().await;
    let pair = prepare(&cell, &simulator, &home, &mut plugin).await;
    let id = pair.as_ref().map(|issued| issued.token.id.clone()).unwrap_or_default();
    simulator.clear_requests();
    let secrets_before = simulator.issued_secrets().len();

    let fault = Fault::new(cell.kind.clone()).on(cell.step).at(cell.moment);
    simulator.inject(if cell.forever { fault.forever() } else { fault });
    // `issue` tries again until its time ends; the others end by themselves, however long a slow machine takes.
    // A long list is no failure, and takes a busy machine longer than an attempt would have.
    let fails = !matches!(cell.kind.name(), FaultName::LongList | FaultName::EndlessList);
    let lasts = cell.action == Action::Issue && cell.forever && fails && !is_final(&cell.kind, action_of(cell.step));
    let options = RequestOptions {
        timeout_ms: Some(if lasts { 4000 } else { 60_000 }),
        attempt_timeout_ms: hangs(&cell.kind).then_some(500),
        max_retries: Some(2),
        ..options(&simulator)
    };
    let result = cell.action.call(&mut plugin, &home, &id, &options).await;
    let seen = Seen { cell: &cell, simulator: &simulator, home: &home, pair: pair.as_ref(), secrets_before };
    let mut violations = seen.violations(&result);
    simulator.clear_faults();
    let good = RequestOptions { timeout_ms: Some(60_000), ..options };
    if let Err(error) = Action::ListPage.call(&mut plugin, &home, "", &good).await {
        violations.push(format!("the instance does not work afterwards: {}", error.message));
    }
    violations
}

/// Makes what there is before the call; the pair that machines use.
async fn prepare(cell: &Cell, simulator: &Simulator, home: &Scope, plugin: &mut Instance) -> Option<IssuedToken> {
    let (place, options) = (scope(home), options(simulator));
    let some = Some(&options);
    if cell.before == Before::Nothing {
        return None;
    }
    if cell.before == Before::Issued {
        let issued = plugin.issue(home.id(), &named(NEW_NAME), ISSUE_KEY, some).await;
        return Some(issued.expect("issued"));
    }
    let params = CreateParams {
        duration: Some("30m".to_owned()),
        enabled: (cell.before == Before::Disabled).then_some(false),
        ..named(NEW_NAME)
    };
    let issued = plugin.create(&place, &params, some).await.expect("created");
    if cell.before == Before::Overlap {
        let raised = UpdateParams {
            client_secret_version: Some(2),
            previous_client_secret_expires_at: Some(simulator.timestamp_in(Duration::from_mins(10))),
            ..unchanged()
        };
        plugin.update(&place, &issued.token.id, &raised, some).await.expect("an overlap is running");
    }
    Some(issued)
}

/// What the simulator knows after the call.
struct Seen<'a> {
    cell: &'a Cell,
    simulator: &'a Simulator,
    home: &'a Scope,
    /// The pair that machines use.
    pair: Option<&'a IssuedToken>,
    secrets_before: usize,
}

impl Seen<'_> {
    fn is_committed(&self) -> bool {
        !self.simulator.commits().is_empty()
    }

    fn token(&self) -> Option<Token> {
        let id = &self.pair?.token.id;
        self.simulator.tokens(self.home).into_iter().find(|token| token.id == *id)
    }

    fn passes(&self, issued: &IssuedToken) -> bool {
        self.standing(issued) == Some(Ok(()))
    }

    /// What Access says to a pair; none if there is no such token.
    fn standing(&self, issued: &IssuedToken) -> Option<Result<(), Refusal>> {
        let token = self.simulator.tokens(self.home).into_iter().find(|token| token.id == issued.token.id)?;
        Some(self.simulator.authenticate(&token.client_id, &issued.client_secret))
    }

    /// Everything about the cell that is not as it must be.
    fn violations(&self, result: &Result<Done, Error>) -> Vec<String> {
        let cell = self.cell;
        let mut found = Vec::new();
        let mut must = |holds: bool, rule: &dyn Fn() -> String| {
            if !holds {
                found.push(rule());
            }
        };
        let requests = self.simulator.requests();
        let met = requests.iter().filter(|request| request.fault == Some(cell.kind.name())).count();
        must(met > 0 && (cell.forever || self.simulator.faults().is_empty()), &|| "the fault was not met".to_owned());
        let tokens = self.simulator.tokens(self.home).len() - usize::from(self.pair.is_some());
        let may_make = matches!(cell.action, Action::Ensure | Action::Issue);
        must(tokens <= usize::from(may_make), &|| format!("{tokens} tokens made"));
        let secrets = self.simulator.issued_secrets().len() - self.secrets_before;
        match cell.action {
            // A token that nobody has the secret of gets another one.
            Action::Issue => must(secrets <= requests.len(), &|| format!("{secrets} secrets made")),
            action => must(secrets <= usize::from(action.makes_a_secret()), &|| format!("{secrets} secrets made")),
        }
        let keeps_the_secret =
            !matches!(cell.action, Action::EndOverlap | Action::Disable | Action::Issue | Action::Ensure);
        if let Some(pair) = self.pair.filter(|_| keeps_the_secret && cell.before != Before::Disabled) {
            must(self.passes(pair), &|| "the secret that machines use does not pass".to_owned());
        }
        match result {
            Ok(done) => {
                let truth = self.is_true(done);
                must(truth.is_ok(), &|| truth.clone().err().unwrap_or_default());
            }
            Err(error) => {
                let truth = self.error_is_true(error);
                must(truth.is_ok(), &|| truth.clone().err().unwrap_or_default());
                let (told, sent) = (u64::from(error.attempts), requests.len() as u64);
                let is_cut_off = hangs(&cell.kind) || error.kind == ErrorKind::Timeout;
                must(told == sent || (told > sent && is_cut_off), &|| format!("{told} of {sent} attempts told"));
            }
        }
        found
    }

    /// Whether what an error says is what the server has.
    fn error_is_true(&self, error: &Error) -> Result<(), String> {
        let (cell, shown) = (self.cell, format!("{error:?}"));
        let is_lie = match error.outcome {
            Outcome::NotApplied => self.is_committed(),
            Outcome::Applied => !self.is_committed(),
            Outcome::Unknown => !cell.action.changes(),
        };
        if is_lie {
            return Err(format!("{:?} told, {} committed: {shown}", error.outcome, self.simulator.commits().len()));
        }
        if !error.message.starts_with(&format!("{}: ", cell.action.name())) || error.message.contains(char::is_control)
        {
            return Err(format!("the message {:?}", error.message));
        }
        if self.simulator.issued_secrets().iter().any(|secret| shown.contains(secret.expose())) {
            return Err("a secret in the error".to_owned());
        }
        if cell.action == Action::RotateWithOverlap {
            let advises =
                ["rotate again", "`rotate`", "call can be made again"].iter().any(|advice| shown.contains(advice));
            if advises || (error.outcome == Outcome::Applied && error.previous_secret_expires_at.is_none()) {
                return Err(format!("what it advises: {shown}"));
            }
        }
        Ok(())
    }

    /// Whether what a success says is what the server has.
    fn is_true(&self, done: &Done) -> Result<(), String> {
        let cell = self.cell;
        // The list that the fault put in the place of the server's.
        let made_up = match cell.kind {
            FaultKind::LongList { tokens } | FaultKind::EndlessList { tokens } => Some(tokens),
            _ => None,
        };
        let id = self.pair.map(|pair| pair.token.id.as_str());
        let is_mine = |ids: &[&String]| ids.iter().map(|id| id.as_str()).eq(id.filter(|_| made_up.is_none()));
        let holds = match done {
            Done::Report(report) => {
                let ids: Vec<_> = report.expiring.iter().map(|due| &due.token.id).collect();
                is_mine(&ids) && report.later as usize == made_up.unwrap_or(0)
            }
            Done::Refreshed(report) => {
                let ids: Vec<_> = report.tokens.iter().map(|token| &token.id).collect();
                let is_true = report.tokens.iter().all(|token| match &token.refreshed {
                    Ok(_) => self.is_committed(),
                    Err(error) => self.error_is_true(error).is_ok(),
                });
                is_mine(&ids) && is_true
            }
            Done::Tokens(tokens) => is_mine(&tokens.iter().map(|token| &token.id).collect::<Vec<_>>()),
            Done::Overlapping(overlapping) => self.is_committed() && self.passes(&overlapping.issued),
            // It is made switched off: the secret is right, and does not pass.
            Done::Ensured(Ensured::Created(issued)) => {
                self.is_committed() && self.standing(issued) == Some(Err(Refusal::Disabled))
            }
            Done::Ensured(Ensured::Updated(_)) => self.token().is_some_and(|token| !token.enabled),
            Done::Issued(issued) => self.is_committed() && self.passes(issued),
            Done::Token(token) => {
                let now = self.token();
                let is_done = |now: Token| match cell.action {
                    Action::Disable => !now.enabled,
                    Action::Enable => now.enabled,
                    Action::FinishIssue => now.name == NEW_NAME,
                    Action::EndOverlap => self.pair.is_some_and(|pair| !self.passes(pair)),
                    // The overlap was 10 minutes, and is an hour.
                    Action::ExtendOverlap => now
                        .previous_client_secret_expires_at
                        .is_some_and(|end| (end - self.simulator.now()).whole_seconds() > i64::from(SECONDS) - 60),
                    _ => false,
                };
                Some(token.id.as_str()) == id && now.is_some_and(is_done)
            }
            _ => false,
        };
        if holds { Ok(()) } else { Err(format!("a success that is not true: {done:?}")) }
    }
}
