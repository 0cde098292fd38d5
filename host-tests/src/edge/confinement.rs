//! What the consumer of `samples/confined-consumer` must get, in whichever host it runs: its job done, and nothing more.

use cloudflare_access_simulator::{API_TOKEN, Simulator};
use serde_json::{Value, json};

use crate::edge::serve::ask;

const ANOTHER_ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// An API with one token, a server that the consumer has no business with, and the consumer's report.
pub struct Confinement {
    /// The API.
    pub simulator: Simulator,
    stranger: Simulator,
    token: String,
}

impl Confinement {
    /// Starts the API and the other server.
    ///
    /// # Panics
    /// They do not start.
    pub async fn start() -> Self {
        let simulator = Simulator::start().await.expect("the API");
        let token = simulator.add_token(simulator.account(), "CI pipeline").token.id;
        Self { simulator, stranger: Simulator::start().await.expect("another server"), token }
    }

    /// Asks the consumer for its report.
    ///
    /// # Panics
    /// It does not answer.
    #[must_use]
    pub fn report(&self, address: &str, host: &str) -> Value {
        let (account, token) = (self.simulator.account().id(), &self.token);
        let stranger = self.stranger.address();
        let target = format!("/?account={account}&other-account={ANOTHER_ACCOUNT}&token={token}&stranger={stranger}");
        let answer = ask(address, host, "GET", &target, None).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// Checks a report: the job was done, and every other attempt failed, for the reason that is expected in any host.
    ///
    /// # Panics
    /// The consumer got more than it should.
    pub fn check(&self, report: &Value) {
        assert_eq!(report["the job"], json!({"ok": ["CI pipeline"]}), "{report:#}");
        for (attempt, reason) in
            [("another account", "CLOUDFLARE_ACCESS_SCOPE"), ("delete", "CLOUDFLARE_ACCESS_OPERATIONS")]
        {
            let said = report[attempt]["message"].as_str().unwrap_or_else(|| panic!("{attempt}: {report:#}"));
            assert_eq!(report[attempt]["kind"], "ErrorKind::DeniedByHost", "{attempt}: {report:#}");
            assert!(said.contains(reason), "{attempt}: {said}");
        }
        for attempt in ["another base URL", "the host's credential to another base URL"] {
            assert!(report[attempt]["kind"].is_string(), "{attempt}: {report:#}");
        }
        assert_eq!(report["another host"]["kind"], "ErrorCode::HttpRequestDenied", "{report:#}");
        assert_eq!(report["the environment"], json!({}), "{report:#}");
        // The API saw the job and nothing else; whoever else was reached did not see the credential.
        assert_eq!(self.simulator.requests().len(), 1, "{:?}", self.simulator.requests());
        for request in self.stranger.requests() {
            let secret = API_TOKEN.as_bytes();
            let has_secret =
                request.headers.iter().any(|(_, value)| value.windows(secret.len()).any(|part| part == secret));
            assert!(!has_secret, "the credential reached another server: {request:?}");
        }
    }

    /// How many requests reached the other server.
    #[must_use]
    pub fn strays(&self) -> usize {
        self.stranger.requests().len()
    }
}
