// The script of host-tests/hosts/script.json on the npm package: a step a line on standard input, its outcome a line on standard output.

import { createInterface } from "node:readline";

import { AccessError, AccessTokens } from "cloudflare-access-tokens";

/** The credential comes from the environment, unless the step has one; then it may name a base URL, too. */
const options = (step) => ({
  endpoint: step["api-token"] && { credentials: { apiToken: step["api-token"] }, baseUrl: step["base-url"] },
  timeoutMs: step["timeout-ms"],
  maxRetries: step["max-retries"],
  headers: step.header && { [step.header]: "from the test" },
});

/** What create, ensure, issue and update take. */
const fields = (step) => ({
  name: step.name,
  duration: step.duration,
  enabled: step.enabled,
  clientSecretVersion: step["client-secret-version"],
});

async function run(access, step) {
  const { account, zone, id, key, name } = step;
  const scope = account ? { account } : { zone };
  switch (step.operation) {
    case "list-page": {
      const page = await access.listPage(scope, { perPage: step["per-page"] }, options(step));
      return { ...names(page.tokens), total: page.totalCount, next: page.nextPage };
    }
    case "list-all":
      return names(await access.listAll(scope, { perPage: step["per-page"] }, options(step)));
    case "get":
      return token(await access.get(scope, id, options(step)));
    case "create":
      return issued(await access.create(scope, fields(step), options(step)));
    case "update":
      return issued(await access.update(scope, id, fields(step), options(step)));
    case "delete": {
      const deletion = await access.delete(scope, id, options(step));
      return { case: deletion.result, ...token(deletion.token) };
    }
    case "refresh":
      return token(await access.refresh(account, id, options(step)));
    case "rotate": {
      const previous = step["expires-at"] ? { expiresAt: step["expires-at"] } : "expires-now";
      return issued(await access.rotate(account, id, previous, options(step)));
    }
    case "expiring": {
      const { clock, expiring, disabled, forever } = await access.expiring(scope, step["within-seconds"], options(step));
      const [due, off] = [expiring, disabled].map((list) => list.map(({ token }) => token));
      return { clock, ...names(due), disabled: names(off).names, forever: names(forever).names };
    }
    case "refresh-expiring": {
      const report = await access.refreshExpiring(account, { withinSeconds: step["within-seconds"], name }, options(step));
      return { ...names(report.tokens), failed: report.tokens.flatMap(({ error }) => error?.kind ?? []) };
    }
    case "rotate-with-overlap": {
      const overlap = { ...options(step), endRunningOverlap: step["end-running-overlap"] };
      return issued((await access.rotateWithOverlap(scope, id, step["overlap-seconds"], overlap)).issued);
    }
    case "end-overlap":
      return token(await access.endOverlap(scope, id, options(step)));
    case "extend-overlap":
      return token(await access.extendOverlap(scope, id, step["overlap-seconds"], options(step)));
    case "find": {
      const selector = step["client-id"] ? { clientId: step["client-id"] } : { name };
      return names(await access.find(scope, selector, options(step)));
    }
    case "ensure": {
      const ensured = await access.ensure(scope, fields(step), options(step));
      return { case: ensured.result, ...issued(ensured) };
    }
    case "issue":
      return issued(await access.issue(account, fields(step), key, options(step)));
    case "finish-issue":
      return token(await access.finishIssue(account, key, options(step)));
    case "resolve-create":
      return names(await access.resolveCreate(scope, name, step.since, options(step)));
    case "disable":
      return token(await access.disable(scope, id, options(step)));
    case "enable":
      return token(await access.enable(scope, id, options(step)));
  }
  throw new Error(`the driver does not know ${step.operation}`);
}

const names = (tokens) => ({ names: tokens.map(({ name }) => name) });

const token = ({ id, name, clientId, enabled } = {}) => ({ id, name, "client-id": clientId, enabled });

const issued = ({ clientSecret, ...issued }) => ({ ...token(issued.token), "client-secret": clientSecret });

async function outcome(access, step) {
  try {
    return { ok: await run(access, step) };
  } catch (failure) {
    if (!(failure instanceof AccessError)) return { trap: String(failure.stack) };
    const { kind, outcome, status, attempts, message } = failure;
    return { err: { kind, outcome, status, attempts, message } };
  }
}

const access = new AccessTokens();
for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line);
  const calls = Array.from({ length: step["at-once"] ?? 1 }, () => outcome(access, step));
  console.log(JSON.stringify(await Promise.all(calls)));
}
