//! `access-tokens`: manage Cloudflare Access service tokens from a terminal, with the same component that applications embed.
//!
//! A command line becomes an [`arguments::Arguments`], the settings and the environment an `AccessTokens`, and one file per
//! concern does the rest: [`commands`] and [`lifecycle`] carry a command out, [`output`] prints what came of it, [`failure`] says what went wrong
//! and what to do, as a text and as an exit code.

mod api;
mod arguments;
mod auth_status;
mod command_line;
mod commands;
mod confirm;
mod credential;
mod demo;
mod destination;
mod dry_run;
mod effect;
mod environment;
mod exit;
mod failure;
mod filter;
mod find;
mod lifecycle;
mod lost_create;
mod lost_secret;
mod manual;
mod message;
mod output;
mod progress;
mod rotation;
mod settings;
mod signals;
mod usage;
mod verify;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::end(&error),
    };
    let output = arguments.output;
    settings::start_logging(arguments.verbose, output);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return failure::report(&failure::Failure::defect(format!("tokio cannot be started: {error}")), output);
        }
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure, output),
    }
}
