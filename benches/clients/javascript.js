// The driver of Cloudflare's SDK for JavaScript: `javascript.js BASE_URL ACCOUNT TOKEN`, with the folder of the SDK in SDK. The protocol is
// that of benches/src/driver.rs.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [baseURL, account_id, id] = process.argv.slice(2);
const Cloudflare = createRequire(`${process.env.SDK}/`)("cloudflare");
const tokens = new Cloudflare({ apiToken: process.env.CLOUDFLARE_API_TOKEN, baseURL }).zeroTrust.access.serviceTokens;

async function list(per_page) {
  let count = 0;
  for await (const _ of tokens.list({ account_id, per_page })) count += 1;
  if (count !== 1000) throw new Error(`${count} tokens of 1000`);
}

const rows = {
  get: () => tokens.get(id, { account_id }),
  create: () => tokens.create({ account_id, name: "CI" }),
  "list-1000": () => list(1000),
  "list-50": () => list(50),
};

async function work(row, calls) {
  if (row === "get-at-once") {
    const caller = async () => {
      for (let call = 0; call < calls / 32; call += 1) await rows.get();
    };
    await Promise.all(Array.from({ length: 32 }, caller));
    return;
  }
  for (let call = 0; call < calls; call += 1) await rows[row]();
}

for await (const line of createInterface({ input: process.stdin })) {
  const [row, calls] = line.split(" ");
  const [wall, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
  await work(row, Number(calls));
  const { user, system } = process.cpuUsage(cpu);
  console.log(`${process.hrtime.bigint() - wall} ${(user + system) * 1000}`);
}
