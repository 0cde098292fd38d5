"""cloudflare_access.wasm in Python: its functions by their names, on wasmtime's own HTTP.

    access = CloudflareAccess("cloudflare_access.wasm", {"CLOUDFLARE_API_TOKEN": token})
    issued = access.create(Variant("account", account_id), record(name="CI pipeline", …), None)

Records have the names of the contract: get(issued, "client-secret"). A failure raises AccessError with the record `error`.

How wasmtime-py writes a case: Variant(name, value), but the value alone where Python's types tell the cases apart. So a scope
is Variant("account", id) and a selector Variant("name", name); `previous` of rotate is a string for expires-at and None for
expires-now; credentials are the token, or record(email=…, key=…), or None for those of the host. The result of delete is the
token, or None for already-gone; that of ensure is a Variant.
"""

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, Variant

INTERFACES = ("cloudflare:access/service-tokens@0.1.0", "cloudflare:access/lifecycle@0.1.0")


def record(**fields):
    """A record of the contract. Names are written with _ for -; every field must be there, None for one that is left out."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


def get(of, name):
    """A field of a record, by its name in the contract."""
    return getattr(of, name)


class AccessError(Exception):
    """The record `error` of the contract, in `error`."""

    def __init__(self, error):
        super().__init__(get(error, "message"))
        self.error = error


class CloudflareAccess:
    """The component, compiled once. Every call gets an instance of its own, so calls share nothing."""

    def __init__(self, path, environment):
        self._engine = Engine()
        self._component = Component.from_file(self._engine, path)
        self._linker = Linker(self._engine)
        self._linker.add_wasip2()
        self._linker.add_wasi_http()
        self._environment = list(environment.items())

    def __getattr__(self, name):
        return lambda *arguments: self._call(name.replace("_", "-"), arguments)

    def _call(self, name, arguments):
        store = Store(self._engine)
        wasi = WasiConfig()
        wasi.env = self._environment
        store.set_wasi(wasi)
        store.set_wasi_http()
        instance = self._linker.instantiate(store, self._component)
        function = self._function(store, instance, name)
        result = function(store, *arguments)
        function.post_return(store)
        # wasmtime names the case only where Python's types do not tell ok from err.
        if isinstance(result, Variant) and result.tag in ("ok", "err"):
            if result.tag == "err":
                raise AccessError(result.payload)
            return result.payload
        if isinstance(result, Record):
            raise AccessError(result)
        return result

    @staticmethod
    def _function(store, instance, name):
        for interface in INTERFACES:
            index = instance.get_export_index(store, name, instance.get_export_index(store, interface))
            if index is not None:
                return instance.get_func(store, index)
        raise AttributeError(f"the contract has no function {name}")
