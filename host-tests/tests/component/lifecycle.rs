//! The interface `lifecycle` against the simulator, whose clock the tests move: expiry and renewal, rotation with an overlap, names.

mod expiring;
mod names;
mod overlap;

use cloudflare_access_host_tests::requests::named;
use cloudflare_access_host_tests::types::{CreateParams, RequestOptions, Scope, ServiceToken};
use cloudflare_access_host_tests::{Host, Instance, options, scope};
use cloudflare_access_simulator::Simulator;

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

async fn setting() -> (Simulator, Instance, RequestOptions, Scope) {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    let options = options(&simulator);
    let account = scope(simulator.account());
    (simulator, Host::shared().instance().await, options, account)
}

fn living(name: &str, duration: &str) -> CreateParams {
    CreateParams { duration: Some(duration.into()), ..named(name) }
}

fn names<'a>(tokens: impl IntoIterator<Item = &'a ServiceToken>) -> Vec<&'a str> {
    tokens.into_iter().map(|token| token.name.as_deref().expect("a name")).collect()
}

fn passes(simulator: &Simulator, token: &ServiceToken, secret: &str) -> bool {
    simulator.authenticate(token.client_id.as_deref().expect("a client id"), secret).is_ok()
}
