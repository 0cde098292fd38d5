//! The command line of what is unfinished. Its help texts are also the man page's.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::words;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the rotations and new tokens that are not finished, and what is next
    ///
    /// It looks into the state folder only. A secret is never shown.
    #[command(after_help = "Examples:\n  access-tokens rotations -o json")]
    Rotations,
    /// Go on with what is not finished
    ///
    /// The command that began it is gone on with, in the folder that it was begun in. Without TOKEN everything that is not finished is
    /// gone on with.
    #[command(after_help = "Examples:\n  access-tokens resume\n  access-tokens resume CI --extend-overlap 7d")]
    Resume(Resume),
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The id of the token, or its name
    #[arg(value_name = "TOKEN")]
    pub token: Option<String>,
    /// Let the old secret pass for this long from now, before anything else
    #[arg(long, value_parser = words::parse_some_time, value_name = "DURATION")]
    pub extend_overlap: Option<Duration>,
    /// Rotate over a secret that is lost: the old secret, which machines may still use, ends now
    #[arg(long)]
    pub accept_lockout: bool,
    /// Forget it instead, and with it the new secret, where that is in the state folder
    #[arg(long, requires = "token", conflicts_with_all = ["extend_overlap", "accept_lockout"])]
    pub abandon: bool,
}
