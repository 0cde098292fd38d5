//! The rows: each what is done, in both ways, and how far they may lie apart.

use std::sync::Arc;
use std::time::Duration;

use cloudflare_access_host::{
    AccessTokens, Account, CallOptions, CreateParams, ErrorKind, ListAllParams, Runtime, Tokens,
};
use futures_util::future::join_all;
use tokio::runtime::Builder;

use crate::access::credentials;
use crate::{Cost, NativeClient, Server, access_tokens};

/// Does something so many times and says what all of it took.
pub type Run = Box<dyn FnMut(u32) -> Cost>;

/// One thing, done in two ways against the same server.
pub struct Row {
    /// What is done.
    pub what: &'static str,
    /// The most that ours may take of native's wall time.
    pub wall_at_most: Option<f64>,
    /// The most that ours may take of native's processor time. None where several threads share the work.
    pub cpu_at_most: Option<f64>,
    /// How many calls make a round of some tens of milliseconds.
    pub calls: u32,
    /// Through the host crate.
    pub ours: Run,
    /// By the native client.
    pub native: Run,
}

const CALLERS: usize = 32;
const LISTED: usize = 1000;

/// What one caller does one after the other. To be made and run on a thread that stays on one core.
///
/// # Panics
/// A server does not start; later, in a run, a call that does not end as it must.
#[must_use]
pub fn sequential_rows(runtime: &Runtime) -> Vec<Row> {
    let server = Arc::new(Server::start(1));
    let listed = Arc::new(Server::start(LISTED));
    let list = |what, per_page, calls| Row {
        what,
        wall_at_most: Some(3.0),
        cpu_at_most: None,
        calls,
        ours: list_all(&listed, runtime, per_page),
        native: native(&listed, async move |client: &NativeClient, _: &Server| {
            assert_eq!(client.list_all(per_page, 1).await.expect("tokens").len(), LISTED);
        }),
    };
    vec![
        Row {
            what: "`get`",
            wall_at_most: Some(1.5),
            cpu_at_most: Some(2.0),
            calls: 2000,
            ours: get(&server, runtime, &CallOptions::new()),
            native: native_get(&server),
        },
        Row {
            what: "`create`",
            wall_at_most: Some(1.6),
            cpu_at_most: None,
            calls: 1500,
            ours: create(&server, runtime),
            native: native(&server, async |client: &NativeClient, _: &Server| {
                client.create("CI").await.expect("a token");
            }),
        },
        Row {
            what: "`get` in a fresh instance each time",
            wall_at_most: None,
            cpu_at_most: None,
            calls: 700,
            ours: get(&server, runtime, &CallOptions::new().credentials(credentials())),
            native: native_get(&server),
        },
        list("`list-all` of 1,000 tokens, pages of 1,000", 1000, 15),
        list("`list-all` of 1,000 tokens, pages of 50", 50, 12),
    ]
}

/// What happens at several places at once: callers, or pages under way. To be made and run with all cores.
///
/// # Panics
/// A server does not start; later, in a run, a call that does not end as it must.
#[must_use]
pub fn wide_rows(runtime: &Runtime) -> Vec<Row> {
    let server = Arc::new(Server::start(1));
    let distant = Arc::new(Server::start(LISTED).with_latency(Duration::from_millis(50)));
    let tokens = Arc::new(account(&server, &access_tokens(server.base_url(), runtime)));
    let client = NativeClient::new(server.base_url(), server.account_id());
    vec![
        Row {
            what: "`get`, 32 callers at once",
            wall_at_most: Some(1.0 / 0.6),
            cpu_at_most: None,
            calls: 3200,
            ours: at_once(Arc::clone(&server), tokens, |tokens, id| async move {
                tokens.get(&id).await.expect("a token");
            }),
            native: at_once(server, client, |client, id| async move {
                client.get(&id).await.expect("a token");
            }),
        },
        Row {
            what: "`list-all` of 1,000 tokens, pages of 50, 50 ms of latency",
            wall_at_most: Some(0.35),
            cpu_at_most: None,
            calls: 1,
            ours: list_all(&distant, runtime, 50),
            native: native(&distant, async |client: &NativeClient, _: &Server| {
                assert_eq!(client.list_all(50, 1).await.expect("tokens").len(), LISTED);
            }),
        },
    ]
}

/// A call that ends in the component before any request, in a fresh instance and in a warm one. The difference is what an
/// instance costs, from its making to its end.
///
/// # Panics
/// A server does not start; later, in a run, a call that does not end as it must.
#[must_use]
pub fn making_and_ending(runtime: &Runtime) -> (Run, Run) {
    let server = Arc::new(Server::start(1));
    let refused = |options: &CallOptions| {
        ours(&server, runtime, options, async |tokens: &Tokens<Account>, _: &Server| {
            assert_eq!(tokens.get("").await.expect_err("refused").kind, ErrorKind::InvalidArgument);
        })
    };
    (refused(&CallOptions::new().credentials(credentials())), refused(&CallOptions::new()))
}

pub(crate) fn get(server: &Arc<Server>, runtime: &Runtime, options: &CallOptions) -> Run {
    ours(server, runtime, options, async |tokens: &Tokens<Account>, server: &Server| {
        tokens.get(server.token_id()).await.expect("a token");
    })
}

fn create(server: &Arc<Server>, runtime: &Runtime) -> Run {
    ours(server, runtime, &CallOptions::new(), async |tokens: &Tokens<Account>, _: &Server| {
        tokens.create(CreateParams::named("CI")).await.expect("a token");
    })
}

fn list_all(server: &Arc<Server>, runtime: &Runtime, per_page: u32) -> Run {
    ours(server, runtime, &CallOptions::new(), async move |tokens: &Tokens<Account>, _: &Server| {
        let params = ListAllParams::new().per_page(per_page);
        assert_eq!(tokens.list_all(params).await.expect("tokens").len(), LISTED);
    })
}

pub(crate) fn native_get(server: &Arc<Server>) -> Run {
    native(server, async |client: &NativeClient, server: &Server| {
        client.get(server.token_id()).await.expect("a token");
    })
}

fn ours(
    server: &Arc<Server>,
    runtime: &Runtime,
    options: &CallOptions,
    call: impl AsyncFn(&Tokens<Account>, &Server) + 'static,
) -> Run {
    let tokens = account(server, &access_tokens(server.base_url(), runtime)).with(options);
    one_after_the_other(Arc::clone(server), tokens, call)
}

fn native(server: &Arc<Server>, call: impl AsyncFn(&NativeClient, &Server) + 'static) -> Run {
    let client = NativeClient::new(server.base_url(), server.account_id());
    one_after_the_other(Arc::clone(server), client, call)
}

fn account(server: &Server, access: &AccessTokens) -> Tokens<Account> {
    access.account(server.account_id())
}

pub(crate) fn one_after_the_other<C: 'static>(
    server: Arc<Server>,
    client: C,
    call: impl AsyncFn(&C, &Server) + 'static,
) -> Run {
    let executor = Builder::new_current_thread().enable_all().build().expect("an executor");
    Box::new(move |calls| {
        Cost::of(|| {
            executor.block_on(async {
                for _ in 0..calls {
                    call(&client, &server).await;
                }
            });
        })
    })
}

fn at_once<C, F>(server: Arc<Server>, client: C, call: fn(C, String) -> F) -> Run
where
    C: Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let executor = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("an executor");
    Box::new(move |calls| {
        let each = calls.div_ceil(u32::try_from(CALLERS).expect("few callers"));
        Cost::of(|| {
            let callers = (0..CALLERS).map(|_| {
                let (client, id) = (client.clone(), server.token_id().to_owned());
                executor.spawn(async move {
                    for _ in 0..each {
                        call(client.clone(), id.clone()).await;
                    }
                })
            });
            for caller in executor.block_on(join_all(callers)) {
                caller.expect("no caller panics");
            }
        })
    })
}
