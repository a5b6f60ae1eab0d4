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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from bench.bench_api import SESSION, at_rest, server
from bench.figure import Figure
from bench.load import LOAD_CORE, SERVER_CORE, on_core
from pagecalls.control.app import PREFIX
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


class Asker(Enum):
    """Whose token a request carries."""

    PAGE = "page"
    APP = "app"
    USER = "user"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Sample:
    """What an edge is asked with, and by whom. `{...}` in texts becomes what `Bench.known` has under that name."""

    params: Mapping[str, Any]
    asker: Asker = Asker.PAGE


_CLIENT = {"client_id": "{app}", "client_secret": "{secret}"}

SAMPLES: Mapping[tuple[str, str], Sample | None] = {
    ("{page}", "GET"): Sample({}),
    ("{page}/calls", "POST"): None,
    ("{page}/messenger_call_permissions", "GET"): Sample({"psid": "{psid}"}),
    ("{page}/call_metrics", "POST"): None,
    ("{page}/business_messaging_feature_status", "POST"): Sample({"features": [{"feature": "messenger_api_calling"}]}),
    ("{page}/messages", "POST"): Sample({"recipient": {"id": "{psid}"}, "message": {"text": "Hello"}}),
    ("{page}/messenger_call_settings", "GET"): Sample({}),
    ("{page}/messenger_call_settings", "POST"): Sample({"icon_enabled": "true"}),
    ("{page}/subscribed_apps", "GET"): Sample({}),
    ("{page}/subscribed_apps", "POST"): Sample({"subscribed_fields": "calls"}),
    ("{page}/subscribed_apps", "DELETE"): Sample({}),
    ("{app}/subscriptions", "GET"): Sample({}, Asker.APP),
    ("{app}/subscriptions", "POST"): Sample(
        {"object": "user", "callback_url": "{url}", "verify_token": "{verify_token}", "fields": "x"}, Asker.APP
    ),
    ("{app}/subscriptions", "DELETE"): Sample({"object": "user"}, Asker.APP),
    ("me", "GET"): Sample({}, Asker.USER),
    ("me/accounts", "GET"): Sample({}, Asker.USER),
    ("oauth/access_token", "GET"): Sample({**_CLIENT, "grant_type": "client_credentials"}, Asker.NOBODY),
    ("oauth/access_token", "POST"): Sample(
        {**_CLIENT, "grant_type": "fb_exchange_token", "fb_exchange_token": "{user_token}"}, Asker.NOBODY
    ),
    ("debug_token", "GET"): Sample({"input_token": "{user_token}"}, Asker.APP),
}
"""By path and verb; `None` for what is measured action by action. `tests/unit/bench/test_requests.py` holds them against the
routes."""


@dataclass(slots=True)
class Bench:
    """A server, its client, what its requests are filled with, and what was measured so far."""

    pid: int
    dev: DevFile
    business: BusinessApp
    http: aiohttp.ClientSession
    known: Mapping[str, str]
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

    async def ask(self, verb: str, path: str, params: Params, asker: Asker = Asker.PAGE) -> None:
        """A Graph request that must succeed."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        is_query = verb in ("GET", "DELETE")
        async with self.http.request(
            verb,
            f"{self.dev.base_url}/v26.0/{path}",
            params=texts if is_query else None,
            data=None if is_query else texts,
            headers=_headers(self._token(asker)),
        ) as response:
            answer = await response.json()
            if response.status != 200 or "error" in answer:
                raise RuntimeError(f"{verb} {path}: {answer}")

    def _token(self, asker: Asker) -> str | None:
        match asker:
            case Asker.PAGE:
                return self.dev.page.access_token
            case Asker.APP:
                return f"{self.dev.app.id}|{self.dev.app.secret}"
            case Asker.USER:
                return self.known["user_token"]
            case Asker.NOBODY:
                return None

    async def edge(self, path: str, verb: str, sample: Sample) -> None:
        """One edge and verb."""
        params = _filled(sample.params, self.known)
        filled = path.format(**self.known)
        await self.measure(f"{verb} {path}", REQUESTS, lambda _: self.ask(verb, filled, params, sample.asker))


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


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
        for (path, verb), sample in SAMPLES.items():
            if sample is not None:
                await run.edge(path, verb, sample)
        await run.edge("{page}/subscribed_apps", "POST", Sample({"subscribed_fields": "calls"}))
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
    params = {"batch": json.dumps(members)}

    async def send(_: int) -> None:
        url = f"{run.dev.base_url}/v26.0/"
        async with run.http.post(url, data=params, headers=_headers(run.dev.page.access_token)) as response:
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

    async def report(number: int) -> None:
        params = {
            "platform": "MESSENGER",
            "call_id": calls[third + number],
            "end_call_reason": "HANGUP_CALL",
            "call_ended_time": int(time.time()),
        }
        await run.ask("POST", f"{run.dev.page.id}/call_metrics", params)

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
        known = {
            "page": dev.page.id,
            "app": dev.app.id,
            "secret": dev.app.secret,
            "psid": dev.consumer.psid,
            "url": business.url,
            "verify_token": business.verify_token,
            "user_token": await _user_token(http, dev),
        }
        yield Bench(pid, dev, business, http, known, [])


async def _user_token(http: aiohttp.ClientSession, dev: DevFile) -> str:
    """Of a new user who reaches the Page."""

    async def make(resource: str, body: Params) -> Params:
        url = f"{dev.base_url}{PREFIX}/{resource}"
        async with http.post(url, json=body, headers=_headers(dev.admin_token)) as response:
            response.raise_for_status()
            made: Params = await response.json()
            return made

    user = (await make("users", {"name": "Operator"}))["user"]["id"]
    await make(f"users/{user}/pages", {"page_id": dev.page.id})
    order = {"kind": "user", "app_id": dev.app.id, "user_id": user}
    return str((await make("tokens", order))["token"]["access_token"])


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
