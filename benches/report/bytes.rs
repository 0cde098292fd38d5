//! The section on what the bytes of the component are.

use std::fmt::Write as _;

use cloudflare_access_benches::{Part, Sizes};
use cloudflare_access_host::COMPONENT;

/// Origins with less are summed up.
const NOTABLE: usize = 500;
const COPIED: usize = 20;
const FUNCTIONS: usize = 20;
/// Longer names are cut.
const CHARACTERS: usize = 110;

/// The sections are those of the component; its functions have names only in `named`.
pub fn section(named: &[u8]) -> String {
    let sections = Sizes::read(COMPONENT).expect("the component is WebAssembly").sections;
    let Sizes { origins, copied, functions, .. } = Sizes::read(named).expect("the component is WebAssembly");
    let code: usize = origins.iter().map(|part| part.bytes).sum();
    let mut page = String::from("\n## Size\n\n| of the component's bytes | sections | bytes |\n|---|---|---|\n");
    for part in &sections {
        line(&mut page, &part.name, part);
    }
    writeln!(
        page,
        "\nOf the {code} bytes of code, by the names of the functions of a build that keeps them. What the compiler has inlined counts for\n\
         the function that it is in, and a generic function for the crate that wrote it.\n\n\
         | code of | functions | bytes |\n|---|---|---|"
    )
    .expect("text");
    let (shown, rest) = origins.split_at(origins.partition_point(|part| part.bytes >= NOTABLE));
    for part in shown {
        line(&mut page, &part.name, part);
    }
    if !rest.is_empty() {
        let sum = |of: fn(&Part) -> usize| rest.iter().map(of).sum();
        let part = Part { name: String::new(), count: sum(|part| part.count), bytes: sum(|part| part.bytes) };
        line(&mut page, "everything else", &part);
    }
    page.push_str("\nThe largest of what is there more than once, each copy for other types:\n\n");
    page.push_str("| function | copies | bytes |\n|---|---|---|\n");
    for part in copied.iter().take(COPIED) {
        line(&mut page, &code_span(&part.name), part);
    }
    page.push_str("\nThe largest functions:\n\n| function | bytes |\n|---|---|\n");
    for part in functions.iter().take(FUNCTIONS) {
        writeln!(page, "| {} | {} |", code_span(&part.name), part.bytes).expect("text");
    }
    page
}

fn line(page: &mut String, name: &str, Part { count, bytes, .. }: &Part) {
    writeln!(page, "| {name} | {count} | {bytes} |").expect("text");
}

/// A name as a cell of a table takes it.
fn code_span(name: &str) -> String {
    let cut: String = name.chars().take(CHARACTERS).collect();
    let more = if cut.len() < name.len() { "…" } else { "" };
    format!("`{}{more}`", cut.replace('|', "\\|"))
}
