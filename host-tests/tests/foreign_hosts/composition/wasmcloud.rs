//! The composed service in wasmCloud: hosts of `wash` that NATS joins, the component pulled from a registry by each.
//!
//! In production wasmCloud's operator on Kubernetes says which host starts what. Here the test says it, over the same subjects.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cloudflare_access_host_tests::fetched;
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

/// A host.
pub struct Host {
    process: Child,
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
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {probe}\r\nconnection: close\r\n\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

impl Cluster {
    /// Starts hosts, and waits until each has said over NATS that it is there.
    pub fn start(count: usize, folder: &Path) -> Self {
        let mut nats = Nats::start();
        nats.subscribe("runtime.operator.heartbeat.*");
        let mut started: BTreeMap<String, (Child, String, String)> = (0..count)
            .map(|number| {
                let (name, address, probe) = (format!("host-{number}"), free_address(), free_address());
                let process = start_host(&nats.url, &name, &address, &probe, folder);
                (name, (process, address, probe))
            })
            .collect();
        let mut hosts = Vec::new();
        while hosts.len() < count {
            let (_, heartbeat) = nats.next_message();
            let name = heartbeat["hostname"].as_str().expect("the name of a host");
            if let Some((process, address, probe)) = started.remove(name) {
                hosts.push(Host { process, id: heartbeat["id"].as_str().expect("its id").to_owned(), address, probe });
            }
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
    /// Tells the host to stop, as an operator does, and waits until it has.
    pub fn stop(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        self.process.wait().expect("it stops");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start_host(nats: &str, name: &str, address: &str, probe: &str, folder: &Path) -> Child {
    let home = folder.join(name);
    std::fs::create_dir_all(&home).expect("a folder");
    Command::new(fetched::program("wash"))
        .args(["host", "--non-interactive", "--scheduler-nats-url", nats, "--data-nats-url", nats])
        .args(["--host-name", name, "--http-addr", address, "--probe-addr", probe, "--drain-delay", "2s"])
        // The registry has no TLS and the API is on loopback; neither is so in production.
        .args(["--allow-insecure-registries", "--deny-special-ranges=false", "--oci-cache-dir"])
        .arg(home.join("cache"))
        .current_dir(&home)
        .env("HOME", &home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("wash runs")
}

/// An address on which nothing listens: the system just gave it away and took it back.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}
