//! Every line of the two READMEs that begins with the command's name runs as it stands there.

#![cfg(unix)]

use std::path::Path;

use assert_cmd::Command;

use crate::program::{run, shell, simulator};
use crate::watch::Watching;

#[test]
fn every_line_of_the_readmes_runs() {
    for (readme, lines) in [("../README.md", 4), ("README.md", 11)] {
        let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(readme)).unwrap();
        let mut ran = 0;
        for line in text.lines().filter(|line| line.starts_with("access-tokens ")) {
            let (code, shown) = if line.starts_with("access-tokens watch ") {
                let mut watching = Watching::of(&mut shell(&simulator, folder.path(), &format!("exec {line}")));
                watching.wait_for("round done");
                watching.stop("-TERM")
            } else {
                let (code, stdout, stderr) = run(&mut Command::from_std(shell(&simulator, folder.path(), line)));
                (code, stdout + &stderr)
            };
            assert_eq!(code, 0, "{line}\n{shown}");
            ran += 1;
        }
        assert_eq!(ran, lines, "{readme}");
    }
}
