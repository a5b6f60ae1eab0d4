"""When the webhook of an answer leaves, and what stands when it cannot be stored."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.errors import NoSuchConsumer, RequestClosed, UnknownObject
from pagecalls.media.fake import FakeEngine
from pagecalls.store.base import (
    App,
    AppSubscription,
    Consumer,
    Hold,
    Page,
    PageSubscription,
    PermissionRequest,
    RequestState,
    Transaction,
)
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.base import DeviceIdentity
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.permissions import Grants, Permissions
from pagecalls.types import AppId, DeviceId, MessageId, PageId, Platform, Psid

APP, PAGE, PSID, REQUEST = AppId("9001"), PageId("1001"), Psid("2002"), MessageId("m_1")
ADA = DeviceIdentity(DeviceId("d1"), PSID, PAGE, Platform.MESSENGER, "Ada")
FIELD = ("call_permission_reply",)


@dataclass
class Courier:
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1


@dataclass
class Desk:
    calls: Calls
    permissions: Permissions
    courier: Courier = field(default_factory=Courier)

    async def holds(self) -> list[Hold]:
        rows = await self.calls.store.read(lambda tx: [tx.outbox_row(number) for number in range(1, 5)])
        return [row.hold for row in rows if row is not None]


def fill(tx: Transaction) -> None:
    tx.put_app(App(APP, "Desk", "secret"))
    tx.put_page(Page(PAGE, "Tea House"))
    tx.put_consumer(Consumer(PSID, PAGE, Platform.MESSENGER, "Ada"))
    tx.put_app_subscription(AppSubscription(APP, "page", "http://127.0.0.1:9/", "v", FIELD))
    tx.put_page_subscription(PageSubscription(APP, PAGE, FIELD))
    tx.add_permission_request(PermissionRequest(REQUEST, PAGE, PSID, 0.0, 2e9))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock, store = SteppedClock(1e9), SqliteStore.open(None)
    await store.write(fill)
    calls = Calls(store, FakeEngine(clock), clock, Ids(random.Random(1)), Journal(clock), Devices())
    desk = Desk(calls, Permissions(calls))
    calls.courier = desk.courier
    yield desk
    await store.close()


async def test_the_webhook_waits_for_the_response(desk: Desk) -> None:
    """Ruling 18."""
    reply = await desk.permissions.reply(ADA, REQUEST, True)
    assert (await desk.holds(), desk.courier.woken) == ([Hold.HELD], 0)
    reply.release()
    reply.release()
    await desk.calls.settled()
    assert (await desk.holds(), desk.courier.woken) == ([Hold.READY], 1)


async def test_a_refused_answer_changes_nothing(desk: Desk) -> None:
    await desk.permissions.reply(ADA, REQUEST, False)
    with pytest.raises(RequestClosed):
        await desk.permissions.reply(ADA, REQUEST, True)
    assert len(await desk.holds()) == 1
    request = await desk.calls.store.read(lambda tx: tx.permission_request(REQUEST))
    assert request is not None
    assert request.state is RequestState.REJECTED
    assert await desk.calls.store.read(lambda tx: tx.permission(PAGE, PSID)) is None


async def test_grants_need_no_server(desk: Desk) -> None:
    """As a command uses them on a data directory without one."""
    grants = Grants(desk.calls.store, desk.calls.clock, Journal(desk.calls.clock))
    expires_at = await grants.grant(PAGE, PSID, 60)
    assert expires_at == desk.calls.clock.now() + 60
    assert await grants.grant(PAGE, PSID, 30) == expires_at
    assert await grants.revoke(PAGE, PSID) is True
    for unknown in (grants.grant(PAGE, Psid("404"), 60), grants.revoke(PAGE, Psid("404"))):
        with pytest.raises(NoSuchConsumer):
            await unknown
    with pytest.raises(UnknownObject):
        await grants.revoke(PageId("404"), PSID)
