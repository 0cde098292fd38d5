//! The environment of the component cloudflare_access, read from `wasi:config/store`.
//!
//! Only the variables of the contract are read, each under its own name or, as Spin writes the names of variables, in lower case.
//! Nothing else of the host's configuration reaches the plugin. A configuration that cannot be read must not lift a limit that it
//! sets: every call is then refused as `invalid-configuration`.

#[cfg(not(any(feature = "draft", feature = "spin")))]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../wit"],
        world: "cloudflare-access:adapters/config-environment",
        generate_all,
    });
    pub use wasi::config0_2_0_rc_1::store;
}
#[cfg(feature = "draft")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../wit"],
        world: "cloudflare-access:adapters/config-environment-draft",
        generate_all,
    });
    pub use wasi::config0_2_0_draft::store;
}
#[cfg(feature = "spin")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../wit"],
        world: "cloudflare-access:adapters/config-environment-spin",
        generate_all,
    });
    pub use wasi::config0_2_0_draft_2024_09_27::store;
}

use bindings::exports::wasi::cli::environment::Guest;
use bindings::store::{self, Error};

/// The variables of the contract, which docs/contract.md explains.
const VARIABLES: [&str; 8] = [
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_API_KEY",
    "CLOUDFLARE_EMAIL",
    "CLOUDFLARE_BASE_URL",
    "CLOUDFLARE_API_BASE_URL",
    "CLOUDFLARE_COMPLIANCE_REGION",
    "CLOUDFLARE_ACCESS_SCOPE",
    OPERATIONS,
];
const OPERATIONS: &str = "CLOUDFLARE_ACCESS_OPERATIONS";
/// A list of functions that the contract refuses, whatever else is set.
const UNREADABLE: &str = "(the configuration of the host cannot be read)";

struct ConfigEnvironment;

impl Guest for ConfigEnvironment {
    fn get_environment() -> Vec<(String, String)> {
        let mut environment = Vec::new();
        for name in VARIABLES {
            match read(name) {
                Ok(value) => environment.extend(value.map(|value| (name.to_owned(), value))),
                Err(_) => return vec![(OPERATIONS.to_owned(), UNREADABLE.to_owned())],
            }
        }
        environment
    }

    fn get_arguments() -> Vec<String> {
        Vec::new()
    }

    fn initial_cwd() -> Option<String> {
        None
    }
}

fn read(name: &str) -> Result<Option<String>, Error> {
    match store::get(name)? {
        Some(value) => Ok(Some(value)),
        None => store::get(&name.to_ascii_lowercase()),
    }
}

bindings::export!(ConfigEnvironment with_types_in bindings);
