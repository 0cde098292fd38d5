//! Gives a component what the contract lets it import, and nothing else that could reach outside.
//!
//! Offered: `wasi:http` (outgoing), `wasi:io`, `wasi:clocks` and the environment of `wasi:cli`; and because a component built for
//! `wasm32-wasip2` imports them whether it uses them or not, `wasi:random/random` and of `wasi:cli` the exit, the standard streams
//! and the terminals. What they reach is up to the store: this crate's own has an empty environment and no streams. Not offered:
//! files, sockets, and incoming HTTP; a component that asks for them does not load.

use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::cli;
use wasmtime_wasi_http::WasiHttpView;

/// Adds all that the component may import to `linker`, in its async form.
///
/// # Errors
///
/// When one of them is already defined there and the linker does not allow shadowing. The linker then has some of them.
pub fn add_to_linker<T>(linker: &mut Linker<T>) -> wasmtime::Result<()>
where
    T: WasiView + WasiHttpView + 'static,
{
    wasmtime_wasi_http::p2::add_to_linker_async(linker)?;
    cli::environment::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::exit::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(linker, T::cli)
}
