//! A resumed `issue` that has to read its token and to remove another one: every fault at these two steps, which a call that
//! begins anew does not take.

use std::sync::LazyLock;
use std::time::Duration;

use cloudflare_access_host::{AccessTokens, CallOptions, CodeCache, CreateParams, Credentials, ExposeSecret, Runtime};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, FaultName, Moment, Operation, Simulator};
use tokio::task::JoinSet;

/// How many run at once; most of their time they wait for faults that hold the line.
const AT_ONCE: usize = 16;
const WORKING_NAME: &str = "CI-being-issued-0123";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::builder().cache(CodeCache::None).build().unwrap());

/// Every fault that an answer about one token can have.
fn faults() -> impl Iterator<Item = Fault> {
    let of_a_list = |kind: &FaultKind| matches!(kind.name(), FaultName::LongList | FaultName::EndlessList);
    let steps = [Operation::Get, Operation::Delete];
    let moments = [Moment::BeforeCommit, Moment::AfterCommit];
    FaultKind::all().into_iter().filter(move |kind| !of_a_list(kind)).flat_map(move |kind| {
        let at = move |(operation, moment)| Fault::new(kind.clone()).on(operation).at(moment);
        let cells = steps.into_iter().flat_map(move |step| moments.into_iter().map(move |moment| (step, moment)));
        cells.map(at).filter(|fault| fault.check().is_ok())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_fault_at_the_steps_of_a_resumed_issue_there_is_exactly_one_token_whose_secret_passes() {
    let (mut waiting, mut running) = (faults(), JoinSet::new());
    loop {
        while running.len() < AT_ONCE
            && let Some(fault) = waiting.next()
        {
            running.spawn(resume_through(fault));
        }
        match running.join_next().await {
            Some(cell) => cell.unwrap(),
            None => break,
        }
    }
}

async fn resume_through(fault: Fault) {
    let about = format!("{fault:?}");
    let simulator = Simulator::start().await.unwrap();
    let account = AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(simulator.base_url().parse().unwrap())
        .runtime(RUNTIME.clone())
        .options(CallOptions::new().timeout(Duration::from_secs(20)).attempt_timeout(Duration::from_millis(400)))
        .build()
        .unwrap()
        .account(ACCOUNT_ID);
    // A create that seemed lost has arrived after the second one.
    let known = simulator.add_token(simulator.account(), WORKING_NAME).token.id;
    let _ = simulator.add_token(simulator.account(), WORKING_NAME);
    simulator.inject(fault);
    let mut progress = Some(format!("{WORKING_NAME}:{known}").parse().unwrap());
    // A failure that does not pass ends the call, and the next one goes on.
    let issued = loop {
        match account.issue(CreateParams::named("CI"), progress).await {
            Ok(issued) => break issued,
            Err(failed) => {
                assert!(failed.progress.is_some() && simulator.faults().is_empty(), "{about}: {failed}");
                progress = failed.progress;
            }
        }
    };
    assert!(simulator.faults().is_empty(), "{about} was not met");
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
    assert_eq!((&token.id, token.name.as_str()), (&issued.token.id, "CI"), "{about}");
    simulator
        .authenticate(&token.client_id, issued.client_secret.expose_secret())
        .unwrap_or_else(|why| panic!("{about}: {why:?}"));
}
