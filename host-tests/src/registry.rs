//! An OCI registry on loopback: Debian's `docker-registry`, with nothing in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::fetched;

/// A running registry; it ends with this value.
pub struct Registry {
    process: Child,
    address: String,
    folder: PathBuf,
}

impl Registry {
    /// Starts one on a free port that keeps its files in a folder.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let config = folder.join("registry.yml");
        let settings = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
            folder.join("registry").display()
        );
        std::fs::write(&config, settings).expect("a configuration");
        let mut process = Command::new(fetched::program("docker-registry"))
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the registry starts");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let port = loop {
            let line = lines.next().expect("the registry listens").expect("a line");
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                break rest.chars().take_while(char::is_ascii_digit).collect::<String>();
            }
        };
        // It logs every request, and must never wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address: format!("localhost:{port}"), folder: folder.to_owned() }
    }

    /// The reference of an artifact in it.
    #[must_use]
    pub fn reference(&self, artifact: &str) -> String {
        format!("{}/{artifact}", self.address)
    }

    /// Puts a component in.
    ///
    /// # Panics
    /// `wash` cannot do it.
    pub fn push(&self, artifact: &str, component: &Path) {
        self.wash("push", artifact, component);
    }

    /// Gets a component out, into a file.
    ///
    /// # Panics
    /// `wash` cannot do it.
    pub fn pull(&self, artifact: &str, file: &Path) {
        self.wash("pull", artifact, file);
    }

    fn wash(&self, direction: &str, artifact: &str, file: &Path) {
        let output = Command::new(fetched::program("wash"))
            .args(["oci", direction, "--insecure", &self.reference(artifact)])
            .arg(file)
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .output()
            .expect("wash runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
