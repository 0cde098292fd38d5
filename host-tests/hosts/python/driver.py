"""The script of host-tests/hosts/script.json on the wheel: a step a line on standard input, its outcome a line on standard output."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloudflare_access_tokens import (
    AccessError, AccessTokens, Account, ByClientId, ByName, CreateParams, Endpoint, ExpiresAt, ExpiresNow, IssuedToken, ListAllParams,
    ListPageParams, RefreshParams, RequestOptions, ServiceToken, UpdatedToken, UpdateParams, Zone,
)

Step = dict[str, Any]


def options(step: Step) -> RequestOptions:
    """The credential comes from the environment, unless the step has one; then it may name a base URL, too."""
    return RequestOptions(
        endpoint=Endpoint(step["api-token"], step["base-url"]) if "api-token" in step else None,
        timeout_ms=step.get("timeout-ms"),
        max_retries=step.get("max-retries"),
        headers={step["header"]: "from the test"} if "header" in step else None,
    )


def create_params(step: Step) -> CreateParams:
    return CreateParams(step["name"], step.get("duration"), step.get("enabled"))


def run(access: AccessTokens, step: Step) -> Step:
    account, id, name = step.get("account", ""), step.get("id", ""), step.get("name", "")
    scope = Account(account) if account else Zone(step["zone"])
    match step["operation"]:
        case "list-page":
            page = access.list_page(scope, ListPageParams(per_page=step.get("per-page")), options(step))
            return names(page.tokens) | {"total": page.total_count, "next": page.next_page}
        case "list-all":
            return names(access.list_all(scope, ListAllParams(per_page=step.get("per-page")), options(step)))
        case "get":
            return token(access.get(scope, id, options(step)))
        case "create":
            return issued(access.create(scope, create_params(step), options(step)))
        case "update":
            version = step.get("client-secret-version")
            return issued(access.update(scope, id, UpdateParams(step.get("name"), client_secret_version=version), options(step)))
        case "delete":
            deletion = access.delete(scope, id, options(step))
            return {"case": deletion.result} | (token(deletion.token) if deletion.token else {})
        case "refresh":
            return token(access.refresh(account, id, options(step)))
        case "rotate":
            previous = ExpiresAt(step["expires-at"]) if "expires-at" in step else ExpiresNow()
            return issued(access.rotate(account, id, previous, options(step)))
        case "expiring":
            report = access.expiring(scope, step["within-seconds"], options(step))
            due, off = ([item.token for item in items] for items in (report.expiring, report.disabled))
            more = {"disabled": names(off)["names"], "forever": names(report.forever)["names"]}
            return {"clock": report.clock} | names(due) | more
        case "refresh-expiring":
            tokens = access.refresh_expiring(account, RefreshParams(step["within-seconds"], name), options(step)).tokens
            failed = [item.refreshed.kind for item in tokens if isinstance(item.refreshed, AccessError)]
            return {"names": [item.name for item in tokens], "failed": failed}
        case "rotate-with-overlap":
            seconds, end_running = step["overlap-seconds"], step.get("end-running-overlap", False)
            return issued(access.rotate_with_overlap(scope, id, seconds, options(step), end_running_overlap=end_running).issued)
        case "end-overlap":
            return token(access.end_overlap(scope, id, options(step)))
        case "extend-overlap":
            return token(access.extend_overlap(scope, id, step["overlap-seconds"], options(step)))
        case "find":
            return names(access.find(scope, ByClientId(step["client-id"]) if "client-id" in step else ByName(name), options(step)))
        case "ensure":
            ensured = access.ensure(scope, create_params(step), options(step))
            return {"case": ensured.result, "client-secret": ensured.client_secret} | token(ensured.token)
        case "issue":
            return issued(access.issue(account, create_params(step), step["key"], options(step)))
        case "finish-issue":
            return token(access.finish_issue(account, step["key"], options(step)))
        case "resolve-create":
            return names(access.resolve_create(scope, name, step["since"], options(step)))
        case "disable":
            return token(access.disable(scope, id, options(step)))
        case "enable":
            return token(access.enable(scope, id, options(step)))
    raise ValueError(f"the driver does not know {step['operation']}")


def names(tokens: list[ServiceToken]) -> Step:
    return {"names": [token.name for token in tokens]}


def token(token: ServiceToken) -> Step:
    return {"id": token.id, "name": token.name, "client-id": token.client_id, "enabled": token.enabled}


def issued(issued: IssuedToken | UpdatedToken) -> Step:
    return token(issued.token) | {"client-secret": issued.client_secret}


def outcome(access: AccessTokens, step: Step) -> Step:
    try:
        return {"ok": run(access, step)}
    except AccessError as error:
        shown = {"kind": error.kind, "outcome": error.outcome, "status": error.status, "attempts": error.attempts}
        return {"err": shown | {"message": error.message}}
    except Exception as trap:
        return {"trap": repr(trap)}


def main() -> None:
    access = AccessTokens()
    with ThreadPoolExecutor() as threads:
        for line in sys.stdin:
            step = json.loads(line)
            calls = [threads.submit(outcome, access, step) for _ in range(step.get("at-once", 1))]
            print(json.dumps([call.result() for call in calls]), flush=True)


if __name__ == "__main__":
    main()
