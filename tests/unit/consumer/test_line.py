"""The one write path: order, bound, releases."""

from __future__ import annotations

import asyncio
import json

import pytest

from pagecalls.call.messages import Button
from pagecalls.call.states import EndReason
from pagecalls.consumer.line import Line, LineLimits
from pagecalls.switchboard.base import Ended, Release
from pagecalls.types import CallId, MessageId, PageId, Track, TrackLabel

CALL = CallId("c_1")


class MemorySocket:
    """Keeps what it is handed; can stop taking frames, or break."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: tuple[int, str | None] | None = None
        self.takes = asyncio.Event()
        self.takes.set()
        self.entered = asyncio.Event()
        self.fault: Exception | None = None

    async def send_text(self, data: str) -> None:
        self.entered.set()
        await self.takes.wait()
        if self.fault is not None:
            raise self.fault
        self.sent.append(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.closed = (code, reason)


class Releases:
    def __init__(self) -> None:
        self.called: list[int] = []

    def __call__(self, number: int) -> Release:
        return lambda: self.called.append(number)


def close(line: Line) -> None:
    line.close(4001, "bye")


async def test_notifications_leave_in_order_and_then_the_close() -> None:
    socket = MemorySocket()
    line = Line(socket)
    line.incoming(CALL, PageId("1"), "Tea", False)
    line.ringing(CALL)
    line.accepted(CALL, "v=0", 2, lambda: None)
    line.accepted(CALL, None, 2, lambda: None)
    line.connected(CALL, 12.7)
    line.media_update(CALL, "v=0", 3, (Track("s t", TrackLabel.DEFAULT_VIDEO),), lambda: None)
    line.resumed(CALL, "ACTIVE", None, 0, (), lambda: None)
    line.ended(Ended(CALL, EndReason.MEDIA_TIMEOUT, True, 4))
    line.ended(Ended(CALL, EndReason.DECLINED, False, None))
    line.permission_request(MessageId("m_1"), PageId("1"), "Tea", 12.7)
    line.message(MessageId("m_2"), PageId("1"), "Hello", ())
    line.message(MessageId("m_3"), PageId("1"), None, (Button("audio_call", "Call", 12.7), Button("web_url", "Site", url="x")))
    close(line)
    await line.pump()
    assert socket.closed == (4001, "bye")
    assert [(json.loads(text)["method"], json.loads(text)["params"]) for text in socket.sent] == [
        ("call.incoming", {"call_id": "c_1", "page": {"id": "1", "name": "Tea"}, "video": False}),
        ("call.ringing", {"call_id": "c_1"}),
        (
            "call.accepted",
            {"call_id": "c_1", "session": {"sdp_renegotiation": {"sdp_type": "offer", "sdp": "v=0"}, "version": 2}},
        ),
        ("call.accepted", {"call_id": "c_1"}),
        ("call.connected", {"call_id": "c_1", "connected_at": 12}),
        (
            "call.media_update",
            {
                "call_id": "c_1",
                "session": {"sdp_renegotiation": {"sdp_type": "offer", "sdp": "v=0"}, "version": 3},
                "tracks": [{"msid": "s t", "label": "default_video", "status": "enabled"}],
            },
        ),
        ("call.resumed", {"call_id": "c_1", "state": "ACTIVE"}),
        ("call.ended", {"call_id": "c_1", "reason": "media_timeout", "status": "Failed", "duration": 4}),
        ("call.ended", {"call_id": "c_1", "reason": "declined", "status": "Completed"}),
        ("permission.request", {"request_id": "m_1", "page": {"id": "1", "name": "Tea"}, "expires_at": 12}),
        ("message", {"message_id": "m_2", "page_id": "1", "text": "Hello"}),
        (
            "message",
            {
                "message_id": "m_3",
                "page_id": "1",
                "buttons": [{"type": "audio_call", "title": "Call", "expires_at": 12}, {"type": "web_url", "title": "Site"}],
            },
        ),
    ]


async def test_a_release_comes_after_its_frame_was_handed_over() -> None:
    socket, releases = MemorySocket(), Releases()
    socket.takes.clear()
    line = Line(socket)
    line.accepted(CALL, "v=0", 0, releases(1))
    pump = asyncio.create_task(line.pump())
    await socket.entered.wait()
    assert releases.called == []
    socket.takes.set()
    close(line)
    await pump
    assert (len(socket.sent), releases.called) == (1, [1])


async def test_a_broken_socket_releases_everything_once() -> None:
    socket, releases = MemorySocket(), Releases()
    socket.fault = OSError("gone")
    line = Line(socket)
    line.send("a", releases(1))
    line.send("b", releases(2))
    await line.pump()
    line.send("c", releases(3))
    line.abandon()
    assert releases.called == [1, 2, 3]
    assert socket.sent == []


async def test_a_device_that_does_not_read_is_given_up_when_too_much_waits() -> None:
    socket, releases = MemorySocket(), Releases()
    socket.takes.clear()
    line = Line(socket, LineLimits(waiting_bytes=10))
    pump = asyncio.create_task(line.pump())
    line.send("12345", releases(1))
    await socket.entered.wait()
    line.send("67890", releases(2))
    assert releases.called == []
    line.send("!", releases(3))
    with pytest.raises(asyncio.CancelledError):
        await pump
    assert sorted(releases.called) == [1, 2, 3]


async def test_what_was_handed_over_no_longer_counts() -> None:
    socket = MemorySocket()
    line = Line(socket, LineLimits(waiting_bytes=10))
    pump = asyncio.create_task(line.pump())
    for _ in range(5):
        socket.entered.clear()
        line.send("1234567890")
        await socket.entered.wait()
        await asyncio.sleep(0)
    close(line)
    await pump
    assert len(socket.sent) == 5


async def test_a_frame_that_takes_too_long_ends_the_line() -> None:
    socket, releases = MemorySocket(), Releases()
    socket.takes.clear()
    line = Line(socket, LineLimits(send_timeout_s=0))
    line.send("a", releases(1))
    line.send("b", releases(2))
    await line.pump()
    assert releases.called == [1, 2]


async def test_after_close_nothing_more_is_sent() -> None:
    socket, releases = MemorySocket(), Releases()
    line = Line(socket)
    close(line)
    line.close(1000, "again")
    line.send("late", releases(1))
    assert releases.called == [1]
    await line.pump()
    assert (socket.sent, socket.closed) == ([], (4001, "bye"))


async def test_a_line_says_whether_it_took_what_is_to_be_seen() -> None:
    line = Line(MemorySocket())
    assert line.message(MessageId("m_1"), PageId("1"), "Hello", ())
    assert line.permission_request(MessageId("m_2"), PageId("1"), "Tea", 12.7)
    line.abandon()
    assert not line.message(MessageId("m_3"), PageId("1"), "Hello", ())
    assert not line.permission_request(MessageId("m_4"), PageId("1"), "Tea", 12.7)


async def test_a_line_that_is_given_up_for_a_message_did_not_take_it() -> None:
    line = Line(MemorySocket(), LineLimits(waiting_bytes=10))
    assert not line.message(MessageId("m_1"), PageId("1"), "Hello", ())


async def test_a_line_abandoned_before_its_pump_started_ends() -> None:
    line = Line(MemorySocket())
    line.abandon()
    await line.pump()
