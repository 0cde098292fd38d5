//! Tells the program which revision it is built from, as the variable `REVISION` of its compilation.
//!
//! A release names the revision in `CLOUDFLARE_ACCESS_REVISION`, and cargo writes it into a published package. Elsewhere, in a working tree
//! whose files may differ from every commit, there is none to tell.

use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CLOUDFLARE_ACCESS_REVISION");
    let revision = env::var("CLOUDFLARE_ACCESS_REVISION").ok().or_else(published);
    println!("cargo::rustc-env=REVISION={}", revision.as_deref().unwrap_or("unknown, built from a working tree"));
}

/// The commit that cargo names in a package: `{"git": {"sha1": "…"}, …}`.
fn published() -> Option<String> {
    let info = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, after) = info.split_once("\"sha1\": \"")?;
    Some(after.split_once('"')?.0.to_owned())
}
