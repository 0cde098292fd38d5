//! The API's budget of 1,200 requests in five minutes, shared by instances that do not know of each other.

use std::time::Duration;

use cloudflare_access_host_tests::types::{ErrorKind, Outcome};
use cloudflare_access_host_tests::{Host, options, scope};
use cloudflare_access_simulator::{RateLimit, Simulator};

const INSTANCES: usize = 8;
const CALLS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_the_budget_of_the_api_and_each_is_told_how_long_it_is_shut_out() {
    let simulator = Simulator::builder().rate_limit(RateLimit::REAL).start().await.expect("a simulator");
    let account = scope(simulator.account());
    let id = simulator.add_token(simulator.account(), "CI pipeline").token.id;
    let options = options(&simulator);
    let calls = (0..INSTANCES).map(|_| async {
        let mut plugin = Host::shared().instance().await;
        let mut refused = Vec::new();
        for _ in 0..CALLS {
            refused.extend(plugin.rotate_with_overlap(&account, &id, 60, true, Some(&options)).await.err());
        }
        refused
    });
    let refused: Vec<_> = futures_util::future::join_all(calls).await.into_iter().flatten().collect();
    let limited: Vec<_> = refused.iter().filter(|error| error.kind == ErrorKind::RateLimited).collect();
    // The request over the budget shuts out all instances, also one that has read the token and not changed it yet.
    assert!(limited.len() >= INSTANCES * CALLS - 600, "{} of {} calls", limited.len(), INSTANCES * CALLS);
    for error in &limited {
        assert_eq!(error.outcome, Outcome::NotApplied, "{}", error.message);
        let wait = error.retry_after_ms.expect("how long to wait");
        assert!((1..=300_000).contains(&wait), "{wait}");
    }
    // Every other call either rotated or found that another one had: each version was made once.
    let made = simulator.commits().iter().map(|commit| commit.client_secret_version).max();
    assert_eq!(made, Some(simulator.tokens(simulator.account())[0].client_secret_version));

    let mut plugin = Host::shared().instance().await;
    let shut_out = plugin.get(&account, &id, Some(&options)).await.expect_err("the block of five minutes is not over");
    let wait = shut_out.retry_after_ms.expect("how long to wait");
    simulator.advance(Duration::from_millis(wait.into()));
    plugin.get(&account, &id, Some(&options)).await.expect("the block is over");
}
