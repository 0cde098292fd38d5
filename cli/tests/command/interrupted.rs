//! What a signal ends a command with: whether anything was sent, and whether something may have changed.

#![cfg(unix)]

use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;

use cloudflare_access_simulator::FaultKind;

use crate::program::{child, commands, end, send, simulator, wait_for_request};

/// A server that accepts a connection and never shakes hands, at an `https` URL.
fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/client/v4", listener.local_addr().unwrap());
    (listener, url)
}

/// Starts a command, sends it a signal after something has happened, and returns what it wrote to standard error.
fn interrupted(mut command: std::process::Command, wait: impl FnOnce()) -> String {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait();
    send("-INT", &child);
    let status = end(&mut child);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(130), "{stderr}");
    stderr
}

#[test]
fn before_a_request_has_left_nothing_was_sent() {
    let simulator = simulator();
    for (arguments, advice) in [
        (&["create", "CI", "--show-secret"][..], None),
        (&["issue", "CI", "--show-secret", "--key", "k"], Some("access-tokens issue CI --show-secret --key k")),
        (&["rotate", "CI", "--show-secret", "--yes"], None),
        (&["list"], None),
    ] {
        let (listener, url) = silent_server();
        let mut command = child(&simulator);
        command.env("CLOUDFLARE_BASE_URL", url).args(arguments);
        let stderr = interrupted(command, || {
            let (mut connection, _) = listener.accept().unwrap();
            assert_eq!(connection.read(&mut [0]).unwrap(), 1, "TLS is being set up");
            std::mem::forget(connection);
        });
        assert!(stderr.contains("error: interrupted; nothing was sent\n"), "{arguments:?}: {stderr}");
        assert_eq!(commands(&stderr).first().map(String::as_str), advice, "{stderr}");
    }
}

#[test]
fn before_a_change_has_left_nothing_was_changed() {
    let simulator = simulator();
    simulator.inject(FaultKind::NeverAnswer);
    let mut ensure = child(&simulator);
    ensure.args(["ensure", "CI", "--show-secret", "--output", "json"]);
    let stderr = interrupted(ensure, || wait_for_request(&simulator));
    assert_eq!(simulator.requests()[0].method, "GET");
    let failure: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(failure["error"]["outcome"], "not-applied", "{stderr}");
    assert_eq!(failure["error"]["message"], "interrupted; nothing was changed");
}

#[test]
fn a_look_that_is_interrupted_does_not_hide_the_change_before_it() {
    let simulator = simulator();
    simulator.inject(FaultKind::Close);
    simulator.inject(FaultKind::NeverAnswer);
    let mut create = child(&simulator);
    create.args(["create", "CI", "--show-secret"]);
    let stderr = interrupted(create, || {
        wait_for_request(&simulator);
        wait_for_request(&simulator);
    });
    let methods: Vec<_> = simulator.requests().iter().map(|request| request.method.clone()).collect();
    assert_eq!(methods, ["POST", "GET"], "the look comes after the change");
    assert!(stderr.contains("The token may exist"), "{stderr}");
}
