//! The Rust block of the README is the example `minimal`, which is compiled.

#[test]
fn the_rust_block_of_the_readme_is_the_body_of_an_example() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../../../host/examples/minimal.rs");
    let (_, block) = readme.split_once("```rust\n").expect("a block");
    let (block, _) = block.split_once("```").expect("the end of the block");
    let lines =
        |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let example = lines(example);
    for line in lines(block) {
        assert!(example.contains(&line), "not in host/examples/minimal.rs: {line}");
    }
}
