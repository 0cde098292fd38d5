//! The loop of the programs that are measured beside each other: one client for each process, and one protocol for all of them.
//!
//! A driver is started with `BASE_URL ACCOUNT TOKEN …`. It reads lines `ROW CALLS` from its input, does the row's work so many times, and
//! answers each with a line `WALL CPU`: nanoseconds from the first call to the last result, and of the process in the kernel and outside.
//! `.ci/performance` copies this file into older commits, so it uses nothing but what they have, too.

use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

/// How many callers there are in the row of many at once.
pub const CALLERS: u32 = 32;

/// What the first arguments of a driver say.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where the API is.
    pub base_url: String,
    /// The account of the tokens.
    pub account_id: String,
    /// One of its tokens.
    pub token_id: String,
}

/// A client that can be measured.
pub trait Client {
    /// Gets one token.
    fn get(&self, id: &str) -> impl Future<Output = anyhow::Result<()>>;
    /// Creates a token.
    fn create(&self) -> impl Future<Output = anyhow::Result<()>>;
    /// Lists all tokens and returns how many there are. `at_once` pages may be asked for at the same time, where the client does not decide.
    fn list_all(&self, per_page: u32, at_once: usize) -> impl Future<Output = anyhow::Result<usize>>;
}

impl Place {
    /// Reads the first three arguments of a driver.
    ///
    /// # Errors
    /// One is missing.
    pub fn read(arguments: &mut impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut next = |what: &str| arguments.next().with_context(|| format!("{what} is missing"));
        Ok(Self { base_url: next("the base URL")?, account_id: next("the account")?, token_id: next("the token")? })
    }
}

/// Does the work of each line of the input, until it ends.
///
/// # Errors
/// A line is none, or a call fails.
pub fn serve(client: &impl Client, place: &Place) -> anyhow::Result<()> {
    let executor = Builder::new_current_thread().enable_all().build()?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (row, calls) = line.split_once(' ').with_context(|| format!("{line:?} is not ROW CALLS"))?;
        let calls: u32 = calls.parse().with_context(|| format!("{calls:?} is no number of calls"))?;
        let (wall, cpu) = (Instant::now(), process_time());
        executor.block_on(work(client, place, row, calls))?;
        let (wall, cpu) = (wall.elapsed(), process_time().saturating_sub(cpu));
        println!("{} {}", wall.as_nanos(), cpu.as_nanos());
        stdout().flush()?;
    }
    Ok(())
}

async fn work(client: &impl Client, place: &Place, row: &str, calls: u32) -> anyhow::Result<()> {
    match row {
        "get" => {
            for _ in 0..calls {
                client.get(&place.token_id).await?;
            }
        }
        "create" => {
            for _ in 0..calls {
                client.create().await?;
            }
        }
        "get-at-once" => {
            let caller = async || {
                for _ in 0..calls.div_ceil(CALLERS) {
                    client.get(&place.token_id).await?;
                }
                anyhow::Ok(())
            };
            try_join_all((0..CALLERS).map(|_| caller())).await?;
        }
        "list-1000" | "list-50" | "list-50-six" => {
            let (per_page, at_once) = match row {
                "list-1000" => (1000, 1),
                "list-50" => (50, 1),
                _ => (50, 6),
            };
            for _ in 0..calls {
                let count = client.list_all(per_page, at_once).await?;
                anyhow::ensure!(count == 1000, "{count} tokens of 1000");
            }
        }
        _ => bail!("there is no row {row:?}"),
    }
    Ok(())
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
