"""Messages on their way to a consumer's devices, the window that they need, and buttons that call (messenger-calling 8.4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pagecalls.consumer.line import Line
from pagecalls.demo.device import ConsumerDevice, DeviceRefused
from pagecalls.errors import Unavailable
from pagecalls.store.transaction import SqliteTransaction
from pagecalls.switchboard.base import DeviceIdentity
from pagecalls.switchboard.messages import SHOWN_ON_CONNECT, Messages
from pagecalls.types import DeviceId, MessageId, PageId, Platform, Psid

from .conftest import AIORTC, CHROMIUM, World, offered
from .thread import DAY_S, WEEK_S, answer, ask, button, refused, say, seen, templated, write


class NoSocket:
    """Of a line that is over."""

    async def send_text(self, data: str) -> None:
        raise AssertionError

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        raise AssertionError


async def ids(device: ConsumerDevice, method: str = "message") -> list[str]:
    return [each["message_id"] for each in await seen(device, method)]


# --- to devices -------------------------------------------------------------------------------------------------------


async def test_a_message_reaches_every_device(world: World) -> None:
    devices = [await world.device(), await world.device((await world.session(psid=world.psid))["access_token"])]
    other = await world.device((await world.session(name="Eve"))["access_token"])
    await say(world, devices[0])
    message_id = await write(world, {"text": "How can we help?"})
    for device in devices:
        assert await seen(device, "message") == [{"message_id": message_id, "page_id": world.page_id, "text": "How can we help?"}]
    assert await seen(other, "message") == []


async def test_what_a_device_sees_of_each_template(world: World) -> None:
    device = await world.device()
    await say(world, device)
    now = int(world.server.clock.now())
    await write(world, templated({"template_type": "call_prompt", "ttl_days": 2}))
    await write(world, button("Ring", 1))
    elements = [
        {"title": "Tea", "buttons": [{"type": "web_url", "title": "More", "url": "https://example.org"}]},
        {"title": "Cake"},
    ]
    await write(world, templated({"template_type": "generic", "elements": elements}))
    prompt, single, several = await seen(device, "message")
    assert "text" not in prompt
    (call,) = prompt["buttons"]
    assert (call["type"], call["title"]) == ("audio_call", "Call")
    assert call["expires_at"] == pytest.approx(now + 2 * DAY_S, abs=3)
    assert single["text"] == "Questions?"
    assert single["buttons"][0]["title"] == "Ring"
    assert single["buttons"][0]["expires_at"] == pytest.approx(now + DAY_S, abs=3)
    assert several["text"] == "Tea\nCake"
    assert several["buttons"] == [{"type": "web_url", "title": "More"}]


async def test_who_connects_later_sees_what_nobody_has_seen(world: World) -> None:
    device = await world.device()
    await say(world, device)
    await device.close()
    sent = [await write(world, {"text": f"Message {number}"}) for number in range(3)]
    request_id = await ask(world)
    device = await world.device()
    assert await ids(device) == sent
    assert [each["request_id"] for each in await seen(device, "permission.request")] == [request_id]
    await world.settle()
    again = await world.device()
    assert await ids(again) == []  # once
    assert [each["request_id"] for each in await seen(again, "permission.request")] == [request_id]  # until it is answered
    await answer(again, request_id)
    assert await seen(await world.device(), "permission.request") == []


async def test_a_device_whose_socket_is_gone_has_seen_nothing(world: World) -> None:
    """It is still known as connected for a moment: what is written then waits for the next device."""
    device = await world.device()
    await say(world, device)
    await device.close()
    await world.settle()
    over = Line(NoSocket())
    over.abandon()
    gone = DeviceIdentity(DeviceId("d_gone"), Psid(world.psid), PageId(world.page_id), Platform.MESSENGER, "Ann")
    world.server.calls.devices.add(gone, over)
    message_id, request_id = await write(world, {"text": "Hello"}), await ask(world)
    await Messages(world.server.calls).show_to(gone, over)
    await world.settle()
    world.server.calls.devices.remove(gone, over)
    stored = await world.server.calls.store.read(lambda tx: [tx.message(MessageId(each)) for each in (message_id, request_id)])
    assert [message.delivered_at for message in stored if message] == [None, None]
    assert await ids(await world.device()) == [message_id]


async def test_a_button_is_shown_as_long_as_it_works(world: World) -> None:
    device = await world.device()
    await say(world, device)
    short, long = await write(world, button(days=1)), await write(world, button(days=2))
    assert await ids(device) == [short, long]
    tablet = await world.session(psid=world.psid)
    assert await ids(await world.device(tablet["access_token"])) == [short, long]
    await world.advance(DAY_S)
    assert await ids(await world.device(tablet["access_token"])) == [long]
    await world.advance(DAY_S)
    assert await ids(await world.device(tablet["access_token"])) == []


async def test_who_connects_at_that_moment_sees_it_once(world: World) -> None:
    """Whichever comes first, the device or the message: it is not missed, and does not come twice."""
    await say(world, await world.device())
    tokens = [(await world.session(psid=world.psid))["access_token"] for _ in range(8)]
    for token in tokens:
        device, message_id = await asyncio.gather(world.device(token), write(world, button()))
        assert (await ids(device)).count(message_id) == 1


async def test_not_everything_comes_at_once(world: World) -> None:
    device = await world.device()
    await say(world, device)
    await device.close()
    sent = [await write(world, {"text": f"Message {number}"}) for number in range(SHOWN_ON_CONNECT + 3)]
    assert await ids(await world.device()) == sent[3:]


async def test_a_live_call_comes_before_messages(world: World) -> None:
    device = await world.device()
    await world.start_call(device)
    await device.close()
    message_id = await write(world, {"text": "Hello"})
    device = await world.device()
    await device.request("ping")
    assert [each.method for each in device.received] == ["call.resumed", "message"]
    assert await ids(device) == [message_id]


# --- the window -------------------------------------------------------------------------------------------------------


async def test_a_message_opens_the_window(world: World) -> None:
    device = await world.device()
    hello = {"text": "Hello"}
    assert await refused(write(world, hello)) == (10, 2018278)
    await say(world, device)
    await write(world, hello)
    await world.advance(DAY_S)
    assert await refused(write(world, hello)) == (10, 2018278)
    human: dict[str, Any] = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    await write(world, hello, **human)
    await world.advance(6 * DAY_S)
    assert await refused(write(world, hello, **human)) == (10, 2018278)


async def test_a_call_opens_the_window(world: World) -> None:
    device = await world.device()
    await device.request("call.hangup", call_id=await world.start_call(device))
    await write(world, {"text": "Sorry, we were busy"})


async def test_an_answer_opens_the_window(world: World) -> None:
    device = await world.device()
    await say(world, device)
    request_id = await ask(world)
    await world.advance(2 * DAY_S)
    assert await refused(write(world, {"text": "Hello"})) == (10, 2018278)
    await answer(device, request_id, "reject")
    await write(world, {"text": "As you wish"})


async def test_calling_back_opens_the_window(world: World) -> None:
    """The device calls while the Page calls it, and so picks up."""
    device = await world.device()
    await world.grant()
    call_id = (await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"]
    assert await refused(write(world, {"text": "Hello"})) == (10, 2018278)
    assert await world.start_call(device) == call_id
    await write(world, {"text": "Hello"})


async def test_calling_back_is_refused_whole_when_the_contact_cannot_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call rings on, and nothing of it is held back."""
    device = await world.device()
    await world.grant()
    call_id = (await world.app.call("connect", to=world.psid, session=offered(CHROMIUM)))["call_id"]
    await device.expect("call.incoming", call_id=call_id)

    def full(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(SqliteTransaction, "note_contact", full)
        with pytest.raises(DeviceRefused):
            await world.start_call(device)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    await world.app.expect("call_status", call_id, call_status="accepted")


async def test_only_its_own_page_is_written_to(world: World) -> None:
    device = await world.device()
    assert await refused(device.request("message.send", page_id="404", text="Hello")) == (100, 9905011)
    assert await refused(device.request("message.send", page_id=world.page_id, text="x" * 2001)) == (100, 9905011)
    assert await refused(write(world, {"text": "Hello"})) == (10, 2018278)


# --- buttons ----------------------------------------------------------------------------------------------------------


async def call_by(world: World, device: ConsumerDevice, message_id: str) -> str:
    started = await device.request("call.start", page_id=world.page_id, session=offered(CHROMIUM), message_id=message_id)
    return str(started["call_id"])


async def test_a_button_calls_until_it_expires(world: World) -> None:
    device = await world.device()
    await say(world, device)
    message_id = await write(world, button(days=3))
    for _ in range(2):  # it is not used up
        call_id = await call_by(world, device, message_id)
        await world.app.expect("connect", call_id)
        await device.request("call.hangup", call_id=call_id)
    await world.advance(3 * DAY_S)
    assert await refused(call_by(world, device, message_id)) == (100, 9902009)
    assert await world.is_clean()


async def test_messages_without_a_button_do_not_call(world: World) -> None:
    device = await world.device()
    await say(world, device)
    plain = await write(world, {"text": "Hello"})
    link = {"type": "web_url", "title": "Site"}
    other = await write(world, templated({"template_type": "button", "text": "?", "buttons": [link]}))
    mine = await write(world, button())
    eve = await world.device((await world.session(name="Eve"))["access_token"])
    for each in (plain, other, await ask(world), "m_unknown"):
        assert await refused(call_by(world, device, each)) == (100, 9902009)
    assert await refused(call_by(world, eve, mine)) == (100, 9902009)
    assert world.app.received == []


async def test_a_call_by_a_button_opens_the_window(world: World) -> None:
    device = await world.device()
    await say(world, device)
    message_id = await write(world, button())
    await world.advance(2 * DAY_S)
    assert await refused(write(world, {"text": "Hello"})) == (10, 2018278)
    await call_by(world, device, message_id)
    await write(world, {"text": "Hello"})


# --- for operators ----------------------------------------------------------------------------------------------------


async def test_the_journal_tells_what_happened_and_no_words(world: World) -> None:
    device = await world.device()
    await say(world, device, "my secret")
    message_id = await write(world, {"text": "our secret"})
    request_id = await ask(world)
    await answer(device, request_id)
    await device.request("permission.revoke", page_id=world.page_id)
    await world.settle()
    entries = [entry for entry in await world.server.calls.journal.after(0, 0) if not entry["kind"].startswith("webhook")]
    noted = [(entry["kind"], entry["facts"].get("message_id") or entry["facts"].get("request_id")) for entry in entries]
    assert noted[1:] == [
        ("message_sent", message_id),
        ("message_delivered", message_id),
        ("message_sent", request_id),
        ("message_delivered", request_id),
        ("permission_reply", request_id),
        ("permission_revoked", None),
    ]
    assert (noted[0][0], entries[0]["facts"]["chars"]) == ("message_received", len("my secret"))
    assert "secret" not in repr(entries)
    assert entries[3]["facts"]["what"] == "calling_optin"


async def test_an_expired_request_is_not_shown(world: World) -> None:
    device = await world.device()
    await say(world, device)
    await ask(world)
    await world.advance(WEEK_S)
    assert await seen(await world.device(), "permission.request") == []


# --- with the Page's settings -----------------------------------------------------------------------------------------


async def test_a_button_calls_while_the_icon_is_hidden(world: World) -> None:
    """With or without the message's name; and no longer than the button works (9.3)."""
    device = await world.device()
    await say(world, device)
    await world.app.post(f"/v26.0/{world.page_id}/messenger_call_settings", {"icon_enabled": False})
    with pytest.raises(DeviceRefused) as hidden:
        await world.start_call(device)
    assert hidden.value.data["reason"] == "calling_disabled"
    message_id = await write(world, templated({"template_type": "call_prompt", "ttl_days": 1}))
    for call_id in (await call_by(world, device, message_id), None):
        await device.request("call.hangup", call_id=call_id or await world.start_call(device))
    await world.advance(DAY_S)
    with pytest.raises(DeviceRefused):
        await world.start_call(device)
