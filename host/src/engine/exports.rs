//! What the component exports. An interface's functions are looked up, and their types compared with the contract's, when one of
//! them is first called in an instance: to do it for all of them takes as long as making the instance.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::engine::bindings::{lifecycle, service_tokens};
use crate::engine::state::HostState;

/// Where a component has its exports.
pub(crate) struct ExportIndices {
    service_tokens: service_tokens::GuestIndices,
    lifecycle: lifecycle::GuestIndices,
}

impl ExportIndices {
    /// Fails where the component does not have the contract's interfaces.
    pub(crate) fn of(component: &InstancePre<HostState>) -> wasmtime::Result<Self> {
        Ok(Self {
            service_tokens: service_tokens::GuestIndices::new(component)?,
            lifecycle: lifecycle::GuestIndices::new(component)?,
        })
    }
}

/// The exports of one instance.
pub(crate) struct Exports {
    instance: Instance,
    indices: Arc<ExportIndices>,
    service_tokens: Option<service_tokens::Guest>,
    lifecycle: Option<lifecycle::Guest>,
}

impl Exports {
    pub(crate) fn new(instance: Instance, indices: Arc<ExportIndices>) -> Self {
        Self { instance, indices, service_tokens: None, lifecycle: None }
    }
}

/// An interface of the contract that components export.
pub(crate) trait Interface {
    /// Its functions in an instance.
    fn of<'a>(exports: &'a mut Exports, store: &mut Store<HostState>) -> wasmtime::Result<&'a Self>;
}

impl Interface for service_tokens::Guest {
    fn of<'a>(exports: &'a mut Exports, store: &mut Store<HostState>) -> wasmtime::Result<&'a Self> {
        match &mut exports.service_tokens {
            Some(known) => Ok(known),
            unknown => Ok(unknown.insert(exports.indices.service_tokens.load(store, &exports.instance)?)),
        }
    }
}

impl Interface for lifecycle::Guest {
    fn of<'a>(exports: &'a mut Exports, store: &mut Store<HostState>) -> wasmtime::Result<&'a Self> {
        match &mut exports.lifecycle {
            Some(known) => Ok(known),
            unknown => Ok(unknown.insert(exports.indices.lifecycle.load(store, &exports.instance)?)),
        }
    }
}
