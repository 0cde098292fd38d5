"""The script of host-tests/hosts/script.json on wasmtime-py: a step a line on standard input, its outcome a line on standard output."""

import json
import os
import sys

from cloudflare_access import AccessError, CloudflareAccess, get, record
from wasmtime.component import Variant


def options(step):
    """A step may name a time, a number of retries, and a base URL, to which the credential of the environment does not go by itself."""
    credentials = Variant("some", os.environ["CLOUDFLARE_API_TOKEN"]) if "base-url" in step else Variant("none")
    return record(credentials=credentials, base_url=step.get("base-url"), timeout_ms=step.get("timeout-ms"), attempt_timeout_ms=None,
                  max_retries=step.get("max-retries"), headers=[])


def fields(step):
    """What create and update take."""
    return record(name=step.get("name"), duration=step.get("duration"), enabled=step.get("enabled"),
                  client_secret_version=step.get("client-secret-version"), previous_client_secret_expires_at=None)


def run(access, step):
    account = step["account"]
    scope = Variant("account", account)
    match step["operation"]:
        case "list":
            page = access.list(scope, record(name=step.get("name"), search=None, page=None, per_page=None), options(step))
            return [get(token, "name") for token in page.tokens]
        case "list-all":
            tokens = access.list_all(scope, record(name=None, search=None, per_page=step["per-page"]), options(step))
            return [get(token, "name") for token in tokens]
        case "get":
            return access.get(scope, step["id"], options(step))
        case "create":
            return access.create(scope, fields(step), options(step))
        case "update":
            return access.update(scope, step["id"], fields(step), options(step))
        case "delete":
            return access.delete(scope, step["id"], options(step))
        case "refresh":
            return access.refresh(account, step["id"], options(step))
        case "rotate":
            return access.rotate(account, step["id"], step["expires-at"], options(step))


def outcome(access, step):
    try:
        result = run(access, step)
    except AccessError as failure:
        return {"err": {key: get(failure.error, key) for key in ("kind", "outcome", "status", "attempts", "message")}}
    if isinstance(result, list):
        return {"ok": {"names": result}}
    token = getattr(result, "token", result)
    ok = {key: get(token, key) for key in ("id", "name", "client-id")}
    return {"ok": ok | {"client-secret": getattr(result, "client-secret", None)}}


granted = {name: value for name, value in os.environ.items() if name.startswith("CLOUDFLARE_")}
plugin = CloudflareAccess(sys.argv[1], granted)
for line in sys.stdin:
    print(json.dumps(outcome(plugin, json.loads(line))), flush=True)
