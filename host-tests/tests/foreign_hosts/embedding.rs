//! Runs the blocks of `docs/embedding.md` as they stand there: each makes a token, stores its secret, rotates it and deletes the token.
//! When the answer of the rotation is lost, each says that it was applied, and goes no further.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use cloudflare_access_host_tests::programs;
use cloudflare_access_host_tests::{LIMIT, code_cache, fetched};
use cloudflare_access_simulator::{API_TOKEN, Fault, FaultKind, Operation, Simulator};
use tempfile::TempDir;

use crate::packages;

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

/// Runs a block twice: as it should go, and with the answer of the rotation lost.
async fn runs_the_life_of_a_token(file: &str, block: &str, command: impl Fn() -> Command) {
    let lost = Fault::new(FaultKind::Close).on(Operation::Update).skipping(1).after_commit();
    for fault in [None, Some(lost)] {
        let simulator = Simulator::start().await.expect("a simulator");
        let expected = match fault {
            None => &[Operation::Create, Operation::Update, Operation::Update, Operation::Delete][..],
            Some(_) => &[Operation::Create, Operation::Update, Operation::Update][..],
        };
        let is_lost = fault.is_some();
        if let Some(fault) = fault {
            simulator.inject(fault);
        }
        let folder = folder(file, block);
        let mut command = command();
        command
            .current_dir(&folder)
            .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
            .env("CLOUDFLARE_BASE_URL", simulator.base_url())
            .env("CLOUDFLARE_ACCOUNT_ID", simulator.account().id())
            // Compiled code is kept with that of all tests, and not in the user's cache.
            .env("XDG_CACHE_HOME", code_cache().parent().expect("the folder of the caches"));
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(|| programs::output(command, LIMIT)).await.expect("it ends");
        let printed = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));

        assert_eq!(status.success(), !is_lost, "{printed}");
        assert_eq!(printed.to_lowercase().contains("applied"), is_lost, "{printed}");
        assert!(simulator.faults().is_empty(), "no answer was lost: {printed}");
        let committed: Vec<_> = simulator.commits().into_iter().map(|commit| commit.operation).collect();
        assert_eq!(committed, expected, "{printed}");
        let secrets = simulator.issued_secrets();
        assert_eq!(secrets.len(), 2, "a token was issued and rotated");
        let secret = folder.path().join("secret");
        let stored = std::fs::read_to_string(&secret).expect("a stored secret");
        assert_eq!(stored.trim_end(), secrets[usize::from(!is_lost)].expose(), "the last secret that came is stored");
        let mode = std::fs::metadata(secret).expect("the file of the secret").permissions().mode();
        assert_eq!(mode & 0o077, 0, "others can read the secret");
        assert!(secrets.iter().all(|secret| !printed.contains(secret.expose())), "a secret was printed");
    }
}

#[tokio::test]
async fn the_block_for_the_command_line_runs_the_life_of_a_token() {
    for release in ["wasmtime-36", "wasmtime-49"] {
        let program = fetched::program(release);
        let path =
            format!("{}:{}", program.parent().expect("a folder").display(), std::env::var("PATH").expect("a path"));
        runs_the_life_of_a_token("cycle.sh", block("sh"), || {
            let mut command = Command::new("sh");
            command.arg("cycle.sh").env("PATH", &path);
            command
        })
        .await;
    }
}

#[tokio::test]
async fn the_rust_block_runs_the_life_of_a_token() {
    // A user copies the folder `wit`; here it lies beside the crate.
    let example = include_str!("../../src/bin/embedding.rs").replace("path: \"../wit\"", "path: \"wit\"");
    assert!(example.ends_with(block("rust")), "src/bin/embedding.rs and the block in docs/embedding.md differ");
    runs_the_life_of_a_token("main.rs", "", || Command::new(env!("CARGO_BIN_EXE_embedding"))).await;
}

#[tokio::test]
async fn the_python_block_runs_the_life_of_a_token() {
    runs_the_life_of_a_token("cycle.py", block("python"), || {
        let mut command = packages::python();
        command.arg("cycle.py");
        command
    })
    .await;
}

#[tokio::test]
async fn the_javascript_block_runs_the_life_of_a_token() {
    let modules = packages::javascript().join("node_modules");
    runs_the_life_of_a_token("cycle.mjs", block("js"), || {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ln -s \"$MODULES\" node_modules && node cycle.mjs"]).env("MODULES", &modules);
        shell
    })
    .await;
}
