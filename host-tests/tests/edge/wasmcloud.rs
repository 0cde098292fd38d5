//! Workloads in wasmCloud: hosts of `wash` that NATS joins, the components pulled from a registry by each.
//!
//! In production wasmCloud's operator on Kubernetes reads a manifest and says which host starts what. Here the test does, over the same
//! subjects: [`Manifest`] resolves the secrets of a manifest as the operator does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cloudflare_access_host_tests::programs::{Lines, wait_until};
use cloudflare_access_host_tests::{LIMIT, fetched};
use serde_json::{Map, Value, json};

use crate::nats::Nats;

/// Hosts that are joined.
pub struct Cluster {
    nats: Nats,
    /// The hosts.
    pub hosts: Vec<Host>,
    folder: PathBuf,
}

/// The manifest of a workload: a Kubernetes `List` with `WorkloadDeployment`s and the `Secret`s that they name.
pub struct Manifest(Value);

impl Manifest {
    /// Reads a manifest of `samples/wasmcloud` after replacing its examples by what the test has.
    pub fn read(name: &str, replacements: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/wasmcloud").join(name);
        let mut text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (example, value) in replacements {
            assert!(text.contains(example), "{example} is not in {name}");
            text = text.replace(example, value);
        }
        Self(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    fn items(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0["items"].as_array().expect("a list").iter().filter(move |item| item["kind"] == *kind)
    }

    /// The workloads as hosts are told of them, by their names.
    fn workloads(&self) -> Vec<(String, Value)> {
        let workload = |deployment: &Value| {
            let name = deployment["metadata"]["name"].as_str().expect("a name").to_owned();
            let spec = &deployment["spec"]["template"]["spec"];
            let mut components = spec["components"].clone();
            for component in components.as_array_mut().expect("components") {
                let environment = component["localResources"]["environment"].take();
                component["localResources"]["environment"] = self.environment(&environment).into();
            }
            let world = json!({"components": components, "hostInterfaces": spec["hostInterfaces"]});
            let namespace = &deployment["metadata"]["namespace"];
            (name.clone(), json!({"namespace": namespace, "name": name, "witWorld": world}))
        };
        self.items("WorkloadDeployment").map(workload).collect()
    }

    /// One map of the plain values and of the secrets, as the operator makes it.
    fn environment(&self, layer: &Value) -> Map<String, Value> {
        let mut variables = layer["config"].as_object().cloned().unwrap_or_default();
        for reference in layer["secretFrom"].as_array().into_iter().flatten() {
            let secret = self.items("Secret").find(|secret| secret["metadata"]["name"] == reference["name"]);
            let secret = secret.unwrap_or_else(|| panic!("there is no secret {reference}"));
            variables.extend(secret["stringData"].as_object().expect("values").clone());
        }
        variables
    }
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
    /// Starts NATS and these hosts.
    pub fn start(count: usize, folder: &Path) -> Self {
        let mut cluster = Self { nats: Nats::start(folder), hosts: Vec::new(), folder: folder.to_owned() };
        let data = cluster.nats.url.clone();
        for _ in 0..count {
            cluster.add_host(&data);
        }
        cluster
    }

    /// Where NATS is.
    pub fn nats_url(&self) -> &str {
        &self.nats.url
    }

    /// Starts another host, whose key-value store is at this address, and waits until it has said over NATS that it is there.
    pub fn add_host(&mut self, data: &str) -> &mut Host {
        self.nats.subscribe("runtime.operator.heartbeat.*");
        let mut host = Host::start(&self.nats.url, data, self.hosts.len(), &self.folder);
        host.read_addresses();
        host.id = self.nats.wait_for(&format!("the heartbeat of {}", host.name), |_, heartbeat| {
            (heartbeat["hostname"] == *host.name).then(|| heartbeat["id"].as_str().expect("its id").to_owned())
        });
        self.hosts.push(host);
        self.hosts.last_mut().expect("it was added")
    }

    /// Starts the workloads of a manifest on every host from this number on.
    pub fn serve_from(&mut self, first: usize, manifest: &Manifest) {
        for (name, workload) in manifest.workloads() {
            for host in &self.hosts[first..] {
                let subject = format!("runtime.host.{}.workload.start", host.id);
                let start = json!({"workloadId": name, "workload": workload});
                let answer = self.nats.request(&subject, &start);
                assert_eq!(answer["workloadStatus"]["workloadState"], "WORKLOAD_STATE_RUNNING", "{answer}");
            }
        }
    }
}

impl Host {
    fn start(nats: &str, data: &str, number: usize, folder: &Path) -> Self {
        let name = format!("host-{number}");
        let home = folder.join(&name);
        std::fs::create_dir_all(&home).expect("a folder");
        let mut process = Command::new(fetched::program("wash"))
            .args(["host", "--non-interactive", "--scheduler-nats-url", nats, "--data-nats-url", data])
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

    /// Tells the host to stop, as an operator does.
    pub fn tell_to_stop(&self) {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
    }

    /// Waits until a host that was told to stop has ended.
    pub fn wait_for_its_end(&mut self) {
        wait_until("the end of a host that was told to stop", || self.process.try_wait().expect("its status"));
    }

    /// Ends the host at once, as a machine does that loses its power.
    pub fn kill(&mut self) {
        self.process.kill().expect("it is running");
        self.process.wait().expect("its status");
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
