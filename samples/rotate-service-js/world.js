// Prints the world of the service as one text: node world.js WASM_TOOLS > rotate-service.wit
//
// WASM_TOOLS is the program wasm-tools. It wants the packages that a world stands on in a folder `deps` beside it; here they are
// those of the repository, copied for the time of the call.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [wasmTools] = process.argv.slice(2);
const at = (path) => new URL(path, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "rotate-service-"));
try {
  cpSync(at("../wit"), folder, { recursive: true });
  cpSync(at("../../wit/deps"), join(folder, "deps"), { recursive: true });
  cpSync(at("../../adapters/wit/deps"), join(folder, "deps"), { recursive: true });
  for (const file of ["world.wit", "types.wit", "service-tokens.wit", "lifecycle.wit"]) {
    cpSync(at(`../../wit/${file}`), join(folder, "deps/access", file));
  }
  process.stdout.write(execFileSync(wasmTools, ["component", "wit", folder]));
} finally {
  rmSync(folder, { recursive: true });
}
