"""An operator's face with small doubles behind it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from pagecalls.call.settings import CallSettings, SettingsChange, changed
from pagecalls.clock import SteppedClock
from pagecalls.control.app import build_control
from pagecalls.control.base import ControlParts
from pagecalls.errors import NoSuchConsumer, UnknownObject
from pagecalls.http import HostGuard
from pagecalls.office import office
from pagecalls.store.base import Page
from pagecalls.switchboard.base import Release
from pagecalls.switchboard.deliveries import Deliveries
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.report import CallReport
from pagecalls.types import AppId, CallId, DeviceId, PageId, Psid, RingTarget
from pagecalls.webhooks.base import Failure, Outcome, Trial
from tests.asgi_client import Reply, exchange
from tests.contract.store_model import ModelStore

TOKEN = "admin-token"
PAGE = Page(PageId("1001"), "Tea House")


class Permissions:
    """One Page and one person."""

    async def grant(self, page_id: PageId, psid: Psid, ttl_s: float) -> float:
        self._must_know(page_id, psid)
        return 1000.5 + ttl_s

    async def revoke(self, page_id: PageId, psid: Psid) -> bool:
        self._must_know(page_id, psid)
        return True

    def _must_know(self, page_id: PageId, psid: Psid) -> None:
        if page_id != PAGE.id:
            raise UnknownObject("post", page_id)
        if psid != "2002":
            raise NoSuchConsumer


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
class Presence:
    """A server with devices; it writes down what it is asked."""

    alone: list[tuple[PageId, Psid]] = field(default_factory=list)
    closed: list[DeviceId] = field(default_factory=list)

    @asynccontextmanager
    async def alone_with(self, page_id: PageId, psid: Psid) -> AsyncIterator[None]:
        self.alone.append((page_id, psid))
        yield

    def close_device(self, device_id: DeviceId) -> None:
        self.closed.append(device_id)


def a_store() -> ModelStore:
    """With one Page."""
    store = ModelStore()
    store.write_now(lambda tx: tx.put_page(PAGE))
    return store


@dataclass(slots=True)
class Courier:
    """Counts how often it is woken."""

    wakes: int = 0

    def wake(self) -> None:
        self.wakes += 1


class Tester:
    """A callback that does not answer verifications and says no to events."""

    async def try_out(self, url: str, verify_token: str, headers: Mapping[str, str], body: bytes) -> Trial:
        silence = Outcome(failure=Failure.TIMEOUT, error="timed out", latency_s=4.0)
        return Trial(url, silence, "no echo", headers, body, Outcome(503, "Busy", b"come \x1b[31mlater", latency_s=0.25))


@dataclass(slots=True)
class Desk:
    """The face, and what the tests turn behind it."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    journal: Journal = field(default_factory=Journal)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    reason: str | None = None
    admin_token: str = field(default=TOKEN, repr=False)
    fault: Exception | None = None
    settings: CallSettings = CallSettings(ring_target=RingTarget.META)
    settings_fault: Exception | None = None
    released: list[PageId] = field(default_factory=list)
    reports: dict[CallId, CallReport] = field(default_factory=dict)
    store: ModelStore = field(default_factory=a_store)
    presence: Presence = field(default_factory=Presence)
    ids: Ids = field(default_factory=lambda: Ids(random.Random(7)))
    deliveries: Deliveries | None = None

    async def read(self, page_id: PageId) -> CallSettings:
        if page_id != PAGE.id:
            raise UnknownObject("get", page_id)
        return self.settings

    async def change(self, page_id: PageId, change: SettingsChange, app_id: AppId | None) -> tuple[CallSettings, Release]:
        assert app_id is None
        if self.settings_fault is not None:
            raise self.settings_fault
        self.settings = changed(await self.read(page_id), change)
        return self.settings, lambda: self.released.append(page_id)

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
            office=office(self.store, self.clock, self.ids, self.presence),
            permissions=Permissions(),
            journal=self.journal,
            calls=self,
            settings=self,
            deliveries=self.deliveries or Deliveries(self.store, self.clock, Courier(), Tester(), self.ids),
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


async def desk_with(app_id: str, user_id: str) -> Desk:
    """With an app and a user."""
    desk = Desk()
    await desk.ask("POST", "/_pagecalls/apps", {"name": "Desk", "id": app_id})
    await desk.ask("POST", "/_pagecalls/users", {"name": "Ada", "id": user_id})
    return desk


def refused(reply: Reply) -> tuple[int, str]:
    """Status and `error.code`, after checking the shape."""
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert list(reply.json) == ["error"]
    assert list(reply.json["error"]) == ["message", "code"]
    return reply.status, reply.json["error"]["code"]
