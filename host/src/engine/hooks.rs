//! What a store does when the component sends a request: checks where it goes, adds the credential, sends it.
//!
//! Usable alone in an application with a wasmtime of its own: keep an [`AccessHooks`] in the store's state and return it from
//! `WasiHttpView::http`; `examples/own_wasmtime.rs` shows it. The credential is added here, on the host's side of the
//! boundary and after the check of where the request goes, so the host never gives it to the component or sends it elsewhere. A server that has
//! it can send it back: [`AccessHooks::redactor`] takes it out of what the component returns.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderName, Method, Request, Response, StatusCode};
use tracing::Span;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as HttpError, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use crate::credentials::{CredentialHeaders, Credentials, InvalidCredentials, X_AUTH_EMAIL, X_AUTH_KEY};
use crate::egress::EgressPolicy;
use crate::engine::progress::CallProgress;
use crate::engine::underway::{Unanswered, Underway};
use crate::transport::{Transport, TransportError, TransportPhase};

pub use crate::redactor::{Received, Redactor};

/// The `wasi:http` hooks of one store, which check, authenticate and send the requests of a component.
#[derive(Debug)]
pub struct AccessHooks {
    transport: Transport,
    policy: Arc<EgressPolicy>,
    credential: Option<Arc<CredentialHeaders>>,
    redactor: Redactor,
    exchanges: Arc<Exchanges>,
}

impl AccessHooks {
    /// Makes hooks that send what `policy` allows over `transport`, without a credential.
    #[must_use]
    pub fn new(transport: Transport, policy: impl Into<Arc<EgressPolicy>>) -> Self {
        Self {
            transport,
            policy: policy.into(),
            credential: None,
            redactor: Redactor::default(),
            exchanges: Arc::default(),
        }
    }

    /// Adds `credentials` to every request from now on. The component is then told `credentials::host`, and cannot set the
    /// headers of a credential itself. Pass what it returns through the [`redactor`](Self::redactor).
    ///
    /// # Errors
    ///
    /// [`InvalidCredentials::NotAHeader`] when no request header can carry them.
    pub fn with_credentials(self, credentials: &Credentials) -> Result<Self, InvalidCredentials> {
        Ok(self.with_credential_headers(Arc::new(credentials.headers()?), std::iter::empty()))
    }

    /// The same, of a call whose requests carry these values of other headers, too.
    pub(crate) fn with_credential_headers<'a>(
        mut self,
        credential: Arc<CredentialHeaders>,
        header_values: impl Iterator<Item = &'a str>,
    ) -> Self {
        self.redactor = Redactor::new(Arc::clone(&credential)).with_header_values(header_values);
        self.credential = Some(credential);
        self
    }

    /// Tells `progress`, too, what is sent from now on.
    #[must_use]
    pub fn with_progress(mut self, progress: &CallProgress) -> Self {
        self.exchanges = Arc::new(Exchanges { observer: Some(progress.clone()), ..Exchanges::default() });
        self
    }

    /// Returns what takes the credential out of what the component returns: a server may have sent it back, and the component, which does not
    /// know it, cannot tell.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }

    /// Returns what these hooks have sent so far. It stays up to date.
    #[must_use]
    pub fn exchanges(&self) -> Arc<Exchanges> {
        Arc::clone(&self.exchanges)
    }

    /// Checks where a request goes, adds the credential, and sends it when the future is polled.
    pub(crate) fn exchange(
        &self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Underway, HttpError> {
        if !self.policy.allows(request.method(), request.uri()) {
            tracing::warn!(
                scheme = request.uri().scheme_str(),
                host = request.uri().host(),
                port = request.uri().port_u16(),
                method = %request.method(),
                "refused a request of the component: it is not one that the API has for service tokens"
            );
            self.exchanges.record_failure(TransportError {
                phase: TransportPhase::Policy,
                message: "the request is not one that the API has for service tokens".to_owned(),
            });
            return Err(HttpError::HttpRequestDenied);
        }
        if let Some(credential) = &self.credential {
            credential.apply(request.headers_mut());
        }
        let transport = self.transport.clone();
        let exchanges = Arc::clone(&self.exchanges);
        let redactor = self.redactor.clone();
        Ok(Box::pin(async move {
            let mut attempt = Attempt::begin(&exchanges, request.method());
            let reads = request.method() == Method::GET;
            let mut has_departed = false;
            let departing = || {
                exchanges.record_departure(reads);
                has_departed = true;
            };
            match transport.send(request, options, departing).await {
                Ok(response) => {
                    exchanges.record_answer(&response, &redactor);
                    attempt.answered(response.status());
                    Ok(response)
                }
                Err(error) => {
                    if has_departed && Transport::proves_that_nothing_left(error.code()) {
                        exchanges.take_back_departure(reads);
                    }
                    let failure = TransportError { phase: error.phase(), message: redactor.text(&error.to_string()) };
                    attempt.failed(&failure);
                    exchanges.record_failure(failure);
                    Err(error.into_code())
                }
            }
        }))
    }
}

impl WasiHttpHooks for AccessHooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(if self.credential.is_some() { &WITHOUT_CREDENTIALS } else { &DEFAULT })
    }

    /// The client sets it, as HTTP/1.1 needs it and HTTP/2 does without.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_processed: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, RequestProcessed), HttpError>> + Send> {
        let exchange = self.exchange(request, options);
        Box::new(async move {
            let processed: RequestProcessed = Box::new(std::future::ready(Ok(())));
            Ok((exchange?.await?, processed))
        })
    }
}

type RequestProcessed = Box<dyn Future<Output = Result<(), HttpError>> + Send>;

static DEFAULT: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));
static WITHOUT_CREDENTIALS: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || is_credential_header(name)));

fn is_credential_header(name: &HeaderName) -> bool {
    *name == AUTHORIZATION || *name == X_AUTH_EMAIL || *name == X_AUTH_KEY
}

/// A record of what a store has sent and received: enough to tell afterwards whether a call can have had an effect, and under which name
/// Cloudflare knows its last request.
#[derive(Debug, Default)]
pub struct Exchanges {
    requests: AtomicU32,
    progress: CallProgress,
    /// That of whoever made the call.
    observer: Option<CallProgress>,
    /// 0: no answer yet.
    status: AtomicU16,
    ray_id: Mutex<Option<String>>,
    failure: Mutex<Option<TransportError>>,
    pace: Mutex<Pace>,
    unanswered: Unanswered,
}

impl Exchanges {
    /// Returns how many requests were sent or tried.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Acquire)
    }

    /// Returns whether a server can have got one of them: whether a connection had one to write.
    #[must_use]
    pub fn may_have_left(&self) -> bool {
        self.progress.may_have_left()
    }

    /// Returns whether a server can have got a request that changes something: any but `GET`.
    #[must_use]
    pub fn change_may_have_left(&self) -> bool {
        self.progress.change_may_have_left()
    }

    /// Returns the status of the last answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Acquire)).filter(|status| *status != 0)
    }

    /// Returns the ray id (`cf-ray`) of the last answer that had one. Text of another form is none.
    #[must_use]
    pub fn ray_id(&self) -> Option<String> {
        lock(&self.ray_id).clone()
    }

    /// Returns why the last request that came to its end got no answer; none where it got one.
    #[must_use]
    pub fn failure(&self) -> Option<TransportError> {
        lock(&self.failure).clone()
    }

    /// The requests that have no answer yet.
    pub(crate) fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    /// Counts a request, and returns its number, from 1.
    fn record_request(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::AcqRel).saturating_add(1)
    }

    fn record_departure(&self, reads: bool) {
        for progress in self.all_progress() {
            progress.departed(reads);
        }
    }

    /// The request that departed last time has come back: no connection would have it.
    fn take_back_departure(&self, reads: bool) {
        for progress in self.all_progress() {
            progress.came_back(reads);
        }
    }

    fn all_progress(&self) -> impl Iterator<Item = &CallProgress> {
        std::iter::once(&self.progress).chain(&self.observer)
    }

    fn record_failure(&self, failure: TransportError) {
        *lock(&self.failure) = Some(failure);
    }

    fn record_answer<T>(&self, response: &Response<T>, redactor: &Redactor) {
        *lock(&self.failure) = None;
        self.status.store(response.status().as_u16(), Ordering::Release);
        let ray_id = response.headers().get("cf-ray").and_then(|value| redactor.ray_id(value.to_str().ok()?));
        if ray_id.is_some() {
            *lock(&self.ray_id) = ray_id;
        }
    }
}

/// A pause between two requests that is shorter is the component's computing and no wait.
const NOTABLE_WAIT: Duration = Duration::from_millis(5);

/// When requests were under way.
#[derive(Debug, Default)]
struct Pace {
    under_way: u32,
    /// When the last one ended.
    ended: Option<Instant>,
}

/// One request, as events tell of it. Where it is dropped before its end, the component or the call has given it up.
struct Attempt<'a> {
    exchanges: &'a Exchanges,
    number: u32,
    method: Method,
    began: Instant,
    has_ended: bool,
    /// That of the call, which may be left when this is dropped.
    span: Span,
}

impl<'a> Attempt<'a> {
    fn begin(exchanges: &'a Exchanges, method: &Method) -> Self {
        let began = Instant::now();
        let number = exchanges.record_request();
        let mut pace = lock(&exchanges.pace);
        let wait = pace.ended.filter(|_| pace.under_way == 0).map(|ended| began.saturating_duration_since(ended));
        pace.under_way += 1;
        drop(pace);
        if let Some(wait) = wait.filter(|wait| *wait >= NOTABLE_WAIT) {
            tracing::debug!(duration_ms = milliseconds(wait), "waited before another attempt");
        }
        Self { exchanges, number, method: method.clone(), began, has_ended: false, span: Span::current() }
    }

    fn answered(&mut self, status: StatusCode) {
        self.has_ended = true;
        tracing::debug!(
            attempt = self.number,
            method = %self.method,
            status = status.as_u16(),
            duration_ms = milliseconds(self.began.elapsed()),
            "attempt answered"
        );
    }

    fn failed(&mut self, failure: &TransportError) {
        self.has_ended = true;
        tracing::debug!(
            attempt = self.number,
            method = %self.method,
            phase = failure.phase.as_str(),
            error = failure.message,
            duration_ms = milliseconds(self.began.elapsed()),
            "attempt failed"
        );
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            tracing::debug!(
                parent: &self.span,
                attempt = self.number,
                method = %self.method,
                duration_ms = milliseconds(self.began.elapsed()),
                "attempt given up"
            );
        }
        let mut pace = lock(&self.exchanges.pace);
        pace.under_way = pace.under_way.saturating_sub(1);
        pace.ended = Some(Instant::now());
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::BaseUrl;
    use crate::transport::TransportConfig;

    fn request(method: Method, uri: &str) -> Request<WasiBody> {
        let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        Request::builder().method(method).uri(uri).body(body).unwrap()
    }

    #[test]
    fn a_request_for_another_path_of_the_origin_is_denied() {
        let base_url = BaseUrl::new("http://127.0.0.1:1/client/v4").unwrap();
        let transport = Transport::new(TransportConfig::for_base_url(&base_url)).unwrap();
        let hooks = AccessHooks::new(transport, EgressPolicy::only(base_url));
        let hooks = hooks.with_credentials(&Credentials::api_token("token")).unwrap();
        let answer = |path: &str| hooks.exchange(request(Method::GET, &format!("http://127.0.0.1:1{path}")), None);
        assert!(answer("/client/v4/accounts/a/access/service_tokens").is_ok());
        for path in ["/client/v4/user/tokens", "/client/v4/accounts/a/access/apps", "/accounts/a/access/service_tokens"]
        {
            assert!(matches!(answer(path).err(), Some(HttpError::HttpRequestDenied)), "{path}");
        }
        assert_eq!(hooks.exchanges().requests(), 0);
    }

    #[tokio::test]
    async fn a_change_that_no_connection_would_have_has_not_left_though_one_seemed_free() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            stream
        });
        let base_url: BaseUrl = url.parse().unwrap();
        let mut config = TransportConfig::for_base_url(&base_url);
        config.timeouts.idle = Duration::from_nanos(1); // the client gives up a connection that it has not used for longer
        let transport = Transport::new(config).unwrap();
        let hooks = AccessHooks::new(transport, EgressPolicy::only(base_url));
        let exchanges = hooks.exchanges();

        let tokens = format!("{url}/accounts/a/access/service_tokens");
        let answer = hooks.exchange(request(Method::GET, &tokens), None).unwrap().await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "{}");
        let _stays_open = server.await.unwrap(); // and nobody listens any more
        let error = hooks.exchange(request(Method::POST, &tokens), None).unwrap().await.unwrap_err();
        assert!(Transport::proves_that_nothing_left(&error), "{error:?}");
        assert_eq!((exchanges.requests(), exchanges.may_have_left()), (2, true));
        assert!(!exchanges.change_may_have_left());
    }
}
