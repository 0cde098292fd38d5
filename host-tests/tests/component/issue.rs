//! `issue` and `finish-issue` make a token exactly once, whatever fails at whichever of their steps, and whoever goes on.

use std::time::{Duration, Instant};

use cloudflare_access_host_tests::requests::{by_default, named};
use cloudflare_access_host_tests::types::{
    CreateParams, Error, ErrorKind, IssuedToken, Outcome, RequestOptions, ServiceToken,
};
use cloudflare_access_host_tests::{Action, Host, RawServer, api_token, endpoint, options, scope};
use cloudflare_access_simulator::{ACCOUNT_ID, Fault, FaultKind, FaultName, Moment, Operation, Simulator, Token};
use tokio::task::JoinSet;

use crate::matrix::{Again, Ends, expected, outcome};

const KEY: &str = "deploy-7.ci_1";
/// The name of the token until it is finished.
const WORKING_NAME: &str = "CI [issue:deploy-7.ci_1]";

fn wanted() -> CreateParams {
    CreateParams { duration: Some("24h".into()), ..named("CI") }
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

/// Issues from an instance of its own, as another process would.
async fn issue(simulator: &Simulator, options: &RequestOptions) -> Result<IssuedToken, Error> {
    let mut plugin = Host::shared().instance().await;
    plugin.issue(simulator.account().id(), &wanted(), KEY, Some(options)).await
}

async fn finish(simulator: &Simulator, options: &RequestOptions) -> Result<ServiceToken, Error> {
    let mut plugin = Host::shared().instance().await;
    plugin.finish_issue(simulator.account().id(), KEY, Some(options)).await
}

/// Makes a token under the working name, as a create does that arrives after its call has ended.
async fn stray(simulator: &Simulator) -> String {
    let mut plugin = Host::shared().instance().await;
    let made = plugin.create(&scope(simulator.account()), &named(WORKING_NAME), Some(&options(simulator))).await;
    made.expect("created").token.id
}

/// There is one token; it has this name and the secret that was returned, and is as it was asked for.
#[track_caller]
fn assert_exactly_one(simulator: &Simulator, name: &str, issued: &IssuedToken, about: &str) {
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
    assert_eq!(
        (token.id.as_str(), token.name.as_str(), token.duration.as_str()),
        (issued.token.id.as_str(), name, "24h"),
        "{about}"
    );
    simulator.authenticate(&token.client_id, &issued.client_secret).unwrap_or_else(|why| panic!("{about}: {why:?}"));
}

fn operations(simulator: &Simulator) -> Vec<Operation> {
    simulator.requests().iter().filter_map(|request| request.operation).collect()
}

fn under_working_name(simulator: &Simulator) -> Vec<Token> {
    let mut tokens = simulator.tokens(simulator.account());
    tokens.retain(|token| token.name == WORKING_NAME);
    tokens
}

#[tokio::test]
async fn when_all_is_well_each_of_the_two_steps_takes_two_requests() {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let issued = issue(&simulator, &options).await.expect("issued");
    assert_eq!(issued.token.name.as_deref(), Some(WORKING_NAME));
    assert_exactly_one(&simulator, WORKING_NAME, &issued, "issued");
    let finished = finish(&simulator, &options).await.expect("finished");
    assert_eq!((finished.id.as_str(), finished.name.as_deref()), (issued.token.id.as_str(), Some("CI")));
    assert_exactly_one(&simulator, "CI", &issued, "finished, with the secret as it was");
    assert_eq!(operations(&simulator), [Operation::List, Operation::Create, Operation::List, Operation::Update]);
}

#[tokio::test]
async fn a_secret_that_was_lost_before_it_was_stored_is_replaced_by_the_same_call() {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let lost = issue(&simulator, &options).await.expect("issued");
    simulator.clear_requests();
    // The process died here; another one begins anew.
    let issued = issue(&simulator, &options).await.expect("issued");
    assert_exactly_one(&simulator, WORKING_NAME, &issued, "the second call");
    assert_eq!(operations(&simulator), [Operation::List, Operation::Update]);
    let client_id = issued.token.client_id.as_deref().expect("a client id");
    simulator.authenticate(client_id, &lost.client_secret).expect_err("nobody has this one");
    finish(&simulator, &options).await.expect("finished");
    assert_exactly_one(&simulator, "CI", &issued, "finished");
}

#[tokio::test]
async fn keys_keep_issues_of_one_name_apart() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (options, account) = (options(&simulator), simulator.account().id());
    let some = Some(&options);
    let mut plugin = Host::shared().instance().await;
    let all_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    let keys = ["1", "11", "x.1", "-", all_letters];
    let mut issued = Vec::new();
    for key in keys {
        issued.push(plugin.issue(account, &wanted(), key, some).await.expect("issued"));
    }
    for (key, issued) in keys.iter().zip(&issued) {
        let finished = plugin.finish_issue(account, key, some).await.expect("finished");
        assert_eq!((finished.id.as_str(), finished.name.as_deref()), (issued.token.id.as_str(), Some("CI")));
        let client_id = issued.token.client_id.as_deref().expect("a client id");
        simulator.authenticate(client_id, &issued.client_secret).expect("its secret passes");
    }
    assert_eq!(simulator.tokens(simulator.account()).len(), keys.len());
}

#[tokio::test]
async fn a_key_or_a_name_that_makes_no_working_name_is_refused_before_anything_is_sent() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (options, account) = (options(&simulator), simulator.account().id());
    let mut plugin = Host::shared().instance().await;
    let long_key = "k".repeat(65);
    for key in ["", "a b", "a/b", "a]", "\u{fc}", "a\n", long_key.as_str()] {
        let error = plugin.issue(account, &wanted(), key, Some(&options)).await.expect_err(key);
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::InvalidArgument, Outcome::NotApplied, 0));
        assert!(error.message.starts_with("issue: key is "), "{}", error.message);
        let error = plugin.finish_issue(account, key, Some(&options)).await.expect_err(key);
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.starts_with("finish-issue: key is "), "{}", error.message);
    }
    // ` [issue:` and `]` are nine characters.
    let longest = "\u{fc}".repeat(350 - 9 - KEY.len());
    for name in ["", "CI [issue:other]", WORKING_NAME, &format!("{longest}x")] {
        let error = plugin.issue(account, &named(name), KEY, Some(&options)).await.expect_err(name);
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.starts_with("issue: name "), "{}", error.message);
    }
    assert_eq!(simulator.request_count(), 0);
    for name in [longest.as_str(), "CI [issue:]", "CI [issue:a b]", "[issue:a] CI"] {
        plugin.issue(account, &named(name), KEY, Some(&options)).await.expect(name);
        let finished = plugin.finish_issue(account, KEY, Some(&options)).await.expect(name);
        assert_eq!(finished.name.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn an_account_is_where_tokens_are_issued_and_a_zone_is_none() {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let mut plugin = Host::shared().instance().await;
    let error = plugin.issue(simulator.zone().id(), &wanted(), KEY, Some(&options)).await.expect_err("no account");
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied));
    let error = plugin.finish_issue(simulator.zone().id(), KEY, Some(&options)).await.expect_err("no account");
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied));
    assert!(simulator.requests().iter().all(|request| request.path.contains("/accounts/")));
}

#[tokio::test]
async fn strays_under_the_working_name_are_deleted_by_the_next_issue_and_a_conflict_at_the_finish() {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let used = simulator.add_token(simulator.account(), "CI");
    let first = issue(&simulator, &options).await.expect("issued").token.id;
    let late = stray(&simulator).await;
    let before = simulator.commits().len();

    let error = finish(&simulator, &options).await.expect_err("which of the two?");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
    assert!(error.message.contains(&first) && error.message.contains(&late), "{}", error.message);
    assert!(error.message.contains("call `issue`"), "{}", error.message);
    assert_eq!(simulator.commits().len(), before, "nothing was changed");

    let issued = issue(&simulator, &options).await.expect("issued");
    assert_eq!(under_working_name(&simulator).iter().map(|token| &token.id).collect::<Vec<_>>(), [&issued.token.id]);
    let finished = finish(&simulator, &options).await.expect("finished");
    assert_eq!(finished.id, issued.token.id);
    let client_id = issued.token.client_id.as_deref().expect("a client id");
    simulator.authenticate(client_id, &issued.client_secret).expect("its secret passes");
    simulator.authenticate(&used.token.client_id, used.client_secret.expose()).expect("another CI is left alone");
    assert_eq!(simulator.tokens(simulator.account()).len(), 2);
}

#[tokio::test]
async fn what_is_finished_is_not_found_again() {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let error = finish(&simulator, &options).await.expect_err("nothing is being issued");
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied));
    let issued = issue(&simulator, &options).await.expect("issued");
    finish(&simulator, &options).await.expect("finished");
    let error = finish(&simulator, &options).await.expect_err("finished already");
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied));
    assert!(error.message.contains("it may be finished already"), "{}", error.message);
    assert_exactly_one(&simulator, "CI", &issued, "finished twice");
}

/// What there is when the fault is met, and by which of the two calls.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Nothing.
    Begin,
    /// A token whose create lost its answer.
    Lost,
    /// Two tokens under the working name.
    Strays,
    /// An issued token, which is to be finished.
    Finish,
}

/// Every step of both calls.
const STEPS: [(Stage, Operation); 8] = [
    (Stage::Begin, Operation::List),
    (Stage::Begin, Operation::Create),
    (Stage::Lost, Operation::List),
    (Stage::Lost, Operation::Update),
    (Stage::Strays, Operation::Delete),
    (Stage::Strays, Operation::Update),
    (Stage::Finish, Operation::List),
    (Stage::Finish, Operation::Update),
];

/// Whether the same request would fail the same way: then the call ends, and says what there is.
pub fn is_final(kind: &FaultKind, action: Action) -> bool {
    // A token that was made, and cannot be read, is found by the next attempt.
    let is_found = action == Action::Create && outcome(kind, true) == Outcome::Applied;
    // Once; and a list that never ends is read from its second page as it is.
    let is_endless = kind.name() == FaultName::EndlessList && action == Action::ListAll;
    let (ends, again) = expected(kind, action);
    ends != Ends::Well && again == Again::Never && !is_found && !is_endless
}

/// What a request of `issue` is by itself.
pub fn action_of(operation: Operation) -> Action {
    match operation {
        Operation::List => Action::ListAll,
        Operation::Create => Action::Create,
        Operation::Delete => Action::Delete,
        // The update to the next version, whose answer has to carry a secret as that of a rotation.
        _ => Action::Rotate,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_fault_at_every_step_there_is_exactly_one_token_whose_secret_passes() {
    let mut waiting = Vec::new();
    for kind in FaultKind::all() {
        for (stage, operation) in STEPS {
            for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
                let fault = Fault::new(kind.clone()).on(operation).at(moment);
                // A list in the place of a token belongs to lists.
                let only_lists = matches!(kind.name(), FaultName::LongList | FaultName::EndlessList);
                if fault.check().is_ok() && !(only_lists && operation != Operation::List) {
                    waiting.push((fault, stage, operation));
                }
            }
        }
    }
    let count = waiting.len();
    let mut waiting = waiting.into_iter();
    let mut cells = JoinSet::new();
    let mut finished = 0;
    loop {
        while cells.len() < 16 {
            let Some((fault, stage, operation)) = waiting.next() else { break };
            cells.spawn(cell(fault, stage, operation));
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

async fn cell(fault: Fault, stage: Stage, operation: Operation) {
    let about = format!("{:?} {:?} at {operation}, {stage:?}", fault.kind(), fault.moment());
    let is_rename = matches!((stage, operation), (Stage::Finish, Operation::Update));
    let action = if is_rename { Action::Update } else { action_of(operation) };
    let (name, is_final) = (fault.kind().name(), is_final(fault.kind(), action));
    let simulator = Simulator::start().await.expect("a simulator");
    // A long list takes a busy machine longer than an attempt has here.
    let is_long = matches!(name, FaultName::LongList | FaultName::EndlessList);
    let all = options_for(&simulator, 20_000);
    let options = RequestOptions { attempt_timeout_ms: all.attempt_timeout_ms.filter(|_| !is_long), ..all };
    let mut issued = match stage {
        Stage::Begin | Stage::Lost | Stage::Strays => {
            let mut fault = fault;
            match stage {
                Stage::Lost => {
                    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
                    // The first list finds nothing.
                    fault = fault.skipping(u32::from(operation == Operation::List));
                }
                Stage::Strays => {
                    issue(&simulator, &options).await.expect("issued");
                    stray(&simulator).await;
                }
                _ => {}
            }
            simulator.clear_requests();
            simulator.inject(fault);
            let result = issue(&simulator, &options).await;
            assert_met(&simulator, &about);
            match result {
                Ok(issued) => issued,
                Err(error) => {
                    assert!(is_final, "{about}: {error:?}");
                    assert_ended_at_once(&simulator, &error, &about);
                    if error.outcome == Outcome::NotApplied {
                        assert!(
                            simulator.commits().iter().all(|commit| commit.operation == Operation::Delete),
                            "{about}"
                        );
                    } else {
                        assert!(error.message.contains("call `issue` again with the same key"), "{}", error.message);
                    }
                    issue(&simulator, &options).await.unwrap_or_else(|error| panic!("{about}: {error:?}"))
                }
            }
        }
        Stage::Finish => {
            let issued = issue(&simulator, &options).await.expect("issued");
            simulator.clear_requests();
            simulator.inject(fault);
            let result = finish(&simulator, &options).await;
            assert_met(&simulator, &about);
            // A list in the place of the server's does not have the token.
            let is_hidden = matches!(name, FaultName::LongList | FaultName::EndlessList);
            match result {
                Err(error) if is_hidden => assert_eq!(error.kind, ErrorKind::NotFound, "{about}: {error:?}"),
                Err(error) => {
                    assert!(is_final, "{about}: {error:?}");
                    assert_ended_at_once(&simulator, &error, &about);
                }
                Ok(_) => assert!(!is_hidden, "{about}"),
            }
            issued
        }
    };
    match finish(&simulator, &options).await {
        Ok(_) => {}
        // By the call whose answer could not be read.
        Err(error) if error.kind == ErrorKind::NotFound => {
            assert!(under_working_name(&simulator).is_empty(), "{about}: {error:?}");
        }
        // The server said that it had deleted a stray.
        Err(error) => {
            assert!(error.kind == ErrorKind::Conflict && operation == Operation::Delete, "{about}: {error:?}");
            issued = issue(&simulator, &options).await.unwrap_or_else(|error| panic!("{about}: {error:?}"));
            finish(&simulator, &options).await.unwrap_or_else(|error| panic!("{about}: {error:?}"));
        }
    }
    assert_exactly_one(&simulator, "CI", &issued, &about);
}

#[track_caller]
fn assert_met(simulator: &Simulator, about: &str) {
    assert!(simulator.faults().is_empty(), "{about} was not met");
}

/// The request that met the fault was the last, and it was made once.
#[track_caller]
fn assert_ended_at_once(simulator: &Simulator, error: &Error, about: &str) {
    let requests = simulator.requests();
    let faulted =
        requests.iter().filter(|request| request.fault.is_some_and(|fault| fault != FaultName::Close)).count();
    assert!(faulted == 1 && requests.last().is_some_and(|request| request.fault.is_some()), "{about}: {requests:?}");
    assert_eq!(u64::from(error.attempts), simulator.request_count(), "{about}: {error:?}");
}

#[tokio::test]
async fn what_is_final_ends_at_once_however_much_time_is_left() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<h1>?</h1",
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<h1>?</h1",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
    ] {
        let server = RawServer::start(|_| answer.into()).await;
        let mut plugin = Host::shared().instance().await;
        let options = RequestOptions { endpoint: Some(endpoint(api_token(), &server.base_url())), ..by_default() };
        let error = plugin.issue(ACCOUNT_ID, &wanted(), KEY, Some(&options)).await.expect_err(answer);
        assert_eq!((server.requests(), error.attempts, error.outcome), (1, 1, Outcome::NotApplied), "{error:?}");
        let error = plugin.finish_issue(ACCOUNT_ID, KEY, Some(&options)).await.expect_err(answer);
        assert_eq!((server.requests(), error.attempts, error.outcome), (2, 1, Outcome::NotApplied), "{error:?}");
    }
}

#[tokio::test]
async fn what_cannot_pass_ends_at_once_without_a_token() {
    let simulator = Simulator::start().await.expect("a simulator");
    let redirect = FaultKind::Redirect { status: 302, location: "https://elsewhere.example/".into() };
    for (kind, told, outcome) in [
        (FaultKind::error(400, 12130, "quota"), ErrorKind::Rejected, Outcome::NotApplied),
        (FaultKind::error(403, 9999, "not enabled"), ErrorKind::Forbidden, Outcome::NotApplied),
        (redirect, ErrorKind::InvalidResponse, Outcome::Unknown),
    ] {
        simulator.clear_requests();
        simulator.clear_faults();
        simulator.inject(Fault::new(kind).on(Operation::Create).forever());
        let error = issue(&simulator, &options_for(&simulator, 60_000)).await.expect_err("refused");
        assert_eq!((error.kind, error.outcome, error.attempts), (told, outcome, 2), "{error:?}");
        assert_eq!((simulator.request_count(), simulator.tokens(simulator.account()).len()), (2, 0));
    }
}

#[tokio::test]
async fn what_can_pass_is_tried_again_to_the_end_of_the_time() {
    for (kind, operation) in [
        (FaultKind::NeverAnswer, Operation::List),
        (FaultKind::NeverAnswer, Operation::Create),
        (FaultKind::Close, Operation::List),
        (FaultKind::error(503, 1000, "later"), Operation::Create),
    ] {
        let about = format!("{kind:?} at {operation}");
        let simulator = Simulator::start().await.expect("a simulator");
        simulator.inject(Fault::new(kind).on(operation).before_commit().forever());
        let options = RequestOptions { attempt_timeout_ms: None, ..options_for(&simulator, 3000) };
        let began = Instant::now();
        let error = issue(&simulator, &options).await.expect_err(&about);
        let took = began.elapsed();
        // A sixth of the time for an attempt that holds; what is left at the end is too short for another one.
        assert!(took >= Duration::from_millis(2750), "{about}: given up after {took:?}: {error:?}");
        assert!(took < Duration::from_secs(10), "{about}: {took:?} for a call of 3 s");
        let met = simulator.requests().iter().filter(|request| request.fault.is_some()).count();
        assert!(met >= 3, "{about}: {met} requests met the fault");
        assert!(error.message.contains("call `issue` again with the same key"), "{}", error.message);
        let expected = if operation == Operation::List { Outcome::NotApplied } else { Outcome::Unknown };
        assert_eq!(error.outcome, expected, "{about}");
        simulator.clear_faults();
        let issued = issue(&simulator, &options_for(&simulator, 20_000)).await.expect(&about);
        assert_exactly_one(&simulator, WORKING_NAME, &issued, &about);
    }
}

#[tokio::test]
async fn where_the_time_ends_first_the_error_says_what_there_is_and_the_next_call_finishes_it() {
    for (operation, moment, told) in [
        (Operation::Create, Moment::BeforeCommit, Outcome::Unknown),
        (Operation::Update, Moment::BeforeCommit, Outcome::Applied),
        (Operation::Update, Moment::AfterCommit, Outcome::Applied),
    ] {
        let about = format!("{operation} {moment:?}");
        let simulator = Simulator::start().await.expect("a simulator");
        if operation == Operation::Update {
            simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
        }
        simulator.inject(Fault::new(FaultKind::Close).on(operation).at(moment).forever());
        let error = issue(&simulator, &options_for(&simulator, 1500)).await.expect_err(&about);
        assert_eq!(error.outcome, told, "{about}: {error:?}");
        assert!(error.message.contains("call `issue` again with the same key"), "{}", error.message);
        let there = under_working_name(&simulator);
        assert_eq!(error.token_id.as_ref(), there.first().map(|token| &token.id), "{about}");
        simulator.clear_faults();
        let issued = issue(&simulator, &options_for(&simulator, 20_000)).await.expect(&about);
        assert_exactly_one(&simulator, WORKING_NAME, &issued, &about);
    }
}

#[tokio::test]
async fn a_rotation_that_may_not_have_happened_is_not_told_as_applied() {
    let simulator = Simulator::start().await.expect("a simulator");
    let before = issue(&simulator, &options_for(&simulator, 20_000)).await.expect("issued");
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).before_commit().forever());
    let error = issue(&simulator, &options_for(&simulator, 1500)).await.expect_err("no answer");
    assert_eq!((error.outcome, error.token_id.as_ref()), (Outcome::Unknown, Some(&before.token.id)), "{error:?}");
    assert_exactly_one(&simulator, WORKING_NAME, &before, "the secret of the first call still passes");
}
