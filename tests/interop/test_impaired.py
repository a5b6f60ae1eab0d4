"""Calls whose packets go through a bad network, each peer behind a relay of its own.

Loss, jitter and the like concern RTP only, so that every set-up succeeds and chance begins with the first packet of sound;
black holes and changes of the address concern everything. Seeds are fixed: the n-th packet of a stream meets the same fate in
every run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.listening import Heard
from pagecalls.demo.serving import Served
from pagecalls.testing.impair import Figures, Impairment, Kind, Relay, StreamCounts, relay
from tests.interop.world import LEVEL_DBFS, ONCE_AFTER_S, Call, Plan, Start, World, a_world, until

pytestmark = pytest.mark.asyncio(loop_scope="package")


# --- calls ------------------------------------------------------------------------------------------------------------

BUSINESS_TONE_HZ, CONSUMER_TONE_HZ = 600, 1000
"""Whole periods in a packet of 20 ms: a receiver that leaves lost packets out (aiortc) still hears an unbroken sine, and what is
measured is the network and not the splice."""


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
    host, _, port = world.dev.media.udp[0].rpartition(":")
    engine = host, int(port)
    async with relay(engine, seed=1) as before_business, relay(engine, seed=2) as before_consumer:
        await start(business)
        await start(consumer)
        plan = Plan(to_business=before_business.through, to_consumer=before_consumer.through)
        call = await world.consumer_calls(business, consumer, plan)
        await call.hear(window_s=0.3)
        await asyncio.sleep(call.settled_at + ONCE_AFTER_S - asyncio.get_running_loop().time())
        yield Linked(call, before_business, before_consumer)


def two_aiortc() -> tuple[Peer, Peer]:
    """Business and consumer."""
    return AiortcPeer(tone_hz=BUSINESS_TONE_HZ), AiortcPeer(tone_hz=CONSUMER_TONE_HZ)


def with_chromium(chromium: Chromium) -> tuple[Peer, Peer]:
    """Business and consumer."""
    return chromium.peer(tone_hz=BUSINESS_TONE_HZ), AiortcPeer(tone_hz=CONSUMER_TONE_HZ)


BAD_NETWORKS = {
    "1 % loss": Impairment(loss=0.01, impairs=Kind.RTP),
    "5 % loss": Impairment(loss=0.05, impairs=Kind.RTP),
    "loss in bursts": Impairment(loss=0.05, loss_burst=3, impairs=Kind.RTP),
    "20 % loss": Impairment(loss=0.20, impairs=Kind.RTP),
    "50 ms jitter": Impairment(delay_ms=20, jitter_ms=50, impairs=Kind.RTP),
    "reordering": Impairment(reorder=0.1, reorder_depth=2, impairs=Kind.RTP),
    "duplication": Impairment(duplicate=0.2, impairs=Kind.RTP),
}


@pytest.mark.parametrize("has_browser", [False, True], ids=["aiortc-aiortc", "chromium-aiortc"])
async def test_a_call_is_heard_through_bad_networks(world: World, start: Start, chromium: Chromium, has_browser: bool) -> None:
    """One call, one network after the other, on the way from each peer to the engine: each direction of the sound meets it once.

    At 20 % aiortc, which waits for sixteen packets at each gap and conceals nothing, plays less than half of the time; a shorter
    stretch of its sound is measured then.
    """
    async with linked(world, start, *(with_chromium(chromium) if has_browser else two_aiortc())) as bad:
        for name, network in BAD_NETWORKS.items():
            for link in bad.links:
                link.set(up=network)
            await bad.check_heard(window_s=0.4 if name == "20 % loss" else 1.0)
        for link in bad.links:
            done = link.up.of(Kind.RTP)
            assert done.lost > 0, done
            assert done.duplicated > 0, done
            assert done.reordered > 0, done
        await bad.check_up(world)
        await world.hang_up(bad.call)


# --- the engine's figures ---------------------------------------------------------------------------------------------

MEASURED_S = 6.0
STATS_EVERY_S = 5.0
"""The engine tells its figures so often; the last ones stand in the journal when a call ends."""
NOTHING_MORE = Impairment(loss=1.0, impairs=Kind.RTP)


def only_stream(figures: Figures) -> StreamCounts:
    (stream,) = figures.streams.values()
    return replace(stream)


async def test_the_engine_counts_what_the_relay_did(world: World, start: Start, chromium: Chromium) -> None:
    """RTP from each peer to the engine: packets, loss and jitter."""
    async with linked(world, start, *with_chromium(chromium)) as bad:
        bad.business.set(up=Impairment(loss=0.05, delay_ms=20, jitter_ms=30, duplicate=0.05, impairs=Kind.RTP))
        bad.consumer.set(up=Impairment(loss=0.2, jitter_ms=10, jitter_reorders=True, reorder=0.05, impairs=Kind.RTP))
        await asyncio.sleep(MEASURED_S)
        # From here on no RTP reaches the engine, so that its last figures are of all that did.
        done = {"business": only_stream(bad.business.up), "consumer": only_stream(bad.consumer.up)}
        for link in bad.links:
            link.set(up=NOTHING_MORE)
        await asyncio.sleep(STATS_EVERY_S + 0.5)
        sent = {"business": only_stream(bad.business.up), "consumer": only_stream(bad.consumer.up)}
        await bad.check_up(world)
        await world.hang_up(bad.call)
        told = {entry["side"]: entry for entry in await world.journal(bad.call.id, "stats")}
    for side, stream in done.items():
        facts = told[side]
        assert stream.received > 0.9 * MEASURED_S * 50
        assert facts["recv_default_audio_packets"] == sent[side].forwarded - sent[side].duplicated, (facts, sent[side])
        # What is lost before the first packet or after the last one cannot be known to a receiver.
        assert facts["recv_default_audio_lost"] == pytest.approx(stream.lost, abs=2), (facts, stream)
        # A running figure of the last dozens of packets; the sender's own unsteadiness comes on top.
        jitter_ms = sent[side].jitter_ms
        assert facts["recv_default_audio_jitter_ms"] == pytest.approx(jitter_ms, rel=0.1, abs=1.5), (facts, sent[side])


# --- addresses that change, and black holes ---------------------------------------------------------------------------


async def until_heard_again(link: Relay, within_s: float) -> None:
    """RTP comes from the peer behind this relay, and the engine sends to it; in both directions new packets."""
    up, down = link.up.of(Kind.RTP).forwarded, link.down.of(Kind.RTP).received

    async def is_so() -> bool:
        return link.up.of(Kind.RTP).forwarded > up and link.down.of(Kind.RTP).received > down

    await until(is_so, within_s)


CHROMIUM_CHECKS_EVERY_S = 2.5
"""It checks its selected pair so often, each time with USE-CANDIDATE."""


async def test_the_source_address_of_a_browser_changes(world: World, start: Start, chromium: Chromium) -> None:
    """The engine follows it to a new port, and then to another address, with the first check from there."""
    async with linked(world, start, *with_chromium(chromium)) as bad:
        for host in (None, "127.0.0.2"):
            # One for each address from which the browser checks.
            sources = [f"{address}:{port}" for address, port in bad.business.change_source(host)]
            await until_heard_again(bad.business, within_s=CHROMIUM_CHECKS_EVERY_S + 1)
            await bad.check_heard()
            now_at = [facts["remote"] for facts in await world.journal(bad.call.id, "ice") if facts["side"] == "business"][-1]
            assert now_at in sources
            assert now_at.startswith(host or "127.0.0.1")
        await bad.check_up(world)
        await world.hang_up(bad.call)


AIORTC_CHECKS_EVERY_S = 6.0
"""At most, and never with USE-CANDIDATE once a pair is nominated (RFC 7675 5.1: 5 s, more or less by a fifth)."""


async def test_the_source_address_of_a_peer_that_does_not_nominate_again_changes(world: World, start: Start) -> None:
    """As behind a NAT that forgot it: its media shows where it is, once a check from there has proved the address."""
    async with linked(world, start, *two_aiortc()) as bad:
        sources = [f"{address}:{port}" for address, port in bad.business.change_source(None)]
        await until_heard_again(bad.business, within_s=AIORTC_CHECKS_EVERY_S + 2)
        await bad.check_heard()
        now_at = [facts["remote"] for facts in await world.journal(bad.call.id, "ice") if facts["side"] == "business"][-1]
        assert now_at in sources
        await world.hang_up(bad.call)


async def silence_at(peer: Peer) -> Heard:
    """What a peer hears within a second, which should be nothing."""
    return await peer.hear(window_s=0.3, timeout_s=1.0)


CONCEALED_S = 1.5
"""So long a browser goes on with what it has, and with what it makes up."""
HOLE_S = 5.0
T_DEAD_S = 30.0


async def a_hole_that_ends(world: World, start: Start, chromium: Chromium) -> None:
    """Nothing passes for 5 s; then there is sound again, without any signalling."""
    async with linked(world, start, *with_chromium(chromium)) as bad:
        for link in bad.links:
            link.blackhole(HOLE_S)
        await asyncio.sleep(CONCEALED_S)
        assert [each.audible for each in await asyncio.gather(*map(silence_at, (bad.call.business, bad.call.consumer)))] == [
            (),
            (),
        ]
        await asyncio.gather(*(until_heard_again(link, HOLE_S + 3) for link in bad.links))
        await bad.check_heard()
        await bad.check_up(world)
        assert all(link.up.total.blackholed > 100 for link in bad.links)
        await world.hang_up(bad.call)


async def a_hole_that_stays(world: World, start: Start) -> None:
    """The business is not heard for T_dead: the call has failed, and the consumer is told why."""
    loop = asyncio.get_running_loop()
    async with linked(world, start, *two_aiortc()) as bad:
        bad.business.blackhole(T_DEAD_S * 2)
        dark_at = loop.time()
        assert (await world.ended(bad.call, "Failed", timeout_s=T_DEAD_S + 5))["duration"] >= T_DEAD_S
        assert T_DEAD_S - 0.5 <= loop.time() - dark_at <= T_DEAD_S + 2.5
        told = await world.device.expect("call.ended", call_id=bad.call.id)
        assert (told.params["reason"], told.params["status"]) == ("media_timeout", "Failed")
        assert [(entry["side"], entry["why"]) for entry in await world.journal(bad.call.id, "leg_failed")] == [
            ("business", "dead")
        ]
        assert [entry["side"] for entry in await world.journal(bad.call.id, "leg_silent")] == ["business"]


async def test_black_holes(world: World, server: tuple[Served, BusinessApp], start: Start, chromium: Chromium) -> None:
    """Both at once: the second takes its time."""
    async with a_world(*server) as another:
        await asyncio.gather(a_hole_that_ends(world, start, chromium), a_hole_that_stays(another, start))
