//! A `get` through one layer after the other, from the native client to the component, to know what each of them costs.

use std::sync::Arc;

use cloudflare_access_host::bindings::PluginPre;
use cloudflare_access_host::transport::{Transport, TransportConfig};
use cloudflare_access_host::{CallOptions, Runtime};
use cloudflare_access_simulator::API_TOKEN;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http_body_util::{BodyExt, Empty};
use tokio::runtime::Builder;
use wasmtime_wasi_http::WasiBody;

use crate::engine::{self, Linked};
use crate::native::one_token;
use crate::rows::{get, native_get, one_after_the_other};
use crate::{Cost, Run, Server};

/// A `get` in all ways, against the same server. Each has one layer more than the one before.
pub struct Layers {
    /// By the native client.
    pub native: Run,
    /// The same over the host crate's transport.
    pub transport: Run,
    /// The floor, a component that makes the host calls of the real one and nothing else, in a store that stays the same: wasmtime
    /// and `wasi:http`.
    pub wasmtime: Run,
    /// The floor through the host crate, which puts limits, a span and the choice of an instance around the call.
    pub floor: Run,
    /// The component: the logic of the guest.
    pub component: Run,
}

impl Layers {
    /// To be made and run on a thread that stays on one core.
    ///
    /// # Panics
    /// A server does not start, or the floor does not load; later, in a run, a call that does not end as it must.
    #[must_use]
    pub fn new(component: &Runtime, floor: &[u8], floor_in_host_crate: &Runtime) -> Self {
        let server = Arc::new(Server::start(1));
        Self {
            native: native_get(&server),
            transport: over_transport(&server),
            wasmtime: in_one_store(floor, Arc::clone(&server)),
            floor: get(&server, floor_in_host_crate, &CallOptions::new()),
            component: get(&server, component, &CallOptions::new()),
        }
    }
}

fn over_transport(server: &Arc<Server>) -> Run {
    let base_url = server.base_url().parse().expect("a base URL");
    let transport = Transport::new(TransportConfig::for_base_url(&base_url)).expect("a transport");
    one_after_the_other(Arc::clone(server), transport, async |transport: &Transport, server: &Server| {
        let (base_url, account, token) = (server.base_url(), server.account_id(), server.token_id());
        let body: WasiBody = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(format!("{base_url}/accounts/{account}/access/service_tokens/{token}"))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "native/1")
            .header(AUTHORIZATION, format!("Bearer {API_TOKEN}"))
            .body(body)
            .expect("a request");
        let response = transport.send(request, None, || ()).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
        one_token(&body).expect("a token");
    })
}

fn in_one_store(component: &[u8], server: Arc<Server>) -> Run {
    let linked = Linked::new(component, server.base_url()).expect("the component loads");
    let plugin = PluginPre::new(linked.component.clone()).expect("the component exports the contract");
    let executor = Builder::new_current_thread().enable_all().build().expect("an executor");
    let mut store = linked.store();
    let instance = executor.block_on(plugin.instantiate_async(&mut store)).expect("an instance");
    Box::new(move |calls| {
        Cost::of(|| {
            executor.block_on(async {
                for _ in 0..calls {
                    engine::get(&instance, &mut store, &server).await.expect("no trap");
                }
            });
        })
    })
}
