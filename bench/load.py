"""The load generator, `pagecalls-load run`, as benches steer it: who connects, what is played, what came of it.

Owns the process and its lines of JSON; knows nothing of the server that is measured. Server and load have a core each.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
SERVER_CORE, LOAD_CORE = 0, -1


class Srtp(StrEnum):
    """The profiles that peers offer."""

    CM = "SRTP_AES128_CM_SHA1_80"
    GCM = "SRTP_AEAD_AES_128_GCM"
    GCM256 = "SRTP_AEAD_AES_256_GCM"


class Stream(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a peer sends: `burst` packets of `octets` at a time. The default is sound."""

    ssrc: int
    pt: int = 111
    level_id: int = 0
    mid_id: int = 0
    mid: str = ""
    twcc_id: int = 0
    per_s: float = 50.0
    burst: int = 1
    octets: int = 80
    clock_hz: int = 48000


class Leg(msgspec.Struct, frozen=True, omit_defaults=True):
    """A peer's side of one leg: the server's credentials, its own, where the server listens for it, what it sends."""

    ufrag: str
    pwd: str
    own_ufrag: str
    streams: list[Stream]
    own_pwd: str = ""
    server: str | None = None


class Step(msgspec.Struct, frozen=True):
    """Some time with traffic. `tick_us`: packets leave at multiples of it, 0: each at its own time. `streams`: how many play."""

    warm_up_ms: int = 1000
    window_ms: int = 8000
    tick_us: int = 0
    streams: int | None = None
    flat_out: bool = False


class Spread(msgspec.Struct, frozen=True):
    """In microseconds."""

    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class Line(msgspec.Struct, frozen=True):
    """What the load says: `hello`, `connected`, `window`, `over`, `result`; the members that its phase has are set."""

    phase: str
    fingerprint: str = ""
    first: str = ""
    port: int = 0
    up: int = 0
    failed: list[str] = []
    wall_s: float = 0.0
    sent: int = 0
    received: int = 0
    cpu_s: float = 0.0
    latency_us: Spread = Spread()
    lag_us: Spread = Spread()
    unreadable: int = 0
    refused: int = 0


class LoadFailed(Exception):
    """The load ended, or peers did not connect."""


@dataclass(frozen=True, slots=True)
class Load:
    """The running load; `hello` says how its peers are reached and known."""

    process: asyncio.subprocess.Process
    lines: asyncio.StreamReader
    orders: asyncio.StreamWriter
    hello: Line

    async def connect(self, legs: Sequence[Leg], srtp: Srtp) -> Line:
        """More peers; returns when they are up. Raises `LoadFailed` if one is not."""
        await self._order({"connect": {"profile": srtp, "peers": legs}})
        return await self._connected()

    async def pairs(self, count: int, srtp: Srtp) -> None:
        """Peers that are each other's other side: the load without a server."""
        await self._order({"pairs": {"profile": srtp, "count": count}})
        await self._connected()

    async def step(self, step: Step, at_edge: Callable[[], Awaitable[None]] | None = None) -> Line:
        """Play; `at_edge` is called when the window begins and again when it ends."""
        await self._order({"step": step})
        for phase in ("window", "over"):
            await self._line(phase)
            if at_edge is not None:
                await at_edge()
        return await self._line("result")

    def address(self, place: int) -> str:
        """Of the peer with this number, counted over all that ever connected here."""
        return number_to_ip(ip_to_number(self.hello.first) + place)

    async def _connected(self) -> Line:
        line = await self._line("connected")
        if line.failed:
            count = len(line.failed) + line.up
            raise LoadFailed(f"{len(line.failed)} of {count} peers failed, the first with: {line.failed[0]}")
        return line

    async def _order(self, order: dict[str, object]) -> None:
        self.orders.write(msgspec.json.encode(order) + b"\n")
        await self.orders.drain()

    async def _line(self, phase: str) -> Line:
        return await _read(self.lines, phase)


async def _read(lines: asyncio.StreamReader, phase: str) -> Line:
    text = await lines.readline()
    if not text:
        raise LoadFailed(f"the load ended before it said {phase!r}")
    line = msgspec.json.decode(text, type=Line)
    if line.phase != phase:
        raise LoadFailed(f"the load said {line.phase!r} instead of {phase!r}")
    return line


def ip_to_number(text: str) -> int:
    """An IPv4 address as the number that it is."""
    return int.from_bytes(bytes(int(part) for part in text.split(".")), "big")


def number_to_ip(number: int) -> str:
    """The reverse."""
    return ".".join(str(part) for part in number.to_bytes(4, "big"))


@asynccontextmanager
async def load(shared_address: str | None = None) -> AsyncIterator[Load]:
    """The load generator on the second core, or on the only one. Peers have a loopback address each, or all share this one."""
    command = [str(built("pagecalls-load")), "run", *([shared_address] if shared_address else [])]
    with on_core(LOAD_CORE):
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    if process.stdin is None or process.stdout is None:
        raise LoadFailed("no pipes")
    try:
        yield Load(process, process.stdout, process.stdin, await _read(process.stdout, "hello"))
    finally:
        process.stdin.close()
        await process.wait()


def built(name: str) -> Path:
    """A program as cargo built it."""
    path = RELEASE / name
    if not path.is_file():
        raise SystemExit(f"{path} is not there. `make bench` builds it.")
    return path


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """This process, and those that it starts meanwhile, on one of its cores; on a machine with one core, that one."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def cpu_ns(pid: int) -> int:
    """User and system CPU of a process so far, its ended threads too. In nanoseconds, where /proc/PID/stat counts in hundredths
    of a second: at one call a server uses no more than a few of those (the clock that clock_getcpuclockid(3) names)."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def rss_kb(pid: int) -> int:
    """Resident memory, in KiB (proc(5), /proc/PID/status)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
