"""The client against a scripted engine on a real Unix socket."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.media.engine import EngineClient
from pagecalls.media.protocol import CallCreateOk, EngineError, LegBye, LegDtmf

HELLO = {
    "proto": 3,
    "data_dir": "d1",
    "node": "n",
    "pid": 5,
    "fingerprint": {"alg": "sha-256", "value": "AB"},
    "candidates": [[{"proto": "udp", "ip": "127.0.0.1", "port": 4}]],
    "capacity": 9,
    "settings": "",
}


class ScriptedEngine:
    """The other end of the socket, in the hands of the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.commands: list[dict[str, object]] = []
        self._server: asyncio.Server | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(lambda r, w: self.accepted.put_nowait((r, w)), self.path)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def meet(self) -> None:
        self._reader, self._writer = await self.accepted.get()

    async def command(self) -> dict[str, object]:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        command: dict[str, object] = json.loads(await self._reader.readexactly(length))
        return command

    def send(self, message: object) -> None:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.raw(struct.pack(">I", len(body)) + body)

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def hang_up(self) -> None:
        self._writer.close()


@pytest.fixture
async def script(tmp_path: Path) -> AsyncIterator[ScriptedEngine]:
    script = ScriptedEngine(tmp_path / "s")
    await script.start()
    yield script
    await script.stop()


@pytest.fixture
async def client(script: ScriptedEngine) -> AsyncIterator[EngineClient]:
    connecting = asyncio.create_task(EngineClient.connect(script.path, "d1"))
    await script.meet()
    assert await script.command() == {"id": 1, "op": "hello", "proto": 3, "data_dir": "d1"}
    script.send({"id": 1, "ok": HELLO})
    client = await connecting
    yield client
    await client.close()
    script.hang_up()


async def gone(client: EngineClient) -> str:
    """Ask for something from a lost engine; the reason."""
    with pytest.raises(EngineError) as caught:
        await client.call_create("late")
    assert caught.value.code == "gone"
    return caught.value.message


async def test_hello_is_kept(client: EngineClient) -> None:
    assert client.hello.capacity == 9
    assert client.hello.candidates[0][0].port == 4


async def test_the_peer_is_known_by_the_kernel(client: EngineClient) -> None:
    assert client.peer() == (os.getpid(), os.getuid())


async def test_a_refused_hello_ends_the_attempt(script: ScriptedEngine) -> None:
    connecting = asyncio.create_task(EngineClient.connect(script.path, "other"))
    await script.meet()
    await script.command()
    script.send({"id": 1, "err": {"code": "data_dir_mismatch", "message": "d1"}})
    with pytest.raises(EngineError, match="data_dir_mismatch: d1"):
        await connecting
    with pytest.raises(asyncio.IncompleteReadError):
        await script.command()
    script.hang_up()


async def test_what_a_lost_engine_said_of_itself_is_still_known(client: EngineClient, script: ScriptedEngine) -> None:
    script.hang_up()
    await gone(client)
    with pytest.raises(EngineError, match="gone"):
        _ = client.hello
    assert client.greeting.node == "n"


async def test_replies_find_their_commands_in_any_order(client: EngineClient, script: ScriptedEngine) -> None:
    first = asyncio.create_task(client.call_create("a"))
    second = asyncio.create_task(client.call_create("b"))
    commands = [await script.command(), await script.command()]
    assert [command["call"] for command in commands] == ["a", "b"]
    script.send({"id": commands[1]["id"], "ok": {"worker": 2}})
    script.send({"id": commands[0]["id"], "ok": {"worker": 1}})
    assert (await first, await second) == (CallCreateOk(worker=1), CallCreateOk(worker=2))


async def test_a_refusal_is_raised(client: EngineClient, script: ScriptedEngine) -> None:
    asking = asyncio.create_task(client.leg_close("l"))
    command = await script.command()
    script.send({"id": command["id"], "err": {"code": "unknown_leg", "message": "l"}})
    with pytest.raises(EngineError) as caught:
        await asking
    assert (caught.value.code, caught.value.message) == ("unknown_leg", "l")


async def test_events_come_in_order_and_then_the_loss(client: EngineClient, script: ScriptedEngine) -> None:
    for seq in (1, 2):
        script.send({"ev": "leg.bye", "seq": seq, "call": "c", "leg": "l"})
    script.hang_up()
    assert [event async for event in client.events()] == [
        LegBye(seq=1, call="c", leg="l"),
        LegBye(seq=2, call="c", leg="l"),
        None,
    ]


async def test_a_loss_fails_what_is_open_and_what_comes_later(client: EngineClient, script: ScriptedEngine) -> None:
    asking = asyncio.create_task(client.call_create("a"))
    await script.command()
    script.hang_up()
    with pytest.raises(EngineError, match="gone"):
        await asking
    assert await gone(client) == "connection closed by the engine"
    with pytest.raises(EngineError, match="gone"):
        _ = client.hello


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 1024 * 1024 + 1),
        struct.pack(">I", 0),
        struct.pack(">I", 5) + b"noise",
        struct.pack(">I", 2) + b"{}",
    ],
)
async def test_a_bad_frame_ends_the_connection(client: EngineClient, script: ScriptedEngine, data: bytes) -> None:
    script.raw(data)
    assert [event async for event in client.events()] == [None]
    assert "BadFrame" in await gone(client)
    with pytest.raises(asyncio.IncompleteReadError):
        await script.command()


async def test_half_a_frame_is_no_frame(client: EngineClient, script: ScriptedEngine) -> None:
    script.raw(struct.pack(">I", 50) + b'{"ev":')
    script.hang_up()
    assert [event async for event in client.events()] == [None]


async def test_a_reply_of_the_wrong_shape_ends_the_connection(client: EngineClient, script: ScriptedEngine) -> None:
    asking = asyncio.create_task(client.call_create("a"))
    script.send({"id": (await script.command())["id"], "ok": {"worker": "one"}})
    with pytest.raises(EngineError, match="gone: bad reply"):
        await asking
    assert [event async for event in client.events()] == [None]


async def test_an_engine_that_does_not_answer_is_lost(script: ScriptedEngine) -> None:
    opening = asyncio.create_task(EngineClient.open(script.path, command_timeout_s=0))
    await script.meet()
    client = await opening
    assert "gone" in str(await _error(client))
    assert [event async for event in client.events()] == [None]
    await client.close()
    script.hang_up()


async def test_a_moment_in_which_we_stand_still_ourselves_is_not_the_engines(script: ScriptedEngine) -> None:
    opening = asyncio.create_task(EngineClient.open(script.path, command_timeout_s=0.5))
    await script.meet()
    client = await opening
    asking = asyncio.create_task(client.call_create("a"))
    command = await script.command()
    script.send({"id": command["id"], "ok": {"worker": 0}})
    time.sleep(0.6)  # noqa: ASYNC251 - the loop itself must stand still
    assert await asking == CallCreateOk(worker=0)
    await client.close()
    script.hang_up()


async def test_a_command_too_long_for_a_frame_fails_alone(client: EngineClient, script: ScriptedEngine) -> None:
    with pytest.raises(EngineError, match="bad_command"):
        await client.leg_dtmf(LegDtmf(leg="l", track="t", digits="1" * 1024 * 1024))
    asking = asyncio.create_task(client.call_create("a"))
    script.send({"id": (await script.command())["id"], "ok": {"worker": 0}})
    assert await asking == CallCreateOk(worker=0)


async def test_a_command_that_is_cancelled_as_the_engine_is_lost_leaves_nothing_unread(client: EngineClient) -> None:
    unread: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unread.append(context))
    asking = asyncio.create_task(client.call_create("c"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(client.close())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking, closing})
    assert asking.cancelled()
    # With the task goes the last that knows of the command's future.
    del asking
    gc.collect()
    assert unread == []


async def test_the_reply_to_a_cancelled_command_is_dropped(client: EngineClient, script: ScriptedEngine) -> None:
    asking = asyncio.create_task(client.call_create("a"))
    cancelled = await script.command()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    script.send({"id": cancelled["id"], "ok": {"worker": 0}})
    again = asyncio.create_task(client.call_create("b"))
    script.send({"id": (await script.command())["id"], "ok": {"worker": 1}})
    assert await again == CallCreateOk(worker=1)


async def _error(client: EngineClient) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await client.call_create("a")
    return caught.value
