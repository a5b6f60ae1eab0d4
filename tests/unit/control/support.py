"""An operator's face with small doubles behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from pagecalls.clock import SteppedClock
from pagecalls.control.app import build_control
from pagecalls.control.base import ControlParts
from pagecalls.errors import NoSuchConsumer, UnknownObject
from pagecalls.http import HostGuard
from pagecalls.store.base import App, Page
from pagecalls.switchboard.directory import NewApp
from pagecalls.switchboard.report import CallReport
from pagecalls.types import AppId, CallId, PageId, Psid
from tests.asgi_client import Reply, exchange

TOKEN = "admin-token"
PAGE = Page(PageId("1001"), "Tea House")


class Accounts:
    """One Page and one person."""

    async def add_app(self, app_id: AppId, name: str, page_id: PageId) -> NewApp:
        if page_id != PAGE.id:
            raise UnknownObject("post", page_id)
        return NewApp(App(app_id, name, "new-secret"), PAGE, "EAAnew")

    async def grant_permission(self, page_id: PageId, psid: Psid, ttl_s: float) -> float:
        if page_id != PAGE.id:
            raise UnknownObject("post", page_id)
        if psid != "2002":
            raise NoSuchConsumer
        return 1000.5 + ttl_s


@dataclass(slots=True)
class Journal:
    """Entries that are there, and whoever waits for more."""

    entries: list[dict[str, object]] = field(default_factory=list)
    asked: list[tuple[int, float]] = field(default_factory=list)
    is_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    was_cancelled: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def after(self, seq: int, wait_s: float) -> Sequence[Mapping[str, object]]:
        self.asked.append((seq, wait_s))
        if wait_s:
            self.is_waiting.set()
            try:
                await self.news.wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        return self.entries[seq:]


@dataclass(slots=True)
class Desk:
    """The face, and what the tests turn behind it."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    journal: Journal = field(default_factory=Journal)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    reason: str | None = None
    admin_token: str = field(default=TOKEN, repr=False)
    fault: Exception | None = None
    reports: dict[CallId, CallReport] = field(default_factory=dict)

    async def call_report(self, call_id: CallId) -> CallReport | None:
        return self.reports.get(call_id)

    @property
    def parts(self) -> ControlParts:
        return ControlParts(
            admin_token=self.admin_token,
            hosts=HostGuard.of(["calls.example"]),
            registry=self.registry,
            clock=self.clock,
            advance=self._advance,
            unready=lambda: self.reason,
            accounts=Accounts(),
            journal=self.journal,
            calls=self,
            new_app_id=lambda: AppId("9009"),
        )

    @property
    def app(self) -> ASGIApp:
        return build_control(self.parts)

    async def _advance(self, seconds: float) -> None:
        if self.fault is not None:
            raise self.fault
        await asyncio.sleep(0)
        self.clock.advance(seconds)

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """A request from home with the admin token, unless `headers` say otherwise."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"host": "127.0.0.1:8080", "authorization": f"Bearer {TOKEN}", **headers}
        return await exchange(self.app, method, path, {name: value for name, value in given.items() if value}, content)


def refused(reply: Reply) -> tuple[int, str]:
    """Status and `error.code`, after checking the shape."""
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert list(reply.json) == ["error"]
    assert list(reply.json["error"]) == ["message", "code"]
    return reply.status, reply.json["error"]["code"]
