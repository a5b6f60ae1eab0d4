"""Calls with an impairment relay before each peer, for the tests of bad networks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.testing.impair import Figures, Kind, Relay, StreamCounts, relay
from tests.interop.world import LEVEL_DBFS, ONCE_AFTER_S, WAIT_S, Call, Json, Plan, Start, World, until

BUSINESS_TONE_HZ, CONSUMER_TONE_HZ = 600, 1000
"""Whole periods in a packet of 20 ms: a receiver that leaves lost packets out (aiortc) still hears an unbroken sine, and what is
measured is the network and not the splice."""

SEEDS = 333, 2231
"""Of the relays before business and consumer. At 1 % these lose a packet of each 70 or so from the second second of a call on."""

END_PACKETS = 10
"""So many pass at the end without loss: what is lost after the last packet that comes cannot be known to a receiver."""


@dataclass(slots=True)
class Linked:
    """A call with a relay before each peer."""

    call: Call
    business: Relay
    consumer: Relay

    @property
    def links(self) -> tuple[Relay, Relay]:
        return self.business, self.consumer

    async def check_heard(self, *, window_s: float = 1.0) -> None:
        """Each side hears the other's tone, once (the copies are settled) and at its level."""
        heard = await self.call.hear(window_s=window_s)
        for each, frequency_hz in zip(heard, (CONSUMER_TONE_HZ, BUSINESS_TONE_HZ), strict=True):
            assert each.is_tone(frequency_hz), each
            # A lost packet costs at most its 20 ms of sound: at 20 % loss 1 dB, if nothing conceals it.
            assert each.level_dbfs == pytest.approx(LEVEL_DBFS, abs=2), each

    async def check_up(self, world: World) -> None:
        """Both legs have lived since their one handshake."""
        assert await world.journal(self.call.id, "leg_failed") == []
        assert len(await world.journal(self.call.id, "dtls")) == 2


@asynccontextmanager
async def linked(world: World, start: Start, business: Peer, consumer: Peer) -> AsyncIterator[Linked]:
    """A consumer's call; copies have settled. The relays do nothing yet."""
    to, (of_business, of_consumer) = engine(world), SEEDS
    async with relay(to, seed=of_business) as before_business, relay(to, seed=of_consumer) as before_consumer:
        await start(business)
        await start(consumer)
        plan = Plan(to_business=before_business.through, to_consumer=before_consumer.through)
        call = await world.consumer_calls(business, consumer, plan)
        await call.hear(window_s=0.3)
        await asyncio.sleep(call.settled_at + ONCE_AFTER_S - asyncio.get_running_loop().time())
        yield Linked(call, before_business, before_consumer)


def engine(world: World) -> tuple[str, int]:
    """Where relays send to."""
    host, _, port = world.dev.media.udp[0].rpartition(":")
    return host, int(port)


def two_aiortc() -> tuple[Peer, Peer]:
    """Business and consumer."""
    return AiortcPeer(tone_hz=BUSINESS_TONE_HZ), AiortcPeer(tone_hz=CONSUMER_TONE_HZ)


def with_chromium(chromium: Chromium) -> tuple[Peer, Peer]:
    """Business and consumer."""
    return chromium.peer(tone_hz=BUSINESS_TONE_HZ), AiortcPeer(tone_hz=CONSUMER_TONE_HZ)


# --- figures ----------------------------------------------------------------------------------------------------------


async def none_under_way(*links: Relay) -> None:
    """Wait until every RTP packet that came from the peers has reached the engine or was dropped."""

    async def is_so() -> bool:
        return all(link.up.of(Kind.RTP).waiting == 0 for link in links)

    await until(is_so)


async def pass_more(*links: Relay, up: int = END_PACKETS, down: int = END_PACKETS, within_s: float = WAIT_S) -> None:
    """Wait until so many more RTP packets have passed each of them."""
    wanted = [(link, link.up.of(Kind.RTP).forwarded + up, link.down.of(Kind.RTP).forwarded + down) for link in links]

    async def is_so() -> bool:
        return all(link.up.of(Kind.RTP).forwarded >= up and link.down.of(Kind.RTP).forwarded >= down for link, up, down in wanted)

    await until(is_so, within_s)


def only_stream(figures: Figures) -> StreamCounts:
    """What was done to the one RTP stream that there is."""
    (stream,) = figures.streams.values()
    return replace(stream)


async def last_figures(world: World, call_id: str) -> dict[str, Json]:
    """By side, what the engine told last of the legs of a call; after its end that is of all that came."""
    return {leg["side"]: leg for leg in (await world.report(call_id))["legs"]}


def track(leg: Json, direction: str) -> Json:
    """The figures of a leg's one track in this direction."""
    (found,) = [track for track in leg["tracks"] if track["direction"] == direction]
    return dict(found)


def check_received(leg: Json, did: StreamCounts) -> None:
    """The engine has counted what the relay did to this stream, to the packet."""
    got = track(leg, "recv")
    assert got["packets"] == did.forwarded - did.duplicated, (got, did)
    told = got["lost"], got["duplicates"], got["reordered"], got["late"]
    assert told == (did.lost, did.duplicated, did.reordered, 0), (got, did)
