"""The real engine below the client: frames, connections, processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.media.engine import EngineClient
from pagecalls.media.launch import Running, arguments, find_binary, launch, secure_folder, socket_path
from pagecalls.media.process import EngineProcess, EngineSettings
from pagecalls.media.protocol import PROTOCOL_VERSION, EngineError, HelloOk


class Peer:
    """A bare connection to the engine's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: Path) -> Peer:
        return cls(*await asyncio.open_unix_connection(path))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def ask(self, command: object) -> dict[str, object]:
        body = json.dumps(command).encode()
        self.send(struct.pack(">I", len(body)) + body)
        return await self.reply()

    async def reply(self) -> dict[str, object]:
        async with asyncio.timeout(5):
            (length,) = struct.unpack(">I", await self._reader.readexactly(4))
            reply: dict[str, object] = json.loads(await self._reader.readexactly(length))
        return reply

    async def is_closed(self) -> bool:
        """Whether the engine ends the connection now, with nothing more to say."""
        try:
            async with asyncio.timeout(5):
                return await self._reader.read() == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    return EngineSettings(data_dir=tmp_path)


@pytest.fixture
def path(settings: EngineSettings) -> Path:
    return socket_path(settings.data_dir_id, os.environ)


@pytest.fixture
async def engine(settings: EngineSettings) -> AsyncIterator[EngineProcess]:
    engine = EngineProcess(settings)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def left(settings: EngineSettings) -> AsyncIterator[Running]:
    """An engine that nobody supervises."""
    running = await _launched(settings)
    yield running
    await running.end(is_orderly=False)


@pytest.fixture
async def peer(left: Running, path: Path) -> AsyncIterator[Peer]:
    peer = await Peer.connect(path)
    yield peer
    peer.close()


def hello(settings: EngineSettings, proto: int = PROTOCOL_VERSION) -> dict[str, object]:
    return {"id": 1, "op": "hello", "proto": proto, "data_dir": settings.data_dir_id}


def code(reply: dict[str, object]) -> object:
    err = reply["err"]
    assert isinstance(err, dict)
    return err["code"]


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 1024 * 1024 + 1) + b"x",
        struct.pack(">I", 2**32 - 1),
        struct.pack(">I", 5) + b"noise",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 1) + b"\xff",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_garbage_ends_its_connection_and_nothing_else(left: Running, peer: Peer, data: bytes) -> None:
    await left.client.call_create("c")
    peer.send(data)
    assert await peer.is_closed()
    assert (await left.client.snapshot()).calls == ["c"]


async def test_a_command_that_is_not_known_is_refused_and_the_connection_goes_on(peer: Peer, settings: EngineSettings) -> None:
    assert code(await peer.ask({"id": 4, "op": "leg.fly"})) == "bad_command"
    assert code(await peer.ask({"id": 5, "op": "leg.close"})) == "bad_command"
    assert (await peer.ask(hello(settings)))["id"] == 1


async def test_a_command_in_pieces_is_one_command(peer: Peer, settings: EngineSettings) -> None:
    body = json.dumps(hello(settings)).encode()
    for byte in struct.pack(">I", len(body)) + body:
        peer.send(bytes([byte]))
        await asyncio.sleep(0)
    assert "ok" in await peer.reply()


# --- connections ------------------------------------------------------------------------------------------------------


async def test_commands_before_hello_are_refused(peer: Peer) -> None:
    assert code(await peer.ask({"id": 2, "op": "snapshot"})) == "bad_command"


async def test_a_hello_that_does_not_fit_leaves_the_owner(left: Running, peer: Peer, settings: EngineSettings) -> None:
    assert code(await peer.ask(hello(settings, proto=PROTOCOL_VERSION + 1))) == "proto_mismatch"
    assert code(await peer.ask(hello(settings) | {"data_dir": "0000"})) == "data_dir_mismatch"
    assert (await left.client.snapshot()).calls == []


async def test_the_newest_connection_owns_the_engine_and_finds_its_calls(
    left: Running, settings: EngineSettings, path: Path
) -> None:
    await left.client.call_create("c")
    newer = await EngineClient.connect(path, settings.data_dir_id)
    assert [event async for event in left.client.events()] == [None]
    with pytest.raises(EngineError, match="gone"):
        await left.client.snapshot()
    assert (await newer.snapshot()).calls == ["c"]
    await newer.close()


async def test_only_we_can_reach_the_socket(engine: EngineProcess, path: Path) -> None:
    assert _mode(path) == 0o600
    assert _mode(path.parent) == 0o700


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- processes --------------------------------------------------------------------------------------------------------


async def test_the_engine_has_a_session_of_its_own(engine: EngineProcess) -> None:
    assert os.getsid(engine.hello.pid) == engine.hello.pid


async def test_a_killed_engine_comes_back_empty_on_its_port(engine: EngineProcess) -> None:
    before = engine.hello
    await engine.call_create("c")
    events = engine.events()
    os.kill(before.pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await anext(events) is None
    after = await _next_hello(engine, before.pid)
    assert after.candidates == before.candidates
    assert after.fingerprint == before.fingerprint
    assert (await engine.snapshot()).calls == []


async def test_a_stopped_engine_leaves_nothing(settings: EngineSettings, path: Path) -> None:
    engine = EngineProcess(settings)
    hello = await engine.start()
    candidate = hello.candidates[0][0]
    await engine.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(hello.pid, 0)
    assert not _exists(path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((candidate.ip, candidate.port))


async def test_an_engine_left_by_an_earlier_server_makes_way(left: Running, settings: EngineSettings) -> None:
    engine = EngineProcess(settings)
    assert (await engine.start()).pid != left.process.pid
    assert await left.process.wait() == 0
    await engine.stop()


async def test_an_engine_without_a_server_ends_after_its_grace_time(tmp_path: Path) -> None:
    left = await _launched(EngineSettings(data_dir=tmp_path, grace_s=1))
    await left.client.close()
    async with asyncio.timeout(5):
        assert await left.process.wait() == 0
    await left.end(is_orderly=False)


async def _next_hello(engine: EngineProcess, pid: int) -> HelloOk:
    async with asyncio.timeout(5):
        while True:
            try:
                if engine.hello.pid != pid:
                    return engine.hello
            except EngineError:
                pass
            await asyncio.sleep(0.01)


async def _launched(settings: EngineSettings) -> Running:
    path = socket_path(settings.data_dir_id, os.environ)
    secure_folder(path.parent)
    command = arguments(find_binary(None, os.environ), path, settings, 0, None)
    return await launch(command, path, settings.data_dir_id, lambda line: None)


def _exists(path: Path) -> bool:
    return path.exists()
