// cloudflare_access.wasm in Node.js, after `jco transpile cloudflare_access.wasm --instantiation async -o transpiled`.
//
// Names are those of the contract in camelCase, an option that is left out is undefined, a case is { tag, val }. A function
// returns what the contract calls ok and throws an Error whose `payload` is the contract's record `error`.

import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

/** The functions of `cloudflare:access/service-tokens` and `cloudflare:access/lifecycle`, with this environment and no other. */
export async function cloudflareAccess(transpiled, environment) {
  const { instantiate } = await import(new URL("cloudflare_access.js", transpiled));
  const wasi = new WASIShim({ sandbox: { preopens: {}, env: environment } });
  const { serviceTokens, lifecycle } = await instantiate(undefined, wasi.getImportObject());
  return { ...serviceTokens, ...lifecycle };
}
