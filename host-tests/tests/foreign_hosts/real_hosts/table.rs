//! The table of host and case.

use std::fmt::Write;
use std::path::Path;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hosts.md");
const BEGIN: &str =
    "<!-- the table: written by `UPDATE=1 cargo test --workspace --test foreign_hosts -- real_hosts::` -->\n";
const END: &str = "<!-- end of the table -->";

/// A host, and for each case what was wrong.
pub struct Column {
    /// The title of the host.
    pub host: String,
    /// The name of a case, and what was not as it must be.
    pub cells: Vec<(String, Result<(), String>)>,
}

/// Prints the table, and fails on what is not a pass, or when the page says something else.
pub fn check(columns: &[Column]) {
    let table = render(columns);
    println!("{table}");
    let mut wrong = String::new();
    for column in columns {
        for (case, result) in &column.cells {
            if let Err(what) = result {
                writeln!(wrong, "{}, {case}: {what}", column.host).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    check_page(&table);
}

fn render(columns: &[Column]) -> String {
    let mut table = String::from("| case |");
    for column in columns {
        write!(table, " {} |", column.host).unwrap();
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(columns.len()));
    for (row, (case, _)) in columns[0].cells.iter().enumerate() {
        write!(table, "\n| {case} |").unwrap();
        for column in columns {
            let cell = if column.cells[row].1.is_ok() { "pass" } else { "**fail**" };
            write!(table, " {cell} |").unwrap();
        }
    }
    table.push('\n');
    table
}

fn check_page(table: &str) {
    let page = std::fs::read_to_string(Path::new(PAGE)).expect("docs/hosts.md");
    let (before, rest) = page.split_once(BEGIN).expect("the mark before the table");
    let (_, after) = rest.split_once(END).expect("the mark after the table");
    let fresh = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, fresh).expect("the page is written");
    } else {
        assert_eq!(of_any_node(&page), of_any_node(&fresh), "docs/hosts.md is stale: run with UPDATE=1");
    }
}

/// The page without the version of Node, which is that of the machine.
fn of_any_node(page: &str) -> String {
    let mut parts = page.split(", Node ");
    let before = parts.next().unwrap_or_default();
    parts.fold(before.to_owned(), |text, part| {
        text + ", Node " + part.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.')
    })
}
