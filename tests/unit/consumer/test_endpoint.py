"""The WebSocket driver on a real server, with a client that is not ours."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pagecalls.consumer.messages import SUBPROTOCOL
from pagecalls.errors import Unavailable
from pagecalls.switchboard.base import TOKEN_GONE
from pagecalls.types import CallId
from tests.unit.consumer.support import OFFER, TOKEN, UNREADABLE_TOKEN, RecordingDoor, ask, build, device, read, serving

PATH = "/consumer/v1"
CALL = CallId("c_1")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def refusal(path: str, headers: dict[str, str], subprotocols: list[str] | None = None) -> tuple[int, object]:
    """Status and error body of an upgrade that is refused."""
    async with serving(build(RecordingDoor())) as port:
        with pytest.raises(InvalidStatus) as caught:
            await connect(
                f"ws://127.0.0.1:{port}{path}",
                additional_headers=headers,
                subprotocols=subprotocols,  # type: ignore[arg-type]
            )
    response = caught.value.response
    return response.status_code, json.loads(response.body or b"{}").get("error", {}).get("type")


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        (PATH, {}, "NoToken"),
        (PATH, {"Authorization": "Bearer bad"}, "BadToken"),
        (PATH, {"Authorization": f"Basic {TOKEN}"}, "NoToken"),
        (f"{PATH}?access_token=bad", {}, "BadToken"),
        (f"{PATH}?access_token=", {}, "NoToken"),
    ],
)
async def test_a_bad_token_is_refused_before_the_upgrade(path: str, headers: dict[str, str], kind: str) -> None:
    assert await refusal(path, headers, [SUBPROTOCOL]) == (401, kind)


async def test_a_token_that_cannot_be_looked_up_now_is_not_called_a_bad_one() -> None:
    assert await refusal(PATH, {"Authorization": f"Bearer {UNREADABLE_TOKEN}"}, [SUBPROTOCOL]) == (503, "Unavailable")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Origin": "https://evil.example"}])
async def test_a_foreign_page_is_refused_before_the_upgrade(headers: dict[str, str]) -> None:
    """The client sends its own `Host` as well, so the first two cases have two."""
    assert (await refusal(PATH, BEARER | headers, [SUBPROTOCOL]))[0] == 403


async def test_a_foreign_name_is_refused_before_the_upgrade() -> None:
    async with serving(build(RecordingDoor())) as port:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://evil.example{PATH}?access_token={TOKEN}", host="127.0.0.1", port=port)
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("subprotocols", [None, ["chat"]])
async def test_the_subprotocol_is_required(subprotocols: list[str] | None) -> None:
    assert await refusal(PATH, BEARER, subprotocols) == (400, "InvalidValue")


async def test_the_subprotocol_is_given_back() -> None:
    async with serving(build(RecordingDoor())) as port, device(port) as socket:
        assert socket.subprotocol == SUBPROTOCOL


async def test_the_token_may_stand_in_the_address() -> None:
    async with serving(build(RecordingDoor())) as port:
        uri = f"ws://127.0.0.1:{port}{PATH}?access_token={TOKEN}"
        async with connect(uri, subprotocols=["chat", SUBPROTOCOL]) as socket:  # type: ignore[list-item]
            assert await ask(socket, "ping") == {"jsonrpc": "2.0", "id": 1, "result": {"time": 1_790_000_000_500}}


async def test_a_device_comes_and_goes() -> None:
    door = RecordingDoor()
    async with serving(build(door)) as port:
        async with device(port):
            await door.until(lambda: len(door.lines) == 1)
            assert door.gone == []
        await door.until(lambda: door.gone == door.lines)


async def test_a_notification_reaches_the_device_and_is_released() -> None:
    door = RecordingDoor()
    async with serving(build(door)) as port, device(port) as socket:
        await door.until(lambda: len(door.lines) == 1)
        handed_over = asyncio.Event()
        door.lines[0].accepted(CALL, "v=0", 0, handed_over.set)
        assert (await read(socket))["method"] == "call.accepted"
        await handed_over.wait()


async def test_the_release_of_a_reply_comes_after_it_left() -> None:
    door = RecordingDoor()
    async with serving(build(door)) as port, device(port) as socket:
        assert "result" in await ask(socket, "call.accept", call_id="c_1", session=OFFER)
        assert door.released == ["accept"]


async def test_frames_that_are_no_requests_leave_the_connection_up() -> None:
    async with serving(build(RecordingDoor())) as port, device(port) as socket:
        for noise in ("{", b"\x00\x01", "[]", "\x00" * 65536):
            await socket.send(noise)
            assert "error" in await read(socket)
        assert "result" in await ask(socket, "ping")


async def test_a_message_over_the_limit_closes_the_connection() -> None:
    async with serving(build(RecordingDoor())) as port, device(port) as socket:
        await socket.send("x" * (1024 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as caught:
            await read(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


async def test_a_message_at_the_limit_is_read() -> None:
    async with serving(build(RecordingDoor())) as port, device(port) as socket:
        ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
        await socket.send(ping + " " * (1024 * 1024 - len(ping)))
        assert "result" in await read(socket)


async def test_requests_are_served_in_order_and_notifications_pass_them() -> None:
    door = RecordingDoor(gate=asyncio.Event())
    async with serving(build(door)) as port, device(port) as socket:
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"call.hangup","params":{"call_id":"c_1"}}')
        await socket.send('{"jsonrpc":"2.0","id":2,"method":"ping"}')
        await door.until(lambda: len(door.asked) == 1)
        door.lines[0].ringing(CALL)
        assert (await read(socket))["method"] == "call.ringing"
        assert door.gate is not None
        door.gate.set()
        assert [(await read(socket))["id"], (await read(socket))["id"]] == [1, 2]


async def test_requests_that_came_before_the_end_still_count() -> None:
    door = RecordingDoor(gate=asyncio.Event())
    async with serving(build(door)) as port:
        async with device(port) as socket:
            await socket.send('{"jsonrpc":"2.0","id":1,"method":"call.dtmf","params":{"call_id":"c_1","digits":"1"}}')
            await socket.send('{"jsonrpc":"2.0","id":2,"method":"call.hangup","params":{"call_id":"c_1"}}')
        assert door.gate is not None
        door.gate.set()
        await door.until(lambda: len(door.gone) == 1)
        assert [what[0] for what in door.asked] == ["dtmf", "hangup"]


async def test_a_newer_connection_replaces_the_older() -> None:
    """The door closes the older line, as the switchboard does; its end must not disturb the newer one."""
    door = RecordingDoor()
    async with serving(build(door)) as port, device(port) as older, device(port) as newer:
        with pytest.raises(ConnectionClosed) as caught:
            await read(older)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4001
        await door.until(lambda: door.gone == door.lines[:1])
        assert "result" in await ask(newer, "ping")


async def test_a_token_that_is_taken_back_while_its_device_connects() -> None:
    """It was good when it was looked at, and the line was not in service yet when it was taken back."""
    door = RecordingDoor()
    async with serving(build(door, looks=1)) as port, device(port) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await read(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == TOKEN_GONE
        await door.until(lambda: door.gone == door.lines)


async def test_a_token_that_cannot_be_looked_up_again_says_try_later() -> None:
    door = RecordingDoor()
    async with serving(build(door, looks=1, fault=Unavailable())) as port, device(port) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await read(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1013
        await door.until(lambda: door.gone == door.lines)


async def test_a_server_that_cannot_take_the_device_says_try_later() -> None:
    door = RecordingDoor(connect_fault=Unavailable())
    async with serving(build(door)) as port, device(port) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await read(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1013


async def test_the_switchboard_may_close_a_line() -> None:
    door = RecordingDoor()
    async with serving(build(door)) as port, device(port) as socket:
        await door.until(lambda: len(door.lines) == 1)
        door.lines[0].ringing(CALL)
        door.lines[0].close(4002, "signed out")
        assert (await read(socket))["method"] == "call.ringing"
        with pytest.raises(ConnectionClosed) as caught:
            await read(socket)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4002, "signed out")


async def test_a_device_that_does_not_read_holds_nobody_up() -> None:
    """The socket's buffers fill, then the queue; the device is given up and everything released, while the other goes on."""
    door = RecordingDoor()
    async with serving(build(door)) as port, device(port) as socket:
        await door.until(lambda: len(door.lines) == 1)
        socket.transport.pause_reading()
        released = 0

        def release() -> None:
            nonlocal released
            released += 1

        for _ in range(40):
            door.lines[0].accepted(CALL, "x" * 1_000_000, 0, release)
        await door.until(lambda: len(door.gone) == 1)
        assert released == 40
        assert door.gone[0] is door.lines[0]
        socket.transport.abort()
