//! A resumed `issue` that has to read its token and to remove another one: every fault at these two steps, which a call that
//! begins anew does not take.

use std::sync::LazyLock;
use std::time::Duration;

use cloudflare_access_host::{AccessTokens, CallOptions, CreateParams, Credentials, ExposeSecret, Runtime};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, FaultName, Moment, Operation, Simulator};
use tokio::task::JoinSet;

use crate::code_cache;

/// How many run at once; most of their time they wait for faults that hold the line.
const AT_ONCE: usize = 16;
const WORKING_NAME: &str = "CI (being issued, 00112233445566778899aabbccddeeff)";
/// The same in a progress.
const ENCODED_NAME: &str = "CI%20%28being%20issued%2C%2000112233445566778899aabbccddeeff%29";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::builder().cache(code_cache()).build().unwrap());

/// Every fault that an answer about one token can have, at both steps and on both sides of the change.
fn faults() -> Vec<Fault> {
    let mut faults = Vec::new();
    for kind in FaultKind::all() {
        for operation in [Operation::Get, Operation::Delete] {
            for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
                let fault = Fault::new(kind.clone()).on(operation).at(moment);
                if fault.check().is_ok() && !is_of_a_list(&kind) {
                    faults.push(fault);
                }
            }
        }
    }
    faults
}

fn is_of_a_list(kind: &FaultKind) -> bool {
    matches!(kind.name(), FaultName::LongList | FaultName::EndlessList)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_fault_at_the_steps_of_a_resumed_issue_there_is_exactly_one_token_whose_secret_passes() {
    let (mut waiting, mut running) = (faults().into_iter(), JoinSet::new());
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
    // The token has its name already, which the earlier call did not see, and a create that seemed lost has arrived late.
    let known = simulator.add_token(simulator.account(), "CI").token.id;
    let _ = simulator.add_token(simulator.account(), WORKING_NAME);
    simulator.inject(fault);
    let progress = format!("{ENCODED_NAME}:{known}").parse().unwrap();
    // A failure that does not pass ends the call, and the next one goes on.
    let mut result = account.issue(CreateParams::named("CI"), Some(progress)).await;
    if let Err(failed) = result {
        assert!(failed.progress.is_some() && simulator.faults().is_empty(), "{about}: {failed}");
        result = account.issue(CreateParams::named("CI"), failed.progress).await;
    }
    let issued = result.unwrap_or_else(|failed| panic!("{about}: {failed}"));
    assert!(simulator.faults().is_empty(), "{about} was not met");
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
    assert_eq!((&token.id, &issued.token.id, token.name.as_str()), (&known, &known, "CI"), "{about}");
    simulator
        .authenticate(&token.client_id, issued.client_secret.expose_secret())
        .unwrap_or_else(|why| panic!("{about}: {why:?}"));
}
