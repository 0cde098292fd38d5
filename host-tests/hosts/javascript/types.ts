// What an application in TypeScript may write with the npm package, and what its checker must refuse. It is not run.

import { AccessError, AccessTokens, type Outcome, type ServiceToken } from "cloudflare-access-tokens";

const access = new AccessTokens({ environment: { CLOUDFLARE_API_TOKEN: "token" }, concurrency: 2 });
const account = { account: "023e105f4ecef8ad9ca31a8372d0c353" };

export async function cycle(): Promise<Outcome | undefined> {
  try {
    const { token, clientSecret } = await access.create(account, { name: "CI" }, { timeoutMs: 1000, headers: { a: "b" } });
    const secret: string = clientSecret;
    const rotated = await access.rotateWithOverlap({ zone: "z" }, token.id, 3600, { endRunningOverlap: true });
    const until: string = rotated.previousSecretExpiresAt;
    const deletion = await access.delete(account, token.id);
    if (deletion.result === "deleted") console.log(deletion.token.id, secret, until);
    // @ts-expect-error: the case "already-gone" has no token
    else console.log(deletion.token);
    const ensured = await access.ensure(account, { name: "CI" });
    if (ensured.result === "created") console.log(ensured.clientSecret);
    // @ts-expect-error: only a token that was created has a secret
    else console.log(ensured.clientSecret);
    for (const { token, error } of (await access.refreshExpiring("a", { withinSeconds: 60 })).tokens) {
      const refreshed: ServiceToken | undefined = token;
      if (error) console.log(error.kind, refreshed);
    }
    await access.rotate("a", "id", { expiresAt: "2027-01-01T00:00:00Z" });
    // @ts-expect-error: what becomes of the old secret is never a default
    await access.rotate("a", "id");
    // @ts-expect-error: a base URL never stands without a credential
    await access.get(account, "id", { endpoint: { baseUrl: "https://example.com" } });
    // @ts-expect-error: an account or a zone
    await access.get("a", "id");
    return undefined;
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    // @ts-expect-error: no such kind
    if (error.kind === "gone") return undefined;
    return error.outcome;
  } finally {
    await access.close();
  }
}

declare const console: { log(...values: unknown[]): void };
