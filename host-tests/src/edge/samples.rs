//! The services of `samples/` and the components of `adapters/`, built, and composed with the plugin by what `wac plug` calls.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::programs::{self, BUILD_LIMIT};
use crate::{LIMIT, component_under_test, fetched};

/// Held while a package is built and its component is read.
static BUILDING: Mutex<()> = Mutex::new(());
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Builds a package of `samples/` or `adapters/` and returns its component.
///
/// # Panics
/// It does not compile.
#[must_use]
pub fn built(workspace: &str, package: &str, features: &[&str]) -> Vec<u8> {
    let folder = fetched::target_directory().join("samples");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--release", "--target", "wasm32-unknown-unknown", "--package", package])
        .arg(format!("--features={}", features.join(",")))
        .arg("--target-dir")
        .arg(&folder)
        .current_dir(Path::new(ROOT).join(workspace));
    for of_the_outer_build in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(of_the_outer_build);
    }
    // All features of a package are built to one file: it is read before it is built with others.
    let _guard = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    succeeds(package, cargo, BUILD_LIMIT);
    let file = folder.join("wasm32-unknown-unknown/release").join(format!("{}.wasm", package.replace('-', "_")));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Plugs components into the imports of another one, each into what it fits, and returns the composed component. What is left are
/// imports of the host.
///
/// # Panics
/// The socket imports nothing that a plug exports.
#[must_use]
pub fn plugged(socket: &[u8], plugs: &[&[u8]]) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut package = |name: &str, bytes: &[u8]| {
        let package = Package::from_bytes(name, None, bytes, graph.types_mut()).expect("a component");
        graph.register_package(package).expect("a package")
    };
    let socket = package("test:socket", socket);
    let plugs = plugs.iter().enumerate().map(|(number, bytes)| package(&format!("test:plug{number}"), bytes)).collect();
    plug(&mut graph, plugs, socket).expect("the socket imports what the plugs export");
    graph.encode(EncodeOptions::default()).expect("a component")
}

/// Writes a component to a file that a host can load.
#[must_use]
pub fn file(name: &str, component: &[u8]) -> PathBuf {
    fetched::keep("samples/composed", &format!("{name}.wasm"), component)
}

/// Builds the service of `samples/rotate-service-js`. The engine takes half a minute to start once, so the component is kept until an
/// input changes.
///
/// # Panics
/// A step of its build fails.
#[must_use]
pub fn rotate_service_in_javascript() -> Vec<u8> {
    let folder = Path::new(ROOT).join("samples/rotate-service-js");
    let mut world = Command::new("node");
    world.arg(folder.join("world.js")).arg(fetched::program("wasm-tools"));
    let wit = succeeds("samples/rotate-service-js/world.js", world, LIMIT);
    let jco = fetched::program("jco");
    let mut inputs = Sha256::new_with_prefix(&wit);
    for file in ["rotate-service.js", "build.js"] {
        inputs.update(std::fs::read(folder.join(file)).expect("the service"));
    }
    inputs.update(jco.to_string_lossy().as_bytes());
    let home =
        fetched::target_directory().join(format!("samples/javascript-{:.16}", format!("{:x}", inputs.finalize())));
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
    std::fs::read(service).expect("the component")
}

/// Composes a service with the plugin.
#[must_use]
pub fn with_the_plugin(service: &[u8]) -> Vec<u8> {
    plugged(service, &[component_under_test()])
}

/// Runs a command that must succeed; what it wrote to its standard output.
fn succeeds(what: &str, command: Command, limit: Duration) -> Vec<u8> {
    let output = programs::output(command, limit);
    assert!(output.status.success(), "{what} fails:\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
