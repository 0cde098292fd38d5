// The script of host-tests/hosts/script.json on jco: a step a line on standard input, its outcome a line on standard output.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

import { cloudflareAccess } from "./cloudflare-access.js";

/** A step may name a time, a number of retries, and a base URL, to which the credential of the environment does not go by itself. */
const options = (step) => ({
  credentials: step["base-url"] && { tag: "api-token", val: process.env.CLOUDFLARE_API_TOKEN },
  baseUrl: step["base-url"],
  timeoutMs: step["timeout-ms"],
  maxRetries: step["max-retries"],
  headers: [],
});

/** What create and update take. */
const fields = (step) => ({
  name: step.name,
  duration: step.duration,
  enabled: step.enabled,
  clientSecretVersion: step["client-secret-version"],
});

function run(access, step) {
  const scope = { tag: "account", val: step.account };
  switch (step.operation) {
    case "list":
      return access.list(scope, { name: step.name }, options(step)).tokens;
    case "list-all":
      return access.listAll(scope, { perPage: step["per-page"] }, options(step));
    case "get":
      return access.get(scope, step.id, options(step));
    case "create":
      return access.create(scope, fields(step), options(step));
    case "update":
      return access.update(scope, step.id, fields(step), options(step));
    case "delete":
      return access["delete"](scope, step.id, options(step));
    case "refresh":
      return access.refresh(step.account, step.id, options(step));
    case "rotate":
      return access.rotate(step.account, step.id, { tag: "expires-at", val: step["expires-at"] }, options(step));
  }
}

function outcome(access, step) {
  try {
    const result = run(access, step);
    if (Array.isArray(result)) return { ok: { names: result.map(({ name }) => name) } };
    const { id, name, clientId } = result.token ?? result;
    return { ok: { id, name, "client-id": clientId, "client-secret": result.clientSecret } };
  } catch (failure) {
    if (failure.payload === undefined) return { trap: String(failure.stack) };
    const { kind, outcome, status, attempts, message } = failure.payload;
    return { err: { kind, outcome, status, attempts, message } };
  }
}

const granted = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("CLOUDFLARE_")));
const access = await cloudflareAccess(pathToFileURL(`${process.argv[2]}/`), granted);
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(outcome(access, JSON.parse(line))));
}
process.exit(0); // the worker of preview2-shim would keep the process
