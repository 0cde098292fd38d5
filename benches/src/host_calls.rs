//! Which calls of the host a component makes for one `get`, in their order.
//!
//! wasmtime's bindings of WASI open a `tracing` span for each call of a function. The dropping of a resource is a call as well,
//! without a span; so the resources that a `get` has are declared anew here, with the same destructors and a note of each.

use std::mem::take;
use std::sync::{Arc, Mutex};

use cloudflare_access_host::HostState;
use cloudflare_access_host::bindings::PluginPre;
use tokio::runtime::Builder;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::io::poll::HostPollable;
use wasmtime_wasi::p2::bindings::io::streams::{HostInputStream, HostOutputStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi_http::p2::bindings::http::types as http;
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpView};

use crate::Server;
use crate::engine::{Linked, get};

/// The version of WASI that wasmtime's linker has its definitions under.
const VERSION: &str = "0.2.12";

/// The calls of the second `get` of an instance, each as `interface.function`, a dropped resource as `interface.[drop]resource`.
///
/// # Panics
/// The component does not load, or a `get` fails.
#[must_use]
pub fn host_calls_of_get(component: &[u8]) -> Vec<String> {
    let server = Server::start(1);
    let calls = Calls::default();
    let noted = calls.clone();
    let linked = Linked::with(component, server.base_url(), |linker| note_drops(linker, &noted))
        .expect("the component loads with its drops noted");
    let plugin = PluginPre::new(linked.component.clone()).expect("the component exports the contract");
    let executor = Builder::new_current_thread().enable_all().build().expect("an executor");
    tracing::subscriber::with_default(calls.clone(), || {
        executor.block_on(async {
            let mut store = linked.store();
            let instance = plugin.instantiate_async(&mut store).await.expect("an instance");
            for _ in 0..2 {
                calls.take();
                get(&instance, &mut store, &server).await.expect("no trap");
            }
        });
    });
    calls.take()
}

/// The calls so far.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn note(&self, call: String) {
        self.0.lock().expect("nobody panics with the lock").push(call);
    }

    fn take(&self) -> Vec<String> {
        take(&mut self.0.lock().expect("nobody panics with the lock"))
    }
}

/// Takes the spans of the bindings and nothing else.
impl Subscriber for Calls {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "wit-bindgen import"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut name = Name::default();
        span.record(&mut name);
        self.note(format!("{}.{}", name.module, name.function));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Name {
    module: String,
    function: String,
}

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "module" => value.clone_into(&mut self.module),
            "function" => value.clone_into(&mut self.function),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Declares the resources of a `get` anew. Each destructor is that of wasmtime's own bindings.
fn note_drops(linker: &mut Linker<HostState>, calls: &Calls) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let noted = |resource: &str| {
        let (calls, name) = (calls.clone(), resource.to_owned());
        move || calls.note(name.clone())
    };

    let note = noted("poll.[drop]pollable");
    linker.instance(&format!("wasi:io/poll@{VERSION}"))?.resource(
        "pollable",
        ResourceType::host::<DynPollable>(),
        move |mut store, rep| {
            note();
            HostPollable::drop(store.data_mut().ctx().table, Resource::new_own(rep))
        },
    )?;

    macro_rules! streams {
        ($($name:literal: $type:ty, $drop:path;)*) => {
            let mut streams = linker.instance(&format!("wasi:io/streams@{VERSION}"))?;
            $(
                let note = noted(concat!("streams.[drop]", $name));
                streams.resource_async($name, ResourceType::host::<$type>(), move |mut store, rep| {
                    note();
                    Box::new(async move { $drop(store.data_mut().ctx().table, Resource::new_own(rep)).await })
                })?;
            )*
        };
    }
    streams! {
        "input-stream": DynInputStream, HostInputStream::drop;
        "output-stream": DynOutputStream, HostOutputStream::drop;
    }

    macro_rules! types {
        ($($name:literal: $type:ty, $drop:path;)*) => {
            let mut types = linker.instance(&format!("wasi:http/types@{VERSION}"))?;
            $(
                let note = noted(concat!("types.[drop]", $name));
                types.resource($name, ResourceType::host::<$type>(), move |mut store, rep| {
                    note();
                    $drop(&mut store.data_mut().http(), Resource::new_own(rep))
                })?;
            )*
        };
    }
    types! {
        "fields": FieldMap, http::HostFields::drop;
        "request-options": RequestOptions, http::HostRequestOptions::drop;
        "outgoing-request": HostOutgoingRequest, http::HostOutgoingRequest::drop;
        "outgoing-body": HostOutgoingBody, http::HostOutgoingBody::drop;
        "future-incoming-response": HostFutureIncomingResponse, http::HostFutureIncomingResponse::drop;
        "incoming-response": HostIncomingResponse, http::HostIncomingResponse::drop;
        "incoming-body": HostIncomingBody, http::HostIncomingBody::drop;
        "future-trailers": HostFutureTrailers, http::HostFutureTrailers::drop;
    }
    Ok(())
}
