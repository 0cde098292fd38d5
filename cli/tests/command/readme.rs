//! Every line of the two READMEs that begins with the command's name runs as it stands there.

#![cfg(unix)]

use std::path::Path;

use assert_cmd::Command;

use crate::program::{run, shell, simulator};
use crate::watch::Watching;

#[test]
fn every_line_of_the_readmes_runs() {
    for (readme, lines) in [("../README.md", 4), ("README.md", 14)] {
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

/// Each section of the runbook begins where its title says: with a token, whose pair a file holds or not, and with a rotation that was
/// stopped.
#[test]
fn every_command_of_the_runbook_runs() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbook.md")).unwrap();
    let mut ran = 0;
    for section in page.split("\n## ").skip(1) {
        let (title, text) = section.split_once('\n').unwrap();
        let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
        let token = simulator.add_token(simulator.account(), "CI");
        let (id, secret) = (&token.token.client_id, token.client_secret.expose());
        let pair = format!("CF_ACCESS_CLIENT_ID={id}\nCF_ACCESS_CLIENT_SECRET={secret}\n");
        std::fs::write(folder.path().join("ci.env"), pair).unwrap();
        let stopped_at = match title {
            "A secret is lost" => Some("journal"),
            "A rotation was interrupted" => Some("deliver"),
            _ => None,
        };
        if let Some(point) = stopped_at {
            let rotate = "access-tokens rotate CI --overlap 24h --secret-file ci.env --replace";
            let killed = shell(&simulator, folder.path(), rotate).env("ACCESS_TOKENS_TEST_KILL_AT", point).output();
            assert!(!killed.unwrap().status.success(), "{title}");
        }
        for line in text.lines().filter(|line| line.starts_with("access-tokens ")) {
            let mut typed = shell(&simulator, folder.path(), line);
            typed.env("APPLICATION", simulator.application_url());
            let (code, stdout, stderr) = run(&mut Command::from_std(typed));
            assert_eq!(code, 0, "{title}: {line}\n{stdout}{stderr}");
            ran += 1;
        }
    }
    assert_eq!(ran, 22);
}
