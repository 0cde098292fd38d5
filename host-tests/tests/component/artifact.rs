//! The component as a file: what it imports and exports, and what it was built from.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use cloudflare_access_host_tests::{component_under_test, interfaces};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");

#[test]
fn it_imports_what_the_world_declares_and_what_that_stands_on_and_nothing_else() {
    let (imports, exports) = interfaces(component_under_test());

    let world = std::fs::read_to_string(Path::new(WIT).join("world.wit")).expect("the world");
    let declared: Vec<_> =
        world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';')).collect();
    // What wasi:http uses in its signatures.
    let underneath = ["wasi:http/types@0.2.2", "wasi:io/error@0.2.2", "wasi:io/poll@0.2.2", "wasi:io/streams@0.2.2"];
    let expected: BTreeSet<_> = declared.into_iter().chain(underneath).map(str::to_owned).collect();
    assert_eq!(imports, expected);
    assert_eq!(
        exports,
        ["lifecycle", "service-tokens", "types"].map(|name| format!("cloudflare:access/{name}@0.1.0")).into()
    );
}

#[test]
fn the_vendored_packages_are_those_of_the_lock_file() {
    let lock = std::fs::read_to_string(Path::new(WIT).join("deps.lock")).expect("the lock file");
    let locked: BTreeSet<_> = lock
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once("  ").expect("a hash and a path"))
        .map(|(hash, path)| (path.to_owned(), hash.to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    for package in std::fs::read_dir(Path::new(WIT).join("deps")).expect("the packages") {
        for file in std::fs::read_dir(package.expect("a package").path()).expect("its files") {
            let path = file.expect("a file").path();
            let hash = Sha256::digest(std::fs::read(&path).expect("its text"));
            let name = path.strip_prefix(WIT).expect("below wit").to_string_lossy().into_owned();
            found.insert((name, format!("{hash:x}")));
        }
    }
    assert_eq!(found, locked, "run wit/refresh-deps");
}

/// Bytes, and bytes of `gzip -9`. What they are is in `docs/performance.md`.
const LARGEST: usize = 380_000;
const LARGEST_COMPRESSED: usize = 145_000;

#[test]
fn it_is_as_small_as_it_was_promised_to_be() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(component_under_test()).expect("memory takes everything");
    let compressed = encoder.finish().expect("memory takes everything").len();
    assert!(component_under_test().len() <= LARGEST, "{} bytes of {LARGEST}", component_under_test().len());
    assert!(compressed <= LARGEST_COMPRESSED, "{compressed} bytes of {LARGEST_COMPRESSED}, compressed");
}
