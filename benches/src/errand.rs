//! What the programs of this crate do, each in its own way: some `get`s at once, and then nothing until their input ends.
//!
//! So one program shows what a process costs from its start to its end (one call, no input), and what it holds while its calls
//! are in flight and after them.

use std::io::{Read, stdin};

use anyhow::Context;
use futures_util::future::try_join_all;
use tokio::runtime::Builder;

/// What a program prints once its calls have ended.
pub const DONE: &str = "done";

/// The command line: where the API is, whose token to get, and how many calls to make at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// Where the API is.
    pub base_url: String,
    /// The account of the token.
    pub account_id: String,
    /// The token.
    pub token_id: String,
    /// How many calls are made at once.
    pub calls: u32,
}

impl Errand {
    /// Reads the first four arguments of a program.
    ///
    /// # Errors
    /// One is missing, or the last is no number.
    pub fn read(arguments: &mut impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut next = |what: &str| arguments.next().with_context(|| format!("{what} is missing"));
        Ok(Self {
            base_url: next("the base URL")?,
            account_id: next("the account")?,
            token_id: next("the token")?,
            calls: next("the number of calls")?.parse().context("the number of calls")?,
        })
    }

    /// As [`Errand::read`] reads it.
    #[must_use]
    pub fn arguments(&self) -> [String; 4] {
        [self.base_url.clone(), self.account_id.clone(), self.token_id.clone(), self.calls.to_string()]
    }

    /// Makes the calls at once on one thread, says so, and waits for the end of the input.
    ///
    /// # Errors
    /// A call that fails.
    pub fn run(&self, get: &impl AsyncFn(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let executor = Builder::new_current_thread().enable_all().build()?;
        executor.block_on(try_join_all((0..self.calls).map(|_| get(&self.token_id))))?;
        println!("{DONE}");
        stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}
