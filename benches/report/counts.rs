//! The sections on what is counted and not timed: the host calls of a `get`, each with its reason, and its allocations.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use cloudflare_access_benches::{Allocations, Layers, Place, allocations_by_crate};

/// Why a `get` makes a host call.
const REASONS: &[(&str, &str)] = &[
    (
        "monotonic-clock.now",
        "the start of the call and of its first attempt, from which the deadline, the end of the attempt and the host's own timeouts are counted; once more for each further attempt and for each piece of the answer after the first",
    ),
    (
        "monotonic-clock.subscribe-instant",
        "the timer of the attempt, once each: it ends every wait, since hosts may ignore the timeouts of a request; one more for each pause in the answer",
    ),
    ("environment.get-environment", "credential and base URL, where the options leave one out"),
    ("types.[static]fields.from-list", "all headers of the request at once"),
    ("types.[constructor]fields", "the headers of the request"),
    ("types.[method]fields.append", "one header of the request"),
    ("types.[method]fields.get", "a header of the answer, where it is needed"),
    ("types.[constructor]outgoing-request", "the request, which takes the headers over"),
    ("types.[method]outgoing-request.set-method", "a request is a `GET` until another method is set"),
    ("types.[method]outgoing-request.set-scheme", "`https`, or `http` on loopback"),
    ("types.[method]outgoing-request.set-authority", "the host of the base URL"),
    ("types.[method]outgoing-request.set-path-with-query", "the path of the token"),
    ("types.[constructor]request-options", "what the next three are set on"),
    ("types.[method]request-options.set-connect-timeout", "so that the host, too, gives up at the end of the attempt"),
    ("types.[method]request-options.set-first-byte-timeout", "the same, for the head of the answer"),
    ("types.[method]request-options.set-between-bytes-timeout", "the same, for a pause in the answer"),
    ("outgoing-handler.handle", "sends the request, which it takes over with its options"),
    ("types.[method]future-incoming-response.subscribe", "to wait for the head of the answer"),
    ("types.[method]future-incoming-response.get", "the head of the answer, once the wait is over"),
    ("poll.poll", "the wait for the head, or for the end of the attempt; one more for each pause in the answer"),
    ("poll.[method]pollable.block", "a wait for one thing alone"),
    ("poll.[method]pollable.ready", "whether a wait is over already"),
    ("poll.[drop]pollable", "the arrival of the head, and the timer; two more for each pause in the answer"),
    ("types.[drop]future-incoming-response", "the head is there"),
    ("types.[method]incoming-response.status", "whether the answer is a good one"),
    (
        "types.[method]incoming-response.headers",
        "for an error, which tells the ray id and how long to wait; a good answer needs none",
    ),
    ("types.[method]incoming-response.consume", "the body of the answer"),
    ("types.[method]incoming-body.stream", "the bytes of the body"),
    ("streams.[method]input-stream.read", "once for each piece of the answer, and once more that tells its end"),
    (
        "streams.[method]input-stream.blocking-read",
        "once for each piece of the answer, and once more that tells its end",
    ),
    ("streams.[method]input-stream.subscribe", "a pause in the answer"),
    ("streams.[drop]input-stream", "the body has been read; before the body, as its child"),
    ("types.[static]incoming-body.finish", "gives the body up"),
    ("types.[drop]future-trailers", "of the body that was given up"),
    ("types.[drop]incoming-body", "the same; before the response, as its child"),
    ("types.[drop]fields", "the headers of the answer; before the response, as its children"),
    ("types.[drop]incoming-response", "the end of the exchange"),
];

/// The host calls of the component and of the floor, with the reason of each.
pub fn host_calls(component: &[String], floor: &[String]) -> String {
    let mut page = format!(
        "\n## Host calls\n\nWhat a `get` in an instance that has served one before calls, counted by name: {} calls, {} of the floor. A dropped \
         resource is\na call, too.\n\n| call | times | floor | why |\n|---|---|---|---|\n",
        component.len(),
        floor.len()
    );
    let mut told: Vec<&String> = Vec::new();
    for call in component.iter().chain(floor) {
        if told.contains(&call) {
            continue;
        }
        let reason = REASONS.iter().find(|(name, _)| name == call).map(|(_, reason)| reason);
        let reason = reason.unwrap_or_else(|| panic!("{call} has no reason yet: add it to benches/report/counts.rs"));
        let times = |calls: &[String]| calls.iter().filter(|other| *other == call).count();
        writeln!(page, "| `{call}` | {} | {} | {reason} |", times(component), times(floor)).expect("text");
        told.push(call);
    }
    page
}

/// The allocations of a `get` on the host, through the component, through the floor and natively, and in the guest.
pub fn allocations(layers: &mut Layers, guest: Allocations) -> String {
    const CALLS: u32 = 1000;
    let mut page = String::from(
        "\n## Allocations\n\nOf one `get` in an instance that has served one before. On the host, those of the calling thread, in the mean of 1000 \
         calls;\nin the guest, those of its own allocator, what the host asks it for included. Bytes are the sum of what was asked for, not\nwhat \
         is held.\n\n| where | allocations | bytes |\n|---|---|---|\n",
    );
    let mut line = |what, count: f64, bytes: f64| {
        writeln!(page, "| {what} | {count:.0} | {bytes:.0} |").expect("text");
    };
    for (what, run) in [
        ("host, natively", &mut layers.native),
        ("host, with the floor", &mut layers.floor),
        ("host, with the component", &mut layers.component),
    ] {
        run(CALLS / 10);
        let all = Allocations::of(|| {
            run(CALLS);
        });
        let mean = |number: u64| f64::from(u32::try_from(number).expect("not that many")) / f64::from(CALLS);
        line(what, mean(all.count), mean(all.bytes));
    }
    let number = |number: u64| f64::from(u32::try_from(number).expect("not that many"));
    line("guest", number(guest.count), number(guest.bytes));
    page.push_str(&by_crate(layers));
    page
}

/// The allocations on the host by crate.
fn by_crate(layers: &mut Layers) -> String {
    let [native, floor, component] = [&mut layers.native, &mut layers.floor, &mut layers.component].map(|run| {
        allocations_by_crate(|| {
            run(1);
        })
    });
    let mut page = String::from(
        "\nThe host's by the crate that asks, which is the innermost but the standard library's whose function has not been \
         inlined:\n\n| crate | natively | with the floor | with the component |\n|---|---|---|---|\n",
    );
    let mut crates: Vec<_> = component.keys().chain(floor.keys()).chain(native.keys()).collect();
    let times = |counts: &BTreeMap<String, usize>, name: &String| counts.get(name).copied().unwrap_or_default();
    crates.sort_by_key(|name| (Reverse(times(&component, name)), *name));
    crates.dedup();
    for name in crates {
        let [native, floor, component] = [&native, &floor, &component].map(|counts| times(counts, name));
        writeln!(page, "| `{name}` | {native} | {floor} | {component} |").expect("text");
    }
    page
}

/// The allocations of the guest by where they are, in the order of the first of each place.
pub fn places(places: &[Place]) -> String {
    let mut page = format!(
        "\nThe guest's one by one: {} in a build with nothing inlined, each where the guest's own code asks for it, in the order in \
         which they\ncome.\n\n| allocations | asked for in | through |\n|---|---|---|\n",
        places.len()
    );
    let mut told: Vec<&Place> = Vec::new();
    for place in places {
        if told.contains(&place) {
            continue;
        }
        let count = places.iter().filter(|other| *other == place).count();
        let (function, through) = match (&place.function, place.through.as_deref()) {
            (Some(function), through) => (format!("`{function}`"), through.unwrap_or("–")),
            (None, Some(through)) => ("the export itself: the result, as the host reads it".to_owned(), through),
            (None, None) => ("the host: the arguments of the call".to_owned(), "–"),
        };
        writeln!(page, "| {count} | {function} | {through} |").expect("text");
        told.push(place);
    }
    page
}
