"""Whole video calls: pictures of both cameras and of a screen, recognised and counted on the far side at each step."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby

import pytest
import pytest_asyncio

from pagecalls.demo.peers.aiortc_peer import AiortcOptions, AiortcPeer
from pagecalls.demo.peers.base import Peer, Source, VideoReceived, await_frames
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from pagecalls.demo.peers.watching import Seen
from pagecalls.testing.impair import Impairment, Kind, relay
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Call, Plan, Start, World, check_still, until

pytestmark = pytest.mark.asyncio(loop_scope="package")

B_CAMERA, C_CAMERA, B_SCREEN, C_SCREEN, C_OTHER_CAMERA = 1, 2, 3, 4, 5

DIALS = 3
DIGIT_S = 1.0
"""So long a digit may take until it is heard: it sounds for 0.5 s, and the next begins 0.1 s later."""

Pair = Callable[[Chromium, Firefox], tuple[Peer, Peer]]
PAIRS: dict[str, Pair] = {
    "chromium-chromium": lambda chromium, _: (chromium.peer(tone_hz=BUSINESS_HZ), chromium.peer(tone_hz=CONSUMER_HZ)),
    "chromium-aiortc": lambda chromium, _: (chromium.peer(tone_hz=BUSINESS_HZ), AiortcPeer(tone_hz=CONSUMER_HZ)),
    "aiortc-chromium": lambda chromium, _: (
        AiortcPeer(tone_hz=BUSINESS_HZ, options=AiortcOptions(event_clock_hz=48000)),
        chromium.peer(tone_hz=CONSUMER_HZ),
    ),
    "firefox-chromium": lambda chromium, firefox: (firefox.peer(tone_hz=BUSINESS_HZ), chromium.peer(tone_hz=CONSUMER_HZ)),
    "chromium-firefox": lambda chromium, firefox: (chromium.peer(tone_hz=BUSINESS_HZ), firefox.peer(tone_hz=CONSUMER_HZ)),
}
"""Business and consumer."""


@pytest_asyncio.fixture(loop_scope="package", params=PAIRS.values(), ids=PAIRS)
async def pair(request: pytest.FixtureRequest, chromium: Chromium, firefox: Firefox, start: Start) -> tuple[Peer, Peer]:
    business, consumer = request.param(chromium, firefox)
    return await start(business), await start(consumer)


async def check_sees(peer: Peer, *pictures: int) -> Seen:
    """Exactly these pictures move at the peer, and the frames of each are decoded."""
    seen = await peer.see(*pictures)
    assert seen.shows(*pictures), seen
    for picture in pictures:
        await check_decodes(peer, seen.track_of(picture).mid)
    return seen


async def check_decodes(peer: Peer, mid: str | None) -> VideoReceived:
    video = await await_frames(peer, mid, 5)
    assert video.key_frames_decoded >= 1, video
    return video


async def check_digits(world: World, call: Call, digits: str) -> None:
    """The consumer dials these, of which no two neighbours are equal; the business hears them and no other.

    A browser on a busy machine may swallow one, but not time after time. Packets and lengths are judged by `test_digits.py`.
    """
    heard: list[str] = []
    while digits not in heard:
        assert len(heard) < DIALS, heard
        heard.append(await dial(world, call, digits))


async def dial(world: World, call: Call, digits: str) -> str:
    """What the business hears when the consumer dials. Pieces of one digit count once: a browser may play a tone with holes."""
    before = len(await call.business.digits())

    async def heard() -> str:
        return "".join(digit for digit, _ in groupby((await call.business.digits())[before:]))

    async def all_came() -> bool:
        return len(await heard()) >= len(digits)

    await world.device.request("call.dtmf", call_id=call.id, digits=digits)
    with suppress(TimeoutError):
        await until(all_came, within_s=len(digits) * DIGIT_S)
    return await heard()


async def test_a_whole_video_call(world: World, pair: tuple[Peer, Peer]) -> None:
    business, consumer = pair
    call = await world.consumer_calls(business, consumer)
    await check_tones(call)
    at_business, at_consumer = world.updates(call)

    # Cameras on, the consumer's first.
    await consumer.send_picture(Source.CAMERA, C_CAMERA)
    await at_consumer.change()
    await at_business.take()
    await check_sees(business, C_CAMERA)
    await business.send_picture(Source.CAMERA, B_CAMERA)
    await at_business.change()
    await at_consumer.take()
    await asyncio.gather(check_sees(business, C_CAMERA), check_sees(consumer, B_CAMERA))

    # The business shows its screen for a while; the consumer swaps its camera, of which nobody is told.
    await business.send_picture(Source.SCREEN, B_SCREEN)
    await at_business.change()
    told = await at_consumer.take()
    assert {"screen_video"} <= {track["label"] for track in told.tracks}
    await check_sees(consumer, B_CAMERA, B_SCREEN)
    await consumer.swap_picture(Source.CAMERA, C_OTHER_CAMERA)
    await check_sees(business, C_OTHER_CAMERA)
    await business.stop_sending(Source.SCREEN)
    await at_business.change()
    await at_consumer.take()
    await check_still(consumer, B_CAMERA)

    # Mute by tracks: the consumer's sees the camera stop, then the sound, and both come back.
    await at_business.switch(Source.CAMERA, is_on=False)
    await at_consumer.take()
    await check_still(consumer)
    await at_business.switch(Source.CAMERA, is_on=True)
    await at_consumer.take()
    await check_sees(consumer, B_CAMERA)
    await at_consumer.switch(Source.MICROPHONE, is_on=False)
    await at_business.take()
    await check_silent(business)
    await at_consumer.switch(Source.MICROPHONE, is_on=True)
    await at_business.take()

    # Both change at once: the second to come is refused, applies what it had not seen, and asks again.
    await consumer.send_picture(Source.SCREEN, C_SCREEN)
    await at_consumer.change()
    await business.send_picture(Source.SCREEN, B_SCREEN)
    assert not await at_business.try_change()
    await at_business.take()
    assert await at_business.try_change()
    await at_consumer.take()
    await asyncio.gather(check_sees(business, C_OTHER_CAMERA, C_SCREEN), check_sees(consumer, B_CAMERA, B_SCREEN))

    await check_tones(call)
    await check_digits(world, call, "15#")
    await world.hang_up(call)


async def check_silent(peer: Peer) -> None:
    """What was on its way is played out, which takes Firefox a while and with holes; then nothing is heard."""
    silent = 0
    async with asyncio.timeout(10):
        while silent < 3:
            heard = await peer.hear(window_s=0.5, timeout_s=0.5)
            silent = 0 if heard.audible else silent + 1


async def check_tones(call: Call) -> None:
    """Each hears the other, beside pictures too; their level was measured before."""
    at_business, at_consumer = await call.hear()
    assert at_business.is_tone(CONSUMER_HZ), at_business
    assert at_consumer.is_tone(BUSINESS_HZ), at_consumer


async def test_video_from_the_first_offer_on(world: World, pair: tuple[Peer, Peer]) -> None:
    """The business calls with its camera on; the consumer picks up with its own."""
    business, consumer = pair
    await business.send_picture(Source.CAMERA, B_CAMERA)
    await consumer.send_picture(Source.CAMERA, C_CAMERA)
    call = await world.business_calls(business, consumer)
    await asyncio.gather(check_sees(business, C_CAMERA), check_sees(consumer, B_CAMERA))
    await world.hang_up(call)


# --- bad networks -----------------------------------------------------------------------------------------------------

NETWORKS = {
    "1 % loss": Impairment(loss=0.01, impairs=Kind.RTP),
    "5 % loss": Impairment(loss=0.05, impairs=Kind.RTP),
    "20 % loss": Impairment(loss=0.20, impairs=Kind.RTP),
    "reordering": Impairment(reorder=0.1, reorder_depth=2, impairs=Kind.RTP),
}
APART_S = 0.5
"""So far sound and picture may come apart on a bad network; on a good one 0.2 s are measured here."""


CLAPS = 3


async def check_in_step(business: Peer, consumer: Peer, network: str) -> None:
    """Sound and picture of the consumer come together. A busy machine may delay what is shown of one clap, not of each."""
    apart: list[float] = []
    while not any(each < APART_S for each in apart):
        assert len(apart) < CLAPS, (network, apart)
        clap, _ = await asyncio.gather(business.await_clap(C_CAMERA), consumer.clap())
        apart.append(abs(clap.sound_late_s) if clap else math.inf)


def engine_of(world: World) -> tuple[str, int]:
    """Where the engine takes media."""
    host, _, port = world.dev.media.udp[0].rpartition(":")
    return host, int(port)


async def test_pictures_recover_on_bad_networks(world: World, start: Start, chromium: Chromium) -> None:
    """Both ways, one network after the other: both pictures move, and the sound comes with its picture.

    Not with aiortc: it asks again for what is lost a second time only at its next gap, which at 12 packets a second is far away.
    """
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    async with relay(engine_of(world), seed=1) as before_business, relay(engine_of(world), seed=2) as before_consumer:
        links = before_business, before_consumer
        for peer, picture in ((business, B_CAMERA), (consumer, C_CAMERA)):
            await peer.send_picture(Source.CAMERA, picture)
        plan = Plan(to_business=before_business.through, to_consumer=before_consumer.through)
        call = await world.business_calls(business, consumer, plan)
        await asyncio.gather(check_sees(business, C_CAMERA), check_sees(consumer, B_CAMERA), call.hear())
        for name, network in NETWORKS.items():
            for link in links:
                link.set(up=network, down=network)
            await asyncio.gather(check_sees(business, C_CAMERA), check_sees(consumer, B_CAMERA))
            await check_in_step(business, consumer, name)
        for done in (figures.of(Kind.RTP) for link in links for figures in (link.up, link.down)):
            assert done.lost > 0, done
            assert done.reordered > 0, done
        await world.hang_up(call)


# --- a sender keeps its rate where nobody looks (ruling 20) -----------------------------------------------------------

KEPT_BPS = 150_000
"""Chromium begins with 300 kbit/s, and with feedback soon has more than a million. Without, it takes a fifth away again and again
and never adds any: after nine seconds 80 are left. A busy machine may cost it a step or two, which it makes up for later."""
UNSEEN_S = 8.0
LOOKS = 4


async def keeps_rate(peer: Peer) -> bool:
    """Whether the sender's estimate of the way has not fallen after a while, or rises again. Pictures are still encoded."""
    await asyncio.sleep(UNSEEN_S)
    before = await peer.stats()
    for _ in range(LOOKS):
        await peer.see(timeout_s=1.0)
        stats = await peer.stats()
        assert stats.video_sent[0].frames_encoded > before.video_sent[0].frames_encoded, stats
        assert stats.available_bps is not None, stats
        if stats.available_bps >= KEPT_BPS:
            return True
        before = stats
    return False


async def test_video_keeps_its_rate_while_the_consumer_rings(world: World, start: Start, chromium: Chromium) -> None:
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await business.send_picture(Source.CAMERA, B_CAMERA)
    call = await world.dial(business, consumer, Plan())
    assert await keeps_rate(business)
    await world.pick_up(call, Plan())
    await check_sees(consumer, B_CAMERA)
    await world.hang_up(call)


async def test_video_keeps_its_rate_towards_a_far_side_without_feedback(world: World, start: Start, chromium: Chromium) -> None:
    """aiortc knows no transport-wide feedback."""
    business, consumer = await start(chromium.peer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    await business.send_picture(Source.CAMERA, B_CAMERA)
    call = await world.business_calls(business, consumer)
    await check_sees(consumer, B_CAMERA)
    assert await keeps_rate(business)
    await world.hang_up(call)


async def test_video_keeps_its_rate_beside_a_disabled_track(world: World, start: Start, chromium: Chromium) -> None:
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await business.send_picture(Source.CAMERA, B_CAMERA)
    call = await world.business_calls(business, consumer)
    await check_sees(consumer, B_CAMERA)
    at_business, at_consumer = world.updates(call)
    await at_business.switch(Source.CAMERA, is_on=False)
    await at_consumer.take()
    assert await keeps_rate(business)
    await check_still(consumer)
    await at_business.switch(Source.CAMERA, is_on=True)
    await at_consumer.take()
    await check_sees(consumer, B_CAMERA)
    await world.hang_up(call)


async def test_a_sender_that_hears_nothing_would_be_noticed(world: World, start: Start, chromium: Chromium) -> None:
    """The same measure fails when no feedback reaches the business."""
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    async with relay(engine_of(world), seed=1) as link:
        link.set(down=Impairment(loss=1.0, impairs=Kind.RTCP))
        await business.send_picture(Source.CAMERA, B_CAMERA)
        call = await world.dial(business, consumer, Plan(to_business=link.through))
        assert not await keeps_rate(business)
        await world.app.call("terminate", call_id=call.id)


# --- ten renegotiations, and an ICE restart ---------------------------------------------------------------------------


async def test_ice_restarts_under_a_picture(world: World, start: Start, chromium: Chromium) -> None:
    """New credentials on both ends; the picture goes on."""
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await business.send_picture(Source.CAMERA, B_CAMERA)
    call = await world.business_calls(business, consumer)
    await check_sees(consumer, B_CAMERA)
    at_business, _ = world.updates(call)
    assert await at_business.try_change(restarts_ice=True)
    await check_sees(consumer, B_CAMERA)
    await check_tones(call)
    await world.hang_up(call)


async def test_lines_stay_over_ten_renegotiations(world: World, start: Start, chromium: Chromium) -> None:
    """The consumer's camera goes on and off by offers; mids and credentials of the business's own lines do not change."""
    business, consumer = [await start(chromium.peer(tone_hz=hz)) for hz in (BUSINESS_HZ, CONSUMER_HZ)]
    await business.send_picture(Source.CAMERA, B_CAMERA)
    call = await world.business_calls(business, consumer)
    at_business, at_consumer = world.updates(call)
    tracks = await business.own_tracks()
    seen_on = set()
    for _ in range(5):
        await consumer.send_picture(Source.CAMERA, C_CAMERA)
        await at_consumer.change()
        await at_business.take()
        seen_on.add((await check_sees(business, C_CAMERA)).track_of(C_CAMERA).mid)
        await consumer.stop_sending(Source.CAMERA)
        await at_consumer.change()
        await at_business.take()
        await check_still(business)
    assert len(seen_on) == 1, "the line of a label is used again"
    assert await business.own_tracks() == tracks
    await world.hang_up(call)
