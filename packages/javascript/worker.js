// One instance of the component in a thread of its own, because a call blocks its thread until it ends.
//
// A message is the name and the arguments of a function; the reply is what the function returned, or the contract's record `error`.

import { parentPort, workerData } from "node:worker_threads";

import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

import { instantiate } from "./component/cloudflare_access.js";

const wasi = new WASIShim({ sandbox: { preopens: {}, env: workerData } });
const { serviceTokens, lifecycle } = await instantiate(undefined, wasi.getImportObject());
const functions = { ...serviceTokens, ...lifecycle };

parentPort.on("message", ([name, args]) => parentPort.postMessage(call(name, args)));

function call(name, args) {
  try {
    return { result: functions[name](...args) };
  } catch (thrown) {
    // Anything else is a trap or an argument of the wrong type. It ends the thread, and the caller gets it.
    if (thrown.payload === undefined) throw thrown;
    return { error: thrown.payload };
  }
}
