"""Webhook receivers that keep what came, octet for octet, and the order in which it came.

One takes everything. Another refuses some events once and takes its time, as receivers do. Which, chance decides.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from pagecalls.webhooks import signing

REFUSED = 0.03
"""Share of events that a moody receiver refuses once."""
SLOW = 0.05
LONGEST_S = 0.05


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event as it came: its name, its call, and its octets each time."""

    event: str
    call_id: str
    octets: list[bytes] = field(default_factory=list)


class Receiver:
    """The receiver of one app. `moods` `None`: takes everything at once."""

    def __init__(self, moods: random.Random | None = None) -> None:
        self.arrivals: dict[str, Arrival] = {}
        """By event id, in the order of their first coming."""
        self.others: Counter[bytes] = Counter()
        """Events that concern no call, and have no id: how often these octets came."""
        self.forged = 0
        """Requests whose signature does not fit."""
        self.url = ""
        self.secret = ""
        self._moods = moods
        self._refused: set[str] = set()
        self._waiting: dict[tuple[str, str], asyncio.Event] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free loopback port."""
        app = web.Application()
        app.add_routes([web.post("/webhook", self._receive), web.get("/webhook", self._verify)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhook"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def expect(self, event: str, call_id: str, within_s: float) -> None:
        """Return when that event has come. Raises `TimeoutError`."""
        came = self._waiting.setdefault((event, call_id), asyncio.Event())
        async with asyncio.timeout(within_s):
            await came.wait()

    @property
    def repeated(self) -> int:
        """How often something came that had come before."""
        return sum(len(arrival.octets) - 1 for arrival in self.arrivals.values())

    def forget(self) -> None:
        """Start with an empty page."""
        self.arrivals.clear()
        self.others.clear()
        self._refused.clear()
        self._waiting.clear()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not signing.verify(self.secret, body, request.headers.get("X-Hub-Signature-256", "")):
            self.forged += 1
            return web.Response(status=403)
        event_id = self._keep(body)
        return web.Response(status=200 if event_id is None else await self._answer(event_id))

    def _keep(self, body: bytes) -> str | None:
        entry: dict[str, Any] = msgspec.json.decode(body)["entry"][0]
        if "calls" not in entry:
            self.others[body] += 1
            return None
        (item,) = entry["calls"]
        event, call_id, event_id = str(item["event"]), str(item["id"]), str(item["event_id"])
        self.arrivals.setdefault(event_id, Arrival(event, call_id)).octets.append(body)
        self._waiting.setdefault((event, call_id), asyncio.Event()).set()
        return event_id

    async def _answer(self, event_id: str) -> int:
        if self._moods is None:
            return 200
        if self._moods.random() < SLOW:
            await asyncio.sleep(self._moods.uniform(0, LONGEST_S))
        if event_id not in self._refused and self._moods.random() < REFUSED:
            self._refused.add(event_id)
            return 500
        return 200

    async def _verify(self, request: web.Request) -> web.Response:
        return web.Response(text=request.query.get("hub.challenge", ""))
