//! The service of `examples/rotate_on_schedule.rs` never ends a secret that machines use, whatever is lost and whenever it starts.

#[allow(dead_code, reason = "the example's own `main` is not called")]
#[path = "../../examples/rotate_on_schedule.rs"]
mod service;

use std::time::Duration;

use crate::code_cache;
use cloudflare_access_host::{AccessTokens, Account, Credentials, ExposeSecret, Runtime, Tokens};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, IssuedToken, Operation, Simulator};
use service::{Pair, Turn, read, turn, write};

const HOUR: Duration = Duration::from_hours(1);

fn account(simulator: &Simulator) -> Tokens<Account> {
    let access = AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(simulator.base_url().parse().unwrap())
        .runtime(Runtime::builder().cache(code_cache()).build().unwrap());
    access.build().unwrap().account(ACCOUNT_ID)
}

fn passes(simulator: &Simulator, token: &IssuedToken) -> bool {
    simulator.authenticate(&token.token.client_id, token.client_secret.expose()).is_ok()
}

fn pair_passes(simulator: &Simulator, pair: &Pair) -> bool {
    simulator.authenticate(&pair.client_id, pair.client_secret.expose_secret()).is_ok()
}

fn rotations(simulator: &Simulator) -> usize {
    simulator.commits().iter().filter(|commit| commit.operation == Operation::Rotate).count()
}

fn wait(turn: &Turn) -> Duration {
    match turn {
        Turn::Wait(time) => *time,
        Turn::Rotated(_) => panic!("it rotated"),
    }
}

fn pair(turn: Turn) -> Pair {
    match turn {
        Turn::Rotated(pair) => pair,
        Turn::Wait(time) => panic!("it waits for {time:?}"),
    }
}

#[tokio::test]
async fn after_a_lost_rotation_that_happened_it_waits_until_the_old_secret_has_ended() {
    let simulator = Simulator::start().await.unwrap();
    let (account, old) = (account(&simulator), simulator.add_token(simulator.account(), "CI"));
    let id = &old.token.id;
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Rotate).after_commit());
    assert!(wait(&turn(&account, id, None).await) >= Duration::from_mins(1), "it gives the request time");
    assert_eq!(rotations(&simulator), 1);
    for _ in 0..3 {
        let time = wait(&turn(&account, id, None).await);
        assert!(time > HOUR && time <= 2 * HOUR, "{time:?}");
    }
    assert_eq!(rotations(&simulator), 1);
    assert!(passes(&simulator, &old));
}

#[tokio::test]
async fn after_a_lost_rotation_that_did_not_happen_it_rotates() {
    let simulator = Simulator::start().await.unwrap();
    let (account, old) = (account(&simulator), simulator.add_token(simulator.account(), "CI"));
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Rotate));
    wait(&turn(&account, &old.token.id, None).await);
    assert_eq!(rotations(&simulator), 0);
    let pair = pair(turn(&account, &old.token.id, None).await);
    assert!(pair_passes(&simulator, &pair) && passes(&simulator, &old));
}

#[tokio::test]
async fn a_start_serves_the_pair_that_there_is_and_rotates_nothing_before_its_time() {
    let simulator = Simulator::start().await.unwrap();
    let (account, old) = (account(&simulator), simulator.add_token(simulator.account(), "CI"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pair");
    assert!(read(&file).unwrap().is_none());
    write(&file, &pair(turn(&account, &old.token.id, None).await)).unwrap();
    simulator.clear_requests();
    for _ in 0..3 {
        let kept = read(&file).unwrap().unwrap();
        assert!(pair_passes(&simulator, &kept));
        let time = wait(&turn(&account, &old.token.id, Some(kept.rotated_at)).await);
        assert!(time > 23 * HOUR && time <= 24 * HOUR, "{time:?}");
    }
    // Without its file, a start does not know the secret; machines still have the old one.
    wait(&turn(&account, &old.token.id, None).await);
    assert!(simulator.requests().iter().all(|request| request.operation == Some(Operation::Get)));
    assert!(passes(&simulator, &old));
}

#[tokio::test]
async fn a_file_of_something_else_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pair");
    std::fs::write(&file, "precious").unwrap();
    assert!(read(&file).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}
