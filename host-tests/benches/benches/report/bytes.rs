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

/// How far compilers alone would come, measured by hand on 2026-11-24, when the component had 238,032 bytes.
const SMALLEST: &str = "\n\
The bar is below what the compilers can do with this code (2026-11-24, component of 238,032 bytes): everything for size alone\n\
(`opt-level = \"z\"`) has 218,296 bytes and takes a fifth more instructions; the same after `wasm-opt -Oz --converge` (binaryen 132), without\n\
names, 195,077. `wasm-opt` is not used: it does not come with Rust's toolchain, and the build is one command of cargo.\n";

/// The sections are those of the component; its functions have names only in `named`.
pub fn section(named: &[u8]) -> String {
    let sections = Sizes::read(COMPONENT).expect("the component is WebAssembly").sections;
    let Sizes { origins, copied, functions, .. } = Sizes::read(named).expect("the component is WebAssembly");
    let code: usize = origins.iter().map(|part| part.bytes).sum();
    let mut page = String::from("\n## Size\n\n| of the component's bytes | sections | bytes |\n|---|---|---|\n");
    for part in &sections {
        line(&mut page, &part.name, part);
    }
    page.push_str(SMALLEST);
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
    page.push_str("\nThe dearest of what is there more than once, each copy for other types:\n\n");
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
