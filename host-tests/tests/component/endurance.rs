//! An instance that has made many calls still works, and needs no more memory than after the first of them: after a thousand that
//! fail, after answers that are too large, after answers that are almost too large and have another shape each time, and after the
//! errors of the host that come with text.

use bytes::Bytes;
use cloudflare_access_host_tests::hooks::Reply;
use cloudflare_access_host_tests::requests::header;
use cloudflare_access_host_tests::types::{ErrorKind, RequestOptions};
use cloudflare_access_host_tests::{Action, Done, Host, options};
use cloudflare_access_simulator::{Fault, FaultKind, Simulator};
use wasmtime_wasi_http::Error as HttpError;

const CALLS: usize = 1000;
const WARM_UP: usize = 100;

/// A fault, and the kind of the error that it leads to.
fn faults() -> [(FaultKind, ErrorKind); 11] {
    use ErrorKind::{Connection, InvalidResponse, Rejected, Timeout, Unavailable};
    [
        (FaultKind::error(500, 1000, "later"), Unavailable),
        (FaultKind::NeverAnswer, Timeout),
        (FaultKind::Close, Connection),
        (FaultKind::TruncatedBody, Connection),
        (FaultKind::StallInBody, Timeout),
        (FaultKind::HtmlPage { status: 520 }, Unavailable),
        (FaultKind::NotHttp, Connection),
        (FaultKind::LargeHead { bytes: 1 << 20 }, Connection),
        (FaultKind::Redirect { status: 302, location: "/login".to_owned() }, InvalidResponse),
        (FaultKind::GarbageJson, InvalidResponse),
        (FaultKind::ContentTooLarge, Rejected),
    ]
}

#[tokio::test]
async fn a_thousand_failing_calls_over_sockets_leave_an_instance_as_it_was() {
    let simulator = Simulator::builder().quota(CALLS).start().await.expect("a simulator");
    let mut id = simulator.add_token(simulator.account(), "token").token.id;
    let mut plugin = Host::shared().instance().await;
    // So many that their list would be missed if it stayed behind.
    let headers = (0..60).map(|number| header(format!("x-trace-{number}"), "1")).collect();
    let patient = RequestOptions { headers: Some(headers), ..options(&simulator) };
    // Only what never ends is given up soon, so that a slow machine does not turn the others into it.
    let hurried = RequestOptions { timeout_ms: Some(20), ..patient.clone() };
    let faults = faults();
    // `issue` would try again until its time ends; its requests are those of the others.
    let actions: Vec<_> = Action::all().filter(|action| *action != Action::Issue).collect();
    let mut memory = 0;
    for number in 0..CALLS {
        let (fault, expected) = &faults[number % faults.len()];
        let action = actions[number % actions.len()];
        simulator.clear_faults();
        simulator.inject(Fault::new(fault.clone()).forever());
        let options = if *expected == ErrorKind::Timeout { &hurried } else { &patient };
        let error = action.call(&mut plugin, simulator.account(), &id, options).await.expect_err("a fault");
        assert_eq!(error.kind, *expected, "{fault:?} of {action:?}: {error:?}");
        if simulator.tokens(simulator.account()).iter().all(|token| token.id != id) {
            id = simulator.add_token(simulator.account(), "token").token.id;
        }
        if number == WARM_UP {
            memory = plugin.memory();
        }
    }
    assert_eq!(plugin.memory(), memory, "after {CALLS} and after {WARM_UP} calls");
    simulator.clear_faults();
    Action::Create.call(&mut plugin, simulator.account(), "", &patient).await.expect("it works");
}

#[tokio::test]
async fn two_hundred_answers_that_are_too_large_leave_an_instance_as_it_was() {
    let (mut plugin, replies) = Host::shared().instance_in_memory().await;
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let filling = Bytes::from(vec![b' '; 1 << 20]);
    let fields = Bytes::from(format!(r#"{{"success":true,"result":[{{{}}}]}}"#, vec![r#""a":[]"#; 100_000].join(",")));
    let mut memory = 0;
    for number in 0..2 * WARM_UP {
        let chunks = if number % 2 == 0 { vec![filling.clone(); 9] } else { vec![fields.clone()] };
        replies.set(move |_| Reply::Answer {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            chunks: chunks.clone(),
            breaks: false,
        });
        Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect_err("too large");
        if number == WARM_UP {
            memory = plugin.memory();
        }
    }
    assert_eq!(plugin.memory(), memory, "after twice as many calls");
}

/// The most that a body may have.
const BODY: usize = 8 << 20;
/// After so many answers an instance has had the worst of it.
const SHAPES_OF_WARM_UP: usize = 150;
const SHAPES: usize = 300;

/// An answer of almost 8 MiB whose texts have a length of their own: fields of an unknown name in one token, or the names of many.
fn shaped(number: usize) -> (Bytes, usize) {
    // From a few bytes to a megabyte, no two the same, in no order.
    let length = 40 + (number * 7919) % 401 * (number % 7 + 1).pow(4);
    let text = "x".repeat(length);
    let (before, after, piece) = if number.is_multiple_of(2) {
        (r#"{"success":true,"result":[{"id":"1""#, "}]}", format!(r#","field":"{text}""#))
    } else {
        (r#"{"success":true,"result":[{"id":"0"}"#, "]}", format!(r#",{{"id":"00000001","name":"{text}"}}"#))
    };
    // What is built of it has a limit, too: 16 MiB, at 200 bytes a token and 16 a text.
    let count = ((BODY - 100) / piece.len()).min(BODY / (length + 250));
    let body = [before, &piece.repeat(count), after].concat();
    assert!(body.len() <= BODY);
    (body.into(), count)
}

#[tokio::test]
async fn answers_of_8_mib_of_another_shape_each_time_leave_an_instance_as_it_was() {
    let (mut plugin, replies) = Host::shared().instance_in_memory().await;
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let mut memory = 0;
    for number in 0..SHAPES {
        let (body, count) = shaped(number);
        replies.set(move |_| Reply::json(200, body.clone()));
        let done = Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect("a page");
        let Done::Page(page) = done else { unreachable!() };
        let found = page.tokens.len() - 1 + page.tokens[0].additional_fields.len();
        assert_eq!(found, count, "shape {number}");
        if number == SHAPES_OF_WARM_UP {
            memory = plugin.memory();
        }
    }
    println!("{} MiB after {SHAPES_OF_WARM_UP} answers, {} after {SHAPES}", memory >> 20, plugin.memory() >> 20);
    assert_eq!(plugin.memory(), memory, "after {SHAPES} and after {SHAPES_OF_WARM_UP} answers");
}

/// The errors of `wasi:http` that can hold text, with a long one.
fn error_with_text(number: usize) -> HttpError {
    let text = || Some("x".repeat(100_000));
    match number % 9 {
        0 => HttpError::DnsError { rcode: text(), info_code: None },
        1 => HttpError::TlsAlertReceived { alert_id: None, alert_message: text() },
        2 => HttpError::HttpRequestHeaderSize { field_name: text(), field_size: Some(1) },
        3 => HttpError::HttpRequestTrailerSize { field_name: text(), field_size: None },
        4 => HttpError::HttpResponseHeaderSize { field_name: text(), field_size: None },
        5 => HttpError::HttpResponseTrailerSize { field_name: text(), field_size: Some(1) },
        6 => HttpError::HttpResponseTransferCoding(text()),
        7 => HttpError::HttpResponseContentCoding(text()),
        _ => HttpError::InternalError(text()),
    }
}

#[tokio::test]
async fn the_text_of_an_error_of_the_host_is_given_back() {
    let (mut plugin, replies) = Host::shared().instance_in_memory().await;
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let mut memory = 0;
    for number in 0..WARM_UP {
        replies.set(move |_| Reply::Error(error_with_text(number)));
        Action::Get.call(&mut plugin, simulator.account(), "id", &options).await.expect_err("an error of the host");
        if number == 9 {
            memory = plugin.memory();
        }
    }
    assert_eq!(plugin.memory(), memory, "after {WARM_UP} and after 10 errors");
}
