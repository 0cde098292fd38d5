// Cloudflare's own SDK for JavaScript against the simulator: `driver.js PACKAGE ACCOUNT cycle` or `… create`. PACKAGE is the folder that
// the SDK was installed into. Prints a line of JSON for each call: what it gave, or the status of its error.

import { createRequire } from "node:module";

const [folder, account_id, what] = process.argv.slice(2);
const Cloudflare = createRequire(`${folder}/`)("cloudflare");
const client = new Cloudflare({ apiToken: process.env.CLOUDFLARE_API_TOKEN, baseURL: process.env.CLOUDFLARE_BASE_URL });
const tokens = client.zeroTrust.access.serviceTokens;

async function call(operation, action) {
  try {
    const result = await action();
    console.log(JSON.stringify({ operation, result }));
    return result;
  } catch (error) {
    console.log(JSON.stringify({ operation, error: error.status ?? error.constructor.name }));
    return {};
  }
}

async function all(pages) {
  const found = [];
  for await (const token of pages) found.push(token);
  return found;
}

const { id } = await call("create", () => tokens.create({ account_id, name: "of an SDK", duration: "24h" }));
if (what === "cycle") {
  await call("list", () => all(tokens.list({ account_id })));
  await call("get", () => tokens.get(id, { account_id }));
  await call("update", () => tokens.update(id, { account_id, name: "renamed" }));
  await call("refresh", () => tokens.refresh(id, { account_id }));
  await call("rotate", () => tokens.rotate(id, { account_id }));
  await call("delete", () => tokens.delete(id, { account_id }));
}
