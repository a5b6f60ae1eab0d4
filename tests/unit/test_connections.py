"""The bounds of connections, on a transport and a clock that stand still."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from pagecalls.connections.http import GuardedHttp
from pagecalls.connections.limits import LINGER_S, make_room, peer_key
from pagecalls.connections.websocket import GuardedWebSocket
from tests.connection_stub import Server, Transport, app

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::"),
        (("2001:db8:1:2::1", 5, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::"),
        (("127.0.0.1", 5), ""),
        (("::1", 5, 0, 0), ""),
        (("::ffff:127.0.0.1", 5, 0, 0), ""),
        ("/run/socket", ""),
        ("", ""),
        (None, ""),
        ((), ""),
        (("name", 1), ""),
    ],
)
def test_who_counts_as_one_peer(address: object, key: str) -> None:
    assert peer_key(address) == key


async def test_a_peer_has_so_many_seats() -> None:
    server = Server(per_peer=2)
    first, second = server.connect(), server.connect()
    _, refused = server.connect()
    assert refused.written.startswith(b"HTTP/1.1 503 ")
    assert refused.closed == "closed"
    assert not server.connect(("192.0.2.2", 1))[1].closed
    assert not server.connect(("127.0.0.1", 1))[1].closed
    first[0].connection_lost(None)
    first[0].connection_lost(None)
    assert server.config.peers["192.0.2.1"] == 2
    second[0].connection_lost(None)
    assert not server.connect()[1].closed


async def test_a_seat_that_was_taken_before_the_handshake_is_one_seat() -> None:
    server = Server(per_peer=1)
    protocol, transport = GuardedHttp(server.config, server.state, {}), Transport()
    assert protocol.watch.enter(("192.0.2.1", 1))
    protocol.connection_made(transport)
    assert (transport.closed, server.config.peers["192.0.2.1"]) == ("", 1)
    assert server.connect()[1].closed


async def test_without_a_limit_a_peer_has_all_seats() -> None:
    server = Server(per_peer=None)
    assert not any(server.connect()[1].closed for _ in range(50))


async def test_all_peers_together_have_so_many_seats() -> None:
    server = Server(connections=3)
    seats = [server.connect((f"192.0.2.{number}", 1)) for number in range(4)]
    assert [transport.closed for _, transport in seats] == ["", "", "", "closed"]
    # Who is refused is not heard.
    seats[3][0].data_received(REQUEST)
    assert not server.state.tasks


async def test_seats_of_peers_that_have_gone_are_forgotten() -> None:
    server = Server()
    for number in range(5):
        server.connect((f"192.0.2.{number}", 1))[0].connection_lost(None)
    assert not server.config.peers


async def test_silence_ends_after_its_time() -> None:
    server = Server(head_timeout_s=10)
    _, transport = server.connect()
    server.later(9)
    assert not transport.closed
    server.later(11)
    assert (transport.closed, bytes(transport.written)) == ("closed", b"")


async def test_a_head_in_pieces_ends_after_its_time() -> None:
    server = Server(head_timeout_s=10)
    protocol, transport = server.connect()
    protocol.data_received(REQUEST[:5])
    server.later(11)
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    server.later(11 + LINGER_S)
    assert transport.closed == "closed"
    server.later(12 + LINGER_S)
    server.later(12 + 2 * LINGER_S)
    assert transport.closed == "aborted"


async def test_a_request_that_is_served_has_all_the_time_that_it_takes() -> None:
    server = Server(head_timeout_s=1, body_timeout_s=1, idle_timeout_s=1)
    protocol, transport = server.connect()
    protocol.data_received(REQUEST)
    server.later(1_000_000)
    assert not transport.closed
    await server.stop()


async def test_what_is_not_read_is_given_up() -> None:
    server = Server(stall_timeout_s=30)
    protocol, transport = server.connect()
    protocol.data_received(REQUEST)
    protocol.pause_writing()
    server.later(29)
    assert not transport.closed
    protocol.resume_writing()
    server.later(31)
    assert not transport.closed
    protocol.pause_writing()
    server.later(31)
    assert transport.closed.startswith("aborted")
    await server.stop()


async def test_no_websocket_while_an_answer_is_due() -> None:
    """An answer that waits for its reader would wait for ever: only the first protocol tells it that the reader has gone."""

    async def answers(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"good"})

    server = Server(answers)
    protocol, transport = server.connect()
    protocol.pause_writing()
    protocol.data_received(REQUEST)
    (task,) = server.state.tasks
    await asyncio.sleep(0)
    protocol.data_received(REQUEST.replace(b"\r\n\r\n", UPGRADE))
    assert transport.closed == "closed"
    assert server.state.connections == {protocol}
    protocol.connection_lost(None)
    async with asyncio.timeout(5):
        await task
    assert not server.state.tasks


async def test_a_websocket_takes_the_seat_over() -> None:
    server = Server(per_peer=1)
    protocol, transport = server.connect()
    protocol.data_received(REQUEST.replace(b"\r\n\r\n", UPGRADE))
    assert server.config.peers == {"192.0.2.1": 1}
    (socket,) = server.state.connections
    assert isinstance(socket, GuardedWebSocket)
    # Its app does not answer, so its handshake ends after its time.
    server.later(11)
    assert transport.closed == "aborted"
    socket.connection_lost(None)
    assert not server.config.peers
    await server.stop()


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ((1024, 524_288), 10_000, (11_000, 524_288)),
        ((1024, 4096), 10_000, (4096, 4096)),
        ((20_000, 20_000), 10_000, None),
        ((1024, resource.RLIM_INFINITY), 10_000, (11_000, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 10_000, None),
    ],
)
def test_there_is_room_for_the_connections(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], wanted: int, after: tuple[int, int] | None
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    assert make_room(wanted) == (after or before)[0]
    assert set_to == ([after] if after else [])


async def test_the_protocols_need_their_own_configuration() -> None:
    config = Config(app, lifespan="off", log_config=None)
    config.load()
    with pytest.raises(TypeError):
        GuardedHttp(config, ServerState(), {})
