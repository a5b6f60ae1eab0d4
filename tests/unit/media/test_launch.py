"""Where the engine's program and socket are, and how one process is started and ended."""

from __future__ import annotations

import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from pagecalls.media import launch as module
from pagecalls.media.launch import (
    BinaryMissing,
    EngineExited,
    EngineSettings,
    EngineSilent,
    UnsafeFolder,
    arguments,
    find_binary,
    launch,
    read_log_line,
    secure_folder,
    socket_path,
)
from pagecalls.media.protocol import EngineError

STUB = Path(__file__).with_name("stub_engine.py")


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


# --- where things are -------------------------------------------------------------------------------------------------


def test_a_program_that_is_named_is_taken(tmp_path: Path) -> None:
    named, other = program(tmp_path / "a"), program(tmp_path / "b")
    assert find_binary(named, {"PAGECALLS_MEDIA_BIN": str(other)}) == named
    assert find_binary(None, {"PAGECALLS_MEDIA_BIN": str(other)}) == other


def test_the_program_beside_this_python_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = program(tmp_path / "bin" / "pagecalls-media")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert find_binary(None, {}) == beside


def test_the_program_built_in_the_repository_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = program(tmp_path / "target" / "release" / "pagecalls-media")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(module, "__file__", str(tmp_path / "src" / "pagecalls" / "media" / "launch.py"))
    assert find_binary(None, {"PAGECALLS_MEDIA_BIN": ""}) == built


def test_a_program_that_is_not_there_says_where_we_looked(tmp_path: Path) -> None:
    not_a_program = tmp_path / "text"
    not_a_program.write_text("")
    for place in (tmp_path / "nothing", not_a_program, tmp_path):
        with pytest.raises(BinaryMissing, match=str(place)):
            find_binary(place, {})


def test_the_socket_is_in_the_runtime_folder_or_the_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    name = Path(f"pagecalls-{os.getuid()}") / "0123abcd.sock"
    assert socket_path("0123abcd9999", {"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / name
    assert socket_path("0123abcd9999", {}) == tmp_path / "t" / name
    assert socket_path("0123abcd9999", {"XDG_RUNTIME_DIR": str(tmp_path / "no")}) == tmp_path / "t" / name


def test_a_path_too_long_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    assert len(str(socket_path("0123abcd", {"XDG_RUNTIME_DIR": str(long)}))) < 107
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with pytest.raises(UnsafeFolder, match="107"):
        socket_path("0123abcd", {})


def test_the_folder_is_made_for_us_alone(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    secure_folder(folder)
    secure_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o701, 0o750, 0o777])
def test_a_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(UnsafeFolder, match="0700"):
        secure_folder(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link", "no/where"):
        with pytest.raises(UnsafeFolder):
            secure_folder(tmp_path / name)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "f"
    secure_folder(folder)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(UnsafeFolder, match=f"user {owner}"):
        secure_folder(folder)


def test_a_data_directory_has_one_id_however_it_is_written(tmp_path: Path) -> None:
    ids = {EngineSettings(data_dir=path).data_dir_id for path in (tmp_path, tmp_path / "x" / "..")}
    assert len(ids) == 1
    assert EngineSettings(data_dir=tmp_path / "x").data_dir_id not in ids
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)


def test_the_command_line() -> None:
    public_ips = ("1.2.3.4", "5.6.7.8")
    settings = EngineSettings(data_dir=Path("/d"), host="127.0.0.1,::1", workers=2, public_ips=public_ips, max_calls=7)
    assert arguments(Path("/bin/e"), Path("/s"), settings, 99, None) == [
        *("/bin/e", "--socket", "/s", "--data-dir", "/d", "--data-dir-id", settings.data_dir_id),
        *("--host", "127.0.0.1,::1", "--udp-port", "99", "--tcp-port", "off"),
        *("--workers", "2", "--engine-grace-s", "30", "--log", "info"),
        *("--public-ip", "1.2.3.4", "--public-ip", "5.6.7.8", "--max-calls", "7"),
    ]
    line = arguments(Path("/bin/e"), Path("/s"), EngineSettings(data_dir=Path("/d")), 99, 98)
    assert line[line.index("--tcp-port") + 1] == "98"
    assert "--max-calls" not in line


# --- one process ------------------------------------------------------------------------------------------------------


class Stage:
    """A data directory and a socket for the stub."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "s"
        self.settings = EngineSettings(data_dir=folder)
        self.lines: list[str] = []

    def manner(self, text: str) -> None:
        (self.settings.data_dir / "manner").write_text(text)

    def command(self) -> list[str]:
        return [sys.executable, *arguments(STUB, self.socket, self.settings, 0, 0)]

    async def launch(self) -> module.Running:
        return await launch(self.command(), self.socket, self.settings.data_dir_id, self.lines.append)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_an_engine_is_started_in_its_own_session_and_asked_to_go(stage: Stage) -> None:
    running = await stage.launch()
    assert [each.port for each in running.client.hello.candidates[0]] == [40123, 40124]
    assert os.getsid(running.process.pid) == running.process.pid
    await running.end(is_orderly=True)
    assert running.process.returncode == 0
    assert stage.lines == ["stub engine starts"]


async def test_an_engine_that_does_not_go_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_TIMEOUT_S", 0.05)
    stage.manner("stubborn")
    running = await stage.launch()
    await running.end(is_orderly=True)
    assert running.process.returncode == -9


async def test_an_engine_can_be_ended_at_once(stage: Stage) -> None:
    stage.manner("stubborn")
    running = await stage.launch()
    await running.end(is_orderly=False)
    await running.end(is_orderly=True)
    assert running.process.returncode == -9


async def test_an_engine_that_ends_at_once_leaves_its_last_words(stage: Stage) -> None:
    stage.manner("ends")
    with pytest.raises(EngineExited, match="status 3: stub engine starts") as caught:
        await stage.launch()
    assert caught.value.status == 3


async def test_an_engine_that_says_no_hello_is_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_TIMEOUT_S", 0.3)
    stage.manner("mute")
    with pytest.raises(EngineSilent, match="no hello within"):
        await stage.launch()


async def test_an_engine_that_does_not_take_us_is_ended(stage: Stage) -> None:
    stage.manner("refuses")
    with pytest.raises(EngineSilent, match="data_dir_mismatch"):
        await stage.launch()


async def test_a_program_that_cannot_run(stage: Stage, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o755)
    with pytest.raises(EngineSilent):
        await launch([str(text)], stage.socket, "id", stage.lines.append)


async def test_start_errors_are_engine_errors() -> None:
    assert issubclass(BinaryMissing, EngineError)
    assert BinaryMissing([]).code == "gone"


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        ("2026-01-01T00:00:00.000001Z  INFO pagecalls_media: ready", logging.INFO, "pagecalls_media: ready"),
        (
            "2026-01-01T00:00:00.000001Z ERROR pagecalls_media: UDP port 1: in use",
            logging.ERROR,
            "pagecalls_media: UDP port 1: in use",
        ),
        ("2026-01-01T00:00:00.000001Z  WARN x: y", logging.WARNING, "x: y"),
        ("thread 'worker-0' panicked at src/leg.rs:1:1:", logging.ERROR, "thread 'worker-0' panicked at src/leg.rs:1:1:"),
        ("", logging.ERROR, ""),
    ],
)
def test_lines_of_the_engine_keep_their_level(line: str, level: int, text: str) -> None:
    assert read_log_line(line) == (level, text)
