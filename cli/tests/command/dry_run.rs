//! `--dry-run`: what it prints is what the command sends when it is run without it.

use std::time::Duration;

use cloudflare_access_simulator::{Operation, Simulator};
use serde_json::{Value, json};

use crate::program::{assert_shown, program, run, simulator};

const HOUR: Duration = Duration::from_hours(1);

/// The requests since the last call that change something.
fn changes(simulator: &Simulator) -> Value {
    let requests = simulator.requests();
    simulator.clear_requests();
    let changes = requests.iter().filter(|request| request.operation.is_some_and(Operation::changes));
    let changes = changes.map(|request| {
        let path = request.target().replace("/client/v4/", "/");
        let body = if request.body.is_empty() { Value::Null } else { request.json() };
        json!({ "method": request.method, "path": path, "body": body })
    });
    changes.collect()
}

#[test]
fn a_dry_run_prints_what_is_sent_without_it() {
    // The clock of the API stands, and is not this machine's.
    let time = simulator().now() + 10 * HOUR;
    let simulator = Simulator::builder().clock_stands_at(time).start_on_thread().unwrap();
    let until = simulator.timestamp_in(HOUR);
    let secret = "--show-secret";
    let lines: [&[&str]; 25] = [
        &["create", "CI", "--duration", "90d", "--disabled", secret],
        &["enable", "CI"],
        &["update", "CI", "--name", "CD", "--duration", "30d"],
        &["update", "CD", "--client-secret-version", "2", "--previous-client-secret-expires-at", &until, secret],
        &["end-overlap", "CD", "--yes"],
        &["refresh", "CD"],
        &["rotate", "CD", "--overlap", "24h", secret],
        &["extend-overlap", "CD", "--overlap", "3d"],
        &["rotate", "CD", "--previous-expires-at", &until, "--yes", secret],
        &["rotate", "CD", "--yes", secret],
        &["ensure", "CD", "--duration", "8760h", secret],
        &["ensure", "CD", "--duration", "525600m", secret],
        &["ensure", "CD", "--duration", "90d", "--enabled", "false", "--yes", secret],
        &["ensure", "CE", "--duration", "90d", secret],
        &["disable", "CE", "--yes"],
        &["enable", "CE"],
        &["refresh-expiring", "--within", "100d", "--name", "CE"],
        &["issue", "CF", "--key", "k", "--duration", "30d", secret],
        &["create", "CG [issue:k]", secret],
        &["issue", "CG", "--key", "k", secret],
        &["create", "CH [issue:k]", secret],
        &["finish-issue", "k"],
        &["refresh-expiring", "--within", "364d"],
        &["delete", "CF", "--yes"],
        &["delete", "CD", "--yes"],
    ];
    for line in lines {
        let (code, stdout, stderr) = run(program(&simulator).args(line).args(["--dry-run", "--output", "json"]));
        assert_eq!((code, changes(&simulator)), (0, json!([])), "{line:?}: {stderr}");
        let mut printed: Value = serde_json::from_str(&stdout).unwrap();
        let (code, _, stderr) = run(program(&simulator).args(line));
        assert_eq!(code, 0, "{line:?}: {stderr}");
        let id = simulator.tokens(simulator.account()).last().map(|token| token.id.clone()).unwrap_or_default();
        for request in printed.as_array_mut().unwrap() {
            let path = request["path"].as_str().unwrap().replace("<its id>", &id);
            request["path"] = path.into();
        }
        assert_eq!(printed, changes(&simulator), "{line:?}");
    }
}

#[test]
fn a_dry_run_is_a_line_for_each_request() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["create", "CI", "--duration", "90d", "--dry-run"]), @r#"
    exit 0
    --- stdout
    Would be sent, and was not:
    POST /accounts/acc00000000000000000000000000001/access/service_tokens {"duration":"2160h","name":"CI"}
    --- stderr
    "#);
    let _ = simulator.add_token(simulator.account(), "CI");
    assert_shown!(program(&simulator).args(["delete", "CI", "--dry-run"]), @r"
    exit 0
    --- stdout
    Would be sent, and was not:
    DELETE /accounts/acc00000000000000000000000000001/access/service_tokens/[id]
    --- stderr
    ");
    assert_shown!(program(&simulator).args(["refresh-expiring", "--within", "1d", "--dry-run"]), @r"
    exit 0
    --- stdout
    Nothing would be sent.
    --- stderr
    ");
}
