"""The messages' part of the store's contract, on every implementation."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from pagecalls.call.messages import Button
from pagecalls.store.base import (
    CallButton,
    Consumer,
    Message,
    MessageKind,
    PermissionRequest,
    RequestState,
    Store,
    Transaction,
)
from pagecalls.types import AppId, MessageId, Platform
from tests.contract.store_samples import NOW, PAGE, PSID, PSIDS

T = TypeVar("T")


def a_message(number: int, kind: MessageKind = MessageKind.TEXT) -> Message:
    return Message(MessageId(f"m_{number}"), PAGE, PSID, kind, NOW + number, f"Message {number}")


def a_request(number: int) -> PermissionRequest:
    return PermissionRequest(MessageId(f"r_{number}"), PAGE, PSID, NOW + number, NOW + number + 100)


def a_button(number: int, expires_at: float) -> CallButton:
    return CallButton(f"m_{number}", PAGE, PSID, "Call", expires_at)


async def shown(store: Store, now: float = NOW, limit: int = 9) -> list[str]:
    return await store.read(lambda tx: [each.id for each in tx.messages_to_show(PAGE, PSID, now, limit)])


async def test_a_message_comes_back_whole(store: Store) -> None:
    message = Message(
        MessageId("m_1"), PAGE, PSID, MessageKind.BUTTON, NOW, "Gr\u00fc\u00dfe \U0001f375",
        (Button("audio_call", "Call", NOW + 5.5), Button("web_url", "Site", None, "https://example.org", "p")),
        AppId("1001"), (("messaging_type", "response"),), NOW + 1.5,
    )  # fmt: skip
    await store.write(lambda tx: tx.add_message(message))
    assert await store.read(lambda tx: tx.message(MessageId("m_1"))) == message
    assert await store.read(lambda tx: tx.message(MessageId("m_2"))) is None


async def test_what_a_device_is_shown(store: Store) -> None:
    def fill(tx: Transaction) -> None:
        for number in (1, 2, 3):
            tx.add_message(a_message(number))
        tx.add_message(a_message(4, MessageKind.FROM_CONSUMER))
        tx.add_message(a_message(5, MessageKind.CALLING_OPTIN))
        tx.add_message(replace(a_message(6), psid=PSIDS[1]))
        tx.add_call_button(a_button(2, NOW + 50))
        tx.add_call_button(a_button(2, NOW + 60))

    await store.write(fill)
    assert await shown(store) == ["m_1", "m_2", "m_3"]
    assert await shown(store, limit=2) == ["m_2", "m_3"]
    for number, is_first in ((1, True), (2, True), (1, False), (9, False)):
        noted = await store.write(lambda tx, n=number: tx.message_delivered(MessageId(f"m_{n}"), NOW + 20))  # type: ignore[misc]
        assert noted is is_first
    assert await shown(store, NOW + 59.9) == ["m_2", "m_3"]
    assert await shown(store, NOW + 60) == ["m_3"]
    first = await store.read(lambda tx: tx.message(MessageId("m_1")))
    assert first is not None
    assert first.delivered_at == NOW + 20


async def test_old_messages_of_a_thread_go(store: Store) -> None:
    def fill(tx: Transaction) -> None:
        for number in range(1, 6):
            tx.add_message(a_message(number))
        tx.add_message(replace(a_message(9), psid=PSIDS[1]))

    await store.write(fill)
    for keep, left in ((9, 5), (5, 5), (2, 2), (0, 0)):
        await store.write(lambda tx, n=keep: tx.trim_messages(PAGE, PSID, n))  # type: ignore[misc]
        assert await shown(store) == [f"m_{number}" for number in range(6 - left, 6)]
    assert await store.read(lambda tx: tx.message(MessageId("m_9"))) is not None


async def test_which_message_has_a_button_that_works(store: Store) -> None:
    await store.write(lambda tx: tx.add_call_button(a_button(1, NOW + 5)))
    for psid, message_id, now, expected in (
        (PSID, "m_1", NOW + 4.9, True),
        (PSID, "m_1", NOW + 5, False),
        (PSID, "m_2", NOW, False),
        (PSIDS[1], "m_1", NOW, False),
    ):
        found = await store.read(lambda tx, a=psid, b=message_id, c=now: tx.is_live_button(PAGE, a, b, c))  # type: ignore[misc]
        assert found is expected


async def test_a_newer_request_replaces_an_open_one(store: Store) -> None:
    async def states() -> list[RequestState]:
        found = await store.read(lambda tx: [tx.permission_request(f"r_{number}") for number in (1, 2, 3)])
        return [each.state for each in found if each is not None]

    await store.write(lambda tx: tx.add_permission_request(a_request(1)))
    await store.write(lambda tx: tx.add_permission_request(a_request(2)))
    assert await states() == [RequestState.REPLACED, RequestState.OPEN]
    await store.write(lambda tx: tx.answer_request("r_2", RequestState.REJECTED))
    await store.write(lambda tx: tx.add_permission_request(a_request(3)))
    assert await states() == [RequestState.REPLACED, RequestState.REJECTED, RequestState.OPEN]
    assert await store.read(lambda tx: tx.open_request(PAGE, PSID, NOW + 102.9)) == a_request(3)
    assert await store.read(lambda tx: tx.open_request(PAGE, PSID, NOW + 103)) is None
    assert await store.read(lambda tx: tx.open_request(PAGE, PSIDS[1], NOW)) is None
    for since, count in ((NOW, 3), (NOW + 1, 2), (NOW + 3, 0)):
        assert await store.read(lambda tx, at=since: tx.requests_sent(PAGE, PSID, at)) == count  # type: ignore[misc]


async def test_the_last_contact(store: Store) -> None:
    async def last(psid: str = PSID) -> float | None:
        return await store.read(lambda tx: tx.last_contact(PAGE, psid))  # type: ignore[arg-type]

    assert await last() is None
    await store.write(lambda tx: tx.note_contact(PAGE, PSID, NOW + 1.5))
    await store.write(lambda tx: tx.note_contact(PAGE, "404", NOW))  # type: ignore[arg-type]
    assert (await last(), await last("404")) == (NOW + 1.5, None)
    await store.write(lambda tx: tx.put_consumer(Consumer(PSID, PAGE, Platform.MESSENGER, "Another name")))
    assert await last() == NOW + 1.5


async def test_a_permission_is_taken_away(store: Store) -> None:
    await store.write(lambda tx: tx.put_permission(PAGE, PSID, NOW))
    assert await store.write(lambda tx: tx.delete_permission(PAGE, PSID)) is True
    assert await store.write(lambda tx: tx.delete_permission(PAGE, PSID)) is False
    assert await store.read(lambda tx: tx.permission(PAGE, PSID)) is None


async def test_all_of_it_goes_with_the_consumer(store: Store) -> None:
    def fill(tx: Transaction) -> None:
        for psid in PSIDS[:2]:
            tx.add_message(replace(a_message(1), id=MessageId(f"m_{psid}"), psid=psid))
            tx.add_permission_request(replace(a_request(1), id=MessageId(f"r_{psid}"), psid=psid))
            tx.add_call_button(replace(a_button(1, NOW + 5), message_id=f"m_{psid}", psid=psid))

    await store.write(fill)
    await store.write(lambda tx: tx.erase_consumer(PAGE, PSID))
    for psid, is_left in ((PSID, False), (PSIDS[1], True)):

        def left(tx: Transaction, psid: str = psid) -> list[bool]:
            message, request = tx.message(MessageId(f"m_{psid}")), tx.permission_request(f"r_{psid}")
            return [message is not None, request is not None, tx.has_live_button(PAGE, psid, NOW)]  # type: ignore[arg-type]

        assert await store.read(left) == [is_left] * 3
