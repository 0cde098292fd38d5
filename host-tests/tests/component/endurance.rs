//! A thousand calls that fail, in one instance: it still works, and it needs no more memory than after the first hundred. So it is
//! after two hundred that fail for their size, and after the errors of the host that come with text.

use bytes::Bytes;
use cloudflare_access_host_tests::hooks::Reply;
use cloudflare_access_host_tests::types::RequestOptions;
use cloudflare_access_host_tests::{Action, Host, options};
use cloudflare_access_simulator::{Fault, FaultKind, Simulator};
use wasmtime_wasi_http::Error as HttpError;

const CALLS: usize = 1000;
const WARM_UP: usize = 100;

#[tokio::test]
async fn a_thousand_failing_calls_over_sockets_leave_an_instance_as_it_was() {
    let simulator = Simulator::start().await.expect("a simulator");
    let id = simulator.add_token(simulator.account(), "token").token.id;
    let mut plugin = Host::shared().instance().await;
    // So many that their list would be missed if it stayed behind.
    let headers = (0..60).map(|number| (format!("x-trace-{number}"), "1".to_owned())).collect();
    let options = RequestOptions { timeout_ms: Some(20), max_retries: Some(0), headers, ..options(&simulator) };
    let kinds = [
        FaultKind::error(500, 1000, "later"),
        FaultKind::NeverAnswer,
        FaultKind::Close,
        FaultKind::TruncatedBody,
        FaultKind::StallInBody,
        FaultKind::HtmlPage { status: 520 },
        FaultKind::NotHttp,
        FaultKind::LargeHead { bytes: 1 << 20 },
        FaultKind::NullResult,
        FaultKind::GarbageJson,
        FaultKind::ContentTooLarge,
    ];
    let mut memory = 0;
    for number in 0..CALLS {
        let kind = &kinds[number % kinds.len()];
        let action = Action::ALL[number % Action::ALL.len()];
        simulator.clear_faults();
        simulator.inject(Fault::new(kind.clone()).forever());
        action.call(&mut plugin, simulator.account(), &id, &options).await.expect_err("a fault");
        if number == WARM_UP {
            memory = plugin.memory();
        }
    }
    assert_eq!(plugin.memory(), memory, "after {CALLS} and after {WARM_UP} calls");
    simulator.clear_faults();
    let patient = RequestOptions { timeout_ms: None, ..options };
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
