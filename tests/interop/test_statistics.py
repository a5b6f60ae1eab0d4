"""The engine's figures of a call, held against what the peers themselves count.

Nothing is lost on this machine, so both ends of each hop must agree to the packet: a peer's count is taken before and after the
call's end, and the engine's last figures lie between.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer, PeerStats
from pagecalls.demo.peers.chromium import Chromium
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Call, Json, Start, World, until

HALF_A_SECOND = 25
"""Packets that a peer still sends, or sends already, while its change is under way."""
CACHED_PACKETS = 3
"""Chromium answers from a store that may be 50 ms old."""

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def legs(world: World, call: Call) -> dict[str, Json]:
    """By side, what the server knows of the call's legs."""
    return {leg["side"]: leg for leg in (await world.report(call.id))["legs"]}


def track(leg: Json, direction: str) -> Json:
    (found,) = [track for track in leg["tracks"] if track["direction"] == direction]
    return dict(found)


def check_received(leg: Json, before: PeerStats, after: PeerStats, slack: int = 0) -> None:
    """What came from the peer is what it sent."""
    got = track(leg, "recv")
    assert before.packets_sent <= got["packets"] <= after.packets_sent + slack, (got, before, after)
    assert (got["lost"], got["duplicates"], got["late"]) == (0, 0, 0)
    assert 0 <= got["jitter_ms"] < 50
    assert got["bytes"] > got["packets"]


def check_sent(leg: Json, far: Json, before: PeerStats, after: PeerStats) -> None:
    """What went to the peer is what the far side sent since the route was on, and what the peer received."""
    got = track(leg, "send")
    streams = {stream.ssrc: stream.packets_received for stream in after.inbound}
    assert set(got["ssrcs"]) <= set(streams)
    assert got["packets"] <= track(far, "recv")["packets"]
    # Copies carry the same packets, and a copy that is gone is no output any more: no stream has more than the track.
    assert max(streams.values()) <= got["packets"] <= sum(streams.values()) + CACHED_PACKETS, (got, after)
    assert (got["lost"], got["remote_lost"], got["remote_fraction_lost"]) == (0, 0, 0)
    assert before.packets_received > 0


def check_set_up(leg: Json) -> None:
    """Times are in their order and no longer than a set-up takes here."""
    assert 0 < leg["ice_ms"] < 10_000
    assert 0 < leg["dtls_ms"] < 5_000
    assert leg["ice_ms"] < track(leg, "recv")["first_rtp_ms"] < 15_000
    assert 0 <= leg["rtt_ms"] < 500
    assert 4 < leg["mos"] <= 4.5


async def check(world: World, call: Call) -> None:
    """A call until everything is known of it, its end, and its figures."""

    async def is_known() -> bool:
        known = await legs(world, call)
        return len(known) == 2 and all(leg["mos"] is not None for leg in known.values())

    await until(is_known, within_s=25)
    before = await both(call)
    await world.hang_up(call)
    after = await both(call)
    last = await legs(world, call)
    for side, far in (("business", "consumer"), ("consumer", "business")):
        check_set_up(last[side])
        check_received(last[side], before[side], after[side], CACHED_PACKETS)
        check_sent(last[side], last[far], before[side], after[side])
    noted = await world.journal(call.id, "stats")
    assert [facts["recv_default_audio_packets"] for facts in noted] == [track(last[f["side"]], "recv")["packets"] for f in noted]


async def both(call: Call) -> dict[str, PeerStats]:
    business, consumer = await asyncio.gather(call.business.stats(), call.consumer.stats())
    return {"business": business, "consumer": consumer}


async def test_figures_agree_with_the_peers(world: World, start: Start, chromium: Chromium) -> None:
    business: Peer = await start(chromium.peer(tone_hz=BUSINESS_HZ))
    consumer: Peer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    await check(world, await world.consumer_calls(business, consumer))


async def test_figures_go_on_through_a_hold(world: World, start: Start, chromium: Chromium) -> None:
    """What came before counts while the business holds the call, and after; what it did not send meanwhile is no loss."""
    business: Peer = await start(chromium.peer(tone_hz=BUSINESS_HZ))
    consumer: Peer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear()
    at_business, at_consumer = world.updates(call)
    await business.hold(sends=False)
    await at_business.change()
    await at_consumer.take()
    held = await business.stats()

    async def is_told() -> bool:
        leg = (await legs(world, call)).get("business")
        return leg is not None and track(leg, "recv")["ssrcs"] == []

    await until(is_told, within_s=15)
    at_hold = track((await legs(world, call))["business"], "recv")
    assert 0 < held.packets_sent - HALF_A_SECOND <= at_hold["packets"] <= held.packets_sent + CACHED_PACKETS
    await business.resume()
    await at_business.change()
    await at_consumer.take()
    await call.hear()
    after = await business.stats()
    await world.hang_up(call)
    last = track((await legs(world, call))["business"], "recv")
    assert after.packets_sent > held.packets_sent
    assert last["packets"] >= at_hold["packets"] + after.packets_sent - held.packets_sent - HALF_A_SECOND
    assert (last["lost"], last["first_rtp_ms"]) == (0, at_hold["first_rtp_ms"])


async def test_a_call_of_a_second_has_figures(world: World, start: Start) -> None:
    """Ended before the engine's first regular figures."""
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.5)
    before = await both(call)
    await world.hang_up(call)
    after = await both(call)
    last: dict[str, Any] = await legs(world, call)
    for side in ("business", "consumer"):
        check_received(last[side], before[side], after[side])
