//! The deadline of a call holds whatever the server does with its time, also on a host that forgets the timeouts of a
//! request: then only the component's own timers can be what ends the call.
//!
//! A machine that is busy with other things makes a call look late. So a measurement that is too long is made again, and only
//! the shortest of three counts; one that is too short fails at once.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloudflare_access_host_tests::hooks::{OptionsIgnored, Reply};
use cloudflare_access_host_tests::types::{Error, ErrorKind, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Action, Host, Instance, RawServer, Setup, api_token, endpoint, options};
use cloudflare_access_simulator::{Fault, FaultKind, Simulator, Wait};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(1);
const TOLERANCE: Duration = Duration::from_millis(250);
/// A read, a change that is sent once, one that makes several requests at once, and two that try again by themselves.
const ACTIONS: [Action; 5] = [Action::Get, Action::Create, Action::ListAll, Action::Issue, Action::RotateWithOverlap];

/// The two kinds of host: stock, and one on which only the component keeps time.
async fn hosts() -> [(&'static str, Instance); 2] {
    let forgetful = Setup { hooks: Some(Box::new(OptionsIgnored)), ..Setup::default() };
    [("stock", Host::shared().instance().await), ("forgetful", Host::shared().instance_with(forgetful).await)]
}

fn within_the_deadline(simulator: &Simulator) -> RequestOptions {
    RequestOptions { timeout_ms: Some(1000), max_retries: None, ..options(simulator) }
}

/// Calls until a call took no longer than the deadline allows, at most three times; the error and the time of the last call.
async fn measured(
    action: Action,
    plugin: &mut Instance,
    simulator: &Simulator,
    options: &RequestOptions,
) -> (Error, Duration) {
    let mut tries = 0;
    loop {
        tries += 1;
        simulator.clear_requests();
        let started = Instant::now();
        let error = action.call(plugin, simulator.account(), "id", options).await.expect_err("no answer in time");
        let took = started.elapsed();
        if took <= DEADLINE + TOLERANCE || tries == 3 {
            return (error, took);
        }
    }
}

/// Every host and operation against a simulator: the call ends in time, and with this kind of error.
async fn holds_against(simulator: &Simulator, kinds: &[ErrorKind]) {
    let options = within_the_deadline(simulator);
    for (host, mut plugin) in hosts().await {
        for action in ACTIONS {
            let (error, took) = measured(action, &mut plugin, simulator, &options).await;
            let shown = format!("{action:?} on a {host} host: {took:?}, {}", error.message);
            assert!(took <= DEADLINE + TOLERANCE, "{shown}");
            assert!(kinds.contains(&error.kind), "{shown}");
            if action == Action::Create && error.kind == ErrorKind::Timeout {
                assert!(took >= DEADLINE, "what is sent once has the whole time: {shown}");
                assert_eq!((error.outcome, error.attempts), (Outcome::Unknown, 1), "{shown}");
            }
        }
    }
}

/// As `holds_against`, with a fault that every request meets.
async fn holds_against_fault(kind: FaultKind, kinds: &[ErrorKind]) {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(Fault::new(kind).forever());
    holds_against(&simulator, kinds).await;
}

#[tokio::test]
async fn against_a_host_that_never_connects() {
    let simulator = Simulator::builder().never_accepts().start().await.expect("a simulator");
    holds_against(&simulator, &[ErrorKind::Timeout]).await;
}

#[tokio::test]
async fn against_a_server_that_never_answers() {
    holds_against_fault(FaultKind::NeverAnswer, &[ErrorKind::Timeout]).await;
}

#[tokio::test]
async fn against_a_server_that_stalls_after_the_head() {
    holds_against_fault(FaultKind::StallAfterHead, &[ErrorKind::Timeout]).await;
}

#[tokio::test]
async fn against_a_server_that_stalls_in_the_body() {
    holds_against_fault(FaultKind::StallInBody, &[ErrorKind::Timeout]).await;
}

#[tokio::test]
async fn against_a_server_that_drips() {
    let interval = Duration::from_millis(100);
    holds_against_fault(FaultKind::DripHead { interval }, &[ErrorKind::Timeout]).await;
    holds_against_fault(FaultKind::DripBody { interval }, &[ErrorKind::Timeout]).await;
}

#[tokio::test]
async fn against_a_server_that_answers_503_for_ever() {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(Fault::new(FaultKind::error(503, 1000, "later")).forever());
    let options = RequestOptions { max_retries: Some(10), ..within_the_deadline(&simulator) };
    for (host, mut plugin) in hosts().await {
        for action in ACTIONS {
            let (error, took) = measured(action, &mut plugin, &simulator, &options).await;
            assert!(took <= DEADLINE + TOLERANCE, "{action:?} on a {host} host: {took:?}");
            assert_eq!((error.kind, error.status), (ErrorKind::Unavailable, Some(503)), "{}", error.message);
            let once = action == Action::Create;
            assert!(once == (error.attempts == 1), "{action:?}: {} attempts", error.attempts);
        }
    }
}

#[tokio::test]
async fn a_wait_of_two_hours_is_told_and_not_begun() {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(Fault::new(FaultKind::RateLimited { wait: Wait::Seconds(7200) }).forever());
    let options = within_the_deadline(&simulator);
    for (_, mut plugin) in hosts().await {
        for action in ACTIONS {
            let (error, took) = measured(action, &mut plugin, &simulator, &options).await;
            assert!(took < DEADLINE, "{took:?}");
            assert_eq!((error.kind, error.outcome), (ErrorKind::RateLimited, Outcome::NotApplied));
            assert_eq!((error.retry_after_ms, error.attempts), (Some(7_200_000), 1));
        }
    }
}

/// Options with this much time, all of it for every attempt.
fn in_milliseconds(timeout_ms: u32, simulator: &Simulator) -> RequestOptions {
    RequestOptions { timeout_ms: Some(timeout_ms), attempt_timeout_ms: Some(timeout_ms), ..options(simulator) }
}

#[tokio::test]
async fn what_makes_a_secret_is_not_begun_with_less_than_250_milliseconds_left() {
    let simulator = Simulator::start().await.expect("a simulator");
    let id = simulator.add_token(simulator.account(), "token").token.id;
    let mut plugin = Host::shared().instance().await;
    for action in [Action::Create, Action::Raise, Action::Rotate] {
        let options = in_milliseconds(249, &simulator);
        let error = action.call(&mut plugin, simulator.account(), &id, &options).await.expect_err("too late");
        assert_eq!(
            (error.kind, error.outcome, error.attempts),
            (ErrorKind::Timeout, Outcome::NotApplied, 0),
            "{action:?}: {}",
            error.message
        );
    }
    assert_eq!(simulator.request_count(), 0);
    // A step of a longer call: the step before it ends with at most 200 milliseconds left.
    for action in [Action::Ensure, Action::Issue, Action::RotateWithOverlap] {
        simulator.clear_requests();
        simulator.inject(FaultKind::Delay { duration: Duration::from_millis(1300) });
        let options = in_milliseconds(1500, &simulator);
        let error = action.call(&mut plugin, simulator.account(), &id, &options).await.expect_err("too late");
        let shown = format!("{action:?}: {}", error.message);
        assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::NotApplied), "{shown}");
        assert_eq!((error.attempts, simulator.request_count()), (1, 1), "{shown}");
    }
    assert_eq!(simulator.commits(), []);
}

/// A byte at a time without a pause: there is always something to read, for longer than anybody waits.
async fn gush(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8000000\r\n\r\n").await?;
    for _ in 0..8_000_000 {
        stream.write_all(b" ").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn against_a_server_that_sends_many_small_pieces_without_a_pause() {
    let server = RawServer::start_with(|stream, _| gush(stream)).await;
    let simulator = Simulator::start().await.expect("a simulator");
    let elsewhere = endpoint(api_token(), &server.base_url());
    let options = RequestOptions { endpoint: Some(elsewhere), ..within_the_deadline(&simulator) };
    for (host, mut plugin) in hosts().await {
        let (error, took) = measured(Action::Create, &mut plugin, &simulator, &options).await;
        assert!(took <= DEADLINE + TOLERANCE, "on a {host} host: {took:?}, {}", error.message);
        assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::Unknown));
    }
}

#[tokio::test]
async fn on_a_host_that_always_has_one_more_byte() {
    let (mut plugin, replies) = Host::shared().instance_in_memory().await;
    replies.set(|_| Reply::Answer {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        chunks: vec![Bytes::from_static(b" "); 4_000_000],
        breaks: false,
    });
    let simulator = Simulator::start().await.expect("a simulator");
    let options = within_the_deadline(&simulator);
    let (error, took) = measured(Action::Create, &mut plugin, &simulator, &options).await;
    assert!(took <= DEADLINE + TOLERANCE, "{took:?}, {}", error.message);
    assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::Unknown));
}

#[tokio::test]
async fn an_instance_whose_time_ran_out_works_afterwards() {
    let simulator = Simulator::start().await.expect("a simulator");
    for (_, mut plugin) in hosts().await {
        simulator.inject(Fault::new(FaultKind::StallInBody));
        let short = RequestOptions { timeout_ms: Some(100), max_retries: Some(0), ..options(&simulator) };
        let error = Action::ListPage.call(&mut plugin, simulator.account(), "", &short).await.expect_err("stalled");
        assert_eq!(error.kind, ErrorKind::Timeout);
        let good = options(&simulator);
        Action::ListPage.call(&mut plugin, simulator.account(), "", &good).await.expect("listed");
    }
}
