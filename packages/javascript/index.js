// The functions of the component with the types of index.d.ts, which has the documentation.

import { Threads } from "./threads.js";

/** The variables that the component reads. It is given these and no others. */
const VARIABLES = [
  "CLOUDFLARE_API_TOKEN",
  "CLOUDFLARE_API_KEY",
  "CLOUDFLARE_EMAIL",
  "CLOUDFLARE_BASE_URL",
  "CLOUDFLARE_API_BASE_URL",
  "CLOUDFLARE_COMPLIANCE_REGION",
  "CLOUDFLARE_ACCESS_SCOPE",
  "CLOUDFLARE_ACCESS_OPERATIONS",
];

export class AccessError extends Error {
  constructor({ message, ...fields }) {
    super(message);
    this.name = "AccessError";
    Object.assign(this, fields);
  }
}

export class AccessTokens {
  #threads;

  constructor({ environment = process.env, concurrency = 4 } = {}) {
    const granted = VARIABLES.filter((name) => environment[name] !== undefined);
    const limit = integer("concurrency", concurrency);
    if (limit < 1) throw new RangeError("concurrency is 0; it must be at least 1");
    this.#threads = new Threads(Object.fromEntries(granted.map((name) => [name, environment[name]])), limit);
  }

  close() {
    return this.#threads.close();
  }

  listPage(scope, params = {}, options) {
    return this.#call("listPage", toScope(scope), toParams(params), options);
  }

  listAll(scope, params = {}, options) {
    return this.#call("listAll", toScope(scope), toParams(params), options);
  }

  get(scope, id, options) {
    return this.#call("get", toScope(scope), id, options);
  }

  create(scope, params, options) {
    return this.#call("create", toScope(scope), toParams(params), options);
  }

  update(scope, id, params, options) {
    return this.#call("update", toScope(scope), id, toParams(params), options);
  }

  async delete(scope, id, options) {
    const { tag, val } = await this.#call("delete", toScope(scope), id, options);
    return tag === "deleted" ? { result: tag, token: val } : { result: tag };
  }

  refresh(accountId, id, options) {
    return this.#call("refresh", accountId, id, options);
  }

  rotate(accountId, id, previous, options) {
    return this.#call("rotate", accountId, id, toPreviousSecret(previous), options);
  }

  expiring(scope, withinSeconds, options) {
    return this.#call("expiring", toScope(scope), integer("withinSeconds", withinSeconds), options);
  }

  async refreshExpiring(accountId, params, options) {
    const wanted = { ...toParams(params), includeExpired: params.includeExpired ?? false };
    const { now, tokens } = await this.#call("refreshExpiring", accountId, wanted, options);
    return { now, tokens: tokens.map(fromRefreshed) };
  }

  rotateWithOverlap(scope, id, overlapSeconds, { endRunningOverlap = false, ...options } = {}) {
    const seconds = integer("overlapSeconds", overlapSeconds);
    return this.#call("rotateWithOverlap", toScope(scope), id, seconds, endRunningOverlap, options);
  }

  endOverlap(scope, id, options) {
    return this.#call("endOverlap", toScope(scope), id, options);
  }

  extendOverlap(scope, id, overlapSeconds, options) {
    return this.#call("extendOverlap", toScope(scope), id, integer("overlapSeconds", overlapSeconds), options);
  }

  find(scope, selector, options) {
    return this.#call("find", toScope(scope), toSelector(selector), options);
  }

  async ensure(scope, params, options) {
    const { tag, val } = await this.#call("ensure", toScope(scope), toParams(params), options);
    return tag === "created" ? { result: tag, ...val } : { result: tag, token: val };
  }

  issue(accountId, params, key, options) {
    return this.#call("issue", accountId, toParams(params), key, options);
  }

  finishIssue(accountId, key, options) {
    return this.#call("finishIssue", accountId, key, options);
  }

  resolveCreate(scope, name, since, options) {
    return this.#call("resolveCreate", toScope(scope), name, since, options);
  }

  disable(scope, id, options) {
    return this.#call("disable", toScope(scope), id, options);
  }

  enable(scope, id, options) {
    return this.#call("enable", toScope(scope), id, options);
  }

  /** Calls a function of the component; the last argument is the options. */
  async #call(name, ...args) {
    const { result, error } = await this.#threads.call(name, [...args.slice(0, -1), toOptions(args.at(-1))]);
    if (error !== undefined) throw new AccessError(error);
    return result;
  }
}

function toScope(scope) {
  return oneOf("scope", scope, { account: "account", zone: "zone" });
}

function toSelector(selector) {
  return oneOf("selector", selector, { name: "name", clientId: "client-id" });
}

function toPreviousSecret(previous) {
  return previous === "expires-now" ? { tag: previous } : oneOf("previous", previous, { expiresAt: "expires-at" });
}

function toCredentials(credentials) {
  if (credentials?.apiKey !== undefined) return { tag: "api-key", val: credentials.apiKey };
  return oneOf("credentials", credentials, { apiToken: "api-token" });
}

function toOptions({ endpoint, headers, ...rest } = {}) {
  return {
    endpoint: endpoint && { ...endpoint, credentials: toCredentials(endpoint.credentials) },
    headers: headers && Object.entries(headers).map(([name, value]) => ({ name, value })),
    ...toParams(rest),
  };
}

/** A copy whose numbers fit into the contract's, because a conversion would change those that do not. */
function toParams(params) {
  for (const [name, value] of Object.entries(params)) if (typeof value === "number") integer(name, value);
  return { ...params };
}

/** The case that an object of one property names. */
function oneOf(argument, value, cases) {
  const names = Object.keys(cases).filter((name) => typeof value?.[name] === "string");
  if (names.length !== 1) throw new TypeError(`${argument} must have one of ${Object.keys(cases).join(", ")}, a string`);
  return { tag: cases[names[0]], val: value[names[0]] };
}

function integer(name, value) {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  throw new RangeError(`${name} is ${value}; it must be an integer from 0 to 4294967295`);
}

function fromRefreshed({ refreshed: { tag, val }, ...token }) {
  return tag === "ok" ? { ...token, token: val } : { ...token, error: new AccessError(val) };
}
