//! Builds components of this workspace while the report runs, with the profile and the target that the released one has.

use std::path::{Path, PathBuf};
use std::process::Command;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A component that is built for the report alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// `guests/floor/`: the host calls of a `get` and nothing else.
    Floor,
    /// `guests/counted/`: the component with an allocator that counts.
    Counted,
    /// The same, with nothing inlined and with the names of its functions.
    Readable,
    /// The component as it is, with the names of its functions.
    Named,
}

impl Guest {
    /// Builds it below `folder`, away from what else cargo builds: the names must not reach the component of the host crate.
    ///
    /// # Panics
    /// It does not build; cargo has then said why.
    #[must_use]
    pub fn build(self, folder: &Path) -> Vec<u8> {
        let (package, subfolder, settings): (_, _, &[&str]) = match self {
            Self::Floor => ("cloudflare-access-floor", "components", &[]),
            Self::Counted => ("cloudflare-access-counted", "components", &[]),
            Self::Readable => {
                ("cloudflare-access-counted", "readable", &["strip=\"debuginfo\"", "lto=false", "opt-level=0"])
            }
            // With all of the debugging information the linker would not compress relocations, as it does for the released one.
            Self::Named => ("cloudflare-access", "named", &["strip=\"debuginfo\""]),
        };
        let target_directory = folder.join(subfolder);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Flags of the environment would take the place of those that make a component.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"] {
            cargo.env_remove(variable);
        }
        cargo.current_dir(WORKSPACE).args(["rustc", "--quiet", "--locked", "--profile", "component"]);
        cargo.args(["--target", "wasm32-unknown-unknown", "--package", package, "--crate-type", "cdylib"]);
        cargo.arg("--target-dir").arg(&target_directory);
        for setting in settings {
            cargo.args(["--config", &format!("profile.component.{setting}")]);
        }
        let built = cargo.status().expect("cargo starts");
        assert!(built.success(), "{package} builds");
        let file: PathBuf = [package.replace('-', "_"), "wasm".to_owned()].join(".").into();
        let path = target_directory.join("wasm32-unknown-unknown/component").join(file);
        std::fs::read(path).expect("cargo has made the component")
    }
}
