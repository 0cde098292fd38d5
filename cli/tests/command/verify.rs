//! `verify` and `auth status`: whether a pair opens an application, and whether a credential can read.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};

use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, Operation, Simulator, ZONE_ID};
use serde_json::Value;

use crate::program::{assert_shown, bare_program, program, run, simulator};

const ID: &str = "88bf3b6d86161464f6509f7219099e57.access";
const LOG_IN: &str = "302 Found\r\nlocation: https://team.cloudflareaccess.com/cdn-cgi/access/login/app";

/// An application that answers by whether a request has the pair. Returns its URL and the heads of its requests.
fn application(without: &'static str, with: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/app?a=b", listener.local_addr().unwrap());
    let (sender, heads) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: String = lines.take_while(|line| !line.is_empty()).map(|line| line + "\n").collect();
            let answer = if head.contains("cf-access-client-secret: right\n") { with } else { without };
            let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = sender.send(head);
        }
    });
    (url, heads)
}

#[test]
fn verify_tells_a_pair_that_passes_from_one_that_is_refused_and_from_a_url_that_needs_none() {
    for (without, with, code, text) in [
        ("401 Unauthorized", "200 OK", 0, "The pair passes: 200 with it, 401 without."),
        ("403 Forbidden", "404 Not Found", 0, "The pair passes: 404"),
        (LOG_IN, "500 Internal Server Error", 0, "The pair passes: 500 with it, 302 without."),
        (LOG_IN, "302 Found\r\nlocation: /home", 0, "The pair passes: 302"),
        (LOG_IN, LOG_IN, 13, "Access refuses the pair: 302 Found"),
        ("401 Unauthorized", "403 Forbidden", 13, "Access refuses the pair: 403 Forbidden"),
        ("200 OK", "200 OK", 14, "Access does not protect it"),
        ("302 Found\r\nlocation: /home", "200 OK", 14, "Access does not protect it"),
        ("502 Bad Gateway", "200 OK", 8, "no usable answer from the application: it answered 502"),
    ] {
        let (url, heads) = application(without, with);
        let mut verify = bare_program();
        verify.env("CF_ACCESS_CLIENT_ID", ID).env("CF_ACCESS_CLIENT_SECRET", "right");
        let (shown, stdout, stderr) = run(verify.args(["verify", "--url", &url]));
        assert_eq!(shown, code, "{without} {with}: {stdout}{stderr}");
        assert!(format!("{stdout}{stderr}").contains(text), "{stdout}{stderr}");
        let heads: Vec<String> = heads.try_iter().collect();
        assert_eq!(heads.len(), if [8, 14].contains(&code) { 1 } else { 2 }, "no redirect is followed");
        assert!(heads.iter().all(|head| head.starts_with("GET /app?a=b HTTP/1.1\n")), "{heads:?}");
        assert!(!heads[0].contains("cf-access-client") && !format!("{stdout}{stderr}").contains("right"));
    }
}

#[test]
fn verify_takes_the_pair_of_a_secret_file_or_of_either_name_in_the_environment() {
    let (url, _heads) = application("403 Forbidden", "200 OK");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ci.env");
    std::fs::write(&path, format!("CF_ACCESS_CLIENT_ID={ID}\nCF_ACCESS_CLIENT_SECRET='right'\n")).unwrap();
    let verify = ["verify", "--url", &url];
    let (code, stdout, stderr) =
        run(bare_program().args(verify).args(["--output", "json", "--secret-file"]).arg(&path));
    assert_eq!(code, 0, "{stderr}");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(result, serde_json::json!({"passes": true, "with_pair": 200, "without_pair": 403}));
    for (text, names) in [
        (format!(r#"{{"cf-access-client-id":"{ID}","cf-access-client-secret":"right"}}"#), None),
        (format!("APP_ID={ID}\nAPP_SECRET=right\n"), Some("--secret-names=APP_ID,APP_SECRET")),
    ] {
        std::fs::write(&path, text).unwrap();
        let (code, _, stderr) = run(bare_program().args(verify).args(names).arg("--secret-file").arg(&path));
        assert_eq!(code, 0, "{stderr}");
    }
    let mut other_names = bare_program();
    other_names.env("CLOUDFLARE_ACCESS_CLIENT_ID", ID).env("CLOUDFLARE_ACCESS_CLIENT_SECRET", "right\n");
    assert_eq!(run(other_names.args(verify)).0, 0);
    let (code, _, stderr) = run(bare_program().env("CF_ACCESS_CLIENT_ID", ID).args(verify));
    assert!(code == 3 && stderr.contains("the environment has no pair"), "{stderr}");
}

#[test]
fn verify_sends_a_pair_over_plain_http_to_this_machine_only_and_says_when_nothing_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    for (url, code) in [("http://app.example.com/", 2), ("https://u:hunter2@a/", 2), ("app", 2), (&*closed, 8)] {
        let mut verify = bare_program();
        verify.env("CF_ACCESS_CLIENT_ID", ID).env("CF_ACCESS_CLIENT_SECRET", "right");
        let (shown, _, stderr) = run(verify.args(["verify", "--url", url]));
        assert!(shown == code && !stderr.contains("hunter2"), "{url}: {stderr}");
    }
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut verify = bare_program();
    verify.env("CF_ACCESS_CLIENT_ID", ID).env("CF_ACCESS_CLIENT_SECRET", "right").args(["verify", "--timeout", "1s"]);
    let (code, _, stderr) = run(verify.args(["--url", &format!("http://{}/", silent.local_addr().unwrap())]));
    assert!(code == 8 && stderr.contains("the time ran out"), "{stderr}");
}

#[test]
fn verify_uses_the_proxy_of_the_environment_except_for_its_exceptions_and_loopback() {
    let (proxy, questions) = application("502 Bad Gateway", "502 Bad Gateway");
    let (loopback, _heads) = application("403 Forbidden", "200 OK");
    let remote = "https://app.invalid/";
    for (url, exceptions, asks, code, text) in [
        (remote, "", true, 8, "the proxy opened no tunnel"),
        (remote, "app.invalid", false, 8, "the name did not resolve"),
        (&*loopback, "", false, 0, "The pair passes"),
    ] {
        let mut verify = bare_program();
        verify.env("CF_ACCESS_CLIENT_ID", ID).env("CF_ACCESS_CLIENT_SECRET", "right");
        verify.env("HTTPS_PROXY", proxy.trim_end_matches("/app?a=b")).env("NO_PROXY", exceptions);
        let (shown, stdout, stderr) = run(verify.args(["verify", "--url", url]));
        assert!(shown == code && format!("{stdout}{stderr}").contains(text), "{url}: {stdout}{stderr}");
        let questions: Vec<String> = questions.try_iter().collect();
        assert_eq!(!questions.is_empty(), asks, "{url} {exceptions}: {questions:?}");
        assert!(questions.iter().all(|head| head.starts_with("CONNECT app.invalid:443 HTTP/1.1\n")), "{questions:?}");
    }
}

#[test]
fn auth_status_makes_one_request_and_says_which_credential_it_was() {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI");
    assert_shown!(program(&simulator).args(["auth", "status"]), @r"
    exit 0
    --- stdout
    credential  an API token from CLOUDFLARE_API_TOKEN
    API         http://[address]/client/v4
    account     acc00000000000000000000000000001
    can read    yes (1 token)
    can write   not known: only a change shows it
    --- stderr
    ");
    assert_eq!(simulator.request_count(), 1);
    let (code, stdout, _) = run(program(&simulator).args(["auth", "status", "--output", "json"]));
    let status: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &status["id"], &status["can_read"]), (0, &ACCOUNT_ID.into(), &true.into()), "{stdout}");
    assert_eq!((&status["can_write"], &status["tokens"]), (&Value::Null, &1.into()));
    simulator.inject(Fault::new(FaultKind::error(403, 10000, "no")).on(Operation::List));
    let (code, _, stderr) = run(program(&simulator).args(["auth", "status"]));
    assert!(code == 4 && stderr.contains("The credential was an API token from CLOUDFLARE_API_TOKEN"), "{stderr}");
    assert!(!stderr.contains(API_TOKEN), "{stderr}");
}

#[cfg(unix)]
#[test]
fn auth_status_reads_its_file_once_since_a_pipe_gives_it_once() {
    let simulator = simulator();
    let mut status = program(&simulator);
    status.env_remove("CLOUDFLARE_API_TOKEN").args(["auth", "status", "--credentials-file", "/dev/stdin"]);
    let (code, stdout, stderr) = run(status.write_stdin(API_TOKEN));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("an API token from the credentials file /dev/stdin"), "{stdout}");
}

#[test]
fn auth_status_names_the_file_and_the_zone() {
    let simulator = Simulator::builder().zones_refuse_api_tokens(false).start_on_thread().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, API_TOKEN).unwrap();
    let mut status = program(&simulator);
    status.args(["auth", "status", "--zone", ZONE_ID, "--credentials-file"]).arg(&path);
    let (code, stdout, stderr) = run(&mut status);
    let file = format!("an API token from the credentials file {}", path.display());
    assert!(
        code == 0 && stdout.contains(&file) && stdout.contains(&format!("zone        {ZONE_ID}")),
        "{stdout}{stderr}"
    );
}
