//! Runs the blocks of `docs/embedding.md` as they stand there: each makes a token and prints its id and its secret.

use std::path::Path;
use std::process::{Command, Output};

use cloudflare_access_host_tests::programs;
use cloudflare_access_host_tests::{LIMIT, code_cache, fetched};
use cloudflare_access_simulator::{API_TOKEN, Simulator};
use tempfile::TempDir;

const GUIDE: &str = include_str!("../../../docs/embedding.md");

/// The one block in a language.
fn block(language: &str) -> &'static str {
    let begin = format!("```{language}\n");
    let mut blocks = GUIDE.split(&begin).skip(1);
    let block = blocks.next().expect("a block").split("```").next().expect("its text");
    assert!(blocks.next().is_none(), "one block of {language}");
    block
}

/// A user's folder: the component, and this block as a file.
fn folder(file: &str, block: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(fetched::component(), folder.path().join("cloudflare_access.wasm")).expect("the component");
    std::fs::write(folder.path().join(file), block).expect("the block");
    folder
}

/// Runs a command in the folder; afterwards there is one token, and the printed secret is its secret.
async fn makes_a_token(folder: TempDir, mut command: Command) {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    command
        .current_dir(&folder)
        .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
        .env("CLOUDFLARE_BASE_URL", simulator.base_url())
        .env("CLOUDFLARE_ACCOUNT_ID", simulator.account().id())
        // Compiled code is kept with that of all tests, and not in the user's cache.
        .env("XDG_CACHE_HOME", code_cache().parent().expect("the folder of the caches"));
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(|| programs::output(command, LIMIT)).await.expect("it ends");
    let (printed, complaints) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{complaints}");
    let tokens = simulator.tokens(simulator.account());
    assert_eq!(tokens.len(), 1, "{printed}{complaints}");
    assert_eq!(tokens[0].name, "CI pipeline");
    assert!(printed.contains(&tokens[0].id), "{printed}");
    let secret = simulator.issued_secrets().pop().expect("a secret");
    assert!(printed.contains(secret.expose()), "{printed}");
}

#[tokio::test]
async fn the_command_line_makes_a_token() {
    for release in ["wasmtime-36", "wasmtime-49"] {
        let program = fetched::program(release);
        let path =
            format!("{}:{}", program.parent().expect("a folder").display(), std::env::var("PATH").expect("a path"));
        let folder = folder("create.sh", block("sh"));
        let mut command = Command::new("sh");
        command.arg("create.sh").env("PATH", path);
        makes_a_token(folder, command).await;
    }
}

#[tokio::test]
async fn the_rust_block_makes_a_token() {
    // A user copies the folder `wit`; here it lies beside the crate.
    let example = include_str!("../../src/bin/embedding.rs").replace("path: \"../wit\"", "path: \"wit\"");
    assert!(example.ends_with(block("rust")), "src/bin/embedding.rs and the block in docs/embedding.md differ");
    makes_a_token(folder("main.rs", ""), Command::new(env!("CARGO_BIN_EXE_embedding"))).await;
}

#[tokio::test]
async fn the_python_block_makes_a_token() {
    let package = fetched::program("wasmtime-py");
    let mut command = Command::new("python3");
    command.arg("create.py").env("PYTHONPATH", package.ancestors().nth(2).expect("the wheel"));
    makes_a_token(folder("create.py", block("python")), command).await;
}

#[tokio::test]
async fn the_javascript_block_makes_a_token() {
    let jco = fetched::program("jco");
    let folder = folder("create.mjs", block("js"));
    let packages: &Path = jco.ancestors().nth(2).expect("node_modules");
    std::os::unix::fs::symlink(packages, folder.path().join("node_modules")).expect("a link to the packages");
    let command = "npx() { shift; node_modules/.bin/jco \"$@\" >&2; }; ".to_owned()
        + GUIDE.split('`').find(|code| code.starts_with("npx jco transpile")).expect("the command before the block")
        + " && node create.mjs";
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]);
    makes_a_token(folder, shell).await;
}
