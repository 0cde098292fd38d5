//! One script of operations and faults in every host that can be had, with the same component, and what came of it as a table.
//!
//! The table is the list of hosts in `docs/hosts.md`; `UPDATE=1` writes it there. A cell that is not a pass fails.

mod drivers;
mod embedding;
mod script;
mod table;
mod wave;

use cloudflare_access_host_tests::{component_under_test, fetched};
use cloudflare_access_simulator::Simulator;
use sha2::{Digest, Sha256};

#[tokio::test(flavor = "multi_thread")]
async fn every_host_does_what_the_script_says() {
    let runs = drivers::HOSTS_UNDER_TEST.map(|start| tokio::spawn(run(start)));
    let mut columns = Vec::new();
    for run in runs {
        columns.push(run.await.expect("no panic in a driver"));
    }
    assert_eq!(
        Sha256::digest(std::fs::read(fetched::component()).expect("the component")),
        Sha256::digest(component_under_test()),
        "every host had the same file"
    );
    println!("component SHA-256 {:x}\n", Sha256::digest(component_under_test()));
    table::check(&columns);
}

/// A host through the whole script: its title, and for each case its name and what was wrong.
async fn run(start: drivers::Start) -> table::Column {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    tokio::task::spawn_blocking(move || {
        let mut driver = start(&simulator);
        let mut progress = script::Progress::default();
        let cells = script::cases()
            .into_iter()
            .map(|case| (case.name.clone(), case.check(&simulator, &mut progress, |step| driver.run(step))))
            .collect();
        table::Column { host: driver.title(), cells }
    })
    .await
    .expect("no panic")
}
