//! Provides what the crate is built around, in `OUT_DIR`: the component (`cloudflare_access.wasm`, included by `src/engine/component.rs`
//! beside its digest), and the call of `bindgen!` with the folder of the contract (`bindings.rs`, included by `src/engine/bindings.rs`).
//!
//! The component comes from the first of these that applies:
//! 1. `CLOUDFLARE_ACCESS_COMPONENT`: a component that has been built already.
//! 2. The workspace's guest: built here by another cargo, with the profile and the target that a release has. That cargo uses
//!    other folders of the same target directory than the one that runs this script, so neither waits for the other's lock.
//! 3. `component/cloudflare_access.wasm` inside this package, which a published crate carries.
//!
//! The contract is the folder `wit` of the workspace, or else the one inside this package.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use sha2::{Digest, Sha256};

const FILE_NAME: &str = "cloudflare_access.wasm";
const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "component";

fn main() {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out_dir = PathBuf::from(variable("OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CLOUDFLARE_ACCESS_COMPONENT");

    let workspace = guest_workspace(&package);
    let contract = workspace.as_ref().unwrap_or(&package).join("wit");
    write_bindings(&contract, &out_dir);

    let component = match (env::var_os("CLOUDFLARE_ACCESS_COMPONENT"), workspace) {
        (Some(given), _) => PathBuf::from(given),
        (None, Some(workspace)) => build(&workspace, &out_dir),
        (None, None) => package.join("component").join(FILE_NAME),
    };
    println!("cargo::rerun-if-changed={}", component.display());
    let bytes = fs::read(&component).unwrap_or_else(|error| {
        fail(&format!(
            "the component {} cannot be read: {error}. Name a built one in CLOUDFLARE_ACCESS_COMPONENT, or build from \
             the workspace of cloudflare-access.",
            component.display()
        ))
    });
    println!("cargo::rustc-env=COMPONENT_SHA256={:x}", Sha256::digest(&bytes));
    let copy = out_dir.join(FILE_NAME);
    if let Err(error) = fs::write(&copy, bytes) {
        fail(&format!("{} cannot be written: {error}", copy.display()));
    }
}

/// Writes the call of `bindgen!`. The macro takes the path of the contract as a literal only, and where the contract lies differs between the
/// workspace and a published package.
fn write_bindings(contract: &Path, out_dir: &Path) {
    println!("cargo::rerun-if-changed={}", contract.display());
    let bindings = format!(
        "wasmtime::component::bindgen!({{
            path: \"{}\",
            inline: \"
                package cloudflare:access-host;
                world plugin {{
                    export cloudflare:access/service-tokens@0.1.0;
                    export cloudflare:access/lifecycle@0.1.0;
                }}
            \",
            world: \"cloudflare:access-host/plugin\",
            exports: {{ default: async }},
            require_store_data_send: true,
        }});\n",
        contract.display().to_string().escape_default()
    );
    if let Err(error) = fs::write(out_dir.join("bindings.rs"), bindings) {
        fail(&format!("{} cannot be written: {error}", out_dir.join("bindings.rs").display()));
    }
}

/// The workspace that holds the guest, if this package lies in it and not in a registry.
fn guest_workspace(package: &Path) -> Option<PathBuf> {
    let workspace = package.parent()?;
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).ok()?;
    manifest.contains("name = \"cloudflare-access\"").then(|| workspace.to_owned())
}

fn build(workspace: &Path, out_dir: &Path) -> PathBuf {
    for input in ["Cargo.toml", "Cargo.lock", "src", "wit", ".cargo/config.toml", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    // <target directory>/<profile>/build/<package>/out
    let Some(target_directory) = out_dir.ancestors().nth(4) else {
        fail(&format!("OUT_DIR {} is not inside a target directory", out_dir.display()));
    };
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(workspace)
        .args(["rustc", "--profile", PROFILE, "--target", TARGET, "--package", "cloudflare-access"])
        // Without it cargo leaves link-time optimization out, since the guest is a Rust library, too.
        .args(["--crate-type", "cdylib", "--target-dir"])
        .arg(target_directory);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(belongs_to_the_outer_build) {
            cargo.env_remove(&name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => target_directory.join(TARGET).join(PROFILE).join(FILE_NAME),
        Ok(status) => fail(&format!(
            "building the component failed ({status}); see its messages above. If the target is missing: rustup target \
             add {TARGET}"
        )),
        Err(error) => fail(&format!("cargo could not be started to build the component: {error}")),
    }
}

/// Whether a variable describes this package's compilation (flags, profile, clippy in place of rustc) and would change
/// the component. Variables on where cargo finds things and how it talks stay.
fn belongs_to_the_outer_build(name: &str) -> bool {
    const NAMES: [&str; 5] =
        ["RUSTFLAGS", "RUSTC", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"];
    const FAMILIES: [&str; 7] = [
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_PRIMARY_",
    ];
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

fn variable(name: &str) -> std::ffi::OsString {
    env::var_os(name).unwrap_or_else(|| fail(&format!("cargo did not set {name}; run this script through cargo")))
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    exit(1)
}
