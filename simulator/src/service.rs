//! One request from hyper to its answer: routed, met by a fault or not, recorded, answered.
//!
//! A client that goes while its request waits here (a held answer, latency, a delay before the commit) has changed nothing:
//! hyper drops the handling.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, Response};

use crate::engine::{Call, Engine};
use crate::envelope;
use crate::fault_effect::{self, Delivery, Headers};
use crate::list_query::ListQuery;
use crate::recording::{Position, Received};
use crate::route::Route;
use crate::wire::WireHandle;
use crate::wire_script::{Ending, Script};
use crate::{Fault, FaultKind, ListBehaviour, Moment};
use crate::{application, control_routes};

/// What the requests of one connection share.
pub(crate) struct Service {
    pub engine: Arc<Engine>,
    pub wire: Arc<WireHandle>,
    pub connection: u64,
    pub http2: bool,
}

impl Service {
    /// Answers a request. The error is that of a body that did not arrive.
    pub async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let raw_head = self.wire.take_head();
        let engine = &self.engine;
        if parts.uri.path().starts_with(control_routes::PREFIX) {
            let body = self.collect(body).await?;
            return Ok(envelope::whole(control_routes::answer(engine, &parts, &body).await));
        }
        if application::is_path(parts.uri.path()) {
            self.collect(body).await?;
            return Ok(envelope::whole(application::answer(engine, &parts.headers)));
        }
        let route = Route::find(&parts.method, parts.uri.path());
        let fault = route.as_ref().ok().and_then(|route| engine.take_fault(route));
        let unread = fault.as_ref().is_some_and(|fault| *fault.kind() == FaultKind::ContentTooLarge);
        let body = if unread { Bytes::new() } else { self.collect(body).await? };
        let call = Call {
            authorized: route.as_ref().map_or(Ok(()), |route| engine.authorize(route, &parts)),
            standing: engine.count_request(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body,
            route,
        };
        let _in_flight = engine.recorder.enter();
        let position = engine.recorder.record(|| Received {
            connection: self.connection,
            parts,
            raw_head,
            body: call.body.clone(),
            route: call.route.as_ref().ok().cloned(),
            fault: fault.as_ref().map(|fault| fault.kind().name()),
        });
        engine.recorder.while_held(position).await;
        let latency = *engine.latency.lock();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match fault {
            None => {
                let mut answer = engine.commit(&call, position);
                engine.add_headers(&mut answer, Headers::Api, &call.standing);
                Ok(envelope::whole(answer))
            }
            Some(fault) => self.deliver(self.misbehave(&fault, &call, position).await).await,
        }
    }

    async fn collect(&self, body: Incoming) -> Result<Bytes, hyper::Error> {
        let bytes = if body.is_end_stream() { Bytes::new() } else { body.collect().await?.to_bytes() };
        self.wire.expect_head();
        Ok(bytes)
    }

    async fn misbehave(&self, fault: &Fault, call: &Call, position: Position) -> Delivery {
        let engine = &self.engine;
        let kind = fault.kind();
        let right = match (kind, fault.moment()) {
            (FaultKind::Delay { duration }, Moment::BeforeCommit) => {
                tokio::time::sleep(*duration).await;
                engine.commit(call, position)
            }
            (FaultKind::Delay { duration }, Moment::AfterCommit) => {
                let answer = engine.commit(call, position);
                tokio::time::sleep(*duration).await;
                answer
            }
            (_, Moment::BeforeCommit) => engine.pretend(call),
            (_, Moment::AfterCommit) => engine.commit(call, position),
        };
        let page = ListQuery::read(&call.query, ListBehaviour::Honoured, 1).map_or(1, |query| query.page);
        let mut answer = fault_effect::alter(kind, right, page, engine.clock.now());
        engine.add_headers(&mut answer, kind.headers(), &call.standing);
        fault_effect::deliver(kind, answer)
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Response<Full<Bytes>>, hyper::Error> {
        match delivery {
            Delivery::Answer(answer) => Ok(envelope::whole(answer)),
            Delivery::Script(Script { on_http2: Some(answer), .. }) if self.http2 => Ok(envelope::whole(answer)),
            Delivery::Script(Script { ending: Ending::Hold, .. }) if self.http2 => std::future::pending().await,
            Delivery::Script(script) => {
                self.wire.take_over(script);
                std::future::pending().await
            }
        }
    }
}
