//! The driver of the native client: `BASE_URL ACCOUNT TOKEN`. A program of its own, so that nothing of wasmtime is in it.

use cloudflare_access_benches::NativeClient;
use cloudflare_access_benches::driver::{Client, Place, serve};

struct Native(NativeClient);

impl Client for Native {
    async fn get(&self, id: &str) -> anyhow::Result<()> {
        self.0.get(id).await?;
        Ok(())
    }

    async fn create(&self) -> anyhow::Result<()> {
        self.0.create("CI").await?;
        Ok(())
    }

    async fn list_all(&self, per_page: u32, at_once: usize) -> anyhow::Result<usize> {
        Ok(self.0.list_all(per_page, at_once).await?.len())
    }
}

fn main() -> anyhow::Result<()> {
    let place = Place::read(&mut std::env::args().skip(1))?;
    serve(&Native(NativeClient::new(&place.base_url, &place.account_id)), &place)
}
