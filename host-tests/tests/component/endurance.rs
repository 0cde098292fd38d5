//! A thousand calls that fail, in one instance: it still works, and it needs no more memory than after the first hundred. So it is
//! after two hundred that fail for their size, and after the errors of the host that come with text.

use bytes::Bytes;
use cloudflare_access_host_tests::hooks::Reply;
use cloudflare_access_host_tests::types::{ErrorKind, RequestOptions};
use cloudflare_access_host_tests::{Action, Host, options};
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
        (FaultKind::NullResult, InvalidResponse),
        (FaultKind::GarbageJson, InvalidResponse),
        (FaultKind::ContentTooLarge, Rejected),
    ]
}

#[tokio::test]
async fn a_thousand_failing_calls_over_sockets_leave_an_instance_as_it_was() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    // So many that their list would be missed if it stayed behind.
    let headers = (0..60).map(|number| (format!("x-trace-{number}"), "1".to_owned())).collect();
    let patient = RequestOptions { headers, ..options(&simulator) };
    let hurried = RequestOptions { timeout_ms: Some(20), ..patient.clone() };
    let faults = faults();
    let mut memory = 0;
    for number in 0..CALLS {
        let (fault, expected) = &faults[number % faults.len()];
        let action = Action::ALL[number % Action::ALL.len()];
        let options = if *expected == ErrorKind::Timeout { &hurried } else { &patient };
        // A call has deleted it, or there was none yet.
        if simulator.tokens(simulator.account()).is_empty() {
            let _ = simulator.add_token(simulator.account(), "token");
        }
        let id = simulator.tokens(simulator.account()).swap_remove(0).id;
        simulator.inject(Fault::new(fault.clone()));
        let error = action.call(&mut plugin, simulator.account(), &id, options).await.expect_err("a fault");
        assert_eq!(error.kind, *expected, "{fault:?}, {action:?}: {}", error.message);
        simulator.clear_faults();
        if number == WARM_UP {
            memory = plugin.memory();
        }
    }
    assert_eq!(plugin.memory(), memory, "after {CALLS} and after {WARM_UP} calls");
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
        Action::List.call(&mut plugin, simulator.account(), "", &options).await.expect_err("too large");
        if number == WARM_UP {
            memory = plugin.memory();
        }
    }
    assert_eq!(plugin.memory(), memory, "after twice as many calls");
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
