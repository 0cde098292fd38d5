//! The README names everything there is, and what it shows is right.

use cloudflare_access_simulator::{Commits, Fault, FaultKind, Operation, Simulator};

use crate::client::Client;

const README: &str = include_str!("../../README.md");

#[test]
fn every_fault_kind_has_a_row_that_says_whether_its_changes_happen() {
    let mut kinds: Vec<_> = FaultKind::all();
    kinds.dedup_by_key(|kind| kind.name());
    for kind in kinds {
        let row = README.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.name())));
        let changed = row.unwrap_or_else(|| panic!("no row for {}", kind.name())).rsplit('|').nth(1).expect("columns");
        let by_status = ["`error`", "`response`", "for 408", "for 303", "except 303"];
        let expected = match kind.commits() {
            Commits::Never => "never",
            Commits::Maybe => "maybe",
            Commits::Always => "always",
        };
        assert!(
            changed.trim() == expected || by_status.iter().any(|text| changed.contains(text)),
            "{kind:?} {changed}"
        );
    }
}

#[test]
fn every_operation_has_a_row() {
    for operation in Operation::ALL {
        assert!(README.contains(&format!("| {operation} |")), "{operation}");
    }
}

#[test]
fn the_fault_it_shows_is_one() {
    let (_, json) = README.split_once("```json").expect("an example");
    let (json, _) = json.split_once("```").expect("its end");
    let fault: Fault = serde_json::from_str(json).expect("a fault");
    assert_eq!(fault.check(), Ok(()));
}

#[tokio::test]
async fn every_control_route_exists() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::with_headers(&simulator, vec![]);
    let mut rows = 0;
    for row in README.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")) {
        let Some((method, path)) = row.0.split_once(" /simulator/") else { continue };
        rows += 1;
        assert_ne!(client.send(method, &format!("/simulator/{path}"), "").await.status, 404, "{row:?}");
    }
    assert_eq!(rows, 16);
}
