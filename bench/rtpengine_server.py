"""rtpengine as a server under test: Debian's daemon in user space on loopback, told of calls with offer and answer over its ng
protocol: a cookie and a bencoded dictionary in a UDP datagram.

Both sides are WebRTC there as here: ICE-lite, DTLS in the passive role, no SDES; nothing is transcoded.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bench.daemon import daemon, free_port
from bench.load import Leg, Load
from bench.peer_sdp import Peer, peer
from bench.rig import Traffic

NAME, PROGRAM = "rtpengine", "rtpengine"
AT_ONCE = 8
ANSWER_WITHIN_S, TRIES = 1.0, 5
PORTS = 20_000
Value = str | int | list["Value"] | dict[str, "Value"]

ASKED: dict[str, Value] = {
    "ICE": "force",
    "ICE-lite": "both",
    "DTLS": "passive",
    "SDES": ["off"],
    "rtcp-mux": ["offer", "require"],
    "transport-protocol": "UDP/TLS/RTP/SAVPF",
    "replace": ["origin", "session-connection"],
}


def encode(value: Value) -> bytes:
    """Bencode."""
    match value:
        case str():
            text = value.encode()
            return b"%d:%b" % (len(text), text)
        case int():
            return b"i%de" % value
        case list():
            return b"l%be" % b"".join(map(encode, value))
        case dict():
            return b"d%be" % b"".join(encode(key) + encode(value[key]) for key in sorted(value))


def decode(data: bytes) -> Value:
    """The reverse. Raises `ValueError`."""
    value, rest = _decode(data)
    if rest:
        raise ValueError("more than one value")
    return value


def _decode(data: bytes) -> tuple[Value, bytes]:
    if data[:1] == b"i":
        number, _, rest = data[1:].partition(b"e")
        return int(number), rest
    if data[:1] in (b"l", b"d"):
        values, rest = [], data[1:]
        while rest[:1] != b"e":
            value, rest = _decode(rest)
            values.append(value)
        if data[:1] == b"l":
            return values, rest[1:]
        return {str(key): value for key, value in zip(values[::2], values[1::2], strict=True)}, rest[1:]
    length, _, rest = data.partition(b":")
    size = int(length)
    return rest[:size].decode(), rest[size:]


class Ng(asyncio.DatagramProtocol):
    """The control port. Answers are tied to requests by cookies; a request without an answer is repeated, which does no harm."""

    def __init__(self) -> None:
        self._cookies = itertools.count(1)
        self._waiting: dict[bytes, asyncio.Future[dict[str, Value]]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        # A DatagramTransport by its interface; in Python 3.11 not by its class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """An answer."""
        cookie, _, body = data.partition(b" ")
        waiting, answer = self._waiting.get(cookie), decode(body)
        if waiting is not None and not waiting.done() and isinstance(answer, dict):
            waiting.set_result(answer)

    async def ask(self, command: str, **members: Value) -> dict[str, Value]:
        """One command. Raises `RuntimeError` where it is refused, `TimeoutError`."""
        if self._transport is None:
            raise RuntimeError("not connected")
        cookie = b"bench_%d" % next(self._cookies)
        answer: asyncio.Future[dict[str, Value]] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answer
        members = {name.replace("_", "-"): value for name, value in members.items()}
        request = cookie + b" " + encode({"command": command, **members})
        try:
            for _ in range(TRIES):
                self._transport.sendto(request)
                done, _ = await asyncio.wait([answer], timeout=ANSWER_WITHIN_S)
                if done:
                    break
            else:
                raise TimeoutError(f"no answer to {command}")
        finally:
            del self._waiting[cookie]
        result = answer.result()
        if result.get("result") not in ("ok", "pong"):
            raise RuntimeError(f"{command}: {result.get('error-reason')}")
        return result


@dataclass(slots=True)
class RtpengineServer:
    """A running daemon."""

    pid: int
    ng: Ng
    name: str = NAME
    peers_at: None = None
    made: int = 0
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def add(self, count: int, load: Load, traffic: Traffic) -> list[Leg]:
        """Calls of two WebRTC legs."""
        if traffic is not Traffic.AUDIO:
            raise ValueError("sound only")
        numbers = range(self.made, self.made + count)
        self.made += count
        calls = await asyncio.gather(*(self._call(number, load) for number in numbers))
        return [leg for legs in calls for leg in legs]

    async def _call(self, number: int, load: Load) -> tuple[Leg, Leg]:
        caller, callee = peer(2 * number, load), peer(2 * number + 1, load)
        ids: dict[str, Value] = {"call-id": f"call-{number}", "from-tag": f"a{number}"}
        async with self._limit:
            offered = await self._describe("offer", caller, ids)
            answered = await self._describe("answer", callee, {**ids, "to-tag": f"b{number}"})
        return caller.leg(answered), callee.leg(offered)

    async def _describe(self, command: str, of: Peer, ids: dict[str, Value]) -> str:
        answer = await self.ng.ask(command, sdp=of.sdp(), **ids, **ASKED)
        return str(answer["sdp"])


def is_installed() -> bool:
    """Whether there is one to measure."""
    return shutil.which(PROGRAM) is not None


@asynccontextmanager
async def rtpengine_server(folder: Path) -> AsyncIterator[RtpengineServer]:
    """The daemon on the first core, ended on the way out. Raises `RuntimeError` if it does not start."""
    port, first = free_port(), random.randrange(22_000, 32_000, 2)
    command = [PROGRAM, "--foreground", "--log-stderr", "--log-level=3", "--table=-1", "--interface=127.0.0.1"]
    command += [f"--listen-ng=127.0.0.1:{port}", f"--port-min={first}", f"--port-max={first + PORTS}", "--config-file=none"]
    # By itself it drops a call after 60 s without media, which is less than the rest of `--long`.
    command += ["--timeout=3600", "--silent-timeout=3600"]
    async with daemon(command, folder) as process:
        loop = asyncio.get_running_loop()
        transport, ng = await loop.create_datagram_endpoint(Ng, remote_addr=("127.0.0.1", port))
        try:
            await ng.ask("ping")
            yield RtpengineServer(process.pid, ng)
        finally:
            transport.close()
