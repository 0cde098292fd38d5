"""The component in wasmtime: a function by its name, with values as wasmtime-py writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component as Compiled
from wasmtime.component import Func, Instance, Linker, Record, Variant

SERVICE_TOKENS = "cloudflare:access/service-tokens@0.1.0"
LIFECYCLE = "cloudflare:access/lifecycle@0.1.0"


class Failure(Exception):
    """The record `error` of the contract."""

    def __init__(self, error: Record) -> None:
        super().__init__()
        self.error = error


class Component:
    """The component, compiled once. Every call gets an instance of its own, so calls share nothing and may run at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._engine = Engine()
        self._compiled = Compiled.from_file(self._engine, str(Path(__file__).with_name("cloudflare_access.wasm")))
        self._linker = Linker(self._engine)
        self._linker.add_wasip2()
        self._linker.add_wasi_http()
        self._environment = list(environment.items())

    def call(self, interface: str, name: str, *arguments: Any) -> Any:
        """Returns what the contract calls ok, and raises Failure for err."""
        store = Store(self._engine)
        wasi = WasiConfig()
        wasi.env = self._environment
        store.set_wasi(wasi)
        store.set_wasi_http()
        function = _function(store, self._linker.instantiate(store, self._compiled), interface, name)
        result = function(store, *arguments)
        function.post_return(store)
        # wasmtime names the case only where Python's types do not tell ok from err.
        if isinstance(result, Variant) and result.tag in ("ok", "err"):
            if result.tag == "err":
                raise Failure(result.payload)
            return result.payload
        if isinstance(result, Record):
            raise Failure(result)
        return result


def _function(store: Store, instance: Instance, interface: str, name: str) -> Func:
    exports = instance.get_export_index(store, interface)
    index = exports and instance.get_export_index(store, name, exports)
    function = index and instance.get_func(store, index)
    if not function:
        raise LookupError(f"the component exports no {interface}/{name}")
    return function
