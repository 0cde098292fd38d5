// The edge service of samples/rotate-service in JavaScript: the same configuration, the same answers, the same value in the store.

import { rotateWithOverlap } from "cloudflare:access/lifecycle@0.1.0";
import { get } from "cloudflare:access/service-tokens@0.1.0";
import { getEnvironment } from "wasi:cli/environment@0.2.3";
import { open } from "wasi:keyvalue/store@0.2.0-draft";

// A secret that can be guessed protects nothing.
const SHORTEST_CALLER_SECRET = 24;
// Longer than any call takes, so that a slow call cannot store its pair after the next one.
const SHORTEST_OVERLAP_SECONDS = 60;
// Rotates although an overlap is running. It locks out machines that use the secret before the current one, so it is asked for by name.
const END_RUNNING_OVERLAP = "?end-running-overlap";
// How often a write is tried: after a rotation the secret is nowhere else.
const WRITES = 3;

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

function answer(request) {
  const { pathname, search } = new URL(request.url);
  if (pathname !== "/rotate" || !["", END_RUNNING_OVERLAP].includes(search)) {
    return Response.json({ error: "there is POST /rotate and POST /rotate?end-running-overlap" }, { status: 404 });
  }
  if (request.method !== "POST") return Response.json({ error: "POST /rotate" }, { status: 405 });
  let configuration;
  try {
    configuration = read();
  } catch ({ message }) {
    return Response.json({ error: message }, { status: 500 });
  }
  if (!isEqual(request.headers.get("authorization") ?? "", `Bearer ${configuration.callerSecret}`)) {
    return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } });
  }
  return rotate(configuration, search === END_RUNNING_OVERLAP);
}

// Reads the configuration. What is wrong with it is said by the names of its variables, never with the secret.
function read() {
  const environment = new Map(getEnvironment());
  const variable = (name) => {
    const value = environment.get(name)?.trim();
    if (!value) throw new Error(`${name} is not set`);
    return value;
  };
  const callerSecret = variable("ROTATE_CALLER_SECRET");
  if (callerSecret.length < SHORTEST_CALLER_SECRET) {
    throw new Error(`ROTATE_CALLER_SECRET is shorter than ${SHORTEST_CALLER_SECRET} characters`);
  }
  const overlap = variable("ROTATE_OVERLAP_SECONDS");
  if (!/^\d{1,9}$/.test(overlap) || Number(overlap) < SHORTEST_OVERLAP_SECONDS) {
    throw new Error(`ROTATE_OVERLAP_SECONDS is \`${overlap}\`: give seconds, from ${SHORTEST_OVERLAP_SECONDS}`);
  }
  return {
    callerSecret,
    overlapSeconds: Number(overlap),
    scope: { tag: "account", val: variable("ROTATE_ACCOUNT_ID") },
    tokenId: variable("ROTATE_TOKEN_ID"),
    store: variable("ROTATE_STORE"),
  };
}

// Compares two texts in a time that does not depend on where they differ.
function isEqual(given, expected) {
  const [a, b] = [given, expected].map((text) => new TextEncoder().encode(text));
  let difference = a.length ^ b.length;
  for (let index = 0; index < b.length; index += 1) difference |= (a[index] ?? 0) ^ b[index];
  return difference === 0;
}

function rotate({ scope, tokenId, overlapSeconds, store }, endRunningOverlap) {
  let bucket, before;
  try {
    // A store that does not answer would lose the secret: it is opened and read before there is one.
    bucket = open(store === "in-memory" ? "" : store);
    before = readPair(bucket, tokenId);
  } catch (failure) {
    return failed(503, { outcome: "not-applied", message: `nothing was changed: ${reason(failure)}` });
  }
  let rotated;
  try {
    rotated = rotateWithOverlap(scope, tokenId, overlapSeconds, endRunningOverlap, undefined);
  } catch ({ payload }) {
    return payload.kind === "conflict" ? refused(bucket, scope, tokenId, payload) : failed(502, payload);
  }
  return keep(bucket, tokenId, before, rotated);
}

// Stores the new pair, and the secret that it replaces.
function keep(bucket, tokenId, before, { issued, previousSecretExpiresAt }) {
  const pair = {
    client_id: issued.token.clientId ?? "",
    client_secret: issued.clientSecret,
    client_secret_version: issued.token.clientSecretVersion ?? null,
    previous: before ? { client_secret: before.client_secret, passes_until: previousSecretExpiresAt } : null,
  };
  const value = new TextEncoder().encode(JSON.stringify(pair));
  for (let left = WRITES; ; ) {
    try {
      bucket.set(tokenId, value);
      return new Response(null, { status: 204 });
    } catch (failure) {
      left -= 1;
      if (left > 0) continue;
      const message =
        `the token was rotated and its new secret is lost, because the store did not take it (${reason(failure)}); the ` +
        `secret before it passes until ${previousSecretExpiresAt}`;
      return failed(502, { outcome: "applied", message, previousSecretExpiresAt });
    }
  }
}

// Says of a running overlap whether it is that of the pair in the store.
function refused(bucket, scope, tokenId, { outcome, previousSecretExpiresAt }) {
  let hasNewest = false;
  try {
    const newest = get(scope, tokenId, undefined).clientSecretVersion;
    hasNewest = newest !== undefined && newest === readPair(bucket, tokenId)?.client_secret_version;
  } catch {
    // Then it is not known that the store has it.
  }
  const what = outcome === "applied" ? "another call rotated the token at the same time" : "an overlap is running";
  const then = hasNewest
    ? "the store has the newest secret: rotate again when the overlap has ended"
    : "the store does not have the newest secret: another call is about to store it, or was cut off before it could, or it " +
      "was made elsewhere. If the store does not change, `POST /rotate?end-running-overlap` makes a new one and locks out " +
      "whoever uses the secret in the store, until they have read the new one";
  const until = previousSecretExpiresAt ?? "an unknown time";
  const message = `${what}; the secret before the newest passes until ${until}; ${then}`;
  return failed(409, { outcome, message, previousSecretExpiresAt });
}

function readPair(bucket, tokenId) {
  const value = bucket.get(tokenId);
  return value && JSON.parse(new TextDecoder().decode(value));
}

function failed(status, { outcome, message, previousSecretExpiresAt }) {
  const body = { outcome, message, previous_secret_expires_at: previousSecretExpiresAt ?? null };
  return Response.json(body, { status });
}

function reason({ payload, message }) {
  if (payload?.tag === "no-such-store") return "the host has no store of this name";
  if (payload?.tag === "access-denied") return "the host denies the store";
  return payload?.val ?? message;
}
