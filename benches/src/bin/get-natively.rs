//! An errand by the native client: `BASE_URL ACCOUNT TOKEN CALLS`. A program of its own, so that nothing of wasmtime is in it.

use cloudflare_access_benches::{Errand, NativeClient};

fn main() -> anyhow::Result<()> {
    let errand = Errand::read(&mut std::env::args().skip(1))?;
    let client = NativeClient::new(&errand.base_url, &errand.account_id);
    errand.run(&async |id| {
        client.get(id).await?;
        Ok(())
    })
}
