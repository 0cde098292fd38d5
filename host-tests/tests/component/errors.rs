//! Every error of the API's catalogue, and every form in which errors really come, as the caller sees them.

use std::time::{Duration, Instant};

use cloudflare_access_host_tests::hooks::Reply;
use cloudflare_access_host_tests::requests::{first_page, header, named};
use cloudflare_access_host_tests::types::{
    CreateParams, Credentials, Error, ErrorKind, Outcome, RequestOptions, Scope,
};
use cloudflare_access_host_tests::{Action, Host, Instance, RawServer, Setup, api_token, endpoint, options, scope};
use cloudflare_access_simulator::{Body, FaultKind, ScopeKind, Simulator, Wait};
use wasmtime_wasi_http::{Error as HttpError, WasiBody, WasiHttpHooks};

/// Asks for a list that meets a fault.
async fn error_of(kind: FaultKind) -> Error {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(kind);
    let mut plugin = Host::shared().instance().await;
    let listed = plugin.list_page(&scope(simulator.account()), &first_page(), Some(&options(&simulator))).await;
    listed.expect_err("the fault is an error")
}

async fn setting() -> (Simulator, Instance, RequestOptions) {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    (simulator, Host::shared().instance().await, options)
}

#[tokio::test]
async fn every_code_of_the_catalogue_has_its_kind_and_its_hint() {
    use ErrorKind::{Forbidden, InUse, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable};
    for (status, code, text, kind, hint) in [
        (404, 12135, "access.api.error.not_found", NotFound, "not its client id"),
        (400, 12139, "access.api.error.service_token_in_use: cannot delete", InUse, "every policy, group and SCIM"),
        (400, 12139, "access.api.error.service_token_in_use: cannot delete", InUse, "look at it, then"),
        (400, 12130, "access.api.error.invalid_request: name", Rejected, "50 an account"),
        (403, 10000, "Authentication error", Unauthenticated, "\"Access: Service Tokens Read\" (to list and get)"),
        (403, 10000, "Authentication error", Unauthenticated, "an OAuth token"),
        (403, 10000, "Authentication error", Unauthenticated, "its IP filter"),
        (403, 10000, "Authentication error", Unauthenticated, "for another account"),
        (405, 10000, "POST method with API Tokens is not supported by this API", Unauthenticated, "the global API key"),
        (
            400,
            9106,
            "Missing X-Auth-Key, X-Auth-Email or Authorization headers",
            Unauthenticated,
            "check the credential",
        ),
        (403, 9109, "Unauthorized to access requested resource", Unauthenticated, "check the credential"),
        (400, 7003, "Could not route to /client/v4/zones/x", NotFound, "account or zone id"),
        (404, 7000, "No route for that URI", NotFound, "account or zone id"),
        (429, 971, "More than 1200 requests per 300 seconds reached", RateLimited, ""),
        (403, 971, "More than 1200 requests per 300 seconds reached", RateLimited, ""),
        (429, 10100, "More than 1200 requests per 300 seconds reached", RateLimited, ""),
        (403, 10100, "More than 1200 requests per 300 seconds reached", RateLimited, ""),
        (403, 10001, "Method not allowed for token", Forbidden, "this kind of credential"),
        (403, 10001, "internal error", Unavailable, ""),
        (403, 9999, "access.api.error.not_enabled", Forbidden, "set up Zero Trust"),
        (409, 12132, "a conflict", ErrorKind::Conflict, ""),
        (422, 1, "no good", Rejected, ""),
        (401, 1, "who are you", Unauthenticated, ""),
        (500, 1, "oh", Unavailable, ""),
    ] {
        let error = error_of(FaultKind::error(status, code, text)).await;
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{code}: {}", error.message);
        assert_eq!(
            error.api_errors.iter().map(|error| (error.code, error.message.as_str())).collect::<Vec<_>>(),
            [(Some(code), text)]
        );
        assert!(error.message.starts_with(&format!("list-page: {status} ")), "{}", error.message);
        assert!(
            error.message.contains(&format!("{text} (code {code})")) && error.message.contains(hint),
            "{}",
            error.message
        );
        assert!(error.ray_id.is_some() && error.attempts == 1 && error.outcome == Outcome::NotApplied);
    }
}

#[tokio::test]
async fn the_chain_below_an_error_is_in_the_record_and_in_the_message() {
    let error = error_of(FaultKind::ErrorChain).await;
    assert_eq!((error.kind, error.status), (ErrorKind::Unauthenticated, Some(400)));
    let first = &error.api_errors[0];
    assert_eq!((first.code, first.chain[0].code), (Some(6003), Some(6111)));
    assert!(
        error.message.contains("(code 6003) <- Invalid format for Authorization header (code 6111)"),
        "{}",
        error.message
    );
    for hint in ["quotation marks", "`Bearer`", "placeholder"] {
        assert!(error.message.contains(hint), "{}", error.message);
    }
}

#[tokio::test]
async fn where_an_error_points_and_where_it_is_explained_are_told_apart() {
    const ANSWER: &str = include_str!("../../answers/refused.json");
    let (mut plugin, replies) = Host::shared().instance_in_memory().await;
    replies.set(|_| Reply::json(400, ANSWER.to_owned()));
    let (simulator, _, options) = setting().await;
    let listed = plugin.list_page(&scope(simulator.account()), &first_page(), Some(&options)).await;
    let error = &listed.expect_err("refused").api_errors[0];
    assert_eq!(error.pointer.as_deref(), Some("/a"));
    assert_eq!(error.documentation_url.as_deref(), Some("https://developers.cloudflare.com"));
}

#[tokio::test]
async fn every_form_of_an_error_is_decoded() {
    for (kind, expected, codes) in [
        (FaultKind::UnsuccessfulOk, ErrorKind::Rejected, 1),
        (FaultKind::FlatError { status: 400 }, ErrorKind::Rejected, 1),
        (FaultKind::NullErrors { status: 400 }, ErrorKind::Rejected, 0),
        (FaultKind::StringCodes { status: 400 }, ErrorKind::NotFound, 1),
        (FaultKind::MissingKeys { status: 403 }, ErrorKind::Forbidden, 1),
        (FaultKind::HtmlPage { status: 520 }, ErrorKind::Unavailable, 0),
        (FaultKind::HtmlPage { status: 403 }, ErrorKind::InvalidResponse, 0),
        (FaultKind::HtmlPage { status: 200 }, ErrorKind::InvalidResponse, 0),
        (FaultKind::EmptyBody { status: 502 }, ErrorKind::Unavailable, 0),
        (FaultKind::NullBody { status: 429 }, ErrorKind::RateLimited, 0),
    ] {
        let name = kind.name();
        let error = error_of(kind).await;
        assert_eq!((error.kind, error.api_errors.len()), (expected, codes), "{name}: {}", error.message);
        assert!(error.ray_id.is_some(), "{name}");
        assert!(!error.message.contains('<') && !error.message.contains('\n'), "{name}: {}", error.message);
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    for (wait, expected) in [
        (Wait::Seconds(7200), Some(7_200_000)),
        (Wait::DateAfterSeconds(90), Some(90_000)),
        (Wait::RatelimitHeader(30), Some(30_000)),
        (Wait::Seconds(-5), None),
        (Wait::Text("soon".into()), None),
        (Wait::Unsaid, None),
    ] {
        let shown = format!("{wait:?}");
        let error = error_of(FaultKind::RateLimited { wait }).await;
        assert_eq!((error.kind, error.retry_after_ms), (ErrorKind::RateLimited, expected), "{shown}");
    }
}

#[tokio::test]
async fn of_several_exhausted_windows_the_longest_counts() {
    for (limits, expected) in [
        ("\"burst\";r=0;t=5, \"default\";r=0;t=300", Some(300_000)),
        ("\"default\";r=0;t=300, \"burst\";r=0;t=5", Some(300_000)),
        ("\"burst\";r=0;t=5, \"default\";r=7;t=300", Some(5_000)),
        ("\"burst\";r=3;t=5, \"default\";r=7;t=300", None),
    ] {
        let error = error_of(FaultKind::Response {
            status: 429,
            headers: vec![("ratelimit".into(), limits.into())],
            body: Body(b"null".to_vec()),
        })
        .await;
        assert_eq!((error.kind, error.retry_after_ms), (ErrorKind::RateLimited, expected), "{limits}");
    }
}

#[tokio::test]
async fn a_wait_is_told_only_where_the_call_would_have_waited() {
    for (status, expected) in [(403, None), (404, None), (409, None), (429, Some(7_200_000)), (503, Some(7_200_000))] {
        let body = r#"{"success":false,"errors":[{"code":1,"message":"m"}],"result":null}"#;
        for headers in [vec![("retry-after", "7200")], vec![("ratelimit", "\"default\";r=0;t=7200")]] {
            let error = error_of(FaultKind::Response {
                status,
                headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
                body: Body(body.as_bytes().to_vec()),
            })
            .await;
            assert_eq!((error.status, error.retry_after_ms), (Some(status), expected), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_limit_with_the_older_code_is_waited_for_and_the_create_is_sent_again() {
    let (simulator, mut plugin, good) = setting().await;
    let limit =
        r#"{"success":false,"errors":[{"code":10100,"message":"More than 1200 requests per 300 seconds reached"}]}"#;
    for status in [429, 403] {
        simulator.clear_requests();
        simulator.inject(FaultKind::Response {
            status,
            headers: vec![("retry-after".into(), "1".into())],
            body: Body(limit.as_bytes().to_vec()),
        });
        let options = RequestOptions { max_retries: Some(1), ..good.clone() };
        let started = Instant::now();
        Action::Create.call(&mut plugin, simulator.account(), "", &options).await.expect("created");
        assert!(started.elapsed() >= Duration::from_secs(1), "the wait of a second was not kept");
        assert_eq!(simulator.request_count(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_message_begins_with_the_function_that_was_called_wherever_the_call_fails() {
    let (simulator, mut plugin, good) = setting().await;
    let id = simulator.add_token(simulator.account(), "token").token.id;
    let no_api = RawServer::start(|_| b"HTTP/1.1 404 x\r\ncontent-length: 4\r\n\r\nnope".to_vec()).await;
    let too_late = RequestOptions { timeout_ms: Some(0), ..good.clone() };
    let no_credential = RequestOptions { endpoint: None, ..good.clone() };
    let elsewhere = RequestOptions { endpoint: Some(endpoint(api_token(), &no_api.base_url())), ..good };
    for action in Action::all() {
        for options in [&too_late, &no_credential, &elsewhere] {
            let error = action.call(&mut plugin, simulator.account(), &id, options).await.expect_err("it fails");
            assert!(error.message.starts_with(&format!("{}: ", action.name())), "{action:?}: {}", error.message);
        }
        // An argument, checked later than the settings.
        let nowhere = ScopeKind::Account.with_id("x".repeat(33));
        let error = action.call(&mut plugin, &nowhere, &id, &elsewhere).await.expect_err("it fails");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.starts_with(&format!("{}: account is ", action.name())), "{}", error.message);
    }
}

#[tokio::test]
async fn an_argument_that_looks_like_a_credential_is_not_shown() {
    let (simulator, mut plugin, good) = setting().await;
    let home = scope(simulator.account());
    for pasted in [
        "cfut_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef",
        "cfat_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef",
        "YQSn-xWAQiiEh9qM58wZNnyQS7FUdoqGIUAbrh7T",
        "c2547eb745079dac9320b638f5e225cf483cc5cfdda41",
        "Bearer 0123456789abcdef",
        "Bearer 0123456789abcdef 0123456789abcdef 0123456789abcdef",
        // The credential of this very call.
        cloudflare_access_simulator::API_TOKEN,
    ] {
        let options = Some(&good);
        let duration = CreateParams { duration: Some(pasted.to_owned()), ..named("CI") };
        let mut results = vec![plugin.create(&home, &duration, options).await.map(drop)];
        let long = format!("{pasted}{}", " ".repeat(40));
        let account = Scope::Account(long.clone());
        results.push(plugin.list_page(&account, &first_page(), options).await.map(drop));
        results.push(plugin.get(&home, &long, options).await.map(drop));
        results.push(plugin.issue(simulator.account().id(), &named("CI"), &long, options).await.map(drop));
        let headers = Some(vec![header(format!("authorization: {pasted}"), "")]);
        let as_a_header = RequestOptions { headers, ..good.clone() };
        results.push(plugin.list_page(&home, &first_page(), Some(&as_a_header)).await.map(drop));
        for result in results {
            let error = result.expect_err(pasted);
            assert!(!error.message.contains(pasted), "{}", error.message);
            assert_eq!((error.attempts, error.token_id), (0, None), "{}", error.message);
        }
    }
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn a_client_id_in_place_of_an_id_is_called_one() {
    let (simulator, mut plugin, good) = setting().await;
    let client_id = "88bf3b6d86161464f6509f7219099e57.access";
    for action in Action::all().filter(|action| action.takes_an_id()) {
        let error = action.call(&mut plugin, simulator.account(), client_id, &good).await.expect_err("no id");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0), "{action:?}");
        assert!(error.message.contains("that is a client id"), "{action:?}: {}", error.message);
    }
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn the_api_itself_refuses_as_the_catalogue_says() {
    let (simulator, mut plugin, good) = setting().await;
    let a = scope(simulator.account());
    let with_token = |token: &str| RequestOptions {
        endpoint: Some(endpoint(Credentials::ApiToken(token.into()), simulator.base_url())),
        ..good.clone()
    };
    let wrong = plugin.list_page(&a, &first_page(), Some(&with_token("wrong"))).await.expect_err("a wrong token");
    assert_eq!(wrong.kind, ErrorKind::Unauthenticated);
    let read_only = with_token(cloudflare_access_simulator::READ_ONLY_API_TOKEN);
    plugin.list_page(&a, &first_page(), Some(&read_only)).await.expect("reading is allowed");
    let error = plugin.create(&a, &named("CI"), Some(&read_only)).await.expect_err("writing is not");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Unauthenticated, Outcome::NotApplied));
    assert!(error.message.contains("Access: Service Tokens Write"), "{}", error.message);

    let used = simulator.add_token(simulator.account(), "used").token.id;
    simulator.mark_in_use(&used);
    let error = plugin.delete(&a, &used, Some(&good)).await.expect_err("in use");
    assert_eq!(
        (error.kind, error.status, error.token_id.as_deref()),
        (ErrorKind::InUse, Some(400), Some(used.as_str()))
    );

    for number in 1..50 {
        plugin.create(&a, &named(&format!("token {number}")), Some(&good)).await.expect("within the quota");
    }
    let error = plugin.create(&a, &named("one more"), Some(&good)).await.expect_err("over the quota");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Rejected, Outcome::NotApplied));
}

#[tokio::test]
async fn a_host_that_does_not_let_the_request_out_is_named() {
    let (simulator, _, options) = setting().await;
    let setup = Setup { hooks: Some(Box::new(DenyAll)), ..Setup::default() };
    let mut plugin = Host::shared().instance_with(setup).await;
    let error = plugin.create(&scope(simulator.account()), &named("CI"), Some(&options)).await.expect_err("denied");
    assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::DeniedByHost, Outcome::NotApplied, 1));
    assert_eq!(simulator.request_count(), 0);
}

/// A host whose list of allowed hosts is empty.
struct DenyAll;

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

impl WasiHttpHooks for DenyAll {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<wasmtime_wasi_http::RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}
