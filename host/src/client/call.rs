//! One call of the component, from the waiting for a place to the error that says what is known.
//!
//! The component keeps the time limit itself; this file enforces it with a little grace for a component that does not, and
//! stands in with an error of the same form where the component has none to give (a trap, a limit, its time over).
//!
//! Each call has a span, whose fields the crate's own documentation lists.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use tracing::Instrument;
use tracing::field::Empty;
use wasmtime::Store;

use crate::client::caller::Caller;
use crate::client::conversions::{request_options, timeout_ms};
use crate::client::operation::Operation;
use crate::client::options::CallOptions;
use crate::engine::bindings::types as contract;
use crate::engine::exports::Interface;
use crate::engine::hooks::{AccessHooks, Exchanges};
use crate::engine::idle::Owner;
use crate::engine::instance::Instance;
use crate::engine::runtime::Runtime;
use crate::engine::state::HostState;
use crate::engine::underway::attended;
use crate::error::{Details, Error, ErrorKind, Outcome};
use crate::redactor::{Received, Redactor};
use crate::transport::{TransportError, TransportPhase};

/// How much longer than its own limit the component is given to report that it reached it.
const GRACE: Duration = Duration::from_secs(1);
/// A wait for a place that is longer than this is taken off the component's time.
const NOTABLE_WAIT: Duration = Duration::from_millis(5);

/// The export's own future.
pub(crate) type ExportFuture<'a, T> =
    Pin<Box<dyn Future<Output = wasmtime::Result<Result<T, contract::Error>>> + Send + 'a>>;

/// Calls one export of an interface, in an instance that no other call uses.
pub(crate) async fn call<I, T, F>(
    caller: &Caller,
    operation: Operation,
    scope: &'static str,
    options: &CallOptions,
    export: F,
) -> Result<T, Error>
where
    I: Interface + 'static,
    T: Received,
    F: for<'a> FnOnce(&'a I, &'a mut Store<HostState>, &'a contract::RequestOptions) -> ExportFuture<'a, T>,
{
    let span = tracing::debug_span!(
        "service_token_call",
        operation = operation.name(),
        scope,
        attempts = Empty,
        status = Empty,
        ray_id = Empty,
        outcome = Empty,
        error = Empty,
        duration_ms = Empty,
    );
    let run = pin!(run(caller, operation, options, export, Instant::now()));
    run.instrument(span).await
}

async fn run<I, T, F>(
    caller: &Caller,
    operation: Operation,
    options: &CallOptions,
    export: F,
    started: Instant,
) -> Result<T, Error>
where
    I: Interface + 'static,
    T: Received,
    F: for<'a> FnOnce(&'a I, &'a mut Store<HostState>, &'a contract::RequestOptions) -> ExportFuture<'a, T>,
{
    let hooks = caller.hooks(options)?;
    let (exchanges, redactor) = (hooks.exchanges(), hooks.redactor());
    let limit = options.timeout_or_default();
    let deadline = started + limit + GRACE;
    let answer = async {
        let _place = caller.runtime().place().await;
        let owner = caller.owner(options);
        let mut instance = instance(caller.runtime(), owner, hooks).await?;
        let mut options = request_options(caller.base_url(), options);
        let waited = started.elapsed();
        if waited > NOTABLE_WAIT {
            options.timeout_ms = Some(timeout_ms(limit.saturating_sub(waited)).max(1));
        }
        let Instance { store, exports } = &mut *instance;
        let answer = export(I::of(exports, store)?, store, &options);
        let mut answer = attended(answer, exchanges.unanswered()).await?;
        redactor.clean(&mut answer);
        if let Some(owner) = owner {
            caller.runtime().idle().give_back(owner, instance);
        }
        wasmtime::Result::Ok(answer)
    };
    // Nothing of it is left when the answer is looked at: a request that still could leave would make what is said of it wrong.
    let answer = {
        let answer = pin!(answer);
        timeout_at(deadline.into(), answer).await
    };
    let result = match answer {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(with_what_the_host_knows(operation, error.into(), &exchanges)),
        Ok(Err(failure)) => Err(component_failed(operation, &exchanges, &redactor, &failure)),
        Err(_) => Err(out_of_time(operation, &exchanges, started.elapsed())),
    };
    record(&exchanges, started, result.as_ref().err());
    result
}

async fn instance(runtime: &Runtime, owner: Option<Owner>, hooks: AccessHooks) -> wasmtime::Result<Box<Instance>> {
    match owner.and_then(|owner| runtime.idle().take(owner)) {
        Some(mut idle) => {
            *idle.store.data_mut().hooks() = hooks;
            Ok(idle)
        }
        None => runtime.instantiate(hooks).await,
    }
}

/// The component must assume the worst of some failures that look the same on all hosts. This host saw whether a request for a
/// change can have left.
fn with_what_the_host_knows(operation: Operation, error: Error, exchanges: &Exchanges) -> Error {
    let known = operation.outcome_if(exchanges.change_may_have_left());
    let mut details = error.into_details();
    if details.status.is_none() {
        details.transport = transport_error(exchanges);
    }
    if details.outcome != Outcome::Unknown || known != Outcome::NotApplied {
        return Error::new(details);
    }
    details.outcome = known;
    details.previous_secret_expires_at = None;
    details.message.push_str(if exchanges.may_have_left() {
        "; this host made no connection for the change, so nothing was changed"
    } else {
        "; this host made no connection, so nothing was sent"
    });
    Error::new(details)
}

/// Why the last request got no answer.
fn transport_error(exchanges: &Exchanges) -> Option<TransportError> {
    // A component that gave a request up did not wait for what became of it.
    let given_up = || TransportError {
        phase: TransportPhase::Connect,
        message: "there was no connection yet when the request was given up".to_owned(),
    };
    let is_given_up = exchanges.requests() > 0 && !exchanges.may_have_left();
    exchanges.failure().or_else(|| is_given_up.then(given_up))
}

fn component_failed(
    operation: Operation,
    exchanges: &Exchanges,
    redactor: &Redactor,
    failure: &wasmtime::Error,
) -> Error {
    // The causes above the root carry the component's stack over many lines.
    let cause = failure.root_cause().to_string();
    let cause = redactor.text(cause.lines().next().unwrap_or_default());
    let lines: Vec<String> = format!("{failure:#}").lines().map(|line| redactor.text(line)).collect();
    tracing::error!(failure = lines.join("\n"), "the component failed");
    without_the_components_word(
        operation,
        exchanges,
        ErrorKind::Component,
        format!("the component failed: {cause}. This is a defect of it or a limit that is too low; see the log"),
    )
}

fn out_of_time(operation: Operation, exchanges: &Exchanges, after: Duration) -> Error {
    without_the_components_word(
        operation,
        exchanges,
        ErrorKind::Timeout,
        match exchanges.requests() {
            0 => format!(
                "no place for the call in {after:.1?}: too many run at once; raise max_calls or call less often"
            ),
            _ => format!("the call did not end in {after:.1?} and was stopped"),
        },
    )
}

fn without_the_components_word(operation: Operation, exchanges: &Exchanges, kind: ErrorKind, message: String) -> Error {
    Error::new(Details {
        status: exchanges.status(),
        ray_id: exchanges.ray_id(),
        attempts: exchanges.requests(),
        transport: transport_error(exchanges),
        ..Details::of_host(kind, operation.outcome_if(exchanges.change_may_have_left()), message)
    })
}

fn record(exchanges: &Exchanges, started: Instant, error: Option<&Error>) {
    let span = tracing::Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("attempts", exchanges.requests());
    span.record("status", exchanges.status());
    span.record("ray_id", exchanges.ray_id());
    span.record("outcome", error.map_or("ok", |error| error.outcome.as_str()));
    span.record("error", error.map(|error| error.kind.as_str()));
    span.record("duration_ms", u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
}
