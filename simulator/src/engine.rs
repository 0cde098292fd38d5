//! The API itself: from a received call to its answer, and to the change it makes.
//!
//! The order of the checks: the request budget, the route, the credential, the account or zone, whether Access is enabled, and
//! then what the operation itself refuses.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use parking_lot::Mutex;

use crate::api_error::ApiError;
use crate::clock::Clock;
use crate::credentials::{self, Credential};
use crate::envelope::{self, Answer};
use crate::fault_effect::Headers;
use crate::list_query::{ListBehaviour, ListQuery};
use crate::parameters::Parameters;
use crate::rate_limit::{RateLimit, Standing};
use crate::recording::{Commit, Position, Recorder};
use crate::route::Route;
use crate::store::Store;
use crate::{Fault, Operation, ScopeKind, fault};

/// Everything behind the socket.
pub(crate) struct Engine {
    pub clock: Clock,
    pub store: Mutex<Store>,
    pub faults: Mutex<Vec<Fault>>,
    pub latency: Mutex<Duration>,
    pub recorder: Recorder,
    pub rules: Rules,
    pub rate_limit: RateLimit,
    pub rays: Mutex<fastrand::Rng>,
}

/// What the builder decided once and for all.
#[derive(Clone)]
pub(crate) struct Rules {
    pub credentials: Vec<Credential>,
    pub zones_refuse_api_tokens: bool,
    pub access_enabled: bool,
    pub account_lists: ListBehaviour,
    pub zone_lists: ListBehaviour,
    pub default_per_page: u64,
}

/// A request of the API with everything that decides its answer.
pub(crate) struct Call {
    pub route: Result<Route, ApiError>,
    pub authorized: Result<(), ApiError>,
    pub standing: Standing,
    pub query: String,
    pub body: Bytes,
}

impl Engine {
    /// Whether the credential in the headers allows the route.
    pub fn authorize(&self, route: &Route, parts: &Parts) -> Result<(), ApiError> {
        let Rules { credentials, zones_refuse_api_tokens, .. } = &self.rules;
        let kind = route.scope.kind();
        credentials::authorize(credentials, *zones_refuse_api_tokens, &parts.headers, route.operation, kind)
    }

    /// The fault that a request meets.
    pub fn take_fault(&self, route: &Route) -> Option<Fault> {
        let mut faults = self.faults.lock();
        if faults.is_empty() { None } else { fault::take(&mut faults, route.operation, route.scope.kind()) }
    }

    /// Answers, and makes the change.
    pub fn commit(&self, call: &Call, position: Position) -> Answer {
        let (answer, commit) = self.execute(call, &mut self.store.lock());
        if let Some(commit) = commit {
            self.recorder.commit(position, commit);
        }
        answer
    }

    /// The answer as if the change were made, which it is not.
    pub fn pretend(&self, call: &Call) -> Answer {
        let mut scratch = self.store.lock().scratch();
        self.execute(call, &mut scratch).0
    }

    /// Adds the headers that every answer has, unless a fault chose others.
    pub fn add_headers(&self, answer: &mut Answer, which: Headers, standing: &Standing) {
        let headers = answer.headers_mut();
        headers.entry(hyper::header::DATE).or_insert_with(|| self.clock.http_date());
        if which != Headers::Exact {
            headers.insert(HeaderName::from_static("cf-ray"), self.ray());
            headers.insert(hyper::header::SERVER, HeaderValue::from_static("cloudflare"));
        }
        if which == Headers::Api {
            self.rate_limit.describe(standing, headers);
        }
    }

    fn ray(&self) -> HeaderValue {
        let number = self.rays.lock().u64(..);
        HeaderValue::try_from(format!("{number:016x}-SIM")).unwrap_or(HeaderValue::from_static(""))
    }

    fn execute(&self, call: &Call, store: &mut Store) -> (Answer, Option<Commit>) {
        if let Standing::Exceeded { resets_after } = call.standing {
            let error = ApiError::rate_limited(self.rate_limit.quota(), self.rate_limit.window_seconds());
            let mut answer = envelope::failure(&error);
            answer.headers_mut().insert(RETRY_AFTER, resets_after.into());
            return (answer, None);
        }
        match self.try_execute(call, store) {
            Ok((answer, commit)) => (answer, commit),
            Err(error) => (envelope::failure(&error), None),
        }
    }

    fn try_execute(&self, call: &Call, store: &mut Store) -> Result<(Answer, Option<Commit>), ApiError> {
        let route = call.route.as_ref().map_err(Clone::clone)?;
        call.authorized.clone()?;
        if !store.has(&route.scope) {
            return Err(ApiError::no_route(&format!("/client/v4/{}s/{}", route.scope.kind(), route.scope.id())));
        }
        if !self.rules.access_enabled {
            return Err(ApiError::not_enabled());
        }
        self.operate(route, &call.query, &call.body, store)
    }

    fn operate(
        &self,
        route: &Route,
        query: &str,
        body: &[u8],
        store: &mut Store,
    ) -> Result<(Answer, Option<Commit>), ApiError> {
        let Route { operation, scope, token_id } = route;
        let now = self.clock.now();
        let ok = StatusCode::OK;
        let committed =
            |id: &str| Some(Commit { operation: *operation, scope: scope.clone(), token_id: id.to_owned() });
        Ok(match operation {
            Operation::List => {
                let query = self.list_query(scope.kind(), query)?;
                let (tokens, info) = store.list(scope, &query);
                let shown: Vec<_> = tokens.iter().map(|token| token.shown(None)).collect();
                (envelope::success(ok, shown, Some(info)), None)
            }
            Operation::Get => (envelope::success(ok, store.get(scope, token_id)?.shown(None), None), None),
            Operation::Create => {
                let token = store.create(scope, Parameters::read(body)?, now)?;
                let answer = envelope::success(StatusCode::CREATED, token.shown(Some(token.secret())), None);
                (answer, committed(&token.id))
            }
            Operation::Update => {
                store.get(scope, token_id)?;
                let (token, secret) = store.update(scope, token_id, Parameters::read(body)?, now)?;
                (envelope::success(ok, token.shown(secret.as_ref()), None), committed(token_id))
            }
            Operation::Delete => {
                let token = store.delete(scope, token_id)?;
                (envelope::success(ok, token.shown(None), None), committed(token_id))
            }
            Operation::Refresh => {
                let token = store.refresh(scope, token_id, now)?;
                (envelope::success(ok, token.shown(None), None), committed(token_id))
            }
            Operation::Rotate => {
                store.get(scope, token_id)?;
                let grace_end = Parameters::read_optional(body)?.previous_client_secret_expires_at;
                let (token, secret) = store.rotate(scope, token_id, grace_end, now)?;
                (envelope::success(ok, token.shown(Some(&secret)), None), committed(token_id))
            }
        })
    }

    fn list_query(&self, kind: ScopeKind, query: &str) -> Result<ListQuery, ApiError> {
        let behaviour = match kind {
            ScopeKind::Account => self.rules.account_lists,
            ScopeKind::Zone => self.rules.zone_lists,
        };
        ListQuery::read(query, behaviour, self.rules.default_per_page)
    }
}
