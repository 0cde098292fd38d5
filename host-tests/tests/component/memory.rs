//! What a server sends, however large or deep, ends in a clear error or the right result, in an instance of 64 MiB that works
//! afterwards. Whoever asks for more memory than that traps, and a trap fails the test.

use std::fmt::Write as _;

use bytes::Bytes;
use cloudflare_access_host_tests::hooks::{Replies, Reply};
use cloudflare_access_host_tests::types::{Error, ErrorKind, ListAllParams, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Action, Done, Host, Instance, options, requests::everything, scope};
use cloudflare_access_simulator::{Fault, FaultKind, Simulator};

const MIB: usize = 1 << 20;
/// What a body may have.
const BODY: usize = 8 * MIB;
const DEPTH: usize = 100_000;

async fn setting() -> (Simulator, Instance, RequestOptions) {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    (simulator, Host::shared().instance().await, options)
}

/// An instance whose host answers from memory.
async fn in_memory() -> (Simulator, Instance, Replies, RequestOptions) {
    let (plugin, replies) = Host::shared().instance_in_memory().await;
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    (simulator, plugin, replies, options)
}

/// The fault is met by the next request; what came of it. Afterwards the instance lists.
async fn met(kind: FaultKind, action: Action) -> Result<Done, Error> {
    let (simulator, mut plugin, options) = setting().await;
    let id = simulator.add_token(simulator.account(), "token").token.id;
    simulator.inject(Fault::new(kind));
    let result = action.call(&mut plugin, simulator.account(), &id, &options).await;
    Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect("it works afterwards");
    result
}

#[tokio::test]
async fn a_body_of_64_mb_is_refused_at_8_mib() {
    for action in [Action::ListPage, Action::Create] {
        let error = met(FaultKind::LargeBody { bytes: 64 * MIB }, action).await.expect_err("too large");
        assert_eq!((error.kind, error.status.is_some()), (ErrorKind::InvalidResponse, true));
        assert!(error.message.contains("larger than the limit of 8 MiB"), "{}", error.message);
        let expected = if action == Action::Create { Outcome::Unknown } else { Outcome::NotApplied };
        assert_eq!(error.outcome, expected);
    }
    met(FaultKind::LargeBody { bytes: BODY }, Action::Create).await.expect("a body up to the limit");
    met(FaultKind::LargeBody { bytes: BODY + 1 }, Action::Create).await.expect_err("one byte more");
}

#[tokio::test]
async fn a_header_block_of_1_mb_is_an_error_or_ignored() {
    let error = met(FaultKind::LargeHead { bytes: MIB }, Action::Create).await.expect_err("wasmtime reads less");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Connection, Outcome::Unknown));

    // A host that lets it through: the right result.
    let (simulator, mut plugin, replies, options) = in_memory().await;
    for name in ["x-large", "cf-ray", "retry-after", "ratelimit", "content-type", "date"] {
        replies.set(move |_| {
            let value = http::HeaderValue::from_bytes(&vec![b'1'; MIB]).expect("a header value");
            let Reply::Answer { status, mut headers, chunks, breaks } = Reply::json(200, "<>") else { unreachable!() };
            headers.insert(name, value);
            Reply::Answer { status, headers, chunks, breaks }
        });
        let error = Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect_err("no JSON");
        assert_eq!((error.kind, error.status), (ErrorKind::InvalidResponse, Some(200)));
        assert!(error.ray_id.is_none() && error.message.len() < 2000, "{} bytes", error.message.len());
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> FaultKind {
    let body: Vec<u8> = body.into();
    FaultKind::Response { status, headers: vec![], body: body.into() }
}

#[tokio::test]
async fn json_nested_100_000_deep_is_an_error_or_kept_as_text() {
    let deep = nested(DEPTH);
    for body in [
        format!(r#"{{"success":true,"result":{deep}}}"#),
        format!(r#"{{"success":true,"result":{}}}"#, r#"{"result":"#.repeat(DEPTH) + "1" + &"}".repeat(DEPTH)),
        format!(r#"{{"success":false,"errors":{deep}}}"#),
        format!(r#"{{"success":false,"errors":[{deep}]}}"#),
        format!(r#"{{"success":false,"errors":[{{"code":{deep},"message":{deep},"error_chain":{deep}}}]}}"#),
        format!(r#"{{"success":{deep}}}"#),
        format!(r#"{{"error":{deep}}}"#),
        deep.clone(),
        "[".repeat(DEPTH),
        "[".repeat(BODY),
        r#"{"a":"#.repeat(BODY / 5),
    ] {
        for action in [Action::ListPage, Action::Create] {
            let start: String = body.chars().take(60).collect();
            let error = met(answer(200, body.clone()), action).await.expect_err(&start);
            assert!(error.message.len() < 2000, "{start}");
        }
    }
    let kept =
        format!(r#"{{"success":true,"messages":{deep},"result":{{"id":"i","client_secret":"s","deep":{deep}}}}}"#);
    let Ok(Done::Issued(issued)) = met(answer(201, kept), Action::Create).await else { panic!("a good answer") };
    let [field] = issued.token.additional_fields.as_slice() else {
        panic!("{} fields", issued.token.additional_fields.len())
    };
    assert!(field.name == "deep" && field.json == deep);
}

/// Tokens that are no more than an id.
fn tiny_tokens(count: usize) -> String {
    let mut result = String::from("[");
    for number in 0..count {
        write!(result, r#"{}{{"id":"{number}"}}"#, if number == 0 { "" } else { "," }).expect("text");
    }
    result + "]"
}

/// A token of fields that are no more than a letter.
fn tiny_fields(count: usize) -> String {
    format!(r#"[{{"id":"i",{}}}]"#, vec![r#""b":1"#; count].join(","))
}

fn success(result: &str, info: &str) -> Bytes {
    format!(r#"{{"success":true,"result":{result},"result_info":{info}}}"#).into()
}

#[tokio::test]
async fn a_page_of_100_000_tokens_is_too_large_or_right() {
    let error = met(FaultKind::LongList { tokens: 100_000 }, Action::ListPage).await.expect_err("about 40 MB");
    assert!(error.message.contains("8 MiB"), "{}", error.message);
    let Ok(Done::Page(page)) = met(FaultKind::LongList { tokens: 15_000 }, Action::ListPage).await else {
        panic!("6 MB")
    };
    assert_eq!(page.tokens.len(), 15_000);
}

#[tokio::test]
async fn a_list_that_just_fits_is_told_by_expiry_in_the_memory_that_it_has() {
    for count in [60_000, 66_000, 69_904] {
        let (simulator, mut plugin, options) = setting().await;
        let mut tokens = String::from("[");
        for number in 0..count {
            let comma = if number == 0 { "" } else { "," };
            // The later the number, the sooner.
            let (hours, seconds) = ((count - number) / 3600, (count - number) % 3600);
            let time = format!("2026-12-24T{hours:02}:{:02}:{:02}Z", seconds / 60, seconds % 60);
            write!(tokens, r#"{comma}{{"id":"{number:08}","expires_at":"{time}"}}"#).expect("text");
        }
        simulator.inject(Fault::new(answer(200, success(&(tokens + "]"), "null"))));
        let report = plugin.expiring(&scope(simulator.account()), u32::MAX, Some(&options)).await;
        let expiring = report.expect("a report").expiring;
        assert_eq!(expiring.len(), count);
        assert!(expiring.is_sorted_by_key(|token| token.seconds_left));
    }
}

#[tokio::test]
async fn a_little_json_that_asks_for_much_memory_is_refused_or_read() {
    let (simulator, mut plugin, replies, options) = in_memory().await;
    let scale = [10_000, 20_000, 40_000, 60_000, 80_000, 90_000, 100_000, 110_000, 130_000, 200_000, 400_000];
    for (what, make) in [("tokens", tiny_tokens as fn(usize) -> String), ("fields", tiny_fields)] {
        let mut refused = 0;
        for count in scale {
            let body = success(&make(count), "null");
            assert!(body.len() <= BODY);
            replies.set(move |_| Reply::json(200, body.clone()));
            for action in [Action::ListPage, Action::ListAll] {
                match action.call(&mut plugin, simulator.account(), "", &options).await {
                    Ok(Done::Page(page)) if what == "tokens" => assert_eq!(page.tokens.len(), count),
                    Ok(Done::Tokens(tokens)) if what == "tokens" => assert_eq!(tokens.len(), count),
                    Ok(Done::Page(page)) => assert_eq!(page.tokens[0].additional_fields.len(), count),
                    Ok(Done::Tokens(tokens)) => assert_eq!(tokens[0].additional_fields.len(), count),
                    Ok(_) => unreachable!(),
                    Err(error) => {
                        refused += 1;
                        assert!(error.message.contains("16 MiB"), "{count} {what}: {}", error.message);
                    }
                }
            }
        }
        println!("{what}: {} MiB of memory, {refused} refused", plugin.memory() / MIB);
        assert!(refused > 0, "the largest are too large");
    }
}

/// The number of the page in a target.
fn page_of(target: &str) -> usize {
    let after = target.split_once("page=").map_or("1", |(_, after)| after);
    after.split('&').next().and_then(|number| number.parse().ok()).unwrap_or(1)
}

fn info(page: usize, pages: usize) -> String {
    format!(r#"{{"page":{page},"per_page":1000,"total_pages":{pages}}}"#)
}

/// A page of 40 that has one token, and as many bytes as a page may have, in pieces with pauses, so that the pages that are under
/// way at once come at the same time.
fn large_page(target: &str, is_small: bool, filling: &Bytes, before: &str, after: &str) -> Reply {
    let page = page_of(target);
    let start = format!(r#"{{"success":true,"result_info":{},"result":[{{"id":"p{page}"{before}"#, info(page, 40));
    let mut chunks = vec![Bytes::from(start)];
    for _ in 0..if is_small { 0 } else { 7 } {
        chunks.extend([filling.clone(), Bytes::new()]);
    }
    chunks.push(Bytes::from(format!("{after}]}}")));
    Reply::Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), chunks, breaks: false }
}

#[tokio::test]
async fn pages_that_are_large_each_are_not_held_all_at_once() {
    let (simulator, mut plugin, replies, options) = in_memory().await;
    let tiny = tiny_tokens(60_000).replace(['[', ']'], "");
    for (what, first_is_small, filling, before, after) in [
        ("blanks", false, " ".repeat(MIB), "}", ""),
        ("blanks from the second page on", true, " ".repeat(MIB), "}", ""),
        ("a field", false, "x".repeat(MIB), r#","x":""#, r#""}"#),
        ("a field from the second page on", true, "x".repeat(MIB), r#","x":""#, r#""}"#),
        ("tokens from the second page on", true, tiny, "},", ""),
    ] {
        let filling = Bytes::from(filling);
        replies.set(move |target| {
            let is_small = first_is_small && page_of(target) == 1;
            let before = if is_small { "}" } else { before };
            large_page(target, is_small, &filling, before, if is_small { "" } else { after })
        });
        let error = Action::ListAll.call(&mut plugin, simulator.account(), "", &options).await.expect_err(what);
        println!("{what}: {}, {} MiB", error.message, plugin.memory() / MIB);
        assert_eq!(error.kind, ErrorKind::InvalidResponse);
    }
    replies.set(|_| Reply::json(200, success("[]", "null")));
    Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect("it works afterwards");
}

#[tokio::test]
async fn a_list_of_100_000_tokens_over_many_pages_is_an_error_and_one_of_15_000_is_right() {
    let simulator = Simulator::builder().quota(200_000).start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let (home, options) = (scope(simulator.account()), options(&simulator));
    let all = ListAllParams { per_page: Some(1000), ..everything() };
    let expected = simulator.add_tokens(simulator.account(), 15_000);
    let tokens = plugin.list_all(&home, &all, Some(&options)).await.expect("15,000 tokens");
    assert!(tokens.iter().map(|token| &token.id).eq(&expected));
    simulator.add_tokens(simulator.account(), 85_000);
    let error = plugin.list_all(&home, &all, Some(&options)).await.expect_err("100,000 tokens");
    assert_eq!(error.kind, ErrorKind::InvalidResponse);
    assert!(error.message.contains("16 MiB: ask for one page at a time"), "{}", error.message);
    let page = Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect("one page");
    assert!(matches!(page, Done::Page(page) if page.tokens.len() == 1000));
}

#[tokio::test]
async fn errors_without_number_and_end_are_cut() {
    let cause = r#"{"message":"c"}"#;
    let error = |length: usize, causes: usize| {
        let (text, chain) = ("m".repeat(length), vec![cause; causes].join(","));
        format!(r#"{{"code":1000,"message":"{text}","error_chain":[{chain}]}}"#)
    };
    for (length, causes, count, kept) in [(2000, 100, 50, 8), (2000, 0, 100, 8), (200_000, 0, 1, 1), (1, 0, 100_000, 8)]
    {
        let body = format!(r#"{{"success":false,"errors":[{}]}}"#, vec![error(length, causes); count].join(","));
        let error = met(answer(400, body), Action::Create).await.expect_err("a refusal");
        assert_eq!((error.outcome, error.api_errors.len()), (Outcome::NotApplied, kept));
        assert!(error.message.len() < 2000, "{} bytes", error.message.len());
        for error in &error.api_errors {
            assert!(error.message.len() <= 500 && error.chain.len() <= 8);
        }
    }
}
