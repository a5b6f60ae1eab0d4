"""The relay with real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pagecalls.testing.impair import Direction, Fate, Impairment, Kind, Traced, relay

LOOPBACKS = ["127.0.0.1", "::1"]
WITHIN_S = 5.0


@contextmanager
def udp(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((host, 0))
        made.setblocking(False)
        yield made


async def get(end: socket.socket) -> tuple[bytes, tuple[str, int]]:
    async with asyncio.timeout(WITHIN_S):
        datagram, sender = await asyncio.get_running_loop().sock_recvfrom(end, 2_000)
    return datagram, (sender[0], sender[1])


def rtp(number: int, ssrc: int = 7) -> bytes:
    return b"\x80\x6f" + number.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + b"sound"


@pytest.mark.parametrize("host", LOOPBACKS)
async def test_both_ways_between_a_peer_and_the_engine(host: str) -> None:
    with udp(host) as engine, udp(host) as peer:
        async with relay(engine.getsockname()[:2]) as link:
            assert link.address[0] == host
            peer.sendto(b"\x00\x01up", link.address)
            datagram, source = await get(engine)
            assert datagram == b"\x00\x01up"
            assert [source] == link.sources
            assert link.peers == [peer.getsockname()[:2]]
            engine.sendto(b"\x16down", source)
            assert await get(peer) == (b"\x16down", link.address)
            assert (link.up.of(Kind.STUN).forwarded, link.down.of(Kind.DTLS).forwarded_bytes) == (1, 5)


async def test_each_peer_has_a_source_of_its_own() -> None:
    with udp() as engine, udp() as first, udp() as second:
        async with relay(engine.getsockname()) as link:
            sources = []
            for peer in (first, second, first):
                peer.sendto(b"\x00hello", link.address)
                sources.append((await get(engine))[1])
            assert sources[0] == sources[2] != sources[1]
            engine.sendto(b"\x00for the second", sources[1])
            assert (await get(second))[0] == b"\x00for the second"


async def sent_through(seed: int, up: Impairment) -> list[int]:
    """Numbers of a hundred RTP packets that reach the engine; a STUN message that always passes marks the end."""
    with udp() as engine, udp() as peer:
        async with relay(engine.getsockname(), up=up, seed=seed) as link:
            for number in range(100):
                peer.sendto(rtp(number), link.address)
            peer.sendto(b"\x00end", link.address)
            got = []
            while (datagram := (await get(engine))[0]) != b"\x00end":
                got.append(int.from_bytes(datagram[2:4], "big"))
            counts = link.up.of(Kind.RTP)
            assert (counts.received, counts.forwarded, counts.lost) == (100, len(got), 100 - len(got))
            assert link.up.streams[7].lost == counts.lost
            return got


async def test_a_seed_repeats_itself() -> None:
    lossy = Impairment(loss=0.3, impairs=Kind.RTP)
    first = await sent_through(5, lossy)
    assert 50 < len(first) < 90
    assert await sent_through(5, lossy) == first
    assert await sent_through(6, lossy) != first


async def test_earlier_flows_of_other_kinds_do_not_shift_chance() -> None:
    """A browser checks from all of its addresses, in any order, and sends sound from one of them."""
    lossy = Impairment(loss=0.5, impairs=Kind.RTP)
    expected = await sent_through(5, lossy)
    with udp() as engine, udp() as other, udp() as peer:
        async with relay(engine.getsockname(), up=lossy, seed=5) as link:
            other.sendto(b"\x00check", link.address)
            await get(engine)
            for number in range(100):
                peer.sendto(rtp(number), link.address)
            got = [int.from_bytes((await get(engine))[0][2:4], "big") for _ in expected]
            assert got == expected


async def test_delay_and_trace() -> None:
    seen: list[tuple[Direction, Traced]] = []

    def trace(direction: Direction, traced: Traced) -> None:
        seen.append((direction, traced))

    loop = asyncio.get_running_loop()
    with udp() as engine, udp() as peer:
        async with relay(engine.getsockname(), up=Impairment(delay_ms=30), trace=trace) as link:
            before = loop.time()
            peer.sendto(rtp(1), link.address)
            await get(engine)
            assert loop.time() - before >= 0.029
            assert link.up.delays.quantile_ms(0.5) > 28
            assert link.down.delays.count == 0
    ((direction, traced),) = seen
    assert (direction, traced.fate, traced.ssrc, traced.sequence) == (Direction.UP, Fate.PASSED, 7, 1)


async def test_what_leaves_is_seen_when_it_does() -> None:
    left: list[tuple[Direction, bytes, float]] = []
    twice = Impairment(delay_ms=30, duplicate=1.0)
    with udp() as engine, udp() as peer:
        async with relay(engine.getsockname(), up=twice, leaves=lambda *each: left.append(each)) as link:
            before = asyncio.get_running_loop().time()
            peer.sendto(rtp(1), link.address)
            for _ in range(2):
                _, source = await get(engine)
            engine.sendto(b"\x00back", source)
            await get(peer)
    assert [(direction, datagram) for direction, datagram, _ in left] == [
        (Direction.UP, rtp(1)),
        (Direction.UP, rtp(1)),
        (Direction.DOWN, b"\x00back"),
    ]
    assert all(at_s - before >= 0.029 for *_, at_s in left)


@pytest.mark.parametrize("host", [None, "127.0.0.3"])
async def test_the_source_changes_and_the_old_one_is_dead(host: str | None) -> None:
    with udp() as engine, udp() as peer:
        async with relay(engine.getsockname()) as link:
            peer.sendto(b"\x00one", link.address)
            _, before = await get(engine)
            (after,) = link.change_source(host)
            assert after != before
            assert host is None or after[0] == host
            engine.sendto(b"\x00to the old one", before)
            peer.sendto(b"\x00two", link.address)
            assert await get(engine) == (b"\x00two", after)
            engine.sendto(b"\x00to the new one", after)
            assert (await get(peer))[0] == b"\x00to the new one"


async def test_a_source_that_is_not_ours_changes_nothing() -> None:
    with udp() as engine, udp() as peer:
        async with relay(engine.getsockname()) as link:
            peer.sendto(b"\x00one", link.address)
            _, before = await get(engine)
            with pytest.raises(OSError, match="assign"):
                link.change_source("192.0.2.1")
            assert link.sources == [before]


async def test_a_black_hole_and_other_rules_in_the_middle() -> None:
    seen: asyncio.Queue[Traced] = asyncio.Queue()
    with udp() as engine, udp() as peer:
        async with relay(engine.getsockname(), trace=lambda _, traced: seen.put_nowait(traced)) as link:
            link.blackhole(60.0, down=False)
            peer.sendto(b"\x00swallowed", link.address)
            assert (await seen.get()).fate is Fate.BLACKHOLED
            assert link.up.total.forwarded == 0
            link.blackhole(0.0)
            link.set(up=Impairment(loss=1.0, impairs=Kind.RTP))
            peer.sendto(rtp(1), link.address)
            peer.sendto(b"\x00passes", link.address)
            assert (await get(engine))[0] == b"\x00passes"
            assert link.up.of(Kind.RTP).lost == 1


async def test_an_engine_that_is_not_there_costs_datagrams_only() -> None:
    with udp() as engine:
        to = engine.getsockname()
    with udp() as peer:
        seen: asyncio.Queue[Traced] = asyncio.Queue()
        async with relay(to, trace=lambda _, traced: seen.put_nowait(traced)) as link:
            for number in range(3):
                peer.sendto(rtp(number), link.address)
                assert (await seen.get()).fate is Fate.PASSED


async def test_figures_stay_when_the_oldest_flow_makes_room() -> None:
    with udp() as engine, udp() as one, udp() as two, udp() as three:
        async with relay(engine.getsockname(), max_flows=2) as link:
            for peer in (one, two, one, three):
                peer.sendto(rtp(0), link.address)
                await get(engine)
            assert link.peers == [one.getsockname(), three.getsockname()]
            assert link.up.total.forwarded == 4
            assert link.up.streams[7].received == 4


async def test_addresses_that_cannot_be_used() -> None:
    with udp() as taken:
        with pytest.raises(OSError, match="in use"):
            async with relay(("127.0.0.1", 9), listen=taken.getsockname()):
                pass
        with pytest.raises(OSError, match=r"(?i)address family"):
            async with relay(("127.0.0.1", 9), listen=("::1", 0)):
                pass


async def test_a_description_leads_through_it() -> None:
    async with relay(("127.0.0.1", 9)) as link:
        answer = "m=audio 9 X 0\r\na=candidate:1 1 udp 8 192.0.2.1 40000 typ host\r\n"
        assert f" 127.0.0.1 {link.address[1]} typ host" in link.through(answer)
