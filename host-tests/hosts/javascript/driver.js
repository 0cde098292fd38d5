// The script of host-tests/hosts/script.json on jco: a step a line on standard input, its outcome a line on standard output.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

import { cloudflareAccess } from "./cloudflare-access.js";

/** The credential comes from the environment, unless the step has one; then it may name a base URL, too. */
const options = (step) => ({
  endpoint: step["api-token"] && {
    credentials: { tag: "api-token", val: step["api-token"] },
    baseUrl: step["base-url"],
  },
  timeoutMs: step["timeout-ms"],
  maxRetries: step["max-retries"],
  headers: step.header && [{ name: step.header, value: "from the test" }],
});

/** What create, ensure, issue and update take. */
const fields = (step) => ({
  name: step.name,
  duration: step.duration,
  enabled: step.enabled,
  clientSecretVersion: step["client-secret-version"],
});

function run(access, step) {
  const home = step.account ?? step.zone;
  const scope = { tag: step.account ? "account" : "zone", val: home };
  switch (step.operation) {
    case "list-page":
      return access.listPage(scope, {}, options(step)).tokens;
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
      return access.refresh(home, step.id, options(step));
    case "rotate":
      return access.rotate(home, step.id, { tag: "expires-at", val: step["expires-at"] }, options(step));
    case "expiring":
      return access.expiring(scope, step["within-seconds"], options(step));
    case "rotate-with-overlap":
      return access.rotateWithOverlap(scope, step.id, step["overlap-seconds"], false, options(step)).issued;
    case "find":
      return access.find(scope, { tag: "client-id", val: step["client-id"] }, options(step));
    case "ensure":
      return access.ensure(scope, fields(step), options(step));
    case "issue":
      return access.issue(home, fields(step), step.key, options(step));
    case "finish-issue":
      return access.finishIssue(home, step.key, options(step));
  }
}

function ok(step, result) {
  if (Array.isArray(result)) return { names: result.map(({ name }) => name) };
  if (step.operation === "expiring") {
    const { clock, expiring, later } = result;
    return { clock, expiring: expiring.length, later };
  }
  const isCase = "tag" in result;
  const value = isCase ? result.val : result;
  const { id, name, clientId } = value?.token ?? value ?? {};
  return { case: isCase ? result.tag : undefined, id, name, "client-id": clientId, "client-secret": value?.clientSecret };
}

function outcome(access, step) {
  try {
    return { ok: ok(step, run(access, step)) };
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
