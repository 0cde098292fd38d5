//! `issue` makes a token exactly once, whatever fails at whichever of its steps.

use cloudflare_access_host_tests::lifecycle::IssueProgress;
use cloudflare_access_host_tests::requests::named;
use cloudflare_access_host_tests::types::{CreateParams, Error, ErrorKind, IssuedToken, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Host, options, scope};
use cloudflare_access_simulator::{Fault, FaultKind, FaultName, Moment, Operation, Simulator};
use tokio::task::JoinSet;

fn wanted() -> CreateParams {
    CreateParams { duration: Some("24h".into()), ..named("CI") }
}

/// There is one token, it is the one that was returned, it is as it was asked for, and its secret passes.
fn assert_exactly_one(simulator: &Simulator, issued: &IssuedToken, about: &str) {
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
    assert_eq!(
        (token.id.as_str(), token.name.as_str(), token.duration.as_str()),
        (issued.token.id.as_str(), "CI", "24h"),
        "{about}"
    );
    assert_eq!(issued.token.name.as_deref(), Some("CI"), "{about}");
    simulator.authenticate(&token.client_id, &issued.client_secret).unwrap_or_else(|why| panic!("{about}: {why:?}"));
}

/// Attempts are given up soon, so that a fault that holds the line costs little.
fn options_for(simulator: &Simulator, timeout_ms: u32) -> RequestOptions {
    RequestOptions {
        timeout_ms: Some(timeout_ms),
        attempt_timeout_ms: Some(400),
        max_retries: None,
        ..options(simulator)
    }
}

#[tokio::test]
async fn when_all_is_well_it_takes_two_requests() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let issued =
        plugin.issue(simulator.account().id(), &wanted(), None, Some(&options(&simulator))).await.expect("issued");
    assert_exactly_one(&simulator, &issued, "no fault");
    let operations: Vec<_> = simulator.requests().iter().filter_map(|request| request.operation).collect();
    assert_eq!(operations, [Operation::Create, Operation::Update]);
}

/// Faults after which the same request would fail the same way: the call ends, and says what there is.
fn is_final(kind: &FaultKind) -> bool {
    match kind {
        FaultKind::Error { status, code, .. } => *code != 971 && *status < 500 && *status != 408,
        FaultKind::ErrorChain | FaultKind::UnsuccessfulOk | FaultKind::ContentTooLarge => true,
        FaultKind::FlatError { status }
        | FaultKind::NullErrors { status }
        | FaultKind::StringCodes { status }
        | FaultKind::MissingKeys { status } => *status < 500,
        FaultKind::RateLimited { wait } => format!("{wait:?}").contains("7200"),
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_fault_at_every_step_there_is_exactly_one_token_whose_secret_passes() {
    let mut cells = JoinSet::new();
    let mut waiting = Vec::new();
    for kind in FaultKind::all() {
        for operation in [Operation::Create, Operation::Update, Operation::List, Operation::Rotate] {
            for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
                let fault = Fault::new(kind.clone()).on(operation).at(moment);
                // A list in the place of a token belongs to lists, and a list without end is one on purpose.
                let only_lists = matches!(kind.name(), FaultName::LongList | FaultName::EndlessList);
                if fault.check().is_ok()
                    && !(only_lists && operation != Operation::List)
                    && kind.name() != FaultName::EndlessList
                {
                    waiting.push((fault, operation, moment));
                }
            }
        }
    }
    let count = waiting.len();
    let mut waiting = waiting.into_iter();
    let mut finished = 0;
    loop {
        while cells.len() < 16 {
            let Some((fault, operation, moment)) = waiting.next() else { break };
            cells.spawn(cell(fault, operation, moment));
        }
        match cells.join_next().await {
            Some(cell) => {
                cell.expect("the cell holds");
                finished += 1;
            }
            None => break,
        }
    }
    assert_eq!(finished, count);
    println!("{count} cells");
}

async fn cell(fault: Fault, operation: Operation, moment: Moment) {
    let about = format!("{:?} {moment:?} at {operation}", fault.kind());
    let is_final = is_final(fault.kind());
    let simulator = Simulator::start().await.expect("a simulator");
    let account = simulator.account().id().to_owned();
    let mut plugin = Host::shared().instance().await;
    // Steps beyond the first two come only after a create whose answer is lost.
    if matches!(operation, Operation::List | Operation::Rotate) {
        simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    }
    simulator.inject(fault);
    let options = options_for(&simulator, 20_000);
    let mut result = plugin.issue(&account, &wanted(), None, Some(&options)).await;
    assert!(simulator.faults().is_empty(), "{about} was not met");
    if let (Err(unfinished), true) = (&result, is_final) {
        simulator.clear_faults();
        let none = simulator.tokens(simulator.account()).is_empty();
        if unfinished.error.outcome == Outcome::NotApplied {
            assert!(none && unfinished.progress.is_none(), "{about}: {unfinished:?}");
        }
        result = plugin.issue(&account, &wanted(), unfinished.progress.as_ref(), Some(&options)).await;
    }
    let issued = result.unwrap_or_else(|error| panic!("{about}: {error:?}"));
    assert_exactly_one(&simulator, &issued, &about);
}

#[tokio::test]
async fn where_the_time_ends_first_the_error_says_what_there_is_and_the_next_call_finishes_it() {
    for (operation, moment) in [
        (Operation::Create, Moment::BeforeCommit),
        (Operation::List, Moment::BeforeCommit),
        (Operation::Rotate, Moment::AfterCommit),
        (Operation::Update, Moment::BeforeCommit),
        (Operation::Update, Moment::AfterCommit),
    ] {
        let about = format!("{operation} {moment:?}");
        let simulator = Simulator::start().await.expect("a simulator");
        let account = simulator.account().id().to_owned();
        let mut plugin = Host::shared().instance().await;
        if matches!(operation, Operation::List | Operation::Rotate) {
            simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
        }
        simulator.inject(Fault::new(FaultKind::Close).on(operation).at(moment).forever());
        let error =
            plugin.issue(&account, &wanted(), None, Some(&options_for(&simulator, 1500))).await.expect_err(&about);
        let progress = error.progress.expect("a way to go on");
        assert_ne!(error.error.outcome, Outcome::NotApplied, "{about}");
        assert!(error.error.message.contains("call `issue` again with this progress"), "{}", error.error.message);
        if let Some(id) = &progress.token_id {
            assert!(simulator.tokens(simulator.account()).iter().any(|token| &token.id == id), "{about}");
            assert_eq!(error.error.token_id.as_ref(), Some(id));
        }
        simulator.clear_faults();
        let options = options_for(&simulator, 20_000);
        let issued = plugin.issue(&account, &wanted(), Some(&progress), Some(&options)).await.expect(&about);
        assert_exactly_one(&simulator, &issued, &about);
        // And again: what is finished is found, and gets a new secret, never a second token.
        let issued = plugin.issue(&account, &wanted(), Some(&progress), Some(&options)).await;
        if progress.token_id.is_some() {
            assert_exactly_one(&simulator, &issued.expect(&about), &about);
        }
    }
}

#[tokio::test]
async fn a_resumed_call_that_is_refused_before_it_sends_anything_still_says_what_there_is() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let account = simulator.account().id().to_owned();
    for (token_id, outcome) in
        [(Some("3bd5a7cc-9fd6-4d8e-a4c9-3d1c5b1b8a21"), Outcome::Applied), (None, Outcome::Unknown)]
    {
        let token_id = token_id.map(str::to_owned);
        let progress = IssueProgress {
            working_name: "CI (being issued, 00112233445566778899aabbccddeeff)".into(),
            token_id: token_id.clone(),
        };
        let error = plugin
            .issue(&account, &named(""), Some(&progress), Some(&options(&simulator)))
            .await
            .expect_err("no name to give it");
        assert_eq!((error.error.kind, error.error.outcome), (ErrorKind::InvalidArgument, outcome));
        assert_eq!((&error.error.token_id, error.error.attempts), (&token_id, 0));
        assert_eq!(error.progress.expect("handed back").token_id, token_id);
    }
}

#[tokio::test]
async fn a_progress_that_no_issue_of_this_name_wrote_reaches_no_token() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let account = simulator.account().id().to_owned();
    let used = plugin.create(&scope(simulator.account()), &named("in use"), Some(&options(&simulator))).await;
    let used = used.expect("created");
    let number = "00112233445566778899aabbccddeeff";
    for (working_name, token_id, kind) in [
        ("in use".to_owned(), None, ErrorKind::InvalidArgument),
        ("anything".to_owned(), Some(&used.token.id), ErrorKind::InvalidArgument),
        (format!("Other (being issued, {number})"), None, ErrorKind::InvalidArgument),
        ("CI (being issued, 0123)".to_owned(), None, ErrorKind::InvalidArgument),
        (format!("CI (being issued, {number}) "), None, ErrorKind::InvalidArgument),
        (format!("CI (being issued, {number})"), Some(&used.token.id), ErrorKind::Conflict),
    ] {
        let progress = IssueProgress { working_name, token_id: token_id.cloned() };
        let failed = plugin.issue(&account, &wanted(), Some(&progress), Some(&options(&simulator))).await;
        let failed = failed.expect_err("no progress of this issue");
        assert_eq!(failed.error.kind, kind, "{progress:?}: {failed:?}");
        let tokens = simulator.tokens(simulator.account());
        assert!(tokens.len() == 1 && tokens[0].name == "in use", "{progress:?}: {tokens:?}");
        let client_id = used.token.client_id.as_deref().expect("a client id");
        simulator.authenticate(client_id, &used.client_secret).expect("its secret passes as before");
    }
}

#[tokio::test]
async fn what_cannot_pass_ends_at_once_without_a_token() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let account = simulator.account().id().to_owned();
    simulator.inject(FaultKind::error(400, 12130, "quota"));
    let error = plugin.issue(&account, &wanted(), None, Some(&options(&simulator))).await.expect_err("refused");
    assert_eq!((error.error.kind, error.error.outcome), (ErrorKind::Rejected, Outcome::NotApplied));
    assert!(error.progress.is_none() && simulator.tokens(simulator.account()).is_empty());
    let error = plugin.issue(&account, &named(""), None, Some(&options(&simulator))).await.expect_err("refused");
    assert_eq!((error.error.kind, error.error.attempts), (ErrorKind::InvalidArgument, 0));
}

#[tokio::test]
async fn an_id_that_is_none_ends_the_call_and_the_progress_finds_the_token_by_its_working_name() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let account = simulator.account().id().to_owned();
    for id in ["x".repeat(53).as_str(), "..", "a\nb"] {
        simulator.clear_requests();
        simulator.inject(Fault::new(FaultKind::replaced("/result/id", id)).on(Operation::Create));
        let error = plugin.issue(&account, &wanted(), None, Some(&options(&simulator))).await.expect_err("no id");
        assert!(simulator.faults().is_empty(), "the fault was not met");
        let expected = (ErrorKind::InvalidResponse, Outcome::Applied, 1, None);
        let Error { kind, outcome, attempts, token_id, message, .. } = error.error;
        assert_eq!((kind, outcome, attempts, token_id), expected, "{message}");
        assert!(message.contains("a token exists") && !message.contains(id), "{message}");
        assert_eq!(simulator.request_count(), 1, "what is final is not repeated");
        let progress = error.progress.expect("a way to go on");
        assert_eq!(progress.token_id, None);
        let issued = plugin.issue(&account, &wanted(), Some(&progress), Some(&options(&simulator))).await;
        let issued = issued.expect("issued");
        assert_exactly_one(&simulator, &issued, id);
        plugin
            .delete(&scope(simulator.account()), &issued.token.id, Some(&options(&simulator)))
            .await
            .expect("deleted");
    }
}
