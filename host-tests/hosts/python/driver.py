"""The script of host-tests/hosts/script.json on wasmtime-py: a step a line on standard input, its outcome a line on standard output."""

import json
import os
import sys

from cloudflare_access import AccessError, CloudflareAccess, get, record
from wasmtime.component import Variant


def options(step):
    """The credential comes from the environment, unless the step has one; then it may name a base URL, too."""
    endpoint = record(credentials=step["api-token"], base_url=step["base-url"]) if "api-token" in step else None
    headers = [record(name=step["header"], value="from the test")] if "header" in step else None
    return record(endpoint=endpoint, timeout_ms=step.get("timeout-ms"), attempt_timeout_ms=None, max_retries=step.get("max-retries"),
                  headers=headers)


def fields(step):
    """What create, ensure, issue and update take."""
    return record(name=step.get("name"), duration=step.get("duration"), enabled=step.get("enabled"),
                  client_secret_version=step.get("client-secret-version"), previous_client_secret_expires_at=None)


def run(access, step):
    home = step.get("account", step.get("zone"))
    scope = Variant("account" if "account" in step else "zone", home)
    match step["operation"]:
        case "list-page":
            return access.list_page(scope, record(name=None, search=None, page=None, per_page=None), options(step)).tokens
        case "list-all":
            return access.list_all(scope, record(name=None, search=None, per_page=step["per-page"]), options(step))
        case "get":
            return access.get(scope, step["id"], options(step))
        case "create":
            return access.create(scope, fields(step), options(step))
        case "update":
            return access.update(scope, step["id"], fields(step), options(step))
        case "delete":
            return access.delete(scope, step["id"], options(step))
        case "refresh":
            return access.refresh(home, step["id"], options(step))
        case "rotate":
            return access.rotate(home, step["id"], step["expires-at"], options(step))
        case "expiring":
            return access.expiring(scope, step["within-seconds"], options(step))
        case "rotate-with-overlap":
            return access.rotate_with_overlap(scope, step["id"], step["overlap-seconds"], False, options(step)).issued
        case "find":
            return access.find(scope, Variant("client-id", step["client-id"]), options(step))
        case "ensure":
            return access.ensure(scope, fields(step), options(step))
        case "issue":
            return access.issue(home, fields(step), step["key"], options(step))
        case "finish-issue":
            return access.finish_issue(home, step["key"], options(step))


def ok(step, result):
    if step["operation"] == "expiring":
        return {"clock": result.clock, "expiring": len(result.expiring), "later": result.later}
    if isinstance(result, list):
        return {"names": [get(token, "name") for token in result]}
    shown = {}
    if step["operation"] == "delete":
        shown["case"] = "already-gone" if result is None else "deleted"
    if isinstance(result, Variant):
        shown["case"], result = result.tag, result.payload
    if result is not None:
        token = getattr(result, "token", result)
        shown |= {key: get(token, key) for key in ("id", "name", "client-id")}
        shown["client-secret"] = getattr(result, "client-secret", None)
    return shown


def outcome(access, step):
    try:
        return {"ok": ok(step, run(access, step))}
    except AccessError as failure:
        return {"err": {key: get(failure.error, key) for key in ("kind", "outcome", "status", "attempts", "message")}}


granted = {name: value for name, value in os.environ.items() if name.startswith("CLOUDFLARE_")}
plugin = CloudflareAccess(sys.argv[1], granted)
for line in sys.stdin:
    print(json.dumps(outcome(plugin, json.loads(line))), flush=True)
