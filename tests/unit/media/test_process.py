"""The supervisor, over a program that plays the engine."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.media import process as module
from pagecalls.media.launch import Running, arguments, launch, secure_folder, settings_digest, socket_path
from pagecalls.media.process import BinaryMissing, EngineExited, EngineProcess, EngineSettings, restart_delay_s
from pagecalls.media.protocol import EngineError

STUB = Path(__file__).with_name("stub_engine.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory, and the stub in the engine's place."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.01)
    binary = tmp_path / "engine"
    binary.write_text(f"#!{sys.executable}\n" + STUB.read_text())
    binary.chmod(0o755)
    return tmp_path


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[EngineProcess]:
    engine = EngineProcess(EngineSettings(data_dir=folder, binary=folder / "engine", tcp_port=0), lambda line: None)
    yield engine
    await engine.stop()


def starts(folder: Path) -> list[list[str]]:
    """The command lines of the stub so far."""
    return [json.loads(line) for line in (folder / "arguments").read_text().splitlines()]


def sockets(folder: Path) -> list[str]:
    """What kind of files stand in the socket's folder."""
    return [path.suffix for path in folder.glob("pagecalls-*/*")]


async def until_started(folder: Path, times: int) -> None:
    """Wait until the stub has been started so often; a process has no event to wait for."""
    async with asyncio.timeout(5):
        while len(starts(folder)) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def ports_of(line: list[str]) -> tuple[str, str]:
    return line[line.index("--udp-port") + 1], line[line.index("--tcp-port") + 1]


async def lose(engine: EngineProcess, events: AsyncIterator[object]) -> None:
    """Kill the running engine and wait until its loss is told."""
    os.kill(engine.hello.pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await anext(events) is None


async def again(engine: EngineProcess, pid: int) -> int:
    """Wait until another engine runs; its process id."""
    async with asyncio.timeout(5):
        while True:
            try:
                if engine.hello.pid != pid:
                    return engine.hello.pid
            except EngineError:
                pass
            await asyncio.sleep(0.005)


def test_the_delay_doubles_from_a_tenth_of_a_second_to_five() -> None:
    assert [restart_delay_s(attempt) for attempt in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert restart_delay_s(10_000) == 5.0


async def test_before_the_start_there_is_no_engine(engine: EngineProcess) -> None:
    with pytest.raises(EngineError, match="gone"):
        _ = engine.hello
    with pytest.raises(EngineError, match="gone"):
        await engine.snapshot()


async def test_start_and_stop(engine: EngineProcess, folder: Path) -> None:
    hello = await engine.start()
    assert engine.hello == hello
    assert sockets(folder) == [".sock"]
    await engine.call_close("c")
    await engine.stop()
    await engine.stop()
    assert [event async for event in engine.events()] == []
    assert sockets(folder) == []
    with pytest.raises(ProcessLookupError):
        os.kill(hello.pid, 0)


async def test_a_lost_engine_comes_back_on_its_port(engine: EngineProcess, folder: Path) -> None:
    pid = (await engine.start()).pid
    events = engine.events()
    await lose(engine, events)
    with pytest.raises(EngineError, match="gone"):
        await engine.call_create("c")
    pid = await again(engine, pid)
    await engine.call_close("c")
    await lose(engine, events)
    await again(engine, pid)
    assert [ports_of(line) for line in starts(folder)] == [("0", "0"), ("40123", "40124"), ("40123", "40124")]


async def test_an_engine_that_does_not_start_is_tried_again(
    engine: EngineProcess, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pid = (await engine.start()).pid
    (folder / "manner").write_text("ends")
    await lose(engine, engine.events())
    await until_started(folder, 3)
    (folder / "manner").unlink()
    await again(engine, pid)
    assert "not restarted: The media engine ended at once with status 3" in caplog.text


async def test_an_engine_whose_folder_is_gone_comes_back(engine: EngineProcess, folder: Path) -> None:
    """What tidies temporary files up may take it while the server runs."""
    pid = (await engine.start()).pid
    shutil.rmtree(socket_path(engine._settings.data_dir_id, os.environ).parent)
    await lose(engine, engine.events())
    await again(engine, pid)
    assert sockets(folder) == [".sock"]


async def test_a_program_that_cannot_be_looked_at_is_tried_again(
    engine: EngineProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pid = (await engine.start()).pid
    has_tried = asyncio.Event()

    def no_entry(*_: object) -> Path:
        has_tried.set()
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as closed:
        closed.setattr(module, "find_binary", no_entry)
        await lose(engine, engine.events())
        await has_tried.wait()
    await again(engine, pid)
    assert "not restarted: [Errno 13] Permission denied" in caplog.text


async def test_stop_while_a_restart_is_under_way(engine: EngineProcess, folder: Path) -> None:
    await engine.start()
    (folder / "manner").write_text("mute")
    await lose(engine, engine.events())
    await until_started(folder, 2)
    await engine.stop()
    with pytest.raises(EngineError, match="gone"):
        await engine.snapshot()


async def test_an_engine_that_hangs_is_lost_and_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_EVERY_S", 0.01)
    engine = EngineProcess(EngineSettings(data_dir=folder, binary=folder / "engine", patience_s=0.1), lambda line: None)
    pid = (await engine.start()).pid
    (folder / "hangs").touch()
    with pytest.raises(EngineError, match="gone"):
        await engine.call_close("c")
    (folder / "hangs").unlink()
    async with asyncio.timeout(5):
        assert await anext(engine.events()) is None
    await again(engine, pid)
    await engine.call_close("c")
    await engine.stop()


async def test_an_engine_of_an_earlier_server_is_taken_over_and_watched(folder: Path) -> None:
    settings = EngineSettings(data_dir=folder, binary=folder / "engine", tcp_port=0)
    socket = socket_path(settings.data_dir_id, os.environ)
    secure_folder(socket.parent)
    binary = folder / "engine"
    command = [*arguments(binary, socket, settings, 0, 0), "--settings", settings_digest(binary, socket, settings)]
    left = await launch(command, socket, settings.data_dir_id, lambda line: None)
    await left.client.close()
    engine = EngineProcess(settings, lambda line: None)
    events = engine.events()
    assert (await engine.start()).pid == left.process.pid
    await engine.call_close("c")
    await lose(engine, events)
    pid = await again(engine, left.process.pid)
    # The next server finds the engine that this one started: not its port, but how it was asked for tells it.
    await stop_supervising(engine)
    third = EngineProcess(settings, lambda line: None)
    assert (await third.start()).pid == pid
    await third.stop()
    assert isinstance(engine._running, Running)
    async with asyncio.timeout(5):
        assert await engine._running.process.wait() == 0
    assert [ports_of(line) for line in starts(folder)] == [("0", "0"), ("40123", "40124")]
    await engine.stop()
    await left.end(is_orderly=False)


async def stop_supervising(engine: EngineProcess) -> None:
    """What a kill of its server does to an engine."""
    assert engine._supervisor is not None
    engine._supervisor.cancel()
    await asyncio.gather(engine._supervisor, return_exceptions=True)
    assert engine._running is not None
    await engine._running.client.close()


async def test_an_engine_left_by_an_earlier_server_is_replaced(engine: EngineProcess, folder: Path) -> None:
    settings = EngineSettings(data_dir=folder)
    socket = socket_path(settings.data_dir_id, os.environ)
    secure_folder(socket.parent)
    left = await launch(arguments(folder / "engine", socket, settings, 0, None), socket, settings.data_dir_id, lambda line: None)
    await left.client.close()
    assert (await engine.start()).pid != left.process.pid
    assert await left.process.wait() == 0
    await left.end(is_orderly=False)


async def test_a_start_that_fails_is_raised(engine: EngineProcess, folder: Path) -> None:
    (folder / "manner").write_text("ends")
    with pytest.raises(EngineExited):
        await engine.start()
    with pytest.raises(BinaryMissing):
        await EngineProcess(EngineSettings(data_dir=folder, binary=folder / "nothing")).start()
