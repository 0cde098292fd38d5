//! An `issue` that goes on under its key: every fault at each of its steps, and the token of an earlier call and another one under the
//! same working name, which a call that begins anew does not meet.

use std::sync::LazyLock;
use std::time::Duration;

use cloudflare_access_host::{
    AccessTokens, CallOptions, CreateParams, Credentials, ErrorKind, ExposeSecret, IssueKey, Runtime,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, FaultName, Moment, Operation, Simulator};
use tokio::task::JoinSet;

use crate::code_cache;

/// How many run at once; most of their time they wait for faults that hold the line.
const AT_ONCE: usize = 16;
const WORKING_NAME: &str = "CI [issue:key-1]";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::builder().cache(code_cache()).build().unwrap());

/// Every fault that an answer can have, at each step that goes on, and on both sides of the change.
fn faults() -> Vec<Fault> {
    let mut faults = Vec::new();
    for kind in FaultKind::all() {
        // The first update gives the token its secret, the second one its name.
        for (operation, skip) in [(Operation::Delete, 0), (Operation::Update, 0), (Operation::Update, 1)] {
            for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
                let fault = Fault::new(kind.clone()).on(operation).skipping(skip).at(moment);
                // An empty answer to a DELETE says that it is done. Here it would not be.
                let is_untrue = operation == Operation::Delete
                    && moment == Moment::BeforeCommit
                    && matches!(kind, FaultKind::EmptyBody { .. });
                if fault.check().is_ok() && !is_of_a_list(&kind) && !is_untrue {
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
async fn after_every_fault_at_the_steps_of_an_issue_that_goes_on_there_is_exactly_one_token_whose_secret_passes() {
    let (mut waiting, mut running) = (faults().into_iter(), JoinSet::new());
    loop {
        while running.len() < AT_ONCE
            && let Some(fault) = waiting.next()
        {
            running.spawn(go_on_through(fault));
        }
        match running.join_next().await {
            Some(cell) => cell.unwrap(),
            None => break,
        }
    }
}

async fn go_on_through(fault: Fault) {
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
    // An earlier call made the first; a create of it that seemed lost has arrived late.
    for _ in 0..2 {
        let _ = simulator.add_token(simulator.account(), WORKING_NAME);
    }
    simulator.inject(fault);
    let key = IssueKey::new("key-1").unwrap();
    // A failure that does not pass ends the call, and the next one goes on.
    let issued = match account.issue(CreateParams::named("CI"), &key).await {
        Ok(issued) => issued,
        Err(error) => {
            assert!(simulator.faults().is_empty(), "{about}: {error}");
            account.issue(CreateParams::named("CI"), &key).await.unwrap_or_else(|error| panic!("{about}: {error}"))
        }
    };
    let finished = match account.finish_issue(&key).await {
        Err(error) => {
            assert!(simulator.faults().is_empty(), "{about}: {error}");
            account.finish_issue(&key).await
        }
        finished => finished,
    };
    match finished {
        Ok(token) => assert_eq!((&token.id, token.name.as_deref()), (&issued.token.id, Some("CI")), "{about}"),
        // The token has its name, and the answer that said so could not be used.
        Err(error) => assert!(error.kind == ErrorKind::NotFound && is_named(&simulator), "{about}: {error}"),
    }
    assert!(simulator.faults().is_empty(), "{about} was not met");
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
    assert_eq!((&token.id, token.name.as_str()), (&issued.token.id, "CI"), "{about}");
    simulator
        .authenticate(&token.client_id, issued.client_secret.expose_secret())
        .unwrap_or_else(|why| panic!("{about}: {why:?}"));
}

fn is_named(simulator: &Simulator) -> bool {
    simulator.tokens(simulator.account()).iter().all(|token| token.name == "CI")
}
