"""The engine's figures held against what impairment relays did to the packets.

Upward with light peers, whose timestamps are steady: what the engine counts of the packets that come to it. Downward with foreign
stacks, since what the engine knows there is what a peer's reports tell it. Counts agree to the packet. Where time comes in, as in
jitter and round trips, they agree within 10 %; both are large, so that a busy machine's own share is within that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.serving import Served
from pagecalls.testing.impair import Direction, Impairment, Kind, Relay, classify, relay
from tests.interop.bad_network import (
    END_PACKETS,
    Linked,
    check_received,
    engine,
    last_figures,
    linked,
    none_under_way,
    only_stream,
    pass_more,
    track,
    with_chromium,
)
from tests.interop.world import WAIT_S, Json, Start, World, until
from tests.load_calls import LoadCall, LoadCalls, load_calls
from tests.load_peers import load_peers

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_the_engine_tells_what_the_relays_did(
    server: tuple[Served, BusinessApp], world: World, start: Start, chromium: Chromium
) -> None:
    """Both at once, for each takes its time."""
    await asyncio.gather(check_upward(*server, world), check_downward(world, start, chromium))


# --- from the peers to the engine -------------------------------------------------------------------------------------

PER_S = 100.0
MEASURED_UP = 700
"""So many packets of each peer reach the engine; at 1 % some seven are lost beside them."""
MEASURED_WITHIN_S = 25.0
MIXES = {
    "1 % loss, 50 ms jitter": Impairment(loss=0.01, delay_ms=20, jitter_ms=50, jitter_reorders=True, impairs=Kind.RTP),
    "5 % loss, 50 ms jitter out of order": Impairment(loss=0.05, jitter_ms=50, jitter_reorders=True, impairs=Kind.RTP),
    "5 % loss in bursts, reordering, duplication": Impairment(
        loss=0.05, loss_burst=3, jitter_ms=50, jitter_reorders=True, reorder=0.1, duplicate=0.1, impairs=Kind.RTP
    ),
    "20 % loss, reordering": Impairment(loss=0.2, jitter_ms=50, jitter_reorders=True, reorder=0.1, impairs=Kind.RTP),
}


CLOCK_HZ = 48_000


@dataclass(slots=True)
class Leaving:
    """The interarrival jitter (RFC 3550 6.4.1) of what a peer sends, taken where it leaves the relay and by its own timestamps:
    so it has what an uneven sender and a late relay do on a busy machine, too."""

    jitter_ms: float = 0.0
    _known: set[int] = field(default_factory=set)
    _last: tuple[float, int] | None = None

    def __call__(self, direction: Direction, datagram: bytes, at_s: float) -> None:
        """It leaves."""
        if direction is Direction.DOWN or classify(datagram) is not Kind.RTP:
            return
        sequence, timestamp = int.from_bytes(datagram[2:4], "big"), int.from_bytes(datagram[4:8], "big")
        if sequence in self._known:
            return
        self._known.add(sequence)
        if self._last is not None:
            last_s, last_timestamp = self._last
            # RTP time wraps.
            sent_ms = ((timestamp - last_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)) * 1000 / CLOCK_HZ
            self.jitter_ms += (abs((at_s - last_s) * 1000 - sent_ms) - self.jitter_ms) / 16
        self._last = at_s, timestamp


@dataclass(frozen=True, slots=True)
class Mixed:
    """A call of light peers, a relay before each, and what both relays do to what comes from the peer."""

    network: Impairment
    call: LoadCall
    links: tuple[Relay, Relay]
    left: tuple[Leaving, Leaving]


@asynccontextmanager
async def mixed(calls: LoadCalls, to: tuple[str, int], number: int, network: Impairment) -> AsyncIterator[Mixed]:
    """The call sends already, and its first packets have come, for of what is lost before them nobody can know."""
    left = Leaving(), Leaving()
    async with AsyncExitStack() as stack:
        before_business, before_consumer = links = (
            await stack.enter_async_context(relay(to, seed=2 * number, leaves=left[0])),
            await stack.enter_async_context(relay(to, seed=2 * number + 1, leaves=left[1])),
        )
        call = await calls.make(f"mix-{number}", to_business=before_business.through, to_consumer=before_consumer.through)
        await call.send(per_s=PER_S)
        await pass_more(*links, down=0)
        yield Mixed(network, call, links, left)


async def check_upward(served: Served, app: BusinessApp, world: World) -> None:
    """A call for each mix."""
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(load_peers())
        calls = await stack.enter_async_context(load_calls(served, app, load))
        made = [
            await stack.enter_async_context(mixed(calls, engine(world), number, network))
            for number, network in enumerate(MIXES.values())
        ]
        await asyncio.gather(*map(measure, made))
        for each in made:
            await each.call.hang_up()
            await app.expect("terminate", each.call.id)
            legs = await last_figures(world, each.call.id)
            for side, link, left in zip(("business", "consumer"), each.links, each.left, strict=True):
                check_mix(each.network, legs[side], link, left)


async def measure(mix: Mixed) -> None:
    """Let the peers send through it. Afterwards nothing is under way."""
    for link in mix.links:
        link.set(up=mix.network)
    await pass_more(*mix.links, up=MEASURED_UP, down=0, within_s=MEASURED_WITHIN_S)
    for link in mix.links:
        link.set(up=replace(mix.network, loss=0.0, loss_burst=None))
    await pass_more(*mix.links, down=0)
    for peer in (mix.call.business, mix.call.consumer):
        await peer.send(on=False)
    await none_under_way(*mix.links)


def check_mix(network: Impairment, leg: Json, link: Relay, left: Leaving) -> None:
    """The relay did its share, and the engine tells of all of it."""
    did = only_stream(link.up)
    assert did.lost >= network.loss * MEASURED_UP / 2, did
    check_received(leg, did)
    assert did.jitter_ms > network.jitter_ms / 3, did
    assert track(leg, "recv")["jitter_ms"] == pytest.approx(left.jitter_ms, rel=0.1), (network, leg, did)


# --- from the engine to the peers -------------------------------------------------------------------------------------

MEASURED_DOWN = 250
"""So many packets reach each peer."""


@dataclass(frozen=True, slots=True)
class Hop:
    """What one relay does both ways."""

    up: Impairment
    down: Impairment

    def begin(self, link: Relay) -> None:
        link.set(up=self.up, down=self.down)

    def mend(self, link: Relay) -> None:
        """From now on nothing is lost; it takes as long as before."""
        link.set(up=replace(self.up, loss=0.0), down=replace(self.down, loss=0.0))

    @property
    def round_trip_ms(self) -> float:
        return self.up.delay_ms + self.down.delay_ms


CHROMIUM = Hop(
    up=Impairment(loss=0.05, delay_ms=400, impairs=Kind.MEDIA),
    down=Impairment(loss=0.05, delay_ms=500, impairs=Kind.MEDIA),
)
AIORTC = Hop(
    up=Impairment(loss=0.01, delay_ms=300, impairs=Kind.MEDIA),
    down=Impairment(loss=0.2, delay_ms=400, impairs=Kind.MEDIA),
)
TOLD_WITHIN_S = 20.0
"""Chromium reports each 2.5 to 7.5 s, and the engine tells each 5 s."""


async def check_downward(world: World, start: Start, chromium: Chromium) -> None:
    """What the peers' reports tell: loss of the last hop and of the whole way, and the round trip."""
    async with linked(world, start, *with_chromium(chromium)) as bad:
        hops = ((bad.business, CHROMIUM), (bad.consumer, AIORTC))
        await asyncio.gather(*(one_copy(link) for link in bad.links))
        for link, hop in hops:
            hop.begin(link)
        await pass_more(*bad.links, up=0, down=MEASURED_DOWN, within_s=MEASURED_WITHIN_S)
        for link, hop in hops:
            hop.mend(link)
        await pass_more(*bad.links)
        await until(lambda: all_told(world, bad), TOLD_WITHIN_S)
        # A peer that waits for its processor answers late, and that is in the figure: not each must agree, but one of each side.
        for side, hop in (("business", CHROMIUM), ("consumer", AIORTC)):
            await until(partial(trip_is_told, world, bad, side, hop), TOLD_WITHIN_S)
        await bad.check_up(world)
        await world.hang_up(bad.call)
        legs = await last_figures(world, bad.call.id)
        check_sent(legs["business"], bad.business, bad.consumer, CHROMIUM)
        check_sent(legs["consumer"], bad.consumer, bad.business, AIORTC)


async def one_copy(link: Relay) -> None:
    """Wait until the engine sends one copy of the sound: of two the relay may lose each, and the engine counts a packet once."""
    async with asyncio.timeout(WAIT_S):
        while True:
            before = link.down.streams
            await pass_more(link, up=0, down=END_PACKETS)
            now = link.down.streams
            if sum(now[ssrc].received > before[ssrc].received for ssrc in before) == 1:
                return


async def all_told(world: World, bad: Linked) -> bool:
    """The engine tells at least as much as was lost on both ways, so both peers have reported since."""
    legs = await last_figures(world, bad.call.id)
    ways = (("business", bad.business, bad.consumer), ("consumer", bad.consumer, bad.business))
    return all(
        (track(legs[side], "send")["remote_lost"] or 0) >= link.down.of(Kind.RTP).lost + far.up.of(Kind.RTP).lost
        for side, link, far in ways
    )


async def trip_is_told(world: World, bad: Linked, side: str, hop: Hop) -> bool:
    """The last round trip that the engine tells of this side is what its relay makes of it, within 10 %."""
    told: float = (await last_figures(world, bad.call.id))[side]["rtt_ms"]
    return told == pytest.approx(hop.round_trip_ms, rel=0.1)


def check_sent(leg: Json, link: Relay, far: Relay, hop: Hop) -> None:
    """`link` stands before the peer of this leg, `far` before the one whose sound goes there."""
    told, lost, lost_before = track(leg, "send"), link.down.of(Kind.RTP).lost, far.up.of(Kind.RTP).lost
    assert lost >= hop.down.loss * MEASURED_DOWN / 2
    assert lost_before > 0
    assert told["lost"] == lost, (told, link.down)
    assert told["remote_lost"] == lost + lost_before, (told, link.down, far.up)
