"""A server and its engine as processes that may be killed at any moment, and what the system says of them.

Knows process ids, files and sockets; nothing of calls. A process is found by its parent or by the data directory in its command
line, never by its name alone: others may run the same programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pagecalls.demo.serving import NotServing, end
from pagecalls.dev import DevFile
from pagecalls.media.launch import read_log_line

START_WITHIN_S = 30.0
SERVE = ("pagecalls.cli", "serve")
"""The module of the server, and its arguments."""
ENGINE = b"pagecalls-media"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds. `descriptors`: without TCP connections that both ends have open, which are as many as the other end
    wants; one that the other end has closed counts."""

    descriptors: int
    rss_kib: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """Of a running process. Raises `FileNotFoundError`."""
        return cls(_descriptors(pid), int(_status(pid)["VmRSS"].split()[0]))


@dataclass(slots=True)
class ServerProcess:
    """One server after another on the same ports, with the same data: `pagecalls serve`, or another `program` with its options.

    `faults` are the log lines at error level of all of them, `lines` counts all lines. Each of the engine's `workers` has a
    media port, from `udp_port` on.
    """

    folder: Path
    webhook: str
    port: int
    udp_port: int
    options: Sequence[str] = ()
    program: Sequence[str] = SERVE
    workers: int = 1
    faults: list[str] = field(default_factory=list)
    lines: int = 0
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None
    _dev: DevFile | None = None

    @property
    def dev(self) -> DevFile:
        """What the running server said when it was ready."""
        if self._dev is None:
            raise NotServing("the server was not started")
        return self._dev

    @property
    def pid(self) -> int:
        """Of the running server."""
        if self._process is None:
            raise NotServing("the server does not run")
        return self._process.pid

    @property
    def engine(self) -> int | None:
        """The process id of the media engine of this data directory; `None` while there is none."""
        found = engines(self.folder)
        return found[0] if found else None

    @property
    def media_ports(self) -> set[int]:
        """Where the engine takes datagrams, whichever engine it is."""
        return set(range(self.udp_port, self.udp_port + self.workers))

    def engine_faults(self) -> list[str]:
        """Error lines that the engine wrote since its first server was killed (`engine.log`)."""
        log = self.folder / "engine.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return [line for line in lines if read_log_line(line)[0] >= logging.ERROR]

    async def launch(self) -> None:
        """Start it, without waiting."""
        ports = ["--port", str(self.port), "--udp-port", str(self.udp_port), "--workers", str(self.workers)]
        line = [*ports, "--data-dir", str(self.folder), "--webhook", self.webhook, "--json", *self.options]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", *self.program, *line),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._reader = asyncio.create_task(self._read(self._process.stderr))

    async def ready(self) -> None:
        """Wait until it answers. Raises `NotServing`."""
        if self._process is None or self._process.stdout is None:
            raise NotServing("the server was not started")
        async with asyncio.timeout(START_WITHIN_S):
            line = await self._process.stdout.readline()
        if not line:
            raise NotServing(f"the server did not start: {self.faults[-3:]}")
        self._dev = msgspec.json.decode(line, type=DevFile)

    async def start(self) -> None:
        """Start it and wait until it answers. Raises `NotServing`."""
        await self.launch()
        await self.ready()

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone. The engine goes on."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """The orderly end of the server and of its engine."""
        if self._process is not None:
            await end(self._process)
        if self._reader is not None:
            await self._reader

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (line := await stream.readline()):
            self.lines += 1
            text = line.decode(errors="replace").strip()
            if is_fault(text):
                self.faults.append(text)


def is_fault(line: str) -> bool:
    """Whether a line of the log is at error level, or no line of the log: a traceback, a panic."""
    try:
        return str(msgspec.json.decode(line)["level"]).upper() in ("ERROR", "CRITICAL")
    except (msgspec.DecodeError, KeyError, TypeError):
        return bool(line)


def free_ports(workers: int) -> tuple[int, int]:
    """A port for HTTP and one for media that nobody has now. Every server of a world gets the same, as an operator's does.

    Media take the same number over UDP and TCP, so the number is asked for over TCP, where more of them are in use. The next
    workers have the next numbers over UDP, which must be free as well.
    """
    while True:
        with socket.socket() as http, socket.socket() as media, ExitStack() as others:
            for each in (http, media):
                each.bind(("127.0.0.1", 0))
            port = media.getsockname()[1]
            try:
                for number in range(port, port + workers):
                    others.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", number))
            except (OSError, OverflowError):
                continue
            return http.getsockname()[1], port


@asynccontextmanager
async def a_server(
    folder: Path, webhook: str, options: Sequence[str] = (), program: Sequence[str] = SERVE, workers: int = 1
) -> AsyncIterator[ServerProcess]:
    """A server that runs, with its data in an absolute folder; whatever runs of it in the end is ended."""
    server = ServerProcess(folder, webhook, *free_ports(workers), options, program, workers)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        for pid in engines(server.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def engines(folder: Path) -> list[int]:
    """Running engines of a data directory."""
    return [pid for pid, words in _processes() if words[0].endswith(ENGINE) and os.fsencode(folder) in words]


def servers(folder: Path) -> list[int]:
    """Running servers of a data directory."""
    return [pid for pid, words in _processes() if b"pagecalls.cli" in words and os.fsencode(folder) in words]


def waited_s(pid: int) -> float:
    """How long the threads of a process were ready to run and had no processor, in all (sched-stats, /proc/PID/schedstat)."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks.iterdir()) / 1e9


def zombies(parent: int) -> list[int]:
    """Children of a process that have ended and that it does not collect."""
    return [pid for pid in _pids() if (facts := _status(pid)) and facts["PPid"] == str(parent) and facts["State"][0] == "Z"]


def udp_ports(pid: int) -> set[int]:
    """Ports of the UDP sockets that a process has, of both families."""
    links = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just been closed
            links.add(str(each.readlink()))
    rows = [line.split() for table in ("udp", "udp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if f"socket:[{row[9]}]" in links}


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or is a zombie only."""
    facts = _status(pid)
    return not facts or facts["State"][0] == "Z"


def _descriptors(pid: int) -> int:
    both_open, count = _established(pid), 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += str(each.readlink()) not in both_open
    return count


def _established(pid: int) -> set[str]:
    """TCP connections that both ends have open, as the names of their descriptors (proc(5), /proc/net/tcp)."""
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "01"}


def _processes() -> list[tuple[int, list[bytes]]]:
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            found.append((pid, words))
    return found


def _pids() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines())
    return {name: value.strip() for name, value in pairs}


@dataclass(frozen=True, slots=True)
class UdpQueue:
    """What the kernel holds for a UDP port and has thrown away since it was opened (proc(5), /proc/net/udp)."""

    waiting_bytes: int
    dropped: int

    @classmethod
    def of(cls, port: int) -> UdpQueue:
        """All sockets of that port together."""
        rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
        ours = [row for row in rows if int(row[1].split(":")[1], 16) == port]
        return cls(sum(int(row[4].split(":")[1], 16) for row in ours), sum(int(row[12]) for row in ours))
