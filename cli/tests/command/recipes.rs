//! Runs the recipes of `docs/destinations.md` as they stand there: with the program itself, or with a stand-in, as the page says.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use cloudflare_access_simulator::Simulator;
use tempfile::TempDir;

use crate::program::{run, shell, simulator};

const PAGE: &str = include_str!("../../../docs/destinations.md");

/// The heading, the text and the command line of each recipe.
fn recipes() -> Vec<(&'static str, &'static str, &'static str)> {
    let recipes = PAGE.split("\n### ").skip(1).map(|section| {
        let (heading, rest) = section.split_once('\n').unwrap();
        let (text, rest) = rest.split_once("```sh\n").unwrap();
        (heading, text, rest.split_once("\n```").unwrap().0)
    });
    recipes.collect()
}

fn recipe(heading: &str) -> &'static str {
    let found = recipes().into_iter().find(|(name, ..)| *name == heading);
    let (_, text, line) = found.unwrap_or_else(|| panic!("no recipe has the heading {heading}"));
    assert!(text.contains("Tested with the program itself"), "{heading}: {text}");
    line
}

/// A token, a folder with programs, and one to work in.
struct Place {
    simulator: Simulator,
    programs: TempDir,
    work: TempDir,
}

impl Place {
    fn new() -> Self {
        let simulator = simulator();
        let _ = simulator.add_token(simulator.account(), "CI");
        Self { simulator, programs: tempfile::tempdir().unwrap(), work: tempfile::tempdir().unwrap() }
    }

    /// Adds a program, as a script of a shell.
    fn add(&self, name: &str, script: &str) {
        let path = self.programs.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Adds a program that `host-tests/hosts/fetch` downloads, with variables and with arguments at its end.
    fn add_fetched(&self, name: &str, package: &str, variables: &str, arguments: &str) -> PathBuf {
        let path = fetched(package);
        self.add(name, &format!("{variables} exec '{}' \"$@\" {arguments}", path.display()));
        path
    }

    /// Types a line, which has to succeed. Returns the client id and the secret that it delivered.
    fn type_line(&self, line: &str) -> (String, String) {
        let mut typed = shell(&self.simulator, self.work.path(), line);
        let path = typed.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap().to_owned();
        typed.env("PATH", format!("{}:{}:/usr/bin:/bin", self.programs.path().display(), path.display()));
        let (code, stdout, stderr) = run(&mut assert_cmd::Command::from_std(typed));
        assert_eq!(code, 0, "{line}\n{stdout}{stderr}");
        let id = self.simulator.tokens(self.simulator.account())[0].client_id.clone();
        let secret = self.simulator.issued_secrets().pop().unwrap().expose().to_owned();
        assert_eq!(self.simulator.issued_secrets().len(), 2, "the secret is a new one");
        assert!(!format!("{stdout}{stderr}").contains(&secret), "{line}\n{stdout}{stderr}");
        (id, secret)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work.path().join(name)).unwrap()
    }
}

/// The path of a program of `host-tests/hosts/pins.json`.
fn fetched(package: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-tests/hosts/fetch");
    let fetched = Command::new(fetch).arg(package).env("CARGO_TARGET_DIR", target).output().unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    PathBuf::from(String::from_utf8(fetched.stdout).unwrap().trim())
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn env(id: &str, secret: &str) -> String {
    format!("CF_ACCESS_CLIENT_ID={id}\nCF_ACCESS_CLIENT_SECRET={secret}\n")
}

fn json(id: &str, secret: &str) -> String {
    format!("{{\"CF_ACCESS_CLIENT_ID\":\"{id}\",\"CF_ACCESS_CLIENT_SECRET\":\"{secret}\"}}\n")
}

/// What a recipe gives to its program, for a client id and a secret.
type Input = fn(&str, &str) -> String;

#[test]
fn a_stand_in_gets_the_pair_on_its_input_and_nowhere_else() {
    let bare = |_: &str, secret: &str| secret.to_owned();
    let expected: [(&str, &str, Input); 4] = [
        ("vault kv put", "vault", json),
        ("op", "op", env),
        ("aws secretsmanager", "aws", json),
        ("wrangler secret put", "wrangler", bare),
    ];
    let stand_ins = recipes().into_iter().filter(|(_, text, _)| text.contains("Tested with a stand-in."));
    let stand_ins: Vec<_> = stand_ins.collect();
    assert_eq!(stand_ins.iter().map(|recipe| recipe.0).collect::<Vec<_>>(), expected.map(|expected| expected.0));
    for ((heading, program, input), (_, _, line)) in expected.into_iter().zip(stand_ins) {
        let place = Place::new();
        // As aws reads file:///dev/stdin, and the others `-` or nothing.
        place.add(program, "printf '%s\\n' \"$@\" >arguments; env >environment; cat /dev/stdin >input");
        let (id, secret) = place.type_line(line);
        assert_eq!(place.read("input"), input(&id, &secret), "{heading}");
        assert!(!format!("{}{}", place.read("arguments"), place.read("environment")).contains(&secret), "{heading}");
        let words = place.read("arguments");
        assert!(words.lines().all(|word| line.contains(word)) && words.lines().count() > 1, "{heading}: {words}");
    }
}

#[test]
fn pass_keeps_the_pair() {
    let place = Place::new();
    let home = place.work.path().join("gnupg");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| output(Command::new("gpg").env("GNUPGHOME", &home).arg("--batch").args(arguments));
    gpg(&["--passphrase", "", "--quick-gen-key", "ci@example.com", "future-default", "default", "never"]);
    let store = place.work.path().join("store");
    let variables = format!("GNUPGHOME='{}' PASSWORD_STORE_DIR='{}'", home.display(), store.display());
    let pass = place.add_fetched("pass", "pass", &variables, "");
    let mut pass = Command::new(pass);
    pass.env("GNUPGHOME", &home).env("PASSWORD_STORE_DIR", &store);
    output(pass.args(["init", "ci@example.com"]));
    let (id, secret) = place.type_line(recipe("pass"));
    assert_eq!(gpg(&["--decrypt", store.join("ci/access.gpg").to_str().unwrap()]), env(&id, &secret));
    output(Command::new("gpgconf").env("GNUPGHOME", &home).args(["--kill", "all"]));
}

/// A server that is killed when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).map(drop).unwrap_or_default();
    }
}

#[test]
fn etcd_has_the_pair_as_soon_as_it_is_up() {
    let place = Place::new();
    let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [client, peer] = free.each_ref().map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    drop(free);
    let mut etcd = Command::new(fetched("etcd-server"));
    etcd.arg("--data-dir").arg(place.work.path().join("etcd")).args(["--listen-client-urls", &client]);
    etcd.args(["--advertise-client-urls", &client, "--listen-peer-urls", &peer]);
    etcd.args(["--initial-advertise-peer-urls", &peer, "--initial-cluster", &format!("default={peer}")]);
    let variables = format!("ETCDCTL_API=3 ETCDCTL_ENDPOINTS='{client}'");
    let etcdctl = place.add_fetched("etcdctl", "etcd-client", &variables, "");
    let _server = Server(etcd.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let (id, secret) = place.type_line(recipe("etcdctl"));
    let mut get = Command::new(etcdctl);
    get.env("ETCDCTL_API", "3").args(["--endpoints", &client, "get", "--print-value-only", "ci/access"]);
    assert_eq!(output(&mut get).trim_end(), json(&id, &secret).trim_end());
}

/// A request as a stand-in of an API received it.
struct Request {
    line: String,
    body: String,
}

/// Starts a stand-in of an API, which answers each request by its method and path, with one connection for each.
fn api(answer: fn(&str) -> (u16, &'static str)) -> (SocketAddr, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut lines = Vec::new();
            while lines.last().is_none_or(|line: &String| !line.trim().is_empty()) {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap() == 0 {
                    break;
                }
                lines.push(line);
            }
            let length =
                lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).unwrap();
            let line = lines.first().map(|line| line.trim().to_owned()).unwrap_or_default();
            let (status, text) = answer(&line);
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "
            );
            write!(stream.get_mut(), "{head}{}\r\n\r\n{text}", text.len()).unwrap();
            if sender.send(Request { line, body: String::from_utf8(body).unwrap() }).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

#[test]
fn gh_sends_both_values_sealed() {
    let (address, requests) = api(|line| match line {
        _ if line.contains("/public-key") => {
            (200, r#"{"key_id":"1","key":"2Sg8iYjAxxmI2LvUXpJjkYrMxURPc8r+dB7TJyvvcCU="}"#)
        }
        _ => (201, "{}"),
    });
    let place = Place::new();
    // The one host that gh asks over plain HTTP.
    let variables = format!(
        "HOME='{}' GH_TOKEN=x GH_HOST=github.localhost HTTP_PROXY=http://{address}",
        place.work.path().display()
    );
    place.add_fetched("gh", "gh", &variables, "");
    let (id, secret) = place.type_line(recipe("gh secret set"));
    let mut sent: Vec<_> = requests.try_iter().filter(|request| request.line.starts_with("PUT ")).collect();
    sent.sort_by_key(|request| request.line.clone());
    assert_eq!(sent.len(), 2);
    for (request, (name, value)) in sent.iter().zip([("CF_ACCESS_CLIENT_ID", id), ("CF_ACCESS_CLIENT_SECRET", secret)])
    {
        assert!(request.line.contains(&format!("/repos/owner/app/actions/secrets/{name} ")), "{}", request.line);
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        // A sealed box is 48 bytes longer than what it holds, and stands in base64.
        let sealed = body["encrypted_value"].as_str().unwrap().trim_end_matches('=').len() * 3 / 4;
        assert_eq!(sealed, value.len() + 48, "{name}");
        assert!(!request.body.contains(&value), "{name}");
    }
}

#[test]
fn kubectl_applies_a_secret_and_keeps_it_out_of_the_annotations() {
    let (address, requests) = api(|line| match line.split(['?', ' ']).nth(1).unwrap_or_default() {
        "/api" => (200, r#"{"kind":"APIVersions","versions":["v1"]}"#),
        "/apis" => (200, r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#),
        "/api/v1" => (
            200,
            r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"secrets","singularName":"","namespaced":true,"kind":"Secret","verbs":["create","get","patch"]}]}"#,
        ),
        _ if line.starts_with("PATCH") => {
            (201, r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"ci","namespace":"default"}}"#)
        }
        _ => (404, r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}"#),
    });
    let place = Place::new();
    let variables = format!("HOME='{}'", place.work.path().display());
    place.add_fetched(
        "kubectl",
        "kubernetes-client",
        &variables,
        &format!("--server=http://{address} --validate=false"),
    );
    let (id, secret) = place.type_line(recipe("kubectl apply"));
    let sent: Vec<_> = requests.try_iter().filter(|request| request.line.starts_with("PATCH ")).collect();
    let [request] = sent.as_slice() else { panic!("{} requests", sent.len()) };
    assert!(request.line.starts_with("PATCH /api/v1/namespaces/default/secrets/ci?"), "{}", request.line);
    for (name, value) in [("CF_ACCESS_CLIENT_ID", id), ("CF_ACCESS_CLIENT_SECRET", secret)] {
        let encoded = output(Command::new("sh").args(["-c", "printf %s \"$1\" | base64 -w0", "sh", &value]));
        assert_eq!(request.body.matches(&encoded).count(), 1, "{}", request.body);
        assert!(request.body.contains(name), "{}", request.body);
    }
}
