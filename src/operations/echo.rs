//! Every exported function against a server that echoes: it puts the credential of the call, the new secret, line
//! breaks, control characters and long texts into every place of its answers that it can. Nothing of that may get into
//! an error.

use crate::contract::lifecycle::{RefreshParams, Selector};
use crate::contract::types::{
    CreateParams, Error, ErrorKind, ListAllParams, ListPageParams, Outcome, RequestOptions, Scope, UpdateParams,
};
use crate::exchange::scripted_host::{CREDENTIAL, Reply, ScriptedHost, Sent, options};
use crate::exchange::{Call, Cause};
use crate::operations::{ensure, expiring, find, issue, list_all, overlap, service_tokens};
use crate::request::quoted::is_unprintable;
use crate::request::{Function, arguments};

const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";
const SECRET: &str = "cfast_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef";
/// Written into JSON texts.
const ECHO: &str = concat!(
    r"x\nINFO forged \u001b[31m\u202e the-credential-of-the-caller ",
    "cfast_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef"
);

/// Calls a function and returns the errors that come of it.
fn errors_of(function: Function, host: &ScriptedHost) -> Vec<Error> {
    let options = RequestOptions { max_retries: Some(1), timeout_ms: Some(3000), ..options() };
    let create = CreateParams {
        name: "ci".into(),
        duration: Some("24h".into()),
        enabled: Some(true),
        client_secret_version: None,
        previous_client_secret_expires_at: None,
    };
    let update = UpdateParams {
        name: Some("ci".into()),
        duration: None,
        enabled: None,
        client_secret_version: Some(2),
        previous_client_secret_expires_at: None,
    };
    let page = ListPageParams { name: None, search: None, page: None, per_page: None };
    let all = ListAllParams { name: None, search: None, per_page: None };
    let due = RefreshParams { within_seconds: 86_400, name: None, include_expired: true };
    let name = Selector::Name("ci".into());
    macro_rules! error {
        (|$call:ident| $operation:expr) => {
            host.run(function, options, async |$call| $operation.await.map(drop)).err().into_iter().collect()
        };
    }
    match function {
        Function::ListPage => error!(|call| service_tokens::list_page(call, arguments::list_page(&page)?)),
        Function::ListAll => error!(|call| list_all::list_all(call, arguments::list_all(&all)?)),
        Function::Get => error!(|call| service_tokens::get(call, call.target(ID)?)),
        Function::Create => error!(|call| service_tokens::create(call, arguments::create(&create)?)),
        Function::Update => error!(|call| service_tokens::update(call, call.target(ID)?, arguments::update(&update)?)),
        Function::Delete => error!(|call| service_tokens::delete(call, call.target(ID)?)),
        Function::Refresh => error!(|call| service_tokens::refresh(call, call.target(ID)?)),
        Function::Rotate => error!(|call| service_tokens::rotate(call, call.target(ID)?, None)),
        Function::Expiring => error!(|call| expiring::expiring(call, 86_400)),
        Function::RefreshExpiring => {
            match host.run(function, options, async |call| expiring::refresh(call, &due).await) {
                Ok(report) => report.tokens.into_iter().filter_map(|token| token.refreshed.err()).collect(),
                Err(error) => vec![error],
            }
        }
        Function::RotateWithOverlap => error!(|call| overlap::rotate(call, call.target(ID)?, 60, false)),
        Function::EndOverlap => error!(|call| overlap::end(call, call.target(ID)?)),
        Function::ExtendOverlap => error!(|call| overlap::extend(call, call.target(ID)?, 60)),
        Function::Find => error!(|call| find::find(call, &name)),
        Function::Ensure => error!(|call| ensure::ensure(call, &create)),
        Function::Issue => error!(|call| issue::issue(call, &create, "k")),
        Function::FinishIssue => error!(|call| issue::finish(call, "k")),
        Function::ResolveCreate => error!(|call| find::resolve_create(call, "ci", "2000-01-01T00:00:00Z")),
        Function::Disable => error!(|call| service_tokens::switch(call, call.target(ID)?, false)),
        Function::Enable => error!(|call| service_tokens::switch(call, call.target(ID)?, true)),
    }
}

fn assert_nothing_is_echoed(function: Function, error: &Error) {
    let shown = format!("{error:?}");
    for secret in [CREDENTIAL, SECRET] {
        assert!(!shown.contains(secret), "{function:?}: {shown}");
    }
    // `Debug` escapes what cannot be printed.
    let texts = [
        Some(&error.message),
        error.ray_id.as_ref(),
        error.token_id.as_ref(),
        error.previous_secret_expires_at.as_ref(),
    ];
    let of_the_api = error.api_errors.iter().flat_map(|error| {
        let chain = error.chain.iter().map(|cause| &cause.message);
        [Some(&error.message), error.documentation_url.as_ref(), error.pointer.as_ref()]
            .into_iter()
            .flatten()
            .chain(chain)
    });
    for text in texts.into_iter().flatten().chain(of_the_api) {
        assert!(!text.contains(is_unprintable), "{function:?}: {text:?}");
    }
    assert!(shown.len() < 60_000, "{function:?}: {} bytes", shown.len());
    assert!(error.message.len() <= 2000, "{function:?}: {} bytes", error.message.len());
    assert!(error.message.starts_with(&format!("{}: ", function.name())), "{function:?}: {}", error.message);
}

fn echo_headers(reply: Reply) -> Reply {
    let values = ["cf-ray", "content-type", "retry-after", "ratelimit", "date", "location"];
    values.into_iter().fold(reply, |reply, name| reply.with_header(name, &format!("{CREDENTIAL}\r\n{SECRET}")))
}

/// A refusal that echoes in every text of the envelope, and shows a secret in its result.
fn echoing_refusal(status: u16, text: &str) -> Reply {
    let body = format!(
        r#"{{"success":false,"errors":[{{"code":1000,"message":"{text}","documentation_url":"{text}",
        "source":{{"pointer":"{text}"}},
        "error_chain":[{{"code":1001,"message":"{text}"}}]}},"{text}"],"messages":["{text}"],
        "result":{{"id":"{text}","name":"{text}","client_secret":"{SECRET}"}}}}"#
    );
    echo_headers(Reply::new(status, &body))
}

/// A result that cannot be used and echoes in its id.
fn echoing_result(sent: &Sent, text: &str) -> Reply {
    let token = format!(
        r#"{{"id":"{text}","name":"ci","expires_at":"2026-11-24T10:00:01Z","duration":"1h","client_secret":"{SECRET}",
        "client_secret":"{SECRET}","previous_client_secret_expires_at":"{text}","{text}":1}}"#
    );
    let is_list = sent.line() == "GET" || sent.line().starts_with("GET ?");
    echo_headers(Reply::result(&if is_list { format!("[{token}]") } else { token }))
}

/// Tokens as they should be, but for ids that echo; everything else is refused. They have the names that the functions
/// look for.
fn echoing_ids(sent: &Sent, text: &str) -> Reply {
    let token = |number: u32, name: &str| {
        format!(
            r#"{{"id":"{text}{number}","name":"{name}","duration":"1h","expires_at":"2026-11-24T10:00:01Z",
            "previous_client_secret_expires_at":"{text}"}}"#
        )
    };
    match sent.line().as_str() {
        line if line == "GET" || line.starts_with("GET ?") => {
            let tokens = [token(1, "ci"), token(2, "ci"), token(3, "ci [issue:k]"), token(4, "ci [issue:k]")];
            echo_headers(Reply::result(&format!("[{}]", tokens.join(","))))
        }
        line if line.starts_with("GET /") => echo_headers(Reply::result(&format!(
            r#"{{"id":"{ID}","previous_client_secret_expires_at":"{text}","client_secret_version":1}}"#
        ))),
        _ => echoing_refusal(403, text),
    }
}

#[test]
fn no_error_of_any_function_holds_what_a_server_echoes() {
    let long = "y".repeat(1024 * 1024);
    let long_echo = format!("{ECHO} {}", "z".repeat(2000));
    let texts =
        [ECHO.to_owned(), long_echo, long, CREDENTIAL.to_owned(), SECRET.to_owned(), format!("pre-{CREDENTIAL}-post")];
    for &function in Function::ALL {
        let mut errors = 0;
        for text in texts.clone() {
            let texts = || text.clone();
            let (refusal, result, ids, page) = (texts(), texts(), texts(), texts());
            let hosts = [
                ScriptedHost::with_rule(move |_| echoing_refusal(403, &refusal)),
                ScriptedHost::with_rule(move |sent| echoing_result(sent, &result)),
                ScriptedHost::with_rule(move |sent| echoing_ids(sent, &ids)),
                ScriptedHost::with_rule(move |_| echo_headers(Reply::new(502, &format!("<html>Ray ID: {page}")))),
                ScriptedHost::with_rule(|_| Reply::failure_after_head(Cause::Lost("the connection broke"), 200)),
            ];
            for host in hosts {
                for error in errors_of(function, &host) {
                    errors += 1;
                    assert_nothing_is_echoed(function, &error);
                }
                assert!(!host.sent().is_empty(), "{function:?}");
            }
        }
        assert!(errors >= 3 * texts.len(), "{function:?}: {errors} errors");
    }
}

#[test]
fn a_status_with_an_echo_is_an_error_of_every_function() {
    for &function in Function::ALL {
        for status in [200, 302, 400, 401, 404, 409, 429, 500, 520] {
            let host = ScriptedHost::with_rule(move |_| echoing_refusal(status, ECHO));
            let errors = errors_of(function, &host);
            assert_eq!(errors.len(), 1, "{function:?}");
            for error in errors {
                assert!(error.message.contains("x INFO forged  [31m  [redacted] [redacted]"), "{}", error.message);
                assert_nothing_is_echoed(function, &error);
            }
        }
    }
}

#[test]
fn a_secret_of_any_form_is_kept_out_of_the_error_of_its_own_answer() {
    const OPAQUE: &str = "a-secret-of-another-form";
    let errors = r#"[{"message":"a-secret-of-another-form"}]"#;
    for body in [
        format!(r#"{{"success":false,"errors":{errors},"result":{{"id":"i","client_secret":"{OPAQUE}"}}}}"#),
        format!(r#"{{"result":{{"id":"i","client_secret":"{OPAQUE}"}},"errors":{errors}}}"#),
        format!(r#"{{"success":true,"result":{{"id":"{OPAQUE}","client_secret":"{OPAQUE}","client_secret":"x"}}}}"#),
    ] {
        let host = ScriptedHost::with_rule(move |_| Reply::new(200, &body));
        let errors = errors_of(Function::Create, &host);
        assert!(errors.len() == 1 && !format!("{errors:?}").contains(OPAQUE), "{errors:?}");
    }
}

#[test]
fn a_secret_that_an_earlier_answer_has_shown_is_kept_out_of_every_later_error() {
    const OPAQUE: &str = "a-secret-of-another-form";
    let shown = |json: &str| json.replace("SECRET", OPAQUE);
    let token = r#"{"id":"i","name":"x","client_secret":"SECRET"}"#;
    let good = |result: &str| Reply::result(&shown(result));
    let echo = || Reply::new(403, &shown(r#"{"success":false,"errors":[{"message":"SECRET"}]}"#));
    let list = |token: &str| good(&format!("[{token}]"));
    let there = || list(r#"{"id":"i","name":"ci","client_secret":"SECRET"}"#);
    let made = |body: &str, status| Reply::new(status, &shown(body));
    for (function, replies) in [
        // In a list, of which the errors come after it.
        (Function::Ensure, vec![list(token), echo()]),
        (Function::Ensure, vec![there(), echo()]),
        (
            Function::ListAll,
            vec![
                made(&format!(r#"{{"success":true,"result":[{token}],"result_info":{{"total_pages":2}}}}"#), 200),
                echo(),
            ],
        ),
        // In the token that is looked at.
        (
            Function::RotateWithOverlap,
            vec![good(r#"{"id":"SECRET_ID","client_secret":"SECRET"}"#.replace("SECRET_ID", ID).as_str()), echo()],
        ),
        // In an answer to `create` that is of no use: another token is looked for afterwards.
        (Function::Issue, vec![list(""), good(r#"{"client_secret":"SECRET"}"#), echo()]),
        (Function::Issue, vec![list(""), good(r#"[{"id":7,"client_secret":"SECRET"}]"#), echo()]),
        (Function::Issue, vec![list(""), good(r#"[[{"id":"i","client_secret":"SECRET"}]]"#), echo()]),
        (Function::Issue, vec![list(""), good("\"SECRET\""), echo()]),
        (
            Function::Issue,
            vec![list(""), good(r#"{"id":"i","client_secret":"other","client_secret":"SECRET"}"#), echo()],
        ),
        (Function::Issue, vec![list(""), good(r#"{"id":7,"client\u005fsecret":"SECRET"}"#), echo()]),
        (
            Function::Issue,
            vec![
                list(""),
                made(r#"{"result":{"client_secret":"other"},"result":{"client_secret":"SECRET"}}"#, 500),
                echo(),
            ],
        ),
        (Function::Issue, vec![list(""), made(r#"{"success":true,"result":{"client_secret":"SECRET"}}"#, 500), echo()]),
        (Function::Issue, vec![list(""), made(r#"{"success":true,"result":{"client_secret" : "SECRET"#, 200), echo()]),
        (Function::Issue, vec![list(""), made(r#"<p>{"client_secret":"\u0061-secret-of-another-form"}"#, 500), echo()]),
    ] {
        let count = replies.len();
        let host = ScriptedHost::with_replies(replies);
        let errors = errors_of(function, &host);
        assert_eq!(host.sent().len(), count, "{function:?}");
        let shown = format!("{errors:?}");
        assert!(shown.contains("[redacted]") && !shown.contains(OPAQUE), "{function:?}: {shown}");
    }
}

#[test]
fn an_id_that_holds_the_credential_is_refused_and_nothing_is_sent() {
    for id in [CREDENTIAL.to_owned(), format!("x-{CREDENTIAL}")] {
        let host = ScriptedHost::default();
        let get = async |call: &Call<'_, ScriptedHost>| service_tokens::get(call, call.target(&id)?).await;
        let as_token = host.run(Function::Get, options(), get).expect_err("accepted");
        let in_scope = |scope| host.run_in(scope, Function::ListPage, Some(options()), async |_| Ok(()));
        let as_account = in_scope(Scope::Account(id.clone())).expect_err("accepted");
        let as_zone = in_scope(Scope::Zone(id.clone())).expect_err("accepted");
        for error in [as_token, as_account, as_zone] {
            assert_eq!(
                (error.kind, error.outcome, error.attempts),
                (ErrorKind::InvalidArgument, Outcome::NotApplied, 0)
            );
            let shown = format!("{error:?}");
            assert!(shown.contains("holds the credential") && !shown.contains(CREDENTIAL), "{shown}");
        }
        assert!(host.sent().is_empty());
    }
}

#[test]
fn an_id_of_an_answer_that_holds_the_credential_is_not_sent_back() {
    let list = format!(r#"[{{"id":"{CREDENTIAL}","name":"ci","duration":"1h"}}]"#);
    let host = ScriptedHost::with_replies([Reply::result(&list)]);
    let errors = errors_of(Function::Ensure, &host);
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::NotApplied));
    assert_nothing_is_echoed(Function::Ensure, error);
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn a_message_has_at_most_2000_bytes_and_keeps_its_end() {
    let texts = ["\u{20ac}".repeat(500), "x".repeat(500)];
    for text in texts {
        let error = format!(r#"{{"message":"{text}","error_chain":[{{"message":"{text}"}},{{"message":"{text}"}}]}}"#);
        let body = format!(r#"{{"success":false,"errors":[{{"code":10000,"message":"no"}},{error},{error},{error}]}}"#);
        let host = ScriptedHost::with_rule(move |_| Reply::new(403, &body));
        for &function in Function::ALL {
            for error in errors_of(function, &host) {
                assert!(error.message.len() <= 2000, "{function:?}: {} bytes", error.message.len());
                assert!(error.message.contains('\u{2026}') && error.message.contains("log-in"), "{}", error.message);
            }
        }
    }
    let host = ScriptedHost::default();
    let refused = host.run(Function::Find, options(), async |_| {
        Err::<(), _>(crate::failure::Failure::argument("\u{20ac}".repeat(1000).as_str(), "x", "y".repeat(3000)))
    });
    let message = refused.expect_err("refused").message;
    assert!(message.len() <= 2000 && message.ends_with('\u{2026}'), "{} bytes", message.len());
}
