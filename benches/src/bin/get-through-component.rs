//! An errand through the host crate, with compiled code from a file: `BASE_URL ACCOUNT TOKEN CALLS CODE`.

use anyhow::Context;
use cloudflare_access_benches::{Errand, access_tokens};
use cloudflare_access_host::{CodeCache, Runtime};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let errand = Errand::read(&mut arguments)?;
    let code = std::fs::read(arguments.next().context("the compiled code is missing")?)?;
    // SAFETY: who starts this program has just compiled the component into that file.
    let builder = unsafe { Runtime::builder().precompiled(code) };
    let runtime = builder.cache(CodeCache::None).build()?;
    let tokens = access_tokens(&errand.base_url, &runtime).account(&errand.account_id);
    errand.run(&async |id| {
        tokens.get(id).await?;
        Ok(())
    })
}
