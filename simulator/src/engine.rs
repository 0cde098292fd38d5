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
use time::OffsetDateTime;

use crate::api_error::ApiError;
use crate::clock::Clock;
use crate::credentials::{self, Credential};
use crate::envelope::{self, Answer};
use crate::fault_effect::Headers;
use crate::list_query::ListQuery;
use crate::parameters::Parameters;
use crate::rate_limit::{self, RateLimiter, Standing};
use crate::recording::{Commit, Position, Recorder};
use crate::route::Route;
use crate::store::Store;
use crate::{Behaviour, CreateStatus, Fault, Operation, Scope, ScopeKind, Token, fault};

/// Everything behind the socket.
pub(crate) struct Engine {
    pub clock: Clock,
    pub store: Mutex<Store>,
    pub faults: Mutex<Vec<Fault>>,
    pub latency: Mutex<Duration>,
    pub recorder: Recorder,
    /// The first account.
    pub account: Scope,
    pub credentials: Vec<Credential>,
    /// What `reset` goes back to.
    pub first_behaviour: Behaviour,
    pub behaviour: Mutex<Behaviour>,
    pub rate_limit: RateLimiter,
    pub rays: Mutex<fastrand::Rng>,
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
        let zones_refuse_api_tokens = self.behaviour.lock().zones_refuse_api_tokens;
        let kind = route.scope.kind();
        credentials::authorize(&self.credentials, zones_refuse_api_tokens, &parts.headers, route.operation, kind)
    }

    /// Counts a request against the budget.
    pub fn count_request(&self) -> Standing {
        let rule = self.behaviour.lock().rate_limit;
        self.rate_limit.count(rule, self.clock.now())
    }

    /// Goes back to the behaviour of the start, without tokens, faults, latency, requests and commits. The clock goes on.
    pub fn reset(&self) {
        *self.behaviour.lock() = self.first_behaviour.clone();
        self.store.lock().clear();
        self.faults.lock().clear();
        *self.latency.lock() = Duration::ZERO;
        self.recorder.clear();
        self.rate_limit.reset();
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
            rate_limit::describe(standing, headers);
        }
    }

    fn ray(&self) -> HeaderValue {
        let number = self.rays.lock().u64(..);
        HeaderValue::try_from(format!("{number:016x}-SIM")).unwrap_or(HeaderValue::from_static(""))
    }

    fn execute(&self, call: &Call, store: &mut Store) -> (Answer, Option<Commit>) {
        if let Standing::Exceeded { rule, resets_after } = call.standing {
            let error = ApiError::rate_limited(rule.requests, rule.window_seconds);
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
        let behaviour = self.behaviour.lock().clone();
        if !behaviour.access_enabled {
            return Err(ApiError::not_enabled());
        }
        let now = self.clock.now();
        if let Some(days) = behaviour.inactivity_days {
            store.clean_up(Duration::from_hours(24) * days, behaviour.inactivity_action, now);
        }
        operate(route, &call.query, &call.body, store, &behaviour, now)
    }
}

fn operate(
    route: &Route,
    query: &str,
    body: &[u8],
    store: &mut Store,
    behaviour: &Behaviour,
    now: OffsetDateTime,
) -> Result<(Answer, Option<Commit>), ApiError> {
    let Route { operation, scope, token_id } = route;
    let Behaviour { token_shape: shape, secret_form: form, .. } = *behaviour;
    let ok = StatusCode::OK;
    let committed = |token: &Token| Some(Commit::of(*operation, scope, token, now));
    Ok(match operation {
        Operation::List => {
            let query = list_query(behaviour, scope.kind(), query)?;
            let (tokens, info) = store.list(scope, &query);
            let shown: Vec<_> = tokens.iter().map(|token| token.shown(None, shape)).collect();
            (envelope::success(ok, shown, Some(info)), None)
        }
        Operation::Get => (envelope::success(ok, store.get(scope, token_id)?.shown(None, shape), None), None),
        Operation::Create => {
            let token = store.create(scope, Parameters::read(body)?, behaviour, now)?;
            let status = match behaviour.create_status {
                CreateStatus::Ok => ok,
                CreateStatus::Created => StatusCode::CREATED,
            };
            (envelope::success(status, token.shown(Some(token.secret()), shape), None), committed(token))
        }
        Operation::Update => {
            store.get(scope, token_id)?;
            let (token, secret) = store.update(scope, token_id, Parameters::read(body)?, form, now)?;
            (envelope::success(ok, token.shown(secret.as_ref(), shape), None), committed(token))
        }
        Operation::Delete => {
            let token = store.delete(scope, token_id)?;
            (envelope::success(ok, token.shown(None, shape), None), committed(&token))
        }
        Operation::Refresh => {
            let token = store.refresh(scope, token_id, now)?;
            (envelope::success(ok, token.shown(None, shape), None), committed(token))
        }
        Operation::Rotate => {
            store.get(scope, token_id)?;
            let grace_end = Parameters::read_optional(body)?.previous_client_secret_expires_at;
            let (token, secret) = store.rotate(scope, token_id, grace_end, form, now)?;
            (envelope::success(ok, token.shown(Some(&secret), shape), None), committed(token))
        }
    })
}

fn list_query(behaviour: &Behaviour, kind: ScopeKind, query: &str) -> Result<ListQuery, ApiError> {
    let lists = match kind {
        ScopeKind::Account => behaviour.account_lists,
        ScopeKind::Zone => behaviour.zone_lists,
    };
    ListQuery::read(query, lists, behaviour.default_per_page)
}
