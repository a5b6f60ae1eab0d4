"""Many light WebRTC peers for tests of the whole server: `pagecalls-load peers`, steered from asyncio.

Each peer makes an offer with the fields that Chromium's has, reads the server's answer, connects with ICE, DTLS and SRTP, sends
packets and counts what it receives, source by source. Nothing of it is sound: what can be heard is the business of the peers in
`pagecalls.demo`. All peers are one process with one thread; each has a loopback address of its own (127.1.0.0 and up), and all
share one port.
`tests/load_calls.py` makes whole calls of them.

    async with load_peers() as load:
        peer = await load.peer("ann")
        answer = ...  # what the server says to peer.offer()
        await peer.apply_answer(answer)
        await peer.send()
        heard = (await peer.stats()).heard
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pagecalls.sdp.description import parse

ROOT = Path(__file__).parent.parent
BINARY_VARIABLE = "PAGECALLS_LOAD_BIN"
CONNECT_WITHIN_S = 10.0
FIRST_SSRC = 0x1000_0001
OPUS_PT, EVENT_PT, LEVEL_ID, MID_ID = 111, 110, 1, 4
MID = "0"
Json = dict[str, Any]

OFFER = """\
v=0
o=- {session} 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE {mid}
a=extmap-allow-mixed
a=msid-semantic: WMS {stream}
m=audio {port} UDP/TLS/RTP/SAVPF {opus} {event}
c=IN IP4 {address}
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122260223 {address} {port} typ host generation 0
a=ice-ufrag:{ufrag}
a=ice-pwd:{pwd}
a=ice-options:trickle
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:{mid}
a=extmap:{level} urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:{mid_id} urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:{stream} {stream}-audio
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:{opus} opus/48000/2
a=fmtp:{opus} minptime=10;useinbandfec=1
a=rtpmap:{event} telephone-event/48000
a=ssrc:{ssrc} cname:{stream}
a=ssrc:{ssrc} msid:{stream} {stream}-audio
"""


class LoadError(Exception):
    """An order that was refused, or a peer that failed; the text is the process's own."""


class Latency(msgspec.Struct, frozen=True):
    """In microseconds."""

    p50: float
    p99: float
    max: float


class HeardSource(msgspec.Struct, frozen=True):
    """One received source. Times are seconds since 1970; counts are of the interval since the last mark.

    `sender`: the peer of this process that sent it. `packets`: those that left since the mark, so that they can be held against
    what that peer sent. `lost`: numbers that did not come while later ones did, in `holes` places; of a source that is silent
    nothing is lost. `longest_gap_ms`: between two arrivals, of which the second is in the interval, and from the last one until
    now. `since_at`: the first arrival of the interval.
    """

    ssrc: int
    pt: int
    packets: int
    lost: int
    holes: int
    reordered: int
    longest_gap_ms: float
    sender: str | None = msgspec.field(name="from")
    first_at: float | None = None
    since_at: float | None = None
    last_at: float | None = None
    bye_at: float | None = None
    latency_us: Latency | None = None


class SentStream(msgspec.Struct, frozen=True):
    """One stream that a peer sends, and its packets since the last mark."""

    ssrc: int
    pt: int
    on: bool
    packets: int


class PeerStats(msgspec.Struct, frozen=True):
    """What a peer has sent and received. `state`: new, checking, handshaking, up, closed, dropped or failed."""

    state: str
    up_at: float | None
    sent: list[SentStream]
    heard: list[HeardSource]
    checks_answered: int
    replayed: int
    unreadable: int
    rtcp: int

    def heard_from(self, sender: str) -> list[HeardSource]:
        """Sources that carry what that peer sends; each copy that the server makes is one."""
        return [source for source in self.heard if source.sender == sender]

    @property
    def packets_sent(self) -> int:
        """Of all streams."""
        return sum(stream.packets for stream in self.sent)

    @property
    def packets_heard(self) -> int:
        """Of all sources."""
        return sum(source.packets for source in self.heard)


@dataclass(slots=True)
class LoadPeer:
    """One peer. `facts` are the events of the process about it, in order: up, failed, bye, closed. `engine`: where the
    server told it to send."""

    load: LoadPeers
    name: str
    ssrc: int
    ufrag: str
    pwd: str
    fingerprint: str
    address: str
    port: int
    facts: list[Json] = field(default_factory=list)
    engine: tuple[str, int] | None = None

    @property
    def stream(self) -> str:
        """The name of its stream in the offer."""
        return f"stream-{self.ssrc}"

    def offer(self) -> str:
        """A Chromium-like offer of one audio line."""
        text = OFFER.format(
            session=self.ssrc,
            stream=self.stream,
            mid=MID,
            mid_id=MID_ID,
            level=LEVEL_ID,
            opus=OPUS_PT,
            event=EVENT_PT,
            ssrc=self.ssrc,
            address=self.address,
            port=self.port,
            ufrag=self.ufrag,
            pwd=self.pwd,
            fingerprint=self.fingerprint,
        )
        return text.replace("\n", "\r\n")

    async def apply_answer(self, sdp: str, *, via: Callable[[str, int], tuple[str, int]] | None = None) -> None:
        """Connect to the server that answered; returns when media can flow. Raises `LoadError`.

        `via` may turn a candidate into another address, such as that of a relay.
        """
        await self.begin(sdp, via=via)
        await self.until("up", CONNECT_WITHIN_S)

    async def begin(self, sdp: str, *, via: Callable[[str, int], tuple[str, int]] | None = None) -> None:
        """The same without waiting; `until("up")` waits."""
        section = parse(sdp).media[0]
        found = [text.split() for text in section.candidate_texts]
        places = [(part[4], int(part[5])) for part in found if part[2].lower() == "udp" and ":" not in part[4]]
        self.engine = next(iter(places), None)
        if via is not None:
            places = [via(*place) for place in places]
        await self.order(
            "connect",
            to=[f"{address}:{port}" for address, port in places],
            ufrag=section.ufrag,
            pwd=section.pwd,
            fingerprint=next(found.value for found in section.fingerprints if found.algorithm.lower() == "sha-256"),
        )

    async def until(self, event: str, within_s: float = CONNECT_WITHIN_S) -> Json:
        """The first event of that kind, now or later. Raises `LoadError` if the peer fails, `TimeoutError`."""
        return await self.load.event(self, event, within_s)

    async def send(self, *, on: bool = True, per_s: float = 50.0, **shape: object) -> None:
        """Start (or change, or stop) a stream: sound-like unless `octets`, `burst`, `pt`, `ssrc`, `clock_hz` say otherwise."""
        sound = {"ssrc": self.ssrc, "pt": OPUS_PT, "level_id": LEVEL_ID, "mid_id": MID_ID, "mid": MID}
        await self.order("send", on=on, stream={**sound, "per_s": per_s, **shape})

    async def stats(self) -> PeerStats:
        """What it has sent and received since the last mark."""
        return (await self.load.stats(self.name))[self.name]

    async def mark(self) -> None:
        """Begin a new interval."""
        await self.order("mark")

    async def move(self) -> str:
        """Another address, as a NAT that forgot the old one gives it; a check goes out from there. Returns the address."""
        moved: str = (await self.order("move"))["address"]
        return moved

    async def inject(self, datagrams: Sequence[bytes]) -> None:
        """Send these bytes from the peer's own address, as somebody does who can write any sender's address."""
        await self.order("inject", hex=[datagram.hex() for datagram in datagrams])

    async def tap(self, room: int) -> list[bytes]:
        """Keep the next `room` datagrams that the peer sends, none with 0; returns those kept since the last call."""
        kept: Any = await self.order("tap", room=room)
        return [bytes.fromhex(datagram) for datagram in kept]

    async def close(self) -> None:
        """BYE and close_notify."""
        await self.order("close")

    async def drop(self) -> None:
        """Vanish without a word."""
        await self.order("drop")

    async def order(self, op: str, **members: object) -> Json:
        """One order about this peer and its answer. Raises `LoadError`."""
        return await self.load.order(op, peer=self.name, **members)


class LoadPeers:
    """The process and its peers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise LoadError("the process has no pipes")
        self.process = process
        self.peers: dict[str, LoadPeer] = {}
        self._orders, self._lines = process.stdin, process.stdout
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def peer(self, name: str, *, profiles: Sequence[str] | None = None) -> LoadPeer:
        """A new peer that offers these SRTP profiles, all three without it."""
        made = await self.order("new", peer=name, profiles=profiles)
        self.peers[name] = LoadPeer(self, name, FIRST_SSRC + 16 * len(self.peers), **made)
        return self.peers[name]

    async def stats(self, name: str | None = None) -> dict[str, PeerStats]:
        """Of one peer, or of all."""
        return msgspec.convert(await self.order("stats", peer=name), dict[str, PeerStats])

    async def mark(self) -> None:
        """Begin a new interval for all peers."""
        await self.order("mark")

    async def order(self, op: str, **members: object) -> Json:
        """One order and its answer. Raises `LoadError`."""
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._orders.write(msgspec.json.encode({"id": number, "op": op, **members}) + b"\n")
        answer = await self._waiting[number]
        if "err" in answer:
            raise LoadError(f"{op} {members.get('peer') or ''}: {answer['err']}")
        result: Json = answer["ok"]
        return result

    async def event(self, peer: LoadPeer, kind: str, within_s: float) -> Json:
        """The first event of that kind about a peer. Raises `LoadError` if the peer fails instead, `TimeoutError`."""

        def found() -> Json | None:
            return next((fact for fact in peer.facts if fact["event"] in (kind, "failed")), None)

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), within_s)
            except TimeoutError:
                came = [fact["event"] for fact in peer.facts]
                raise TimeoutError(f"{peer.name}: no {kind} within {within_s} s; these came: {came}") from None
        fact = found()
        if fact is None or (fact["event"] == "failed" and kind != "failed"):
            raise LoadError(f"{peer.name}: {fact and fact['why']}")
        return fact

    async def close(self) -> None:
        """End the process; the peers vanish."""
        self._orders.close()
        await self.process.wait()
        await self._reader

    async def _read(self) -> None:
        async for line in self._lines:
            message: Json = msgspec.json.decode(line)
            if "event" not in message:
                waiting = self._waiting.pop(message["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            elif "peer" in message:
                async with self._news:
                    self.peers[message["peer"]].facts.append(message)
                    self._news.notify_all()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LoadError("pagecalls-load has ended"))


@asynccontextmanager
async def load_peers() -> AsyncIterator[LoadPeers]:
    """A running process without peers, ended on the way out."""
    process = await asyncio.create_subprocess_exec(
        find_load(), "peers", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=16 * 1024 * 1024
    )
    load = LoadPeers(process)
    try:
        yield load
    finally:
        await load.close()


def find_load() -> Path:
    """The program: named in `PAGECALLS_LOAD_BIN`, or as cargo built it. Raises `LoadError`."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    path = Path(os.environ.get(BINARY_VARIABLE) or target / "release" / "pagecalls-load")
    if not path.is_file():
        raise LoadError(f"{path} is not there: `make build-load` builds it")
    return path
