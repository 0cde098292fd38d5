"""The driver of Cloudflare's SDK for Python: `python.py BASE_URL ACCOUNT TOKEN`, with the SDK on PYTHONPATH. The protocol is that of
benches/src/driver.rs."""

import asyncio
import os
import sys
import time

import cloudflare

base_url, account, token = sys.argv[1:]
credential = os.environ["CLOUDFLARE_API_TOKEN"]
tokens = cloudflare.Cloudflare(api_token=credential, base_url=base_url).zero_trust.access.service_tokens


def get():
    tokens.get(token, account_id=account)


def create():
    tokens.create(account_id=account, name="CI")


def list_all(per_page):
    count = sum(1 for _ in tokens.list(account_id=account, per_page=per_page))
    assert count == 1000, f"{count} tokens of 1000"


async def get_at_once(calls):
    async with cloudflare.AsyncCloudflare(api_token=credential, base_url=base_url) as client:

        async def caller():
            for _ in range(-(-calls // 32)):
                await client.zero_trust.access.service_tokens.get(token, account_id=account)

        await asyncio.gather(*(caller() for _ in range(32)))


rows = {"get": get, "create": create, "list-1000": lambda: list_all(1000), "list-50": lambda: list_all(50)}
for line in sys.stdin:
    row, calls = line.split()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    if row == "get-at-once":
        asyncio.run(get_at_once(int(calls)))
    else:
        for _ in range(int(calls)):
            rows[row]()
    print(time.perf_counter_ns() - wall, time.process_time_ns() - cpu, flush=True)
