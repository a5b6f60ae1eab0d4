"""Puts the operator's services together: for a server, and for a command on a data directory that no server uses.

The same face answers both, so a command does the same whether a server runs or not; what needs one says so.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from pagecalls.call.settings import CallSettings, SettingsChange
from pagecalls.clock import Clock, SystemClock
from pagecalls.control.app import build_control
from pagecalls.control.base import ControlParts, Office
from pagecalls.data_dir import DATABASE, sole_user
from pagecalls.graph.versions import SERVED
from pagecalls.http import HostGuard
from pagecalls.store.base import Store
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.accounts import Accounts
from pagecalls.switchboard.base import Release, Trial
from pagecalls.switchboard.deliveries import Deliveries
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.oauth import OAuthDesk
from pagecalls.switchboard.people import People, Presence
from pagecalls.switchboard.permissions import Grants
from pagecalls.switchboard.registers import InUse
from pagecalls.switchboard.report import CallReport
from pagecalls.switchboard.tokens import AccessTokens
from pagecalls.switchboard.user_pages import UserPages
from pagecalls.types import AppId, CallId, DeviceId, PageId, Psid

NO_SERVER = "No server runs on this data directory; start it with pagecalls serve."


def office(store: Store, clock: Clock, ids: Ids, presence: Presence) -> Office:
    """The services over a store."""
    people = People(store, clock, ids, presence)
    return Office(
        accounts=Accounts(store, clock, ids, people),
        tokens=AccessTokens(store, clock, ids),
        people=people,
        oauth=OAuthDesk(store, clock, ids),
        user_pages=UserPages(store),
        versions=SERVED,
    )


class Absent:
    """Stands where a running server would: what needs no server goes on, the rest is refused with `InUse`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @asynccontextmanager
    async def alone_with(self, page_id: PageId, psid: Psid) -> AsyncIterator[None]:
        """See `people.Presence`. A call that is live in the store waits for the next server to end it."""
        record = await self._store.read(lambda tx: tx.live_call(page_id, psid))
        if record is not None:
            raise InUse(f"Call {record.call.id} was never ended. {NO_SERVER}")
        yield

    def close_device(self, device_id: DeviceId) -> None:
        """No device is connected."""

    async def verify(self, url: str, verify_token: str) -> None:
        """See `CallbackVerifier`."""
        raise InUse(NO_SERVER)

    async def try_out(self, url: str, verify_token: str, headers: Mapping[str, str], body: bytes) -> Trial:
        """See `CallbackTester`."""
        raise InUse(NO_SERVER)

    def wake(self) -> None:
        """What is to be sent waits for the next server."""

    async def after(self, seq: int, wait_s: float) -> Sequence[Mapping[str, object]]:
        """See `control.base.Journal`."""
        raise InUse(NO_SERVER)

    async def call_report(self, call_id: CallId) -> CallReport | None:
        """See `control.base.Calls`."""
        raise InUse(NO_SERVER)

    async def read(self, page_id: PageId) -> CallSettings:
        """See `control.base.CallSettingsOffice`. What holds by default is known to a server alone."""
        raise InUse(NO_SERVER)

    async def change(self, page_id: PageId, change: SettingsChange, app_id: AppId | None) -> tuple[CallSettings, Release]:
        """Likewise."""
        raise InUse(NO_SERVER)

    async def advance(self, seconds: float) -> None:
        """See `control.base.ControlParts`."""
        raise InUse(NO_SERVER)


@asynccontextmanager
async def without_server(data_dir: Path, admin_token: str, *, may_migrate: bool) -> AsyncIterator[ASGIApp]:
    """The operator's face over the stored data of a directory that is then nobody else's. `may_migrate`: as for a server.

    Raises `DataDirInUse`, `SettingsError`, `UnusableDatabase`.
    """
    with sole_user(data_dir):
        store = SqliteStore.open(data_dir / DATABASE, may_migrate=may_migrate)
        try:
            clock, absent, ids = SystemClock(), Absent(store), Ids(secrets.SystemRandom())
            yield build_control(
                ControlParts(
                    admin_token=admin_token,
                    hosts=HostGuard(),
                    registry=CollectorRegistry(),
                    clock=clock,
                    advance=absent.advance,
                    unready=lambda: "no server runs",
                    office=office(store, clock, ids, absent),
                    permissions=Grants(store, clock, Journal(clock)),
                    journal=absent,
                    calls=absent,
                    settings=absent,
                    deliveries=Deliveries(store, clock, absent, absent, ids),
                )
            )
        finally:
            await store.close()
