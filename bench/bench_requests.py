"""CPU of the API process for one request of each edge, of each action on a call, of a batch, and of what a device asks.

The server has the fake engine and a core of its own; the client, which is also the receiver of webhooks, has the other one. What
is counted is everything until the process is at rest again: HTTP, token, rights, the edge's work, the store, the webhooks that
follow, and what little the fake engine does. `SAMPLES` says with what each edge of the routes is asked.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from bench.bench_api import SESSION, at_rest, server
from bench.figure import Figure
from bench.load import LOAD_CORE, SERVER_CORE, on_core
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.dev import DevFile

FAKE = "bench.fake_server"
NO_LIMITS = ("--page-calls-per-s", "off", "--app-calls-per-hour", "off")
ROUNDS = 5
REQUESTS = 60
CALLS = 40
CALLS_OF_A_ROUND = 8

Params: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True)
class Sample:
    """What an edge is asked with. `{psid}`, `{url}` and `{verify_token}` become the consumer's and the receiver's."""

    params: Mapping[str, Any]
    is_app: bool = False


SAMPLES: Mapping[tuple[str, str], Sample | None] = {
    ("", "GET"): Sample({}),
    ("calls", "POST"): None,
    ("messenger_call_permissions", "GET"): Sample({"psid": "{psid}"}),
    ("call_metrics", "POST"): None,
    ("business_messaging_feature_status", "POST"): Sample({"features": [{"feature": "messenger_api_calling"}]}),
    ("messages", "POST"): Sample({"recipient": {"id": "{psid}"}, "message": {"text": "Hello"}}),
    ("messenger_call_settings", "GET"): Sample({}),
    ("messenger_call_settings", "POST"): Sample({"icon_enabled": "true"}),
    ("subscribed_apps", "GET"): Sample({}),
    ("subscribed_apps", "POST"): Sample({"subscribed_fields": "calls"}),
    ("subscribed_apps", "DELETE"): Sample({}),
    ("subscriptions", "GET"): Sample({}, is_app=True),
    ("subscriptions", "POST"): Sample(
        {"object": "user", "callback_url": "{url}", "verify_token": "{verify_token}", "fields": "x"}, is_app=True
    ),
    ("subscriptions", "DELETE"): Sample({"object": "user"}, is_app=True),
}
"""By edge and verb; `None` for what is measured action by action. `tests/unit/bench/test_requests.py` holds them against the
routes."""


@dataclass(slots=True)
class Bench:
    """A server, its client, and what was measured so far."""

    pid: int
    dev: DevFile
    business: BusinessApp
    http: aiohttp.ClientSession
    figures: list[Figure]

    async def measure(self, what: str, times: int, each: Callable[[int], Awaitable[object]]) -> None:
        """The median of rounds, in microseconds of CPU for each time; `each` is given its number."""
        spent = []
        for start in range(0, times, max(1, times // ROUNDS)):
            some = range(start, min(times, start + max(1, times // ROUNDS)))
            before = await at_rest(self.pid)
            for number in some:
                await each(number)
            spent.append((await at_rest(self.pid) - before) / len(some) / 1e3)
        self.figures.append(Figure(f"API process, fake engine: {what}", sorted(spent)[len(spent) // 2], "us CPU"))

    async def ask(self, verb: str, path: str, params: Params, token: str) -> None:
        """A Graph request that must succeed."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        is_query = verb in ("GET", "DELETE")
        async with self.http.request(
            verb,
            f"{self.dev.base_url}/v26.0/{path}",
            params=texts if is_query else None,
            data=None if is_query else texts,
            headers={"Authorization": f"Bearer {token}"},
        ) as response:
            answer = await response.json()
            if response.status != 200 or "error" in answer:
                raise RuntimeError(f"{verb} {path}: {answer}")

    async def edge(self, edge: str, verb: str, sample: Sample) -> None:
        """One edge and verb."""
        node = self.dev.app.id if sample.is_app else self.dev.page.id
        token = f"{self.dev.app.id}|{self.dev.app.secret}" if sample.is_app else self.dev.page.access_token
        known = {"psid": self.dev.consumer.psid, "url": self.business.url, "verify_token": self.business.verify_token}
        params = _filled(sample.params, known)
        path = f"{node}/{edge}".rstrip("/")
        name = f"{verb} {'{app}' if sample.is_app else '{page}'}/{edge}".rstrip("/")
        await self.measure(name, REQUESTS, lambda _: self.ask(verb, path, params, token))


def _filled(params: Mapping[str, Any], known: Mapping[str, str]) -> Params:
    """The parameters with what is known in their texts, also in nested ones."""

    def fill(value: Any) -> Any:
        match value:
            case str():
                return value.format(**known)
            case dict():
                return {name: fill(inner) for name, inner in value.items()}
            case list():
                return [fill(inner) for inner in value]
            case _:
                return value

    return {name: fill(value) for name, value in params.items()}


async def figures() -> list[Figure]:
    """Edges first, then a call's life, then a device."""
    async with bench() as run:
        await _write_first(run)
        for (edge, verb), sample in SAMPLES.items():
            if sample is not None:
                await run.edge(edge, verb, sample)
        await run.edge("subscribed_apps", "POST", Sample({"subscribed_fields": "calls"}))
        run.figures.pop()
        await _batch(run)
        async with _devices(run, CALLS) as devices:
            await _calls(run, devices)
            await run.measure("device, ping", REQUESTS * 5, lambda _: devices[0].request("ping"))
        return run.figures


async def _write_first(run: Bench) -> None:
    """The person writes to the Page, which may then write back."""
    device = ConsumerDevice()
    await device.connect(run.dev.base_url, run.dev.consumer.access_token)
    await device.request("message.send", page_id=run.dev.page.id, text="Hello")
    await device.close()


async def _batch(run: Bench) -> None:
    members = [{"method": "GET", "relative_url": run.dev.page.id}] * 10
    token = run.dev.page.access_token
    params = {"batch": json.dumps(members)}

    async def send(_: int) -> None:
        url = f"{run.dev.base_url}/v26.0/"
        async with run.http.post(url, data=params, headers={"Authorization": f"Bearer {token}"}) as response:
            if [entry["code"] for entry in await response.json()] != [200] * 10:
                raise RuntimeError("a request of the batch was refused")

    await run.measure("batch of 10 GET {page}", REQUESTS, send)


async def _calls(run: Bench, devices: list[ConsumerDevice]) -> None:
    """All devices call; a third of the calls is rejected, the rest accepted; those end by one side and the other."""
    calls: list[str] = []

    async def start(number: int) -> None:
        reply = await devices[number].request("call.start", page_id=run.dev.page.id, session=SESSION)
        calls.append(reply["call_id"])

    async def act(action: str, call_id: str) -> None:
        session = {"session": SESSION} if action == "accept" else {}
        await run.business.call(action, call_id=call_id, **session)

    third = CALLS // 3
    await run.measure("device, call.start, connect webhook", CALLS, start)
    await run.measure("POST {page}/calls reject, terminate webhook", third, lambda n: act("reject", calls[n]))
    await run.measure("POST {page}/calls accept", CALLS - third, lambda n: act("accept", calls[third + n]))
    await run.measure("POST {page}/calls terminate, terminate webhook", third, lambda n: act("terminate", calls[third + n]))
    await run.measure(
        "device, call.hangup, terminate webhook",
        third,
        lambda n: devices[2 * third + n].request("call.hangup", call_id=calls[2 * third + n]),
    )
    page = run.dev.page

    async def report(number: int) -> None:
        params = {
            "platform": "MESSENGER",
            "call_id": calls[third + number],
            "end_call_reason": "HANGUP_CALL",
            "call_ended_time": int(time.time()),
        }
        await run.ask("POST", f"{page.id}/call_metrics", params, page.access_token)

    await run.measure("POST {page}/call_metrics", third, report)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """The server on one core, this process on the other one, if there are two."""
    async with AsyncExitStack() as stack:
        business = BusinessApp()
        await business.start()
        stack.push_async_callback(business.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with on_core(SERVER_CORE):
            pid, dev = await stack.enter_async_context(server(folder, business.url, FAKE, NO_LIMITS))
        stack.enter_context(on_core(LOAD_CORE))
        business.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Bench(pid, dev, business, http, [])


@asynccontextmanager
async def _devices(run: Bench, count: int) -> AsyncIterator[list[ConsumerDevice]]:
    devices = [await _device(run) for _ in range(count)]
    try:
        yield devices
    finally:
        await asyncio.gather(*(device.close() for device in devices))


async def _device(run: Bench) -> ConsumerDevice:
    async with run.http.post(f"{run.dev.base_url}/consumer/v1/sessions", json={"page_id": run.dev.page.id}) as response:
        session = await response.json()
    device = ConsumerDevice()
    await device.connect(run.dev.base_url, session["access_token"])
    return device


def missing(edges: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Edges and verbs of the routes that nothing is measured of."""
    return [cell for cell in edges if cell not in SAMPLES]
