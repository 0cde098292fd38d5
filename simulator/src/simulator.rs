//! A running simulator: where it is, what happened, and how to change what happens next.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{self, Connections, Port, Transport};
use crate::engine::Engine;
use crate::parameters::Parameters;
use crate::{
    Behaviour, ClientSecret, Commit, Fault, IssuedToken, RecordedRequest, Refusal, Scope, SimulatorBuilder, Token,
    clock,
};

/// The service-token API on a loopback port. Dropping it closes the port and every connection.
pub struct Simulator {
    engine: Arc<Engine>,
    connections: Arc<Connections>,
    address: SocketAddr,
    origin: String,
    base_url: String,
    certificate_pem: Option<String>,
    account: Scope,
    zone: Scope,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Start, place and end.
impl Simulator {
    /// Sets one up.
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::new()
    }

    /// Starts one with all defaults on a free port, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// What a client takes as its base URL: `http://127.0.0.1:8787/client/v4`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Scheme, host and port: `http://127.0.0.1:8787`. The control routes are below its `/simulator/`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that a client must trust; none unless the builder made one.
    #[must_use]
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// The first account that exists.
    #[must_use]
    pub fn account(&self) -> &Scope {
        &self.account
    }

    /// The first zone that exists.
    #[must_use]
    pub fn zone(&self) -> &Scope {
        &self.zone
    }

    /// Closes the port and every connection, and returns when they are closed.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.wait().await;
    }
}

/// Behaviour, time and faults.
impl Simulator {
    /// How it behaves now.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.engine.behaviour.lock().clone()
    }

    /// Behaves otherwise from now on. Tokens stay as they are.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *self.engine.behaviour.lock() = behaviour;
    }

    /// Goes back to the behaviour of the start, without tokens, faults, latency, requests and commits. The clock goes on.
    pub fn reset(&self) {
        self.engine.reset();
    }

    /// The address of the application behind Access: `http://127.0.0.1:8787/application`.
    #[must_use]
    pub fn application_url(&self) -> String {
        format!("{}/application", self.origin)
    }

    /// The time by the simulator's clock, in whole seconds.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.engine.clock.now()
    }

    /// The time that is `duration` from now, as the API writes times: `2026-11-24T07:05:00Z`.
    #[must_use]
    pub fn timestamp_in(&self, duration: Duration) -> String {
        clock::text(clock::add(self.now(), duration))
    }

    /// Moves the clock forward. Nothing waits for it; expiry and times in answers follow it at once.
    pub fn advance(&self, duration: Duration) {
        self.engine.clock.advance(duration);
    }

    /// Adds a fault to the end of the queue.
    ///
    /// # Panics
    /// The fault contradicts itself; see [`Fault::check`].
    pub fn inject(&self, fault: impl Into<Fault>) {
        let fault = fault.into();
        if let Err(error) = fault.check() {
            panic!("{error}");
        }
        self.engine.faults.lock().push(fault);
    }

    /// Takes all faults out of the queue. One that is under way goes on.
    pub fn clear_faults(&self) {
        self.engine.faults.lock().clear();
    }

    /// The faults that have requests left to meet.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.engine.faults.lock().clone()
    }

    /// How long every answer of the API takes from now on.
    pub fn set_latency(&self, latency: Duration) {
        *self.engine.latency.lock() = latency;
    }

    /// Answers none of the requests with these numbers, counted from 1 since the last clearing, before the last of them is
    /// received: then all of them wait at once. Replaces an earlier hold; clearing the requests ends it.
    pub fn hold_answers(&self, numbers: RangeInclusive<u64>) {
        self.engine.recorder.hold(numbers);
    }
}

/// Tokens, without a request.
impl Simulator {
    /// The tokens of an account or a zone as they are now, the oldest first.
    #[must_use]
    pub fn tokens(&self, scope: &Scope) -> Vec<Token> {
        self.engine.store.lock().tokens(scope).cloned().collect()
    }

    /// Makes a token with all defaults. The quota does not count; a scope that does not exist starts to.
    #[must_use]
    pub fn add_token(&self, scope: &Scope, name: &str) -> IssuedToken {
        let (now, form) = (self.now(), self.behaviour().secret_form);
        let mut store = self.engine.store.lock();
        let token = store.add(scope, name.to_owned(), &Parameters::default(), form, now);
        IssuedToken { token: token.clone(), client_secret: token.secret().clone() }
    }

    /// Makes tokens named `token 1`, `token 2` and so on; their ids.
    #[expect(clippy::must_use_candidate, reason = "the tokens are the point, not their ids")]
    pub fn add_tokens(&self, scope: &Scope, count: usize) -> Vec<String> {
        let (now, form) = (self.now(), self.behaviour().secret_form);
        let mut store = self.engine.store.lock();
        let mut id = |number| store.add(scope, format!("token {number}"), &Parameters::default(), form, now).id.clone();
        (1..=count).map(&mut id).collect()
    }

    /// Makes a token one that a policy uses, so that it cannot be deleted.
    pub fn mark_in_use(&self, token_id: &str) {
        self.engine.store.lock().mark(token_id, true);
    }

    /// Ends what [`Simulator::mark_in_use`] began.
    pub fn mark_unused(&self, token_id: &str) {
        self.engine.store.lock().mark(token_id, false);
    }

    /// Whether Access would let a machine with this pair pass now. If so, the token's `last_seen_at` moves.
    ///
    /// # Errors
    /// Why not.
    pub fn authenticate(&self, client_id: &str, client_secret: &str) -> Result<(), Refusal> {
        self.engine.store.lock().authenticate(client_id, client_secret, Duration::ZERO, self.now())
    }

    /// Every secret that was ever made, for a search of what must not contain one.
    #[must_use]
    pub fn issued_secrets(&self) -> Vec<ClientSecret> {
        self.engine.store.lock().issued().to_vec()
    }
}

/// What happened.
impl Simulator {
    /// The requests of the API since the last clearing, the oldest first; at most as many as are kept.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.engine.recorder.requests()
    }

    /// How many requests of the API there were since the last clearing, kept or not.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.engine.recorder.count()
    }

    /// The most requests of the API that waited for their answer at once since the last clearing.
    #[must_use]
    pub fn peak_requests_in_flight(&self) -> u64 {
        self.engine.recorder.peak()
    }

    /// The changes since the last clearing, the oldest first.
    #[must_use]
    pub fn commits(&self) -> Vec<Commit> {
        self.engine.recorder.commits()
    }

    /// Forgets requests and commits.
    pub fn clear_requests(&self) {
        self.engine.recorder.clear();
    }

    /// The next request: the oldest that this has not returned yet. Waits for one; for ever if none are kept.
    pub async fn next_request(&self) -> RecordedRequest {
        self.engine.recorder.next().await
    }

    /// Waits until this many requests were received since the last clearing; the requests.
    pub async fn wait_for_requests(&self, count: u64) -> Vec<RecordedRequest> {
        self.engine.recorder.wait_for(count).await;
        self.requests()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.accepted()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.connections.open()
    }

    /// Waits until exactly this many connections are open.
    pub async fn wait_for_open_connections(&self, count: u64) {
        self.connections.wait_for_open(count).await;
    }
}

impl Simulator {
    pub(crate) fn listen(
        port: Port,
        transport: Transport,
        certificate_pem: Option<String>,
        engine: Engine,
        (account, zone): (Scope, Scope),
    ) -> io::Result<Self> {
        let address = port.address()?;
        let scheme = if matches!(transport, Transport::Plain) { "http" } else { "https" };
        let origin = format!("{scheme}://{address}");
        let simulator = Self {
            engine: Arc::new(engine),
            connections: Arc::default(),
            address,
            base_url: format!("{origin}/client/v4"),
            origin,
            certificate_pem,
            account,
            zone,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        simulator.tasks.spawn(simulator.accept(port, transport));
        simulator.tasks.close();
        Ok(simulator)
    }

    /// Resolves when everything has ended after a stop or a drop.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let tasks = self.tasks.clone();
        async move { tasks.wait().await }
    }

    fn accept(&self, port: Port, transport: Transport) -> impl Future<Output = ()> + Send + 'static {
        let (engine, connections) = (Arc::clone(&self.engine), Arc::clone(&self.connections));
        let (shutdown, tasks) = (self.shutdown.clone(), self.tasks.clone());
        async move {
            while let Some(tcp) = shutdown.run_until_cancelled(port.accept()).await {
                let served = connection::serve(tcp, transport.clone(), Arc::clone(&engine), Arc::clone(&connections));
                tasks.spawn(shutdown.clone().run_until_cancelled_owned(served));
            }
        }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Simulator({})", self.origin)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
