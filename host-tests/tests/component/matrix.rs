//! Every fault of the simulator × every function of `service-tokens` × account and zone × both sides of the change × once and for
//! ever, through the component over real sockets. The functions of `lifecycle`, whose every step meets every fault, are in
//! `matrix/lifecycle.rs`.
//!
//! What must hold in every cell is in `violations`; what exactly each fault leads to is in `expected`, which does not compile
//! when a kind of fault is added without a case. A fault that was not met fails its cell. The table goes to standard output
//! (`--nocapture`) and to `target/tmp/fault-matrix.md`.

mod lifecycle;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudflare_access_host_tests::types::{Deletion, Error, ErrorKind, Outcome, RequestOptions, ServiceToken};
use cloudflare_access_host_tests::{Action, Done, Host, Instance, NEW_NAME, options};
use cloudflare_access_simulator::{
    Commits, Fault, FaultKind, FaultName, Moment, Operation, Scope, ScopeKind, Simulator, Token, Wait,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many cells run at once, by weight.
const AT_ONCE: u32 = 48;

#[derive(Clone, Debug)]
struct Cell {
    kind: FaultKind,
    action: Action,
    scope: ScopeKind,
    moment: Moment,
    /// Whether every request meets the fault, or only the first.
    forever: bool,
}

struct Row {
    cell: Cell,
    requests: u64,
    commits: usize,
    told: String,
    took: Duration,
    violations: Vec<String>,
}

/// How a call ends that meets the fault on every attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Well,
    Badly(ErrorKind),
}

/// Whether the request is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    Never,
    /// Only where twice does no harm.
    IfHarmless,
    Always,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_every_operation_is_told_as_it_was_and_doubles_nothing() {
    let permits = Arc::new(Semaphore::new(AT_ONCE as usize));
    let mut running = JoinSet::new();
    for (index, cell) in cells().into_iter().enumerate() {
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_many(weight(&cell.kind)).await.expect("never closed");
            let name = format!("{cell:?}");
            (index, tokio::spawn(run(cell)).await.map_err(|_| format!("{name}: trapped")))
        });
    }
    let mut rows = running.join_all().await;
    rows.sort_by_key(|(index, _)| *index);
    let (rows, trapped): (Vec<_>, Vec<_>) = rows.into_iter().map(|(_, row)| row).partition(Result::is_ok);
    let rows: Vec<Row> = rows.into_iter().filter_map(Result::ok).collect();
    let table = table(&rows);
    println!("{table}");
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/fault-matrix.md"), table).expect("the table can be written");
    let mut wrong: Vec<String> = trapped.into_iter().filter_map(Result::err).collect();
    for Row { cell, violations, told, .. } in &rows {
        wrong.extend(violations.iter().map(|violation| format!("{cell:?}: {violation} (told: {told})")));
    }
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for kind in kinds() {
        for &moment in kind.moments() {
            for action in Action::SERVICE_TOKENS.into_iter().filter(|action| is_about(&kind, action.operation())) {
                for scope in [ScopeKind::Account, ScopeKind::Zone].into_iter().filter(|kind| action.exists_in(*kind)) {
                    for forever in [false, true] {
                        cells.push(Cell { kind: kind.clone(), action, scope, moment, forever });
                    }
                }
            }
        }
    }
    cells
}

/// The kinds of the simulator, what can be wrong with a token of a list, and an answer about another token.
fn kinds() -> Vec<FaultKind> {
    let mut kinds = FaultKind::all();
    kinds.extend([
        FaultKind::replaced("/result/0/client_id", 17),
        FaultKind::missing("/result/0/id"),
        FaultKind::replaced("/result/id", ANOTHER_ID),
    ]);
    kinds
}

/// The id of no token.
const ANOTHER_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Whether an answer to this operation has what the fault changes in it.
fn is_about(kind: &FaultKind, operation: Operation) -> bool {
    let (FaultKind::Replaced { pointer, .. } | FaultKind::Missing { pointer }) = kind else { return true };
    match pointer.as_str() {
        "/result/client_secret" => matches!(operation, Operation::Create | Operation::Update | Operation::Rotate),
        "/result/id" if is_another_id(kind) => !matches!(operation, Operation::List | Operation::Create),
        _ if pointer.starts_with("/result/0") || pointer.starts_with("/result_info") => operation == Operation::List,
        _ => operation != Operation::List,
    }
}

fn is_another_id(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Replaced { value, .. } if value == ANOTHER_ID)
}

/// A body of 64 MB is two of them in the memory of the simulator.
fn weight(kind: &FaultKind) -> u32 {
    if matches!(kind, FaultKind::LargeBody { .. }) { AT_ONCE / 3 } else { 1 }
}

/// Whether the answer takes longer than the time of an attempt.
fn hangs(kind: &FaultKind) -> bool {
    use FaultName::{DripBody, DripHead, NeverAnswer, StallAfterHead, StallInBody};
    matches!(kind.name(), NeverAnswer | StallAfterHead | StallInBody | DripHead | DripBody)
}

/// What a fault leads to. Every kind has its case here, or this does not compile.
#[expect(clippy::match_same_arms, reason = "in the order of the kinds")]
pub fn expected(kind: &FaultKind, action: Action) -> (Ends, Again) {
    use Again::{Always, IfHarmless, Never};
    use ErrorKind::{
        Conflict, Connection, Forbidden, InvalidResponse, NotFound, RateLimited, Rejected, Timeout, Unauthenticated,
        Unavailable,
    };
    let is_list = matches!(action, Action::ListPage | Action::ListAll);
    let unusable = (Ends::Badly(InvalidResponse), Never);
    let refused = |kind| (Ends::Badly(kind), Never);
    let passing = |kind| (Ends::Badly(kind), IfHarmless);
    let by_status = |status, refusal| if status >= 500 { passing(Unavailable) } else { refused(refusal) };
    match kind {
        FaultKind::Error { status: 400 | 422, code: 12130, .. } => refused(Rejected),
        FaultKind::Error { code: 971, .. } => (Ends::Badly(RateLimited), Always),
        FaultKind::Error { status: 401 | 403, code: 10000, .. } => refused(Unauthenticated),
        FaultKind::Error { code: 9999, .. } => refused(Forbidden),
        FaultKind::Error { status: 409, .. } => refused(Conflict),
        FaultKind::Error { status, .. } => {
            assert!([408, 500, 502, 503, 504].contains(status), "{kind:?} needs a case");
            passing(Unavailable)
        }
        FaultKind::InternalError => passing(Unavailable),
        FaultKind::ErrorChain => refused(Unauthenticated),
        FaultKind::RateLimited { wait: Wait::Seconds(7200) } => refused(RateLimited),
        FaultKind::RateLimited { .. } | FaultKind::NullBody { status: 429 } => (Ends::Badly(RateLimited), Always),
        FaultKind::UnsuccessfulOk => refused(Rejected),
        FaultKind::FlatError { status } | FaultKind::NullErrors { status } => by_status(*status, Rejected),
        // Code 7000 means that there is no such route; a server that failed is not believed to know.
        FaultKind::StringCodes { status } => by_status(*status, NotFound),
        FaultKind::MissingKeys { status } => by_status(*status, Forbidden),
        FaultKind::Response { .. } | FaultKind::Redirect { .. } => unusable,
        FaultKind::HtmlPage { status } => by_status(*status, InvalidResponse),
        // An empty answer to a `delete` is a yes.
        FaultKind::EmptyBody { status: 200 | 204 } | FaultKind::NullResult if action == Action::Delete => {
            (Ends::Well, Never)
        }
        FaultKind::EmptyBody { status: 200 | 204 } => passing(InvalidResponse),
        FaultKind::EmptyBody { status } | FaultKind::NullBody { status } => by_status(*status, InvalidResponse),
        FaultKind::NullResult | FaultKind::DuplicateKeys | FaultKind::InvalidUtf8 | FaultKind::NestedJson { .. } => {
            unusable
        }
        FaultKind::Replaced { pointer, .. } | FaultKind::Missing { pointer } => match (pointer.as_str(), action) {
            ("/result/id", Action::Create) | ("/result/0/id", _) => unusable,
            _ if is_another_id(kind) => unusable,
            ("/result/client_secret", Action::Create | Action::Rotate) => unusable,
            _ => (Ends::Well, Never),
        },
        FaultKind::LongList { .. } | FaultKind::EndlessList { .. } if !is_list => unusable,
        FaultKind::EndlessList { .. } if action == Action::ListAll => unusable,
        FaultKind::LongList { .. } | FaultKind::EndlessList { .. } => (Ends::Well, Never),
        FaultKind::LargeBody { .. } | FaultKind::GarbageJson => unusable,
        FaultKind::LargeHead { .. } => passing(Connection),
        FaultKind::NullMessageType | FaultKind::ErrorsOnSuccess => (Ends::Well, Never),
        FaultKind::TruncatedJson => passing(InvalidResponse),
        FaultKind::Close
        | FaultKind::Reset
        | FaultKind::CloseInHead
        | FaultKind::TruncatedBody
        | FaultKind::CutChunks
        | FaultKind::NotHttp
        | FaultKind::RawBytes { .. } => passing(Connection),
        FaultKind::NeverAnswer
        | FaultKind::StallAfterHead
        | FaultKind::StallInBody
        | FaultKind::DripHead { .. }
        | FaultKind::DripBody { .. } => passing(Timeout),
        FaultKind::ContentTooLarge => refused(Rejected),
        FaultKind::CloseAfterAnswer | FaultKind::Delay { .. } => (Ends::Well, Never),
    }
}

/// Runs a cell and looks at what came of it.
async fn run(cell: Cell) -> Row {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    let home = match cell.scope {
        ScopeKind::Account => simulator.account(),
        ScopeKind::Zone => simulator.zone(),
    }
    .clone();
    let id = simulator.add_token(&home, "token").token.id;
    let fault = Fault::new(cell.kind.clone()).at(cell.moment);
    simulator.inject(if cell.forever { fault.forever() } else { fault });
    let mut plugin = Host::shared().instance().await;
    let (timeout, attempt) = if hangs(&cell.kind) { (1500, Some(300)) } else { (60_000, None) };
    let options = RequestOptions {
        timeout_ms: Some(timeout),
        attempt_timeout_ms: attempt,
        max_retries: Some(2),
        ..options(&simulator)
    };

    let started = Instant::now();
    let result = cell.action.call(&mut plugin, &home, &id, &options).await;
    let took = started.elapsed();

    let seen = Seen { simulator: &simulator, home: &home, id: &id };
    let (requests, commits) = (seen.requests(), seen.commits());
    let mut violations = seen.violations(&cell, &result);
    seen.works_afterwards(&mut plugin, &mut violations).await;
    Row { requests, commits, told: told(&result), took, violations, cell }
}

/// What the simulator knows after the call.
struct Seen<'a> {
    simulator: &'a Simulator,
    home: &'a Scope,
    id: &'a str,
}

impl Seen<'_> {
    fn requests(&self) -> u64 {
        self.simulator.request_count()
    }

    fn commits(&self) -> usize {
        self.simulator.commits().len()
    }

    /// Everything about the cell that is not as it must be.
    fn violations(&self, cell: &Cell, result: &Result<Done, Error>) -> Vec<String> {
        let (mut ends, again) = expected(&cell.kind, cell.action);
        let may_repeat = match again {
            Again::Never => false,
            Again::IfHarmless => !cell.action.makes_a_secret(),
            Again::Always => true,
        };
        // A fault that is not there the second time; a token that is gone the second time.
        let was_deleted = cell.action == Action::Delete && cell.kind.commits() == Commits::Always && !hangs(&cell.kind);
        let recovers = may_repeat && (!cell.forever || was_deleted);
        let is_endless = cell.action == Action::ListAll && cell.kind.name() == FaultName::EndlessList;
        if recovers || (is_endless && !cell.forever) {
            ends = Ends::Well;
        }
        let requests = match (may_repeat, recovers) {
            _ if is_endless => 2..=u64::MAX,
            (true, _) if hangs(&cell.kind) => 1..=3,
            (true, true) => 2..=2,
            // The second answer is a 404 that ends too early: the token is not there.
            (true, false) if cell.action == Action::Delete && cell.kind == FaultKind::TruncatedJson => 2..=3,
            (true, false) => 3..=3,
            (false, _) => 1..=1,
        };

        let name = cell.kind.name();
        let mut meetings = self.simulator.requests().into_iter().map(|request| request.fault == Some(name));
        let is_met = meetings.next() == Some(true) && (!cell.forever || meetings.all(|is_met| is_met));

        let mut found = Vec::new();
        let mut must = |holds: bool, rule: String| {
            if !holds {
                found.push(rule);
            }
        };
        let sent = self.requests();
        let is_spent = cell.forever || self.simulator.faults().is_empty();
        must(is_met && is_spent, "the fault was not met".to_owned());
        must(requests.contains(&sent), format!("{sent} requests in place of {requests:?}"));
        if cell.action.makes_a_secret() {
            let secrets = self.simulator.issued_secrets().len() - 1;
            let made = self.simulator.tokens(self.home).iter().filter(|token| token.name == NEW_NAME).count();
            must(self.commits() <= 1 && secrets <= 1 && made <= 1, format!("{secrets} secrets and {made} tokens made"));
        }
        match result {
            Ok(done) => {
                must(ends == Ends::Well, format!("a success in place of {ends:?}"));
                if let Err(lie) = self.is_true(cell, done) {
                    must(false, lie);
                }
            }
            Err(error) => {
                must(ends == Ends::Badly(error.kind), format!("{:?} in place of {ends:?}", error.kind));
                must(
                    hangs(&cell.kind) || u64::from(error.attempts) == sent,
                    format!("{} attempts told", error.attempts),
                );
                must(error.outcome == outcome(&cell.kind, cell.action.changes()), format!("{:?} told", error.outcome));
                let is_committed = self.commits() > 0;
                let is_lie = match error.outcome {
                    Outcome::NotApplied => is_committed,
                    Outcome::Applied => !is_committed,
                    Outcome::Unknown => false,
                };
                must(!is_lie, format!("{:?} told, {} committed", error.outcome, self.commits()));
                must(error.message.lines().count() == 1, "a message of more than one line".to_owned());
                let begin = format!("{}: ", cell.action.name());
                must(error.message.starts_with(&begin), format!("a message that does not begin with {begin:?}"));
                let secrets = self.simulator.issued_secrets();
                let shown = format!("{error:?}");
                must(!secrets.iter().any(|secret| shown.contains(secret.expose())), "a secret in the error".to_owned());
            }
        }
        found
    }

    /// Whether what a success says is what the server has.
    fn is_true(&self, cell: &Cell, done: &Done) -> Result<(), String> {
        // Here the server says yes and has done nothing.
        let is_lied_to = cell.moment == Moment::BeforeCommit && matches!(cell.kind, FaultKind::EmptyBody { .. });
        if cell.action.changes() && self.commits() == 0 && !is_lied_to {
            return Err("a success, and nothing was committed".to_owned());
        }
        let tokens = self.simulator.tokens(self.home);
        let one = |shown: &ServiceToken| {
            let token = tokens.iter().find(|token| token.id == shown.id);
            token
                .ok_or_else(|| format!("a token that is not there: {shown:?}"))
                .and_then(|token| same(cell, shown, token))
        };
        match done {
            Done::Page(page) => same_list(cell, &page.tokens, &tokens),
            Done::Tokens(shown) => same_list(cell, shown, &tokens),
            Done::Token(token) => one(token),
            Done::Issued(issued) => one(&issued.token).and_then(|()| self.passes(&issued.client_secret)),
            Done::Updated(updated) => one(&updated.token).and_then(|()| match (cell.action, &updated.client_secret) {
                (Action::Raise, Some(secret)) => self.passes(secret),
                (Action::Raise, None) if cell.kind == FaultKind::missing("/result/client_secret") => Ok(()),
                (Action::Update, None) => Ok(()),
                (_, secret) => Err(format!("a secret: {}", secret.is_some())),
            }),
            Done::Deleted(deletion) => match deletion {
                _ if !tokens.is_empty() && !is_lied_to => Err("deleted, and still there".to_owned()),
                Deletion::Deleted(token) if token.id != self.id => Err(format!("deleted {}", token.id)),
                Deletion::AlreadyGone if self.requests() == 1 => Err("gone before it was deleted".to_owned()),
                _ => Ok(()),
            },
            other => Err(format!("not what the function returns: {other:?}")),
        }
    }

    fn passes(&self, secret: &str) -> Result<(), String> {
        let passes = |token: &Token| self.simulator.authenticate(&token.client_id, secret).is_ok();
        let is_there = self.simulator.tokens(self.home).iter().any(passes);
        if is_there { Ok(()) } else { Err("a secret that does not pass".to_owned()) }
    }

    /// The same instance lists, once the server behaves.
    async fn works_afterwards(&self, plugin: &mut Instance, violations: &mut Vec<String>) {
        self.simulator.clear_faults();
        let good = RequestOptions { timeout_ms: Some(60_000), ..options(self.simulator) };
        if let Err(error) = Action::ListPage.call(plugin, self.home, self.id, &good).await {
            violations.push(format!("the instance does not work afterwards: {}", error.message));
        }
    }
}

/// Whether a list is that of the server, or the one that the fault put in its place.
fn same_list(cell: &Cell, shown: &[ServiceToken], tokens: &[Token]) -> Result<(), String> {
    match cell.kind {
        FaultKind::LongList { tokens } | FaultKind::EndlessList { tokens } if shown.len() == tokens => Ok(()),
        _ if shown.len() == tokens.len() => {
            shown.iter().zip(tokens).try_for_each(|(shown, token)| same(cell, shown, token))
        }
        _ => Err(format!("{} tokens", shown.len())),
    }
}

/// Whether a token is as the server has it, but for what the fault changed.
fn same(cell: &Cell, shown: &ServiceToken, token: &Token) -> Result<(), String> {
    let mut expected = (Some(token.client_id.clone()), Vec::new());
    if let FaultKind::Replaced { pointer, value } = &cell.kind {
        match pointer.rsplit('/').next() {
            Some("client_id") => expected = (None, vec![("client_id", value.to_string())]),
            Some("brand_new_field") => expected.1 = vec![("brand_new_field", value.to_string())],
            _ => {}
        }
    }
    let additional = shown.additional_fields.iter().map(|field| (field.name.as_str(), field.json.clone()));
    let is_same = (shown.client_id.clone(), additional.collect::<Vec<_>>()) == expected
        && shown.id == token.id
        && shown.name.as_ref() == Some(&token.name)
        && shown.duration.as_ref() == Some(&token.duration)
        && shown.enabled == Some(token.enabled)
        && shown.client_secret_version == Some(token.client_secret_version)
        && shown.expires_at.is_some();
    let is_renamed = !matches!(cell.action, Action::Create | Action::Update) || token.name == NEW_NAME;
    if is_same && is_renamed { Ok(()) } else { Err(format!("{shown:?} in place of {token:?}")) }
}

/// The outcome that an error tells: as certain as the answers allow, and no more.
#[expect(clippy::match_same_arms, reason = "for different reasons")]
pub fn outcome(kind: &FaultKind, changes: bool) -> Outcome {
    match (kind.commits(), kind) {
        _ if !changes => Outcome::NotApplied,
        // The API's own answer says it, but these two are not, or not clear.
        (Commits::Never, FaultKind::Redirect { .. } | FaultKind::UnsuccessfulOk) => Outcome::Unknown,
        (Commits::Never, _) => Outcome::NotApplied,
        (Commits::Maybe, _) => Outcome::Unknown,
        // The yes could not be read.
        (Commits::Always, FaultKind::InvalidUtf8 | FaultKind::LargeBody { .. } | FaultKind::LargeHead { .. }) => {
            Outcome::Unknown
        }
        (Commits::Always, _) if hangs(kind) => Outcome::Unknown,
        (Commits::Always, _) => Outcome::Applied,
    }
}

fn told(result: &Result<Done, Error>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => format!("{:?}, {:?}", error.kind, error.outcome),
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = "| fault | moment | met | operation | scope | requests | committed | told | ms |\n".to_owned();
    table.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for Row { cell, requests, commits, told, took, .. } in rows {
        let Cell { kind, action, scope, moment, forever } = cell;
        let met = if *forever { "always" } else { "once" };
        let mut kind = format!("{kind:?}").replace('|', "\\|");
        if let Some((end, _)) = kind.char_indices().nth(60) {
            kind.truncate(end);
        }
        let took = took.as_millis();
        writeln!(
            table,
            "| {kind} | {moment:?} | {met} | {action:?} | {scope} | {requests} | {commits} | {told} | {took} |"
        )
        .expect("text can be written");
    }
    table
}
