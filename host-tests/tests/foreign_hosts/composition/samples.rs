//! The consumer components of `samples/`, built and composed with the plugin: what an edge runtime is given.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cloudflare_access_host_tests::programs::{self, BUILD_LIMIT};
use cloudflare_access_host_tests::{LIMIT, component_under_test, fetched};
use sha2::{Digest, Sha256};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples");

/// The service in Rust, composed.
pub fn in_rust() -> PathBuf {
    let folder = Path::new(SAMPLES).join("rotate-service");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--release", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(output())
        .current_dir(folder);
    for of_the_outer_build in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(of_the_outer_build);
    }
    succeeds("samples/rotate-service", cargo, BUILD_LIMIT);
    composed("rust", &output().join("wasm32-unknown-unknown/release/rotate_service.wasm"))
}

/// The service in JavaScript, composed. Its engine takes half a minute to start once, so it is kept until an input changes.
pub fn in_javascript() -> PathBuf {
    let folder = Path::new(SAMPLES).join("rotate-service-js");
    let mut world = Command::new("node");
    world.arg(folder.join("world.js")).arg(fetched::program("wasm-tools"));
    let wit = succeeds("samples/rotate-service-js/world.js", world, LIMIT);
    let jco = fetched::program("jco");
    let mut inputs = Sha256::new_with_prefix(&wit);
    for file in ["rotate-service.js", "build.js"] {
        inputs.update(std::fs::read(folder.join(file)).expect("the service"));
    }
    inputs.update(jco.to_string_lossy().as_bytes());
    let home = output().join(format!("javascript-{:.16}", format!("{:x}", inputs.finalize())));
    let service = home.join("rotate-service.wasm");
    if !service.exists() {
        std::fs::create_dir_all(&home).expect("a folder");
        for file in ["rotate-service.js", "build.js", "package.json"] {
            std::fs::copy(folder.join(file), home.join(file)).expect("the service");
        }
        std::fs::write(home.join("rotate-service.wit"), wit).expect("the world");
        let packages = home.join("node_modules");
        if !packages.exists() {
            std::os::unix::fs::symlink(jco.ancestors().nth(2).expect("node_modules"), packages).expect("a link");
        }
        let mut node = Command::new("node");
        node.args(["build.js", "rotate-service.wit", "part.wasm"]).current_dir(&home);
        succeeds("samples/rotate-service-js", node, BUILD_LIMIT);
        std::fs::rename(home.join("part.wasm"), &service).expect("the component");
    }
    composed("javascript", &service)
}

/// The wiring: what the service imports of `cloudflare:access` is what the plugin exports. What is left are imports of WASI.
fn composed(name: &str, service: &Path) -> PathBuf {
    let mut graph = CompositionGraph::new();
    let service = Package::from_file("sample:rotate-service", None, service, graph.types_mut()).expect("the service");
    let service = graph.register_package(service).expect("a package");
    let plugin =
        Package::from_bytes("cloudflare:access", None, component_under_test(), graph.types_mut()).expect("the plugin");
    let plugin = graph.register_package(plugin).expect("a package");
    plug(&mut graph, vec![plugin], service).expect("the service imports what the plugin exports");
    let bytes = graph.encode(EncodeOptions::default()).expect("a component");
    fetched::keep("samples/composed", &format!("rotate-service-{name}.wasm"), &bytes)
}

/// Runs a command that must succeed; what it wrote to its standard output.
fn succeeds(what: &str, command: Command, limit: Duration) -> Vec<u8> {
    let output = programs::output(command, limit);
    assert!(output.status.success(), "{what} fails:\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn output() -> PathBuf {
    let folder = fetched::target_directory().join("samples");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
