//! The driver of the host crate, with compiled code from a file: `BASE_URL ACCOUNT TOKEN CODE`. With `precompile CODE` it writes that file.
//! `.ci/performance` copies it into older commits.

use anyhow::Context;
use cloudflare_access_benches::access_tokens;
use cloudflare_access_benches::driver::{Client, Place, serve};
use cloudflare_access_host::{Account, COMPONENT, CodeCache, CreateParams, ListAllParams, Runtime, Tokens};

struct Component(Tokens<Account>);

impl Client for Component {
    async fn get(&self, id: &str) -> anyhow::Result<()> {
        self.0.get(id).await?;
        Ok(())
    }

    async fn create(&self) -> anyhow::Result<()> {
        self.0.create(CreateParams::named("CI")).await?;
        Ok(())
    }

    // The component asks for six pages at once by itself.
    async fn list_all(&self, per_page: u32, _: usize) -> anyhow::Result<usize> {
        Ok(self.0.list_all(ListAllParams::new().per_page(per_page)).await?.len())
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("precompile").is_some() {
        let file = arguments.next().context("the file is missing")?;
        return Ok(std::fs::write(file, Runtime::precompile(COMPONENT)?)?);
    }
    let place = Place::read(&mut arguments)?;
    let code = std::fs::read(arguments.next().context("the compiled code is missing")?)?;
    // SAFETY: who starts this program has just compiled the component into that file.
    let builder = unsafe { Runtime::builder().precompiled(code) };
    let runtime = builder.cache(CodeCache::None).build()?;
    let tokens = access_tokens(&place.base_url, &runtime).account(&place.account_id);
    serve(&Component(tokens), &place)
}
