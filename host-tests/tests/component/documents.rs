//! What the documents claim: the Rust block of the README is an example that is compiled, and the tests that SECURITY.md names exist.

use std::collections::BTreeSet;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_rust_block_of_the_readme_is_the_body_of_an_example() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../../../host/examples/create_and_store.rs");
    let (_, block) = readme.split_once("```rust\n").expect("a block");
    let (block, _) = block.split_once("```").expect("the end of the block");
    let lines =
        |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let example = lines(example);
    for line in lines(block) {
        assert!(example.contains(&line), "not in host/examples/create_and_store.rs: {line}");
    }
}

#[test]
fn every_footnote_of_the_security_page_names_tests_that_exist() {
    let page = include_str!("../../../SECURITY.md");
    let (mut used, mut defined) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines() {
        let Some((name, tests)) = line.strip_prefix("[^").and_then(|line| line.split_once("]: ")) else {
            used.extend(line.split("[^").skip(1).filter_map(|rest| rest.split(']').next()));
            continue;
        };
        defined.insert(name);
        for file in tests.split("; ") {
            let (path, tests) = file.split_once(": ").expect("a path and its tests");
            let path = Path::new(ROOT).join(path.trim_matches('`'));
            let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for test in tests.split(", ").map(|test| test.trim_matches('`')) {
                let is_test = source.split("#[t").skip(1).any(|item| {
                    let head = item.lines().take(3).collect::<String>();
                    head.contains("est") && head.contains(&format!("fn {test}("))
                });
                assert!(is_test, "[^{name}] names {test}, which is no test in {}", path.display());
            }
        }
    }
    assert_eq!(used, defined);
    assert!(used.len() > 15, "{used:?}");
}
