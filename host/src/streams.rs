//! The end of a stream, without a wait.
//!
//! wasmtime-wasi-io asks a stream that is dropped to cancel what it does, and waits for that, on the stack of the component and with
//! three allocations. The streams that there are here, bodies of HTTP and closed standard streams, have nothing to wait for.

use wasmtime::component::{Linker, ResourceType};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use crate::state::{HostState, delete};

/// The interface as wasmtime-wasi-io 48 names it. A test notices when it names it otherwise.
const STREAMS: &str = "wasi:io/streams@0.2.12";

/// Puts these ends in the place of wasmtime-wasi-io's, whose interface `linker` has.
pub(crate) fn replace_in(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut streams = linker.instance(STREAMS)?;
    streams.resource("input-stream", ResourceType::host::<DynInputStream>(), delete::<DynInputStream>)?;
    streams.resource("output-stream", ResourceType::host::<DynOutputStream>(), delete::<DynOutputStream>)?;
    linker.allow_shadowing(false);
    Ok(())
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;

    use super::*;
    use crate::linker::add_to_linker;

    #[test]
    fn the_streams_that_are_replaced_are_there() {
        let mut linker = Linker::<HostState>::new(&Engine::default());
        add_to_linker(&mut linker).unwrap();
        for (name, stream) in [
            ("input-stream", ResourceType::host::<DynInputStream>()),
            ("output-stream", ResourceType::host::<DynOutputStream>()),
        ] {
            let twice = linker.instance(STREAMS).unwrap().resource(name, stream, |_, _| Ok(()));
            assert!(twice.is_err(), "{name} has another name");
        }
    }
}
