"""A business app as the outside world writes one: it receives signed webhooks and speaks to `POST /{page_id}/calls`.

Uses the public interface alone. What arrives is kept in order and can be waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from pagecalls.webhooks import signing

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """One webhook: the call item, or the entry if it is of no call; the whole body, when it came (`loop.time()`), and the octets
    that were signed."""

    item: Json
    body: Json
    at: float
    raw: bytes

    @property
    def event(self) -> str:
        """`connect`, `call_status`, `media_update`, `terminate`; of no call `call_permission_reply` or `call_settings_update`."""
        if "call_settings" in self.item:
            return "call_settings_update"
        return "call_permission_reply" if "call_permission_reply" in self.item else str(self.item["event"])


class GraphRefused(Exception):
    """The server answered with an error; `error` is its object."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.error.get('message')}"


class BusinessApp:
    """Webhook receiver and Graph client of one app on one Page."""

    def __init__(self, on_webhook: Callable[[Received], None] = lambda _: None) -> None:
        self.received: list[Received] = []
        self.status = 200
        """What the receiver answers."""
        self.base_url = ""
        self.page_id = ""
        self.token = ""
        self.secret = ""
        self.verify_token = ""
        self._on_webhook = on_webhook
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free loopback port; `url` is the callback."""
        app = web.Application()
        app.add_routes([web.post("/webhook", self._receive), web.get("/webhook", self._verify)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/webhook"
        self._http = aiohttp.ClientSession()

    def use(self, base_url: str, page_id: str, token: str, secret: str, verify_token: str = "") -> None:
        """The server and the identity to act with."""
        self.base_url, self.page_id, self.token = base_url, page_id, token
        self.secret, self.verify_token = secret, verify_token

    async def close(self) -> None:
        """Stop listening."""
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- Graph --------------------------------------------------------------------------------------------------------

    async def call(self, action: str, **members: Any) -> Json:
        """`POST /{page_id}/calls`. Raises `GraphRefused`."""
        return await self.post(f"/v26.0/{self.page_id}/calls", {"action": action, "platform": "messenger", **members})

    async def post(self, path: str, body: Json) -> Json:
        """A Graph POST with the Page token. Raises `GraphRefused`."""
        if self._http is None:
            raise RuntimeError("start() comes first")
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._http.post(self.base_url + path, json=body, headers=headers) as response:
            answer: Json = await response.json()
        if "error" in answer:
            raise GraphRefused(response.status, answer["error"])
        return answer

    async def get(self, path: str) -> Json:
        """A Graph GET with the Page token. Raises `GraphRefused`."""
        if self._http is None:
            raise RuntimeError("start() comes first")
        async with self._http.get(self.base_url + path, headers={"Authorization": f"Bearer {self.token}"}) as response:
            answer: Json = await response.json()
        if "error" in answer:
            raise GraphRefused(response.status, answer["error"])
        return answer

    # --- webhooks -----------------------------------------------------------------------------------------------------

    async def expect(
        self,
        event: str,
        call_id: str | None = None,
        timeout_s: float = 10.0,
        *,
        where: Callable[[Received], bool] = lambda _: True,
        **members: Any,
    ) -> Received:
        """The first webhook of that event (and call, and members) for which `where` holds, now or later.

        Raises `TimeoutError` with what came instead.
        """

        def found() -> Received | None:
            for received in self.received:
                same_call = call_id is None or received.item["id"] == call_id
                same = all(received.item.get(key) == value for key, value in members.items())
                if received.event == event and same_call and same and where(received):
                    return received
            return None

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), timeout_s)
            except TimeoutError:
                came = [received.event for received in self.received]
                raise TimeoutError(f"no webhook {event} {members or ''} within {timeout_s} s; these came: {came}") from None
        match = found()
        if match is None:
            raise TimeoutError(event)
        return match

    def events(self, call_id: str) -> list[str]:
        """The events of one call in the order of their coming."""
        return [received.event for received in self.received if received.item["id"] == call_id]

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not signing.verify(self.secret, body, request.headers.get("X-Hub-Signature-256", "")):
            return web.Response(status=403)
        decoded: Json = msgspec.json.decode(body)
        (entry,) = decoded["entry"]
        received = Received(entry["calls"][0] if "calls" in entry else entry, decoded, asyncio.get_running_loop().time(), body)
        if self.status == 200:
            async with self._news:
                self.received.append(received)
                self._news.notify_all()
            self._on_webhook(received)
        return web.Response(status=self.status)

    async def _verify(self, request: web.Request) -> web.Response:
        if request.query.get("hub.verify_token") != self.verify_token:
            return web.Response(status=403)
        return web.Response(text=request.query.get("hub.challenge", ""))
