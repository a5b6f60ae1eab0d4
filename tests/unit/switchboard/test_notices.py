from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pagecalls.call.effects import Carrier, NotifyConnect, NotifyStatus
from pagecalls.call.machine import start_business_call
from pagecalls.call.model import Call
from pagecalls.store.base import (
    App,
    AppSubscription,
    CallRecord,
    Consumer,
    Hold,
    Page,
    PageSubscription,
    Transaction,
    WebhookKind,
)
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.notices import Notices
from pagecalls.switchboard.offers import Offer
from pagecalls.types import AppId, CallId, PageId, Platform, Psid

PAGE, PSID, OWNER, OTHER = PageId("10"), Psid("20"), AppId("1"), AppId("2")
CALL, _ = start_business_call(id=CallId("c_1"), page_id=PAGE, psid=PSID, platform=Platform.MESSENGER, owner=OWNER, now=1000.0)


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(None)

    def work(tx: Transaction) -> None:
        tx.put_page(Page(PAGE, "Page"))
        for app in (OWNER, OTHER):
            tx.put_app(App(app, "App", "secret"))
            tx.put_app_subscription(AppSubscription(app, "page", "http://127.0.0.1:1/", "v", ("calls",)))
            tx.put_page_subscription(PageSubscription(app, PAGE, ("calls",)))
        tx.put_consumer(Consumer(PSID, PAGE, Platform.MESSENGER, "Consumer"))
        tx.put_call(CallRecord(CALL))

    await store.write(work)
    yield store
    await store.close()


def notices() -> Notices:
    return Notices(Ids(random.Random(1)))


async def kinds(store: SqliteStore, ids: list[int]) -> list[tuple[AppId, WebhookKind, Hold]]:
    rows = await store.read(lambda tx: [tx.outbox_row(row_id) for row_id in ids])
    return [(row.app_id, row.kind, row.hold) for row in rows if row is not None]


async def test_all_apps_or_the_owner(store: SqliteStore) -> None:
    effects = (NotifyConnect(), NotifyStatus("ringing"))
    written = await store.write(lambda tx: notices().write(tx, CALL, effects, Offer(1, "v=0", Carrier.PICK_UP), 1000.0))
    assert await kinds(store, written.ids) == [
        (OWNER, WebhookKind.CONNECT, Hold.READY),
        (OTHER, WebhookKind.CONNECT, Hold.READY),
        (OWNER, WebhookKind.CALL_STATUS, Hold.READY),
        (OWNER, WebhookKind.MEDIA_UPDATE, Hold.READY),
    ]


async def test_who_got_the_connect_is_kept(store: SqliteStore) -> None:
    """For the report on a call that nobody took (messenger-calling 11.3); other events say nothing about that."""
    await store.write(lambda tx: notices().write(tx, CALL, (NotifyStatus("ringing"),), None, 1000.0))
    assert await store.read(lambda tx: tx.told_apps(CALL.id)) == frozenset()
    await store.write(lambda tx: tx.delete_page_subscription(OTHER, PAGE))
    await store.write(lambda tx: notices().write(tx, CALL, (NotifyConnect(),), None, 1000.0))
    assert await store.read(lambda tx: tx.told_apps(CALL.id)) == {OWNER}


async def test_an_offer_in_a_response_needs_no_webhook(store: SqliteStore) -> None:
    written = await store.write(lambda tx: notices().write(tx, CALL, (), Offer(1, "v=0", Carrier.RESPONSE), 1000.0))
    assert written.ids == []


async def test_one_event_has_one_id_for_all_its_receivers(store: SqliteStore) -> None:
    written = await store.write(lambda tx: notices().write(tx, CALL, (NotifyConnect(),), None, 1000.0))
    rows = await store.read(lambda tx: [tx.outbox_row(row_id) for row_id in written.ids])
    assert len({row.event_id for row in rows if row is not None}) == 1
    assert len({row.body for row in rows if row is not None}) == 1


async def test_rows_wait_for_every_holder(store: SqliteStore) -> None:
    desk = notices()
    desk.hold(CALL.id)
    first = await store.write(lambda tx: desk.write(tx, CALL, (NotifyConnect(),), None, 1000.0))
    assert desk.written(CALL.id, first) == []
    desk.hold(CALL.id)
    second = await store.write(lambda tx: desk.write(tx, CALL, (NotifyConnect(),), None, 1000.0))
    assert desk.written(CALL.id, second) == []
    assert {hold for _, _, hold in await kinds(store, first.ids + second.ids)} == {Hold.HELD}
    assert desk.let_go(CALL.id) == []
    assert desk.let_go(CALL.id) == first.ids + second.ids


async def test_a_holder_that_lets_go_during_the_write_loses_no_row(store: SqliteStore) -> None:
    """The rows are written as held, and when that is known nobody holds them any more: they are to be released at once."""
    desk = notices()
    desk.hold(CALL.id)
    written = await store.write(lambda tx: desk.write(tx, CALL, (NotifyConnect(),), None, 1000.0))
    assert desk.let_go(CALL.id) == []
    assert desk.written(CALL.id, written) == written.ids


async def test_instagram_has_an_object_of_its_own(store: SqliteStore) -> None:
    call: Call = replace(CALL, platform=Platform.INSTAGRAM)
    written = await store.write(lambda tx: notices().write(tx, call, (NotifyConnect(),), None, 1000.0))
    assert written.ids == []
