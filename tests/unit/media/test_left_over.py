"""What becomes of an engine that an earlier server left on the socket."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagecalls.media import launch as launch_module
from pagecalls.media import left_over as module
from pagecalls.media.engine import EngineClient
from pagecalls.media.launch import EngineSettings, Running, UnsafeFolder, arguments, launch, remove_socket
from pagecalls.media.left_over import Adopted, Process, take_over
from pagecalls.media.protocol import EngineError, Ping, PingOk

STUB = Path(__file__).with_name("stub_engine.py")
SETTINGS = "as asked"
PATIENCE_S = 2.0


class Stage:
    """A data directory, its socket, and a stub that nobody owns."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "s"
        self.settings = EngineSettings(data_dir=folder)
        self.left: Running | None = None

    async def leave(self, manner: str = "", settings: str = SETTINGS) -> Running:
        """Start the stub as an earlier server would have, and let go of it."""
        (self.settings.data_dir / "manner").write_text(manner)
        command = [sys.executable, *arguments(STUB, self.socket, self.settings, 0, None), "--settings", settings]
        self.left = await launch(command, self.socket, self.settings.data_dir_id, lambda line: None)
        await self.left.client.close()
        return self.left

    async def take_over(self, data_dir_id: str | None = None, patience_s: float = PATIENCE_S) -> Adopted | None:
        return await take_over(self.socket, data_dir_id or self.settings.data_dir_id, SETTINGS, patience_s)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    for each in (module, launch_module):
        monkeypatch.setattr(each, "END_TIMEOUT_S", 0.3)
    stage = Stage(tmp_path)
    yield stage
    if stage.left is not None:
        await stage.left.end(is_orderly=False)


async def test_nobody_there(stage: Stage) -> None:
    assert await stage.take_over() is None


async def test_a_dead_socket_is_taken_away(stage: Stage) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stage.socket))
    assert stage.socket.exists()
    assert await stage.take_over() is None
    assert not stage.socket.exists()
    remove_socket(stage.socket)


@pytest.mark.parametrize("manner", ["", "busy"])
async def test_one_that_was_started_in_the_same_way_is_kept(stage: Stage, manner: str) -> None:
    left = await stage.leave(manner)
    adopted = await stage.take_over()
    assert adopted is not None
    assert adopted.client.hello.pid == left.process.pid
    await adopted.client.ask(Ping(), PingOk)
    await adopted.end(is_orderly=True)
    await adopted.end(is_orderly=True)
    assert await left.process.wait() == 0


async def test_other_settings_are_outweighed_by_calls_alone(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    left = await stage.leave("", settings="another port")
    assert await stage.take_over() is None
    assert await left.process.wait() == 0
    left = await stage.leave("busy", settings="another port")
    adopted = await stage.take_over()
    assert adopted is not None
    assert "take effect when it is started again" in caplog.text
    await adopted.end(is_orderly=False)
    assert await left.process.wait() in (-9, -15)


@pytest.mark.parametrize(("manner", "status"), [("busy", 0), ("stubborn busy", -9)])
async def test_one_of_another_data_directory_is_ended(stage: Stage, manner: str, status: int) -> None:
    left = await stage.leave(manner)
    assert await stage.take_over("another") is None
    assert await left.process.wait() == status


async def test_one_that_hangs_is_killed(stage: Stage) -> None:
    left = await stage.leave("stubborn busy")
    (stage.settings.data_dir / "hangs").touch()
    assert await stage.take_over(patience_s=0.2) is None
    assert await left.process.wait() == -9


async def test_one_that_is_kept_and_does_not_go_is_killed(stage: Stage) -> None:
    left = await stage.leave("stubborn")
    adopted = await stage.take_over()
    assert adopted is not None
    await adopted.end(is_orderly=True)
    assert await left.process.wait() == -9
    with pytest.raises(EngineError, match="gone"):
        await adopted.client.call_create("c")


async def test_a_program_of_another_user_is_left_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    left = await stage.leave()
    monkeypatch.setattr(EngineClient, "peer", lambda self: (left.process.pid, os.getuid() + 1))
    with pytest.raises(UnsafeFolder):
        await stage.take_over()
    assert left.process.returncode is None


async def test_one_that_ends_between_two_looks_is_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.leave()
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    monkeypatch.setattr(EngineClient, "peer", lambda self: (ended.pid, os.getuid()))
    assert await stage.take_over() is None
    with pytest.raises(ProcessLookupError):
        Process(ended.pid)
