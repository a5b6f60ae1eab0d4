"""The foreign peers' video, without our server: what they send is decoded, recognised and counted on the far side.

Every test's driver carries offers and answers from one peer to the other. What the server's tests conclude from pictures is only
worth as much as what is proven here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import pytest_asyncio

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.base import NotSupported, Peer, PeerRefused, Source, VideoCodec, await_frames
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from pagecalls.demo.peers.picture import CAMERA_SIZE, SCREEN_SIZE
from tests.interop.world import Start, check_still

pytestmark = pytest.mark.asyncio(loop_scope="package")

A_HZ, B_HZ = 440, 880
A_CAMERA, B_CAMERA, A_SCREEN, A_OTHER_CAMERA = 1, 2, 3, 4

Pair = Callable[[Chromium, Firefox], tuple[Peer, Peer]]
PAIRS: dict[str, Pair] = {
    "chromium-chromium": lambda chromium, _: (chromium.peer(tone_hz=A_HZ), chromium.peer(tone_hz=B_HZ)),
    "chromium-aiortc": lambda chromium, _: (chromium.peer(tone_hz=A_HZ), AiortcPeer(tone_hz=B_HZ)),
    "aiortc-chromium": lambda chromium, _: (AiortcPeer(tone_hz=A_HZ), chromium.peer(tone_hz=B_HZ)),
    "firefox-chromium": lambda chromium, firefox: (firefox.peer(tone_hz=A_HZ), chromium.peer(tone_hz=B_HZ)),
    "chromium-firefox": lambda chromium, firefox: (chromium.peer(tone_hz=A_HZ), firefox.peer(tone_hz=B_HZ)),
}


@pytest_asyncio.fixture(loop_scope="package", params=PAIRS)
async def pair(request: pytest.FixtureRequest, chromium: Chromium, firefox: Firefox, start: Start) -> tuple[Peer, Peer]:
    """Two peers that are not connected yet."""
    first, second = PAIRS[request.param](chromium, firefox)
    return await start(first), await start(second)


async def negotiate(offerer: Peer, answerer: Peer) -> None:
    await offerer.apply_answer(await answerer.apply_renegotiation(await offerer.offer()))


async def negotiate_again(wants: Peer, other: Peer, began: Peer) -> None:
    """`wants` offers. Not if it is aiortc and did not make the first offer: it numbers extensions as if it had, which Chromium
    refuses. Then the other side offers, and the answer has what is new."""
    offerer = other if isinstance(wants, AiortcPeer) and wants is not began else wants
    await negotiate(offerer, other if offerer is wants else wants)


async def mid_of(peer: Peer, source: Source) -> str | None:
    return next(track.mid for track in await peer.own_tracks() if track.source is source)


async def check_tones(first: Peer, second: Peer) -> None:
    at_first, at_second = await asyncio.gather(first.hear(), second.hear())
    assert at_first.is_tone(B_HZ), at_first
    assert at_second.is_tone(A_HZ), at_second


async def test_camera_screen_swap_and_off(pair: tuple[Peer, Peer]) -> None:
    first, second = pair
    await negotiate(first, second)
    await check_tones(first, second)

    await first.send_picture(Source.CAMERA, A_CAMERA)
    await negotiate(first, second)
    seen = await second.see(A_CAMERA)
    assert seen.shows(A_CAMERA), seen
    camera = await mid_of(first, Source.CAMERA)
    assert seen.track_of(A_CAMERA).mid == camera
    decoded = await await_frames(second, camera, 5)
    assert (decoded.width, decoded.height) == (CAMERA_SIZE.width, CAMERA_SIZE.height)
    assert decoded.key_frames_decoded >= 1

    await second.send_picture(Source.CAMERA, B_CAMERA)
    await negotiate_again(second, first, first)
    at_first, at_second = await asyncio.gather(first.see(B_CAMERA), second.see(A_CAMERA))
    assert at_first.shows(B_CAMERA), at_first
    assert at_second.shows(A_CAMERA), at_second

    await first.send_picture(Source.SCREEN, A_SCREEN)
    await negotiate(first, second)
    seen = await second.see(A_CAMERA, A_SCREEN)
    assert seen.shows(A_CAMERA, A_SCREEN), seen
    screen = await mid_of(first, Source.SCREEN)
    assert screen != camera
    decoded = await await_frames(second, screen, 5)
    assert (decoded.width, decoded.height) == (SCREEN_SIZE.width, SCREEN_SIZE.height)

    await first.swap_picture(Source.CAMERA, A_OTHER_CAMERA)
    seen = await second.see(A_OTHER_CAMERA, A_SCREEN)
    assert seen.shows(A_OTHER_CAMERA, A_SCREEN), seen

    await first.stop_sending(Source.SCREEN)
    await negotiate(first, second)
    await check_still(second, A_OTHER_CAMERA)

    await first.send_picture(Source.SCREEN, A_SCREEN)
    await negotiate(first, second)
    seen = await second.see(A_OTHER_CAMERA, A_SCREEN)
    assert seen.shows(A_OTHER_CAMERA, A_SCREEN), seen
    assert await mid_of(first, Source.SCREEN) == screen, "the line of a source is used again"
    await check_tones(first, second)


@pytest.mark.parametrize("pair", ["chromium-chromium", "aiortc-chromium", "firefox-chromium"], indirect=True)
async def test_an_offer_is_taken_back_and_made_again(pair: tuple[Peer, Peer]) -> None:
    """Both turn their camera on at once: the first gives way, applies the other's offer and offers again.

    Chromium does not give way to Firefox here: it goes on to hold the extension numbers of the offer that it took back against
    those of the next (collision on an active MID), and Firefox chooses others.
    """
    first, second = pair
    await negotiate(first, second)
    await first.send_picture(Source.CAMERA, A_CAMERA)
    await second.send_picture(Source.CAMERA, B_CAMERA)
    await first.offer()
    await first.roll_back()
    await negotiate(second, first)
    await negotiate(first, second)
    at_first, at_second = await asyncio.gather(first.see(B_CAMERA), second.see(A_CAMERA))
    assert at_first.shows(B_CAMERA), at_first
    assert at_second.shows(A_CAMERA), at_second
    await check_tones(first, second)


async def test_figures_of_both_sides_agree(pair: tuple[Peer, Peer]) -> None:
    first, second = pair
    await first.send_picture(Source.CAMERA, A_CAMERA)
    await negotiate(first, second)
    mid = await mid_of(first, Source.CAMERA)
    await await_frames(second, mid, 15)
    (sent,) = (await first.stats()).video_sent
    received = await second.stats()
    (stream,) = [stream for stream in received.inbound if stream.video is not None]
    assert stream.video is not None
    assert (stream.mid, stream.ssrc) == (sent.mid, sent.ssrc) == (mid, sent.ssrc)
    assert stream.video.codec is sent.codec is not None
    assert sent.frames_encoded == pytest.approx(stream.video.frames_decoded, abs=20)
    (own,) = [track for track in await first.own_tracks() if track.source is Source.CAMERA]
    assert stream.msid == own.msid is not None


@pytest.mark.parametrize("pair", ["chromium-chromium", "chromium-aiortc"], indirect=True)
async def test_sound_and_picture_come_together(pair: tuple[Peer, Peer]) -> None:
    """Firefox is not asked: with the made-up sound device that it has here its sound comes 0.3 to 1.1 s late."""
    first, second = pair
    for peer, picture in zip(pair, (A_CAMERA, B_CAMERA), strict=True):
        await peer.send_picture(Source.CAMERA, picture)
    await negotiate(first, second)
    await asyncio.gather(check_tones(first, second), first.see(B_CAMERA), second.see(A_CAMERA))
    for sender, receiver, picture in ((first, second, A_CAMERA), (second, first, B_CAMERA)):
        clap, _ = await asyncio.gather(receiver.await_clap(picture), sender.clap())
        assert clap is not None
        assert abs(clap.sound_late_s) < 0.3, clap


async def test_the_sound_of_a_screen_is_a_track_of_its_own(pair: tuple[Peer, Peer]) -> None:
    first, second = pair
    await first.send_screen_sound(1320)
    await negotiate(first, second)
    await first.mute(True)
    async with asyncio.timeout(10):
        while not (heard := await second.hear(window_s=0.5)).is_tone(1320):
            pass
    assert heard.audible[0].mid == await mid_of(first, Source.SCREEN_SOUND)


CODECS = {
    "chromium": (VideoCodec.VP8, VideoCodec.VP9, VideoCodec.H264, VideoCodec.AV1),
    "firefox": (VideoCodec.VP8, VideoCodec.VP9, VideoCodec.AV1),
    "aiortc": (VideoCodec.VP8, VideoCodec.H264),
}


@pytest.mark.parametrize("codec", [VideoCodec.VP8, VideoCodec.VP9, VideoCodec.H264, VideoCodec.AV1])
async def test_every_codec_of_chromium_carries_a_picture(chromium: Chromium, start: Start, codec: VideoCodec) -> None:
    first, second = await start(chromium.peer(tone_hz=A_HZ)), await start(chromium.peer(tone_hz=B_HZ))
    await first.send_picture(Source.CAMERA, A_CAMERA, codec)
    await negotiate(first, second)
    seen = await second.see(A_CAMERA)
    assert seen.shows(A_CAMERA), seen
    video = (await second.stats()).video(await mid_of(first, Source.CAMERA))
    assert video is not None
    assert video.codec is codec


async def test_h264_between_aiortc_and_chromium(chromium: Chromium, start: Start) -> None:
    first, second = await start(AiortcPeer(tone_hz=A_HZ)), await start(chromium.peer(tone_hz=B_HZ))
    await first.send_picture(Source.CAMERA, A_CAMERA, VideoCodec.H264)
    await second.send_picture(Source.CAMERA, B_CAMERA)
    await negotiate(first, second)
    at_first, at_second = await asyncio.gather(first.see(B_CAMERA), second.see(A_CAMERA))
    assert at_first.shows(B_CAMERA), at_first
    assert at_second.shows(A_CAMERA), at_second


async def test_codecs_are_what_they_say(chromium: Chromium, firefox: Firefox, start: Start) -> None:
    peers: dict[str, Peer] = {
        "chromium": await start(chromium.peer(tone_hz=A_HZ)),
        "firefox": await start(firefox.peer(tone_hz=A_HZ)),
        "aiortc": await start(AiortcPeer(tone_hz=A_HZ)),
    }
    assert {name: await peer.video_codecs() for name, peer in peers.items()} == {
        name: frozenset(codecs) for name, codecs in CODECS.items()
    }
    for name, peer in peers.items():
        for codec in VideoCodec:
            if codec not in CODECS[name]:
                with pytest.raises(NotSupported):
                    await peer.send_picture(Source.CAMERA, A_CAMERA, codec)


async def test_ice_is_restarted_where_the_peer_can(browser: Chromium | Firefox, start: Start) -> None:
    page, python = await start(browser.peer(tone_hz=A_HZ)), await start(AiortcPeer(tone_hz=B_HZ))
    ufrags = [line for line in (await page.offer()).splitlines() if line.startswith("a=ice-ufrag")]
    await page.roll_back()
    again = [line for line in (await page.offer(restarts_ice=True)).splitlines() if line.startswith("a=ice-ufrag")]
    assert ufrags[0] != again[0]
    with pytest.raises(NotSupported):
        await python.offer(restarts_ice=True)


async def test_without_an_offer_there_is_nothing_to_take_back(browser: Chromium | Firefox, start: Start) -> None:
    page = await start(browser.peer(tone_hz=A_HZ))
    with pytest.raises(PeerRefused):
        await page.roll_back()


async def test_frames_that_do_not_come_are_not_awaited_for_ever(start: Start) -> None:
    peer = await start(AiortcPeer(tone_hz=A_HZ))
    with pytest.raises(TimeoutError, match="5 more frames on line 1"):
        await await_frames(peer, "1", 5, timeout_s=0.2)
