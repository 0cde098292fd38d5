//! No environment and no network: for a consumer that is composed with the component cloudflare_access.
//!
//! In one composition every part that imports `wasi:cli/environment` or `wasi:http/outgoing-handler` gets that of the host, so a consumer
//! could read the plugin's credential or send it away. Plugged in before the consumer, this component answers both imports instead: the
//! environment is empty, and every request is refused as the host refuses one to a forbidden address.

wit_bindgen::generate!({
    path: ["../../wit", "../wit"],
    world: "cloudflare-access:adapters/no-authority",
    generate_all,
});

use exports::wasi::cli::environment;
use exports::wasi::http::outgoing_handler::{self, ErrorCode, FutureIncomingResponse, OutgoingRequest, RequestOptions};

struct NoAuthority;

impl environment::Guest for NoAuthority {
    fn get_environment() -> Vec<(String, String)> {
        Vec::new()
    }

    fn get_arguments() -> Vec<String> {
        Vec::new()
    }

    fn initial_cwd() -> Option<String> {
        None
    }
}

impl outgoing_handler::Guest for NoAuthority {
    fn handle(_: OutgoingRequest, _: Option<RequestOptions>) -> Result<FutureIncomingResponse, ErrorCode> {
        Err(ErrorCode::HttpRequestDenied)
    }
}

export!(NoAuthority);
