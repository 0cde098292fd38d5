//! The way in: a credential, an API, and the runtime that runs the component; from it come handles on accounts and zones.

use std::fmt;

use crate::base_url::{BaseUrl, of_environment};
use crate::build_error::BuildError;
use crate::client::caller::Caller;
use crate::client::options::CallOptions;
use crate::client::scope::{Account, Scope, Zone};
use crate::client::tokens::Tokens;
use crate::credentials::Credentials;
use crate::egress::Addresses;
use crate::engine::runtime::Runtime;
use crate::transport::{Certificate, Proxy, Timeouts, Transport, TransportConfig};

/// The entry point: the service tokens of all accounts and zones that one credential can reach. Cheap to clone; clones share connections and instances.
///
/// Its calls need a tokio runtime with time and I/O enabled, as `#[tokio::main]` gives.
#[derive(Clone)]
pub struct AccessTokens(pub(crate) Caller);

impl AccessTokens {
    /// Returns a builder with the default settings. Only the credential has no default.
    #[must_use]
    pub fn builder() -> AccessTokensBuilder {
        AccessTokensBuilder::default()
    }

    /// Takes the credential and the base URL from the process's environment: `CLOUDFLARE_API_TOKEN`, or `CLOUDFLARE_API_KEY` with
    /// `CLOUDFLARE_EMAIL`; and what [`BaseUrl::from_environment`] reads. They are read once, here, and the component does not see
    /// them.
    ///
    /// # Errors
    ///
    /// As [`AccessTokensBuilder::build`].
    pub fn from_environment() -> Result<Self, BuildError> {
        Self::builder().from_environment()?.build()
    }

    /// Returns the tokens of an account: an id (32 hexadecimal digits, as the dashboard shows it), or
    /// [`Account::from_environment`]. It is checked when it is used.
    pub fn account(&self, account: impl Into<Account>) -> Tokens<Account> {
        Tokens::new(self.0.clone(), account.into())
    }

    /// Returns the tokens of a zone, an older home of tokens without refresh and rotate.
    pub fn zone(&self, id: impl Into<String>) -> Tokens<Zone> {
        Tokens::new(self.0.clone(), Zone(id.into()))
    }

    /// Returns the tokens of a scope that is known only when the program runs.
    #[must_use]
    pub fn scope(&self, scope: Scope) -> Tokens<Scope> {
        Tokens::new(self.0.clone(), scope)
    }

    /// Returns the base URL of the API.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.0.base_url()
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AccessTokens").field(&self.0).finish()
    }
}

/// A builder of [`AccessTokens`].
#[derive(Debug, Default)]
pub struct AccessTokensBuilder {
    credentials: Option<Credentials>,
    base_url: Option<BaseUrl>,
    runtime: Option<Runtime>,
    allow_private_addresses: bool,
    extra_roots: Vec<Certificate>,
    proxy: Option<Proxy>,
    timeouts: Option<Timeouts>,
    options: CallOptions,
}

impl AccessTokensBuilder {
    /// Sets the credential that requests are authenticated with. It stays on the host; the component does not see it.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the base URL of the API. Cloudflare's by default. Nothing else can be reached, and the credential goes nowhere else.
    #[must_use]
    pub fn base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// Takes the credential and the base URL from the process's environment where they have not been set here, as
    /// [`Credentials::from_environment`] and [`BaseUrl::from_environment`] read them.
    ///
    /// # Errors
    ///
    /// [`BuildError::Credentials`] when the environment has no complete credential or two kinds at once, and
    /// [`BuildError::BaseUrl`] when its base URL breaks a rule, or when the base URL that has been set here is not that of
    /// `CLOUDFLARE_COMPLIANCE_REGION`.
    pub fn from_environment(mut self) -> Result<Self, BuildError> {
        if self.credentials.is_none() {
            self.credentials = Some(Credentials::from_environment()?);
        }
        match &self.base_url {
            Some(url) => {
                BaseUrl::check_environment()?;
                url.check_region("the base URL that is set", of_environment)?;
            }
            None => self.base_url = BaseUrl::from_environment()?,
        }
        Ok(self)
    }

    /// Sets the engine and the component. By default a runtime of its own with the default settings. Share one among several
    /// `AccessTokens`, since making one compiles the component.
    #[must_use]
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Allows connections to addresses that are not public, for an API behind a gateway inside a private network. False by default:
    /// a base URL, or the DNS answer for it, that leads inside a network is then a failure before anything is sent.
    ///
    /// A loopback base URL reaches loopback addresses only, whatever is set here.
    #[must_use]
    pub fn allow_private_addresses(mut self, allow: bool) -> Self {
        self.allow_private_addresses = allow;
        self
    }

    /// Trusts these certificate authorities besides the platform's. Those of several calls add up.
    #[must_use]
    pub fn extra_roots(mut self, certificates: impl IntoIterator<Item = Certificate>) -> Self {
        self.extra_roots.extend(certificates);
        self
    }

    /// Sets the HTTP proxy. By default that of the environment variables that [`Proxy::FromEnvironment`] names.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Sets the limits of the phases of a request. The limit of a whole call is in [`CallOptions`].
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = Some(timeouts);
        self
    }

    /// Sets the options of all calls that do not have their own.
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Builds the [`AccessTokens`] after checking the settings. Connects to nothing. Compiles the component where no
    /// [`runtime`](Self::runtime) was given and the code is not cached, which takes a tenth of a second.
    ///
    /// # Errors
    ///
    /// [`BuildError::Credentials`] when there is none or no header can carry it, [`BuildError::Tls`] when the platform's roots cannot be
    /// read or an extra root is no certificate, [`BuildError::Proxy`] when the proxy cannot be used, and what [`Runtime::new`] returns.
    pub fn build(self) -> Result<AccessTokens, BuildError> {
        let credentials = self.credentials.ok_or(crate::InvalidCredentials::Missing)?;
        let credential = credentials.headers()?;
        let base_url = self.base_url.unwrap_or_default();
        let mut transport = TransportConfig::for_base_url(&base_url);
        if self.allow_private_addresses && transport.addresses == Addresses::Public {
            transport.addresses = Addresses::Any;
        }
        transport.extra_roots = self.extra_roots;
        transport.proxy = self.proxy.unwrap_or(transport.proxy);
        transport.timeouts = self.timeouts.unwrap_or(transport.timeouts);
        let transport = Transport::new(transport)?;
        let runtime = self.runtime.map_or_else(Runtime::new, Ok)?;
        Ok(AccessTokens(Caller::new(runtime, transport, credential, base_url, self.options)))
    }
}
