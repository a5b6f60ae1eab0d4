"""Nobody learns whether the renegotiation offer was applied: whatever a side does with it, it hears the other once (6.6).

That both sides apply it at once is shown by `test_pairs.py`.
"""

from __future__ import annotations

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Applied, Plan, Start, World

pytestmark = pytest.mark.asyncio(loop_scope="package")

BOTH_ANSWERS, FIRST_ANSWER = Applied.AT_ONCE, Applied.NEVER


@pytest.fixture(params=["chromium", "firefox", "aiortc"])
async def pair(request: pytest.FixtureRequest, chromium: Chromium, firefox: Firefox) -> tuple[Peer, Peer]:
    """A business of each kind, and a consumer of another kind."""
    match request.param:
        case "chromium":
            return chromium.peer(tone_hz=BUSINESS_HZ), AiortcPeer(tone_hz=CONSUMER_HZ)
        case "firefox":
            return firefox.peer(tone_hz=BUSINESS_HZ), AiortcPeer(tone_hz=CONSUMER_HZ)
        case _:
            return AiortcPeer(tone_hz=BUSINESS_HZ), chromium.peer(tone_hz=CONSUMER_HZ)


async def test_the_business_applies_it_late(world: World, start: Start, pair: tuple[Peer, Peer]) -> None:
    """Until then it hears the first copy, from then on the second; the consumer's device applies only its first answer."""
    business, consumer = [await start(peer) for peer in pair]
    call = await world.consumer_calls(business, consumer, Plan(business=Applied.LATE, consumer=FIRST_ANSWER))
    await call.apply_late()
    await call.check_sound()
    await world.hang_up(call)


async def test_the_business_never_applies_it(world: World, start: Start, pair: tuple[Peer, Peer]) -> None:
    business, consumer = [await start(peer) for peer in pair]
    call = await world.consumer_calls(business, consumer, Plan(business=Applied.NEVER, consumer=BOTH_ANSWERS))
    await call.check_sound()
    await world.hang_up(call)


async def test_nobody_applies_the_offers_of_a_call_to_the_consumer(world: World, start: Start, pair: tuple[Peer, Peer]) -> None:
    """The business's offer comes by webhook there, the device's with the answer."""
    business, consumer = [await start(peer) for peer in pair]
    call = await world.business_calls(business, consumer, Plan(business=Applied.NEVER, consumer=FIRST_ANSWER))
    await call.check_sound()
    await world.hang_up(call)


async def test_a_business_that_applies_it_gets_one_copy(world: World, start: Start, chromium: Chromium) -> None:
    """Its first report on the second copy ends the first (6.6 rule 4)."""
    business = await start(chromium.peer(tone_hz=BUSINESS_HZ))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.check_sound()
    copies = [(entry["a"], entry["b"]) for entry in await world.journal(call.id, "copies") if entry["side"] == "business"]
    assert copies == [(True, True), (False, True)]
    await world.hang_up(call)
