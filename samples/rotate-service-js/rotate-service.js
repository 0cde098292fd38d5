// The edge service of samples/rotate-service in JavaScript: `POST /accounts/{account}/tokens/{id}/rotate`, with the query
// `previous-expires-at=<RFC 3339>` to keep the old secret for a while.

import { rotate } from "cloudflare:access/service-tokens@0.1.0";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

function answer(request) {
  const { pathname, searchParams } = new URL(request.url);
  const [, account, id] = pathname.match(/^\/accounts\/([^/]+)\/tokens\/([^/]+)\/rotate$/) ?? [];
  if (request.method !== "POST" || !id) {
    return Response.json({ error: "POST /accounts/{account}/tokens/{id}/rotate" }, { status: 404 });
  }
  const until = searchParams.get("previous-expires-at");
  const previous = until ? { tag: "expires-at", val: until } : { tag: "expires-now" };
  try {
    const { token, clientSecret } = rotate(account, id, previous, undefined);
    return Response.json({ client_id: token.clientId, client_secret: clientSecret });
  } catch (failure) {
    const { outcome, message } = failure.payload;
    return Response.json({ outcome, message }, { status: 502 });
  }
}
