"""Calls whose packets go through a bad network, each peer behind a relay of its own.

Loss, jitter and the like concern RTP only, so that every set-up succeeds and chance begins with the first packet of sound;
black holes and changes of the address concern everything. Seeds are fixed: the n-th packet of a stream meets the same fate in
every run.
"""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.listening import Heard
from pagecalls.demo.serving import Served
from pagecalls.testing.impair import CLEAR, Counts, Impairment, Kind, Relay
from tests.interop.bad_network import (
    Linked,
    check_received,
    last_figures,
    linked,
    none_under_way,
    only_stream,
    pass_more,
    two_aiortc,
    with_chromium,
)
from tests.interop.world import Start, World, a_world, until

pytestmark = pytest.mark.asyncio(loop_scope="package")


# --- loss, jitter, reordering -----------------------------------------------------------------------------------------

BAD_NETWORKS = {
    "1 % loss": Impairment(loss=0.01, impairs=Kind.RTP),
    "5 % loss": Impairment(loss=0.05, impairs=Kind.RTP),
    "loss in bursts": Impairment(loss=0.05, loss_burst=3, impairs=Kind.RTP),
    "20 % loss": Impairment(loss=0.20, impairs=Kind.RTP),
    "50 ms jitter": Impairment(delay_ms=20, jitter_ms=50, impairs=Kind.RTP),
    "reordering": Impairment(reorder=0.1, reorder_depth=2, impairs=Kind.RTP),
    "duplication": Impairment(duplicate=0.2, impairs=Kind.RTP),
}


TURNS = 5
"""So often each side listens at most until a network has shown what it is: at 1 % some seconds may pass without a loss."""


@pytest.mark.parametrize("has_browser", [False, True], ids=["aiortc-aiortc", "chromium-aiortc"])
async def test_a_call_is_heard_through_bad_networks(world: World, start: Start, chromium: Chromium, has_browser: bool) -> None:
    """One call, one network after the other, on the way from each peer to the engine: each direction of the sound meets it once,
    and loses, doubles or reorders packets in each that does so. The engine has counted them all, to the packet.

    At 20 % aiortc, which waits for sixteen packets at each gap and conceals nothing, plays less than half of the time; a shorter
    stretch of its sound is measured then.
    """
    async with linked(world, start, *(with_chromium(chromium) if has_browser else two_aiortc())) as bad:
        for name, network in BAD_NETWORKS.items():
            await check_heard_through(bad, network, window_s=0.4 if name == "20 % loss" else 1.0)
        for link in bad.links:
            link.set(up=CLEAR)
        await pass_more(*bad.links)
        for link in bad.links:
            link.blackhole(CLOSED_S, down=False)
        await none_under_way(*bad.links)
        await bad.check_up(world)
        await world.hang_up(bad.call)
        legs = await last_figures(world, bad.call.id)
        check_received(legs["business"], only_stream(bad.business.up))
        check_received(legs["consumer"], only_stream(bad.consumer.up))


CLOSED_S = 5.0
"""Longer than it takes to hang up: nothing comes any more, so that the last figures are of all that did."""


async def check_heard_through(bad: Linked, network: Impairment, *, window_s: float) -> None:
    """Both tones are heard until the network has done what it is made for to both, at least once."""
    before = [link.up.of(Kind.RTP) for link in bad.links]
    for link in bad.links:
        link.set(up=network)
    for _ in range(TURNS):
        await bad.check_heard(window_s=window_s)
        if all(has_shown(network, was, link.up.of(Kind.RTP)) for was, link in zip(before, bad.links, strict=True)):
            break
    else:
        raise AssertionError((network, before, [link.up.of(Kind.RTP) for link in bad.links]))
    if network.jitter_ms:
        assert all(only_stream(link.up).jitter_ms > network.jitter_ms / 5 for link in bad.links)


def has_shown(network: Impairment, before: Counts, now: Counts) -> bool:
    """Whether whatever the network does has happened since then."""
    return (
        (network.loss == 0 or now.lost > before.lost)
        and (network.duplicate == 0 or now.duplicated > before.duplicated)
        and (network.reorder == 0 or now.reordered > before.reordered)
    )


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
