"""Cloudflare's own SDK for Python against the simulator: `driver.py ACCOUNT cycle` or `… create`, with the SDK on PYTHONPATH. Prints a
line of JSON for each call: what it gave, or the status of its error."""

import json
import os
import sys

import cloudflare

account, what = sys.argv[1:]
client = cloudflare.Cloudflare(api_token=os.environ["CLOUDFLARE_API_TOKEN"], base_url=os.environ["CLOUDFLARE_BASE_URL"])
tokens = client.zero_trust.access.service_tokens


def call(operation, action):
    try:
        result = action()
    except cloudflare.APIStatusError as error:
        print(json.dumps({"operation": operation, "error": error.status_code}))
    except cloudflare.APIConnectionError as error:
        print(json.dumps({"operation": operation, "error": type(error).__name__}))
    else:
        shown = [token.to_dict(mode="json") for token in result] if isinstance(result, list) else result.to_dict(mode="json")
        print(json.dumps({"operation": operation, "result": shown}))
        return result


created = call("create", lambda: tokens.create(account_id=account, name="of an SDK", duration="24h"))
if what == "cycle":
    call("list", lambda: list(tokens.list(account_id=account)))
    call("get", lambda: tokens.get(created.id, account_id=account))
    call("update", lambda: tokens.update(created.id, account_id=account, name="renamed"))
    call("refresh", lambda: tokens.refresh(created.id, account_id=account))
    call("rotate", lambda: tokens.rotate(created.id, account_id=account))
    call("delete", lambda: tokens.delete(created.id, account_id=account))
