//! The program of `examples/issue_and_store.rs` leaves one token, whose secret is in the file, however often it is started.

#[allow(dead_code, reason = "the example's own `main` is not called")]
#[path = "../../examples/issue_and_store.rs"]
mod program;

use std::fs::{read_to_string, remove_file, write};
use std::path::Path;
use std::time::Duration;

use cloudflare_access_host::{AccessTokens, Account, CallOptions, Credentials, Runtime, Tokens};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, Operation, Simulator};
use program::issue_and_store;

use crate::code_cache;

fn account(simulator: &Simulator) -> Tokens<Account> {
    let access = AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(simulator.base_url().parse().unwrap())
        .options(CallOptions::new().timeout(Duration::from_secs(2)))
        .runtime(Runtime::builder().cache(code_cache()).build().unwrap());
    access.build().unwrap().account(ACCOUNT_ID)
}

/// There is one token with its name, and the pair in the file passes.
fn assert_one_token(simulator: &Simulator, file: &Path) {
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{} tokens: {tokens:?}", tokens.len()) };
    assert_eq!(token.name, "CI");
    let text = read_to_string(file).unwrap();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    assert!(simulator.authenticate(value("CF_ACCESS_CLIENT_ID"), value("CF_ACCESS_CLIENT_SECRET")).is_ok());
}

#[tokio::test]
async fn a_start_makes_the_token_and_further_ones_send_nothing() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (account, file) = (account(&simulator), folder.path().join("secret.env"));
    issue_and_store(&account, "CI", &file).await.unwrap();
    assert_one_token(&simulator, &file);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    simulator.clear_requests();
    let before = read_to_string(&file).unwrap();
    for _ in 0..3 {
        issue_and_store(&account, "CI", &file).await.unwrap();
    }
    assert_eq!((simulator.request_count(), read_to_string(&file).unwrap()), (0, before));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[tokio::test]
async fn a_start_after_a_lost_answer_or_a_crash_goes_on_with_the_same_token() {
    // The answer to the create is lost, and then those to the update that makes up for it, or to the one that is the last step.
    for skip in [0, 1] {
        let (simulator, folder) = (Simulator::start().await.unwrap(), tempfile::tempdir().unwrap());
        let (account, file) = (account(&simulator), folder.path().join("secret.env"));
        simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
        simulator
            .inject(Fault::new(FaultKind::NeverAnswer).on(Operation::Update).skipping(skip).after_commit().forever());
        issue_and_store(&account, "CI", &file).await.unwrap_err();
        simulator.clear_faults();
        issue_and_store(&account, "CI", &file).await.unwrap();
        assert_one_token(&simulator, &file);
    }
}

#[tokio::test]
async fn a_start_after_a_crash_before_the_secret_was_stored_gives_the_token_another() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (account, file) = (account(&simulator), folder.path().join("secret.env"));
    simulator.inject(Fault::new(FaultKind::NeverAnswer).on(Operation::Update).forever());
    issue_and_store(&account, "CI", &file).await.unwrap_err();
    remove_file(&file).unwrap(); // as if it had never been written
    simulator.clear_faults();
    issue_and_store(&account, "CI", &file).await.unwrap();
    assert_one_token(&simulator, &file);
}

#[tokio::test]
async fn a_key_file_of_something_else_is_an_error_and_nothing_is_sent() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("secret.env");
    write(folder.path().join("secret.env.key"), "precious things").unwrap();
    issue_and_store(&account(&simulator), "CI", &file).await.unwrap_err();
    assert_eq!(simulator.request_count(), 0);
    assert_eq!(read_to_string(folder.path().join("secret.env.key")).unwrap(), "precious things");
}
