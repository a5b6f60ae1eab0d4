"""Starting and ending one engine process: where its program and its socket are, and the steps from nothing to a connected client.

    EngineStartError        the engine could not be started
    ├── BinaryMissing       there is no program to run
    ├── UnsafeFolder        the folder of the socket is not ours alone, or unusable
    ├── EngineExited        it ended before it said hello
    └── EngineSilent        it did not say hello in time, or not as we need it

Owns no engine for longer than it takes to start or end it; `process.py` keeps it running, `left_over.py` deals with one that an
earlier server started. Time here is real, as the process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import stat
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pagecalls.media.child import Child
from pagecalls.media.engine import COMMAND_TIMEOUT_S, EngineClient
from pagecalls.media.protocol import Done, EngineError, Exit

PROGRAM = "pagecalls-media"
BINARY_VARIABLE = "PAGECALLS_MEDIA_BIN"
START_TIMEOUT_S = 10.0
END_TIMEOUT_S = 3.0
RETRY_S = 0.02
MAX_SOCKET_PATH_BYTES = 107
LAST_WORDS_LINES = 8

LogLine = Callable[[str], None]
"""Takes one line that the engine wrote to its standard error."""

_LEVELS = {"ERROR": logging.ERROR, "WARN": logging.WARNING, "INFO": logging.INFO, "DEBUG": logging.DEBUG, "TRACE": logging.DEBUG}


def read_log_line(line: str) -> tuple[int, str]:
    """Level and text of one line of the engine's log. What is no such line, a panic's message for one, counts as an error."""
    _, _, rest = line.partition(" ")
    word, _, text = rest.strip().partition(" ")
    return (_LEVELS[word], text.strip()) if word in _LEVELS else (logging.ERROR, line)


class EngineStartError(EngineError):
    """The engine could not be started; its code is `gone`."""

    def __init__(self) -> None:
        super().__init__("gone")


class BinaryMissing(EngineStartError):
    """There is no program to run; `looked_at` says where we looked."""

    def __init__(self, looked_at: Sequence[Path]) -> None:
        super().__init__()
        self.looked_at = looked_at

    def __str__(self) -> str:
        places = ", ".join(str(path) for path in self.looked_at)
        return (
            f"The media engine was not found (looked at {places}). Build it with `make build`, or name it in {BINARY_VARIABLE}."
        )


class UnsafeFolder(EngineStartError):
    """The folder of the engine's socket cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__()
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"{self.path} cannot hold the media engine's socket: {self.why}."


class EngineExited(EngineStartError):
    """The engine ended before it said hello. `last_words` are its last lines."""

    def __init__(self, status: int, last_words: Sequence[str]) -> None:
        super().__init__()
        self.status = status
        self.last_words = last_words

    def __str__(self) -> str:
        words = " ".join(read_log_line(line)[1] for line in self.last_words) or "It said nothing."
        return f"The media engine ended at once with status {self.status}: {words}"


class EngineSilent(EngineStartError):
    """The engine runs, but did not say hello in time, or not as we need it."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why

    def __str__(self) -> str:
        return f"The media engine did not come up: {self.why}."


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to run the engine.

    `host` is one address or several with commas; `udp_port` and `tcp_port` 0 take any free one, `tcp_port` `None` offers no media
    over TCP; `max_calls` `None` leaves it to the engine; `binary` `None` looks in the usual places. `patience_s` of real time
    without an answer make it count as lost.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    udp_port: int = 0
    tcp_port: int | None = None
    workers: int = 1
    max_calls: int | None = None
    public_ips: tuple[str, ...] = ()
    grace_s: int = 30
    log_level: str = "info"
    binary: Path | None = None
    patience_s: float = COMMAND_TIMEOUT_S

    @property
    def data_dir_id(self) -> str:
        """What tells this data directory's engine from another's: 16 hex digits of its path."""
        return hashlib.sha256(os.fsencode(self.data_dir.resolve())).hexdigest()[:16]


# --- where things are -------------------------------------------------------------------------------------------------


def find_binary(explicit: Path | None, environ: Mapping[str, str]) -> Path:
    """The engine's program: as told, else beside this Python, else as built in the repository. Raises `BinaryMissing`."""
    named = explicit or (Path(environ[BINARY_VARIABLE]) if environ.get(BINARY_VARIABLE) else None)
    usual = [Path(sys.executable).parent / PROGRAM, Path(__file__).resolve().parents[3] / "target" / "release" / PROGRAM]
    places = usual if named is None else [named]
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
    raise BinaryMissing(places)


def socket_path(data_dir_id: str, environ: Mapping[str, str]) -> Path:
    """Where the engine of a data directory listens (design 4). Raises `UnsafeFolder` if the path is too long for a socket."""
    name = Path(f"pagecalls-{os.getuid()}") / f"{data_dir_id[:8]}.sock"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(base) / name for base in (runtime, tempfile.gettempdir()) if base and Path(base).is_dir()]
    for place in places:
        if len(os.fsencode(place)) <= MAX_SOCKET_PATH_BYTES:
            return place
    raise UnsafeFolder(places[-1].parent, f"a socket's path may have {MAX_SOCKET_PATH_BYTES} bytes")


def secure_folder(folder: Path) -> None:
    """Make the folder, or check that it is ours alone. Raises `UnsafeFolder`."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
    except OSError as fault:
        raise UnsafeFolder(folder, fault.strerror or str(fault)) from fault
    if not stat.S_ISDIR(facts.st_mode):
        raise UnsafeFolder(folder, "it is not a folder")
    if facts.st_uid != os.getuid():
        raise UnsafeFolder(folder, f"it belongs to user {facts.st_uid}")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise UnsafeFolder(folder, "others have access to it; its mode must be 0700")


def remove_socket(path: Path) -> None:
    """Take away what a dead engine left."""
    path.unlink(missing_ok=True)


def arguments(binary: Path, socket: Path, settings: EngineSettings, udp_port: int, tcp_port: int | None) -> list[str]:
    """The engine's command line. The ports are those of this start, which may be those of the one before."""
    options = {
        "--socket": str(socket),
        "--data-dir": str(settings.data_dir),
        "--data-dir-id": settings.data_dir_id,
        "--host": settings.host,
        "--udp-port": str(udp_port),
        "--tcp-port": "off" if tcp_port is None else str(tcp_port),
        "--workers": str(settings.workers),
        "--engine-grace-s": str(settings.grace_s),
        "--log": settings.log_level,
    }
    line = [str(binary)]
    for name, value in options.items():
        line += [name, value]
    for ip in settings.public_ips:
        line += ["--public-ip", ip]
    if settings.max_calls is not None:
        line += ["--max-calls", str(settings.max_calls)]
    return line


def settings_digest(binary: Path, socket: Path, settings: EngineSettings) -> str:
    """What tells an engine that was started in this way from one that was not: 16 hex digits of its program and arguments."""
    facts = binary.stat()
    line = arguments(binary, socket, settings, settings.udp_port, settings.tcp_port)
    words = [*line, str(facts.st_mtime_ns), str(facts.st_size)]
    return hashlib.sha256(b"\0".join(os.fsencode(word) for word in words)).hexdigest()[:16]


# --- start ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """An engine process that said hello, and the client that speaks to it."""

    process: Child
    client: EngineClient
    reader: asyncio.Task[None]

    async def end(self, is_orderly: bool) -> None:
        """End the process: asked to where it is to be orderly, then SIGTERM, then SIGKILL. Returns when it is gone."""
        is_asked = is_orderly and await ask_to_exit(self.client)
        await self.client.close()
        await _end_child(self.process, exit_s=END_TIMEOUT_S if is_asked else 0, term_s=END_TIMEOUT_S if is_orderly else 0)
        # Not awaited directly: who waits here may be cancelled, and comes back to finish.
        await asyncio.wait({self.reader})

    async def let_go(self) -> None:
        """Leave the process running for the next server, as if this one were lost (ruling 14)."""
        self.reader.cancel()
        await asyncio.wait({self.reader})
        await self.client.close()
        self.process.let_go()


async def ask_to_exit(client: EngineClient) -> bool:
    """Whether the engine has said that it will go."""
    try:
        async with asyncio.timeout(END_TIMEOUT_S):
            await client.ask(Exit(), Done)
    except (EngineError, TimeoutError):
        return False
    return True


async def launch(
    command: Sequence[str], socket: Path, data_dir_id: str, log_line: LogLine, patience_s: float = COMMAND_TIMEOUT_S
) -> Running:
    """Start the engine in its own session (ruling 14) and wait for its hello. Raises `EngineStartError`."""
    try:
        process = await Child.start(command)
    except OSError as fault:
        raise EngineSilent(str(fault)) from fault
    last_words: deque[str] = deque(maxlen=LAST_WORDS_LINES)
    reader = asyncio.create_task(_read_lines(process.stderr, last_words, log_line))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            return Running(process, await _connect(process, socket, data_dir_id, patience_s), reader)
    except BaseException as fault:
        await _end_child(process, exit_s=0, term_s=0)
        await reader
        if isinstance(fault, (_Exited, TimeoutError, EngineError, OSError)):
            raise _start_error(fault, tuple(last_words)) from fault
        raise


def _start_error(fault: Exception, last_words: Sequence[str]) -> EngineStartError:
    match fault:
        case _Exited():
            return EngineExited(fault.status, last_words)
        case TimeoutError():
            return EngineSilent(f"no hello within {START_TIMEOUT_S:.0f} s")
        case _:
            return EngineSilent(str(fault))


class _Exited(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def _connect(process: Child, socket: Path, data_dir_id: str, patience_s: float) -> EngineClient:
    while process.returncode is None:
        try:
            return await EngineClient.connect(socket, data_dir_id, patience_s)
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(RETRY_S)
    raise _Exited(process.returncode)


async def _read_lines(stream: asyncio.StreamReader, last_words: deque[str], log_line: LogLine) -> None:
    """Every line that the engine writes, until it closes the pipe."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            # Longer than the stream's limit; what was read of it is dropped.
            continue
        if not line:
            return
        text = line.decode("utf-8", "replace").rstrip()
        last_words.append(text)
        log_line(text)


# --- end --------------------------------------------------------------------------------------------------------------


async def _end_child(process: Child, exit_s: float, term_s: float) -> None:
    """Wait `exit_s` for it to go by itself and `term_s` more after SIGTERM, then SIGKILL."""
    for wait_s, send in ((exit_s, process.terminate), (term_s, process.kill)):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await process.wait()
                return
        send()
    await process.wait()
