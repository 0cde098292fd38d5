//! The npm package and the wheel, built of the component under test and installed into empty environments, without the network. Their
//! types are checked as an application's checker sees them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cloudflare_access_host_tests::fetched::{self, HOSTS};
use cloudflare_access_host_tests::programs::{self, BUILD_LIMIT};

const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packages");

/// A folder into which npm has installed the package.
pub fn javascript() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = empty("packages/javascript");
        let package = build("javascript", &folder);
        // What the package depends on, packed again as its registry has it.
        let modules = fetched::program("jco").ancestors().nth(2).expect("node_modules").join("@bytecodealliance");
        let mut pack = Command::new("npm");
        pack.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(&folder);
        pack.arg(modules.join("preview2-shim")).arg(modules.join("jco-node-fs"));
        let dependencies = succeeds(pack.current_dir(&folder));
        std::fs::write(folder.join("package.json"), r#"{"private": true, "type": "module"}"#).expect("an application");
        let mut install = Command::new("npm");
        install.args(["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
        install.arg("--cache").arg(folder.join(".npm")).arg(package).args(dependencies.lines());
        succeeds(install.current_dir(&folder));
        folder
    })
}

/// The Python of a virtual environment into which pip has installed the wheel.
pub fn python() -> Command {
    let mut command = Command::new(virtual_environment().join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("PYTHONPATH");
    command
}

fn virtual_environment() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = empty("packages/python");
        let wheel = build("python", &folder);
        let mut venv = Command::new("python3");
        succeeds(venv.args(["-m", "venv"]).arg(folder.join("venv")));
        let python = folder.join("venv/bin/python");
        let mut packages = Command::new(&python);
        let packages = succeeds(packages.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]));
        // wasmtime-py, which is unpacked already.
        let wasmtime = fetched::program("wasmtime-py");
        let wasmtime = wasmtime.ancestors().nth(2).expect("the wheel").to_str().expect("a path");
        std::fs::write(Path::new(packages.trim()).join("wasmtime.pth"), wasmtime).expect("a link to wasmtime-py");
        let mut install = Command::new(python);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-cache-dir",
            "--disable-pip-version-check",
        ]);
        succeeds(install.arg(wheel));
        folder.join("venv")
    })
}

/// Runs the script that makes a package, and returns the path of the package.
fn build(language: &str, folder: &Path) -> String {
    let mut build = Command::new(Path::new(PACKAGES).join(language).join("build"));
    build.arg(fetched::component()).arg(folder).env("CARGO_TARGET_DIR", fetched::target_directory());
    succeeds(&mut build).trim().to_owned()
}

fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("what an earlier run installed is removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs a command that must succeed, and returns what it printed.
fn succeeds(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let output = programs::output(std::mem::replace(command, Command::new("true")), BUILD_LIMIT);
    let [printed, complaints] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{shown}:\n{printed}{complaints}");
    printed
}

#[test]
fn the_packages_are_the_same_bytes_when_they_are_built_again() {
    for language in ["javascript", "python"] {
        let folder = tempfile::tempdir().expect("a folder");
        let [first, second] = ["first", "second"].map(|name| build(language, &folder.path().join(name)));
        assert_eq!(std::fs::read(first).expect("a package"), std::fs::read(second).expect("a package"), "{language}");
    }
}

#[test]
fn a_typescript_application_is_checked_against_the_types_of_the_package() {
    let folder = javascript();
    std::fs::copy(Path::new(HOSTS).join("javascript/types.ts"), folder.join("types.ts")).expect("the application");
    let mut checker = Command::new(fetched::program("checkers"));
    checker.args(["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "types.ts"]);
    succeeds(checker.current_dir(folder));
}

#[test]
fn the_types_of_the_wheel_are_complete_and_its_driver_is_checked_against_them() {
    let bin = virtual_environment().join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let check = |arguments: &[&str]| {
        let mut checker = Command::new(fetched::program("checkers").with_file_name("pyright"));
        succeeds(checker.args(arguments).env("PATH", &path));
    };
    check(&[&format!("{HOSTS}/python/driver.py")]);
    check(&["--ignoreexternal", "--verifytypes", "cloudflare_access_tokens"]);
}
