//! What the calls of one credential share: the component, the connections, the credential and the defaults.

use std::fmt;
use std::sync::Arc;

use crate::base_url::BaseUrl;
use crate::client::options::CallOptions;
use crate::credentials::{CredentialHeaders, InvalidCredentials};
use crate::egress::EgressPolicy;
use crate::engine::hooks::AccessHooks;
use crate::engine::idle::Owner;
use crate::engine::runtime::Runtime;
use crate::error::{Details, Error, ErrorKind, Outcome};
use crate::transport::Transport;

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct Caller(Arc<Shared>);

struct Shared {
    runtime: Runtime,
    transport: Transport,
    policy: Arc<EgressPolicy>,
    credential: Arc<CredentialHeaders>,
    base_url: BaseUrl,
    options: CallOptions,
    owner: Owner,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.runtime.idle().forget(self.owner);
    }
}

impl Caller {
    pub(super) fn new(
        runtime: Runtime,
        transport: Transport,
        credential: CredentialHeaders,
        base_url: BaseUrl,
        options: CallOptions,
    ) -> Self {
        Self(Arc::new(Shared {
            runtime,
            transport,
            policy: Arc::new(EgressPolicy::only(base_url.clone())),
            credential: Arc::new(credential),
            base_url,
            options,
            owner: Owner::new(),
        }))
    }

    pub(super) fn base_url(&self) -> &BaseUrl {
        &self.0.base_url
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// The options of calls that do not say otherwise.
    pub(super) fn options(&self) -> &CallOptions {
        &self.0.options
    }

    /// The owner of the instances that a call may use and leave behind; none where the call brings its own credential.
    pub(crate) fn owner(&self, options: &CallOptions) -> Option<Owner> {
        options.credentials.is_none().then_some(self.0.owner)
    }

    /// The hooks of one call, with its own credential if it brings one.
    pub(super) fn hooks(&self, options: &CallOptions) -> Result<AccessHooks, Error> {
        let credential = match &options.credentials {
            Some(own) => Arc::new(own.headers().map_err(|error| invalid_credential(&error))?),
            None => Arc::clone(&self.0.credential),
        };
        let header_values = options.headers.iter().map(|(_, value)| value.as_str());
        let hooks = AccessHooks::new(self.0.transport.clone(), Arc::clone(&self.0.policy))
            .with_credential_headers(credential, header_values);
        Ok(match &options.progress {
            Some(progress) => hooks.with_progress(progress),
            None => hooks,
        })
    }
}

fn invalid_credential(error: &InvalidCredentials) -> Error {
    Error::new(Details::of_host(ErrorKind::InvalidConfiguration, Outcome::NotApplied, error.to_string()))
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Caller")
            .field("base_url", &self.0.base_url)
            .field("credential", &self.0.credential)
            .field("runtime", &self.0.runtime)
            .finish_non_exhaustive()
    }
}
