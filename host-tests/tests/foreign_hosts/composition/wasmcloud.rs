//! The composed service in wasmCloud: hosts of `wash` that NATS joins, the component pulled from a registry by each.
//!
//! In production wasmCloud's operator on Kubernetes says which host starts what. Here the test says it, over the same subjects.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cloudflare_access_host_tests::programs::{Lines, wait_until};
use cloudflare_access_host_tests::{LIMIT, fetched};
use cloudflare_access_simulator::{API_TOKEN, Simulator};
use serde_json::{Value, json};

use crate::composition::nats::Nats;

/// The name by which hosts know the service.
pub const SERVICE: &str = "rotate.example";

/// Hosts that are joined.
pub struct Cluster {
    nats: Nats,
    /// The hosts.
    pub hosts: Vec<Host>,
}

/// A host. Dropped by a test that fails, it shows its log.
pub struct Host {
    process: Child,
    log: Lines,
    name: String,
    id: String,
    /// Where it serves HTTP.
    pub address: String,
    /// Where it says whether it wants requests.
    pub probe: String,
}

/// Whether a host wants requests: no longer when it was told to stop, while it still answers those that are on their way.
pub fn is_ready(probe: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(probe) else { return false };
    let mut answer = String::new();
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {probe}\r\nconnection: close\r\n\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

impl Cluster {
    /// Starts hosts, and waits until each has said over NATS that it is there.
    pub fn start(count: usize, folder: &Path) -> Self {
        let mut nats = Nats::start();
        nats.subscribe("runtime.operator.heartbeat.*");
        let mut hosts: Vec<_> = (0..count).map(|number| Host::start(&nats.url, number, folder)).collect();
        for host in &mut hosts {
            host.read_addresses();
        }
        for host in &mut hosts {
            host.id = nats.wait_for(&format!("the heartbeat of {}", host.name), |_, heartbeat| {
                (heartbeat["hostname"] == *host.name).then(|| heartbeat["id"].as_str().expect("its id").to_owned())
            });
        }
        Self { nats, hosts }
    }

    /// Starts the service on every host: an image, its environment, and the one address it may reach.
    pub fn serve(&mut self, image: &str, simulator: &Simulator) {
        let workload = json!({"workloadId": "rotate", "workload": {
            "namespace": "sample",
            "name": "rotate-service",
            "witWorld": {
                "components": [{"name": "rotate-service", "image": image, "localResources": {
                    "environment": {"CLOUDFLARE_API_TOKEN": API_TOKEN, "CLOUDFLARE_BASE_URL": simulator.base_url()},
                    "allowedHosts": [simulator.address().to_string()],
                }}],
                "hostInterfaces": [{"namespace": "wasi", "package": "http", "interfaces": ["incoming-handler"],
                                    "config": {"host": SERVICE}}],
            },
        }});
        for host in &self.hosts {
            let answer: Value = self.nats.request(&format!("runtime.host.{}.workload.start", host.id), &workload);
            assert_eq!(answer["workloadStatus"]["workloadState"], "WORKLOAD_STATE_RUNNING", "{answer}");
        }
    }
}

impl Host {
    fn start(nats: &str, number: usize, folder: &Path) -> Self {
        let name = format!("host-{number}");
        let home = folder.join(&name);
        std::fs::create_dir_all(&home).expect("a folder");
        let mut process = Command::new(fetched::program("wash"))
            .args(["host", "--non-interactive", "--scheduler-nats-url", nats, "--data-nats-url", nats])
            .args(["--host-name", &name, "--http-addr", "127.0.0.1:0", "--probe-addr", "127.0.0.1:0"])
            .args(["--drain-delay", "2s"])
            // The registry has no TLS and the API is on loopback; neither is so in production.
            .args(["--allow-insecure-registries", "--deny-special-ranges=false", "--oci-cache-dir"])
            .arg(home.join("cache"))
            .current_dir(&home)
            .env("HOME", &home)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wash runs");
        let log = Lines::of(process.stderr.take().expect("its log"));
        Self { process, log, name, id: String::new(), address: String::new(), probe: String::new() }
    }

    /// Reads in the log which free ports the host has found, in whichever order it says so.
    fn read_addresses(&mut self) {
        let (mut http, mut probe) = (None, None);
        (self.address, self.probe) = self.log.wait_for("the addresses that a host listens on", |line| {
            let (server, rest) = line.split_once(" listening addr=")?;
            let address = rest.split_whitespace().next().map(str::to_owned);
            match server {
                server if server.ends_with("HTTP server") => http = address,
                server if server.ends_with("probe server") => probe = address,
                _ => {}
            }
            http.clone().zip(probe.clone())
        });
    }

    /// Tells the host to stop, as an operator does, and waits until it has.
    pub fn stop(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        wait_until("the end of a host that was told to stop", || self.process.try_wait().expect("its status"));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("{} wrote:\n{}", self.name, self.log.seen());
        }
    }
}
