//! An OCI registry on loopback: the program `docker-registry`, which starts empty.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::programs::{self, Lines};
use crate::{LIMIT, fetched};

/// A running registry, which ends when this value is dropped.
pub struct Registry {
    process: Child,
    /// Where it listens: the first part of every reference.
    pub address: String,
    folder: PathBuf,
}

impl Registry {
    /// Starts a registry on a free port, with its files in a folder.
    ///
    /// # Panics
    /// It does not start, or does not listen within the limit of all waits.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let config = folder.join("registry.yml");
        let settings = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
            folder.join("registry").display()
        );
        std::fs::write(&config, settings).expect("a configuration");
        let process = Command::new(fetched::program("docker-registry"))
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the registry starts");
        let mut registry = Self { process, address: String::new(), folder: folder.to_owned() };
        // It logs every request; `lines` reads all of that, so it never waits for a reader.
        let mut lines = Lines::of(registry.process.stderr.take().expect("its log"));
        let port = lines.wait_for("the port of the registry", |line| {
            let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
            Some(rest.chars().take_while(char::is_ascii_digit).collect::<String>())
        });
        registry.address = format!("localhost:{port}");
        registry
    }

    /// Returns the reference of an artifact in it.
    #[must_use]
    pub fn reference(&self, artifact: &str) -> String {
        format!("{}/{artifact}", self.address)
    }

    /// Returns the reference of an artifact by the digest of its manifest, as the registry tells it.
    ///
    /// # Panics
    /// The artifact is not in the registry.
    #[must_use]
    pub fn by_digest(&self, artifact: &str) -> String {
        let (name, tag) = artifact.rsplit_once(':').expect("a name and a tag");
        let head =
            format!("HEAD /v2/{name}/manifests/{tag} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        let mut stream = TcpStream::connect(&self.address).expect("the registry");
        write!(stream, "{head}accept: application/vnd.oci.image.manifest.v1+json\r\n\r\n").expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let digest = answer.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: "));
        format!("{name}@{}", digest.unwrap_or_else(|| panic!("no digest of {artifact}: {answer}")).trim())
    }

    /// Pushes a component, with `wash`.
    ///
    /// # Panics
    /// `wash` fails.
    pub fn push(&self, artifact: &str, component: &Path) {
        self.wash("push", artifact, component);
    }

    /// Pulls a component into a file, with `wash`.
    ///
    /// # Panics
    /// `wash` fails.
    pub fn pull(&self, artifact: &str, file: &Path) {
        self.wash("pull", artifact, file);
    }

    fn wash(&self, direction: &str, artifact: &str, file: &Path) {
        let output = self.try_wash(direction, artifact, file);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `wash oci push` or `wash oci pull`.
    #[must_use]
    pub fn try_wash(&self, direction: &str, artifact: &str, file: &Path) -> Output {
        let mut wash = Command::new(fetched::program("wash"));
        wash.args(["oci", direction, "--insecure", &self.reference(artifact)]).arg(file).current_dir(&self.folder);
        // Its configuration and its cache are new, too: what is pulled comes from the registry.
        wash.env("HOME", &self.folder);
        for folder in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            wash.env_remove(folder);
        }
        programs::output(wash, LIMIT)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
