//! How a simulator is set up: who may call it, what exists, how it behaves, where it listens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::connection::{Port, Transport};
use crate::credentials::{Credential, Permission};
use crate::engine::Engine;
use crate::rate_limit::RateLimiter;
use crate::recording::Recorder;
use crate::store::Store;
use crate::{
    ACCOUNT_ID, API_KEY, API_TOKEN, Behaviour, EMAIL, Fault, ListBehaviour, READ_ONLY_API_TOKEN, RateLimit, Scope,
    Simulator, ZONE_ID,
};

/// Sets up a [`Simulator`]. What is not set has the defaults of [`Behaviour`], and the constants of this crate.
#[must_use = "a simulator runs once it is started"]
pub struct SimulatorBuilder {
    address: SocketAddr,
    accounts: Vec<Scope>,
    zones: Vec<Scope>,
    api_tokens: Vec<Credential>,
    read_only_api_tokens: Vec<Credential>,
    api_keys: Vec<Credential>,
    behaviour: Behaviour,
    allows_remote: bool,
    clock: Clock,
    seed: Option<u64>,
    latency: Duration,
    faults: Vec<Fault>,
    record_limit: usize,
    never_accepts: bool,
    transport: Transport,
    certificate_pem: Option<String>,
}

impl SimulatorBuilder {
    pub(crate) fn new() -> Self {
        Self {
            address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            accounts: Vec::new(),
            zones: Vec::new(),
            api_tokens: Vec::new(),
            read_only_api_tokens: Vec::new(),
            api_keys: Vec::new(),
            behaviour: Behaviour::default(),
            allows_remote: false,
            clock: Clock::running(),
            seed: None,
            latency: Duration::ZERO,
            faults: Vec::new(),
            record_limit: 10_000,
            never_accepts: false,
            transport: Transport::Plain,
            certificate_pem: None,
        }
    }

    /// The loopback address to listen on; `127.0.0.1` by default. Another address needs [`SimulatorBuilder::allow_remote`].
    pub fn host(mut self, host: IpAddr) -> Self {
        self.address.set_ip(host);
        self
    }

    /// The port to listen on; by default a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// An account that exists, 32 hexadecimal digits. The first call replaces [`ACCOUNT_ID`], others add.
    pub fn account(mut self, id: impl Into<String>) -> Self {
        self.accounts.push(Scope::Account(id.into()));
        self
    }

    /// A zone that exists, 32 hexadecimal digits. The first call replaces [`ZONE_ID`], others add.
    pub fn zone(mut self, id: impl Into<String>) -> Self {
        self.zones.push(Scope::Zone(id.into()));
        self
    }

    /// An API token that may read and write. The first call replaces [`API_TOKEN`], others add.
    pub fn api_token(mut self, token: impl Into<String>) -> Self {
        self.api_tokens.push(Credential::ApiToken { token: token.into(), permission: Permission::Write });
        self
    }

    /// An API token that may only read. The first call replaces [`READ_ONLY_API_TOKEN`], others add.
    pub fn read_only_api_token(mut self, token: impl Into<String>) -> Self {
        self.read_only_api_tokens.push(Credential::ApiToken { token: token.into(), permission: Permission::Read });
        self
    }

    /// The e-mail address and the global API key of a user. The first call replaces [`EMAIL`] and [`API_KEY`], others add.
    pub fn api_key(mut self, email: impl Into<String>, key: impl Into<String>) -> Self {
        self.api_keys.push(Credential::ApiKey { email: email.into(), key: key.into() });
        self
    }

    /// Whether an API token is refused under `/zones/` (405, code 10000), as the description of the API suggests; by default it is.
    pub fn zones_refuse_api_tokens(mut self, refuse: bool) -> Self {
        self.behaviour.zones_refuse_api_tokens = refuse;
        self
    }

    /// Whether Access is enabled; by default it is. If not, every call gets code 9999.
    pub fn access_enabled(mut self, enabled: bool) -> Self {
        self.behaviour.access_enabled = enabled;
        self
    }

    /// What lists under `/accounts/` make of their query; they honour it by default.
    pub fn account_lists(mut self, behaviour: ListBehaviour) -> Self {
        self.behaviour.account_lists = behaviour;
        self
    }

    /// What lists under `/zones/` make of their query; by default nothing.
    pub fn zone_lists(mut self, behaviour: ListBehaviour) -> Self {
        self.behaviour.zone_lists = behaviour;
        self
    }

    /// Makes zones behave as accounts do: they accept API tokens, and their lists honour the query.
    pub fn zones_like_accounts(self) -> Self {
        self.zones_refuse_api_tokens(false).zone_lists(ListBehaviour::Honoured)
    }

    /// Tokens per page where the request does not say; 1000 by default. 0 is 1.
    pub fn default_per_page(mut self, tokens: u64) -> Self {
        self.behaviour.default_per_page = tokens.max(1);
        self
    }

    /// How many tokens an account or a zone may have; 50 by default.
    pub fn quota(mut self, tokens: usize) -> Self {
        self.behaviour.quota = tokens;
        self
    }

    /// Refuses requests beyond a budget. By default none is refused; the real one is [`RateLimit::REAL`].
    pub fn rate_limit(mut self, rule: RateLimit) -> Self {
        self.behaviour.rate_limit = Some(rule);
        self
    }

    /// Everything that can be chosen of the behaviour at once, in place of what was chosen before.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// Allows an address that is not loopback. Whoever reaches it can read every secret of the simulator and change everything.
    pub fn allow_remote(mut self) -> Self {
        self.allows_remote = true;
        self
    }

    /// A clock that shows this time and moves only by [`Simulator::advance`]. By default it shows real time and runs.
    pub fn clock_stands_at(mut self, time: OffsetDateTime) -> Self {
        self.clock = Clock::standing_at(time);
        self
    }

    /// Makes ids, secrets and ray ids the same in every run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How long every answer of the API takes; nothing by default. The change is made at the end of the wait.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// A fault from the start on. One that contradicts itself makes `start` fail.
    pub fn fault(mut self, fault: impl Into<Fault>) -> Self {
        self.faults.push(fault.into());
        self
    }

    /// Whether to keep requests and commits; by default the newest 10,000 of each. Without, they are only counted.
    pub fn record_requests(self, record: bool) -> Self {
        self.record_limit(if record { 10_000 } else { 0 })
    }

    /// How many of the newest requests and commits to keep.
    pub fn record_limit(mut self, requests: usize) -> Self {
        self.record_limit = requests;
        self
    }

    /// Listens, but accepts nobody: a connection to it is never established, as with a host behind a firewall that drops
    /// packets. Needs Linux.
    pub fn never_accepts(mut self) -> Self {
        self.never_accepts = true;
        self
    }

    /// HTTPS with this configuration. HTTP/2 is spoken where it offers `h2` by ALPN and the client takes it.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: impl Into<std::sync::Arc<tokio_rustls::rustls::ServerConfig>>) -> Self {
        self.transport = Transport::Tls(tokio_rustls::TlsAcceptor::from(config.into()));
        self
    }

    /// HTTPS with a new certificate for `localhost`, `127.0.0.1` and `::1`, which [`Simulator::certificate_pem`] returns, and HTTP/2 or
    /// HTTP/1.1 as the client likes.
    ///
    /// # Errors
    /// The key cannot be made.
    #[cfg(feature = "tls")]
    pub fn self_signed_tls(mut self) -> io::Result<Self> {
        let (config, certificate_pem) = crate::tls::self_signed()?;
        self.certificate_pem = Some(certificate_pem);
        Ok(self.tls(config))
    }

    /// Starts it on the tokio runtime of the caller.
    ///
    /// # Errors
    /// The address is not loopback or not free; a fault contradicts itself.
    pub async fn start(self) -> io::Result<Simulator> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let address = self.address;
        if !address.ip().is_loopback() && !self.allows_remote {
            return Err(invalid(format!(
                "{} is not a loopback address; use 127.0.0.1 or ::1, or allow remote clients",
                address.ip()
            )));
        }
        for fault in &self.faults {
            fault.check().map_err(|error| invalid(error.to_string()))?;
        }
        let port = Port::open(address, self.never_accepts).await?;
        let transport = self.transport.clone();
        let certificate_pem = self.certificate_pem.clone();
        let accounts = or_default(self.accounts.clone(), || Scope::Account(ACCOUNT_ID.to_owned()));
        let zones = or_default(self.zones.clone(), || Scope::Zone(ZONE_ID.to_owned()));
        let scopes = (accounts[0].clone(), zones[0].clone());
        let engine = self.engine(scopes.0.clone(), accounts.into_iter().chain(zones));
        Simulator::listen(port, transport, certificate_pem, engine, scopes)
    }

    /// Starts it on a thread of its own, for a caller without a runtime, or one that blocks.
    ///
    /// # Errors
    /// As [`SimulatorBuilder::start`].
    pub fn start_on_thread(self) -> io::Result<Simulator> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let simulator = runtime.block_on(self.start())?;
        let ended = simulator.ended();
        std::thread::Builder::new().name("simulator".to_owned()).spawn(move || runtime.block_on(ended))?;
        Ok(simulator)
    }

    fn engine(self, account: Scope, scopes: impl Iterator<Item = Scope>) -> Engine {
        let api_token = |token: &str, permission| Credential::ApiToken { token: token.to_owned(), permission };
        let api_key = || Credential::ApiKey { email: EMAIL.to_owned(), key: API_KEY.to_owned() };
        let mut credentials = or_default(self.api_tokens, || api_token(API_TOKEN, Permission::Write));
        let read_only = || api_token(READ_ONLY_API_TOKEN, Permission::Read);
        credentials.extend(or_default(self.read_only_api_tokens, read_only));
        credentials.extend(or_default(self.api_keys, api_key));
        let mut random = self.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Engine {
            rays: Mutex::new(random.fork()),
            store: Mutex::new(Store::new(scopes, random)),
            clock: self.clock,
            faults: Mutex::new(self.faults),
            latency: Mutex::new(self.latency),
            recorder: Recorder::new(self.record_limit),
            rate_limit: RateLimiter::default(),
            account,
            credentials,
            first_behaviour: self.behaviour.clone(),
            behaviour: Mutex::new(self.behaviour),
        }
    }
}

fn or_default<T>(given: Vec<T>, default: impl FnOnce() -> T) -> Vec<T> {
    if given.is_empty() { vec![default()] } else { given }
}
