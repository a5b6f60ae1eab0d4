"""Every pair of foreign stacks, in both directions: both sides apply all they are given, as the guides say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Start, World

pytestmark = pytest.mark.asyncio(loop_scope="package")

Pair = Callable[[Chromium, Firefox], tuple[Peer, Peer]]

PAIRS: dict[str, Pair] = {
    "chromium-aiortc": lambda chromium, _: (chromium.peer(tone_hz=BUSINESS_HZ), AiortcPeer(tone_hz=CONSUMER_HZ)),
    "firefox-aiortc": lambda _, firefox: (firefox.peer(tone_hz=BUSINESS_HZ), AiortcPeer(tone_hz=CONSUMER_HZ)),
    "aiortc-chromium": lambda chromium, _: (AiortcPeer(tone_hz=BUSINESS_HZ), chromium.peer(tone_hz=CONSUMER_HZ)),
}
"""Business and consumer."""


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("consumer_starts", [True, False], ids=["consumer-calls", "business-calls"])
async def test_both_hear_each_other(
    world: World, start: Start, chromium: Chromium, firefox: Firefox, pair: Pair, consumer_starts: bool
) -> None:
    business, consumer = [await start(peer) for peer in pair(chromium, firefox)]
    call = await (world.consumer_calls if consumer_starts else world.business_calls)(business, consumer)
    await call.check_sound()
    await world.hang_up(call)
