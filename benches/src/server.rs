//! The simulator on a thread of its own, without recording, with some tokens.

use std::time::Duration;

use cloudflare_access_simulator::Simulator;

/// One server for all ways of a row.
pub struct Server {
    simulator: Simulator,
    token_id: String,
}

impl Server {
    /// With this many tokens, at least one. Its thread has the cores of the caller.
    ///
    /// # Panics
    /// There is no free port.
    #[must_use]
    pub fn start(tokens: usize) -> Self {
        let builder = Simulator::builder().quota(100_000_000).record_requests(false).seed(7);
        let simulator = builder.start_on_thread().expect("a free port");
        let ids = simulator.add_tokens(simulator.account(), tokens);
        Self { simulator, token_id: ids.into_iter().next().expect("one token") }
    }

    /// How long every answer takes from now on.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        self.simulator.set_latency(latency);
        self
    }

    /// Where the API is.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.simulator.base_url()
    }

    /// The account of the tokens.
    #[must_use]
    pub fn account_id(&self) -> &str {
        self.simulator.account().id()
    }

    /// One of the tokens.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// How many requests it has had.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.simulator.request_count()
    }
}
