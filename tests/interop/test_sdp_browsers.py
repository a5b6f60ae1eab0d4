"""Our answers and offers, applied by the peer connections of Chromium and Firefox at signalling level: no media flows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from pagecalls.demo.peers.browser_page import Page
from pagecalls.demo.peers.chromium import Chromium, ChromiumPage
from pagecalls.demo.peers.firefox import Firefox, FirefoxPage
from pagecalls.sdp.connection import Connection, FarSide, FarTrack, HostCandidate, LineCodec, NextAnswer
from pagecalls.sdp.description import Description, parse
from pagecalls.sdp.negotiate import (
    answer_first,
    answer_next,
    is_ice_restart,
    read_answer,
    render_answer,
    render_offer,
    show_tracks,
)
from pagecalls.sdp.profile import check_offer
from pagecalls.sdp.video import find
from tests.unit.sdp.invariants import check_answer, check_next_answer, check_offer_of_ours
from tests.unit.sdp.samples import ALL_FAR, FAR, FAR_AGAIN, FAR_CAMERA, SESSION_ID, TRANSPORT

pytestmark = pytest.mark.asyncio(loop_scope="package")

# Port 9 on loopback: connectivity checks go nowhere.
NOWHERE = replace(TRANSPORT, candidates=(HostCandidate("udp", "127.0.0.1", 9),))

SCRIPT = """(() => {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const sound = new AudioContext().createMediaStreamDestination();
  const fresh = { audio: () => sound.stream.getAudioTracks()[0].clone(),
                  video: () => document.createElement("canvas").captureStream(1).getVideoTracks()[0] };
  const of = (mid) => pc.getTransceivers().find((each) => each.mid === mid);
  document.createElement("canvas").getContext("2d");
  const signalling = {
    add: (kind) => { const track = fresh[kind](); pc.addTrack(track, new MediaStream([track])); return track.id; },
    remove: (mid) => { pc.removeTrack(of(mid).sender); return mid; },
    stop: (mid) => { of(mid).stop(); return mid; },
    restart: () => { pc.restartIce(); return true; },
    rollBack: async () => { await pc.setLocalDescription({ type: "rollback" }); return pc.signalingState; },
    offer: async () => { await pc.setLocalDescription(await pc.createOffer()); return pc.localDescription.sdp; },
    answered: async (sdp) => { await pc.setRemoteDescription({ type: "answer", sdp }); return pc.signalingState; },
    take: async (sdp) => {
      await pc.setRemoteDescription({ type: "offer", sdp });
      await pc.setLocalDescription();
      return pc.localDescription.sdp;
    },
    directions: () => Object.fromEntries(pc.getTransceivers().map((each) => [each.mid, each.currentDirection])),
    heard: () => pc.getReceivers().map((each) => each.track.id),
  };
  window.peer = async (method, ...args) => JSON.stringify(await signalling[method](...args));
})()"""


class Signalling:
    """A peer connection in a page, and our connection to it."""

    def __init__(self, page: Page, *, is_firefox: bool) -> None:
        self.js = page.call
        self.is_firefox = is_firefox
        self.connection: Connection | None = None

    async def call(self, *kinds: str, far_side: FarSide | None = None) -> Connection:
        """The first offer, answered."""
        for kind in kinds:
            await self.js("add", kind)
        offer = parse(await self.js("offer"))
        check_offer(offer)
        connection = answer_first(offer, tracks=(), transport=NOWHERE, session_id=SESSION_ID, far=FAR, far_side=far_side)
        check_answer(offer, connection)
        assert await self.js("answered", render_answer(connection)) == "stable"
        self.connection = connection
        return connection

    async def offer_again(self, far_side: FarSide | None = None) -> NextAnswer:
        """A later offer, answered."""
        before = self.standing
        offer = parse(await self.js("offer"))
        check_offer(offer)
        transport = replace(NOWHERE, ufrag="newUfrag", pwd="p" * 24) if is_ice_restart(before, offer) else None
        found = answer_next(before, offer, tracks=(), transport=transport, far_side=far_side)
        check_next_answer(before, offer, found)
        assert await self.js("answered", render_answer(found.connection)) == "stable"
        self.connection = found.connection
        return found

    async def show(self, *tracks: FarTrack, is_applied: bool = True) -> Description | None:
        """Our next offer, applied or not; the browser's answer."""
        before = self.standing
        self.connection = show_tracks(before, tracks)
        check_offer_of_ours(before, self.connection)
        return parse(await self.js("take", render_offer(self.connection))) if is_applied else None

    @property
    def standing(self) -> Connection:
        """Our connection."""
        assert self.connection is not None
        return self.connection

    async def directions(self) -> dict[str, str]:
        """What each transceiver does now, by mid."""
        found = await self.js("directions")
        return {mid: found[mid] for mid in sorted(found)}


@pytest_asyncio.fixture(loop_scope="package", params=["Chromium", "Firefox"])
async def peer(request: pytest.FixtureRequest, chromium: Chromium, firefox: Firefox) -> AsyncIterator[Signalling]:
    page: ChromiumPage | FirefoxPage
    if request.param == "Chromium":
        page = await chromium.open_page()
        await chromium.command("Runtime.evaluate", {"expression": SCRIPT}, session=page.session)
    else:
        page = await firefox.open_page()
        async with firefox.link.turn:
            await firefox.link.command("WebDriver:ExecuteScript", {"script": SCRIPT, "args": [], "sandbox": None})
    yield Signalling(page, is_firefox=request.param == "Firefox")
    await page.close()


async def test_camera_and_four_tracks_and_a_plain_add_track(peer: Signalling) -> None:
    await peer.call("audio", "video")
    assert await peer.directions() == {"0": "sendrecv", "1": "sendonly"}
    answer = await peer.show(*ALL_FAR)
    assert answer is not None
    assert read_answer(peer.standing, answer) == {"2", "3", "4", "5"}
    # Firefox gives its tracks names of its own.
    names = [track.track_id for track in ALL_FAR]
    assert peer.is_firefox or (await peer.js("heard"))[2:] == names
    # Its screen goes where our camera is (ruling 21).
    await peer.js("add", "video")
    found = await peer.offer_again()
    assert found.confirmed == {"2", "3", "4", "5"}
    ways = await peer.directions()
    assert ways == {"0": "sendonly", "1": "sendonly", "2": "recvonly", "3": "sendrecv", "4": "recvonly", "5": "recvonly"}
    assert [track.label.value for track in found.connection.peer_tracks()] == ["default_audio", "default_video", "screen_video"]
    await peer.show(*ALL_FAR)
    assert await peer.directions() == ways
    await peer.show(FAR_AGAIN)
    assert await peer.directions() == ways | {"3": "sendonly", "4": "inactive", "5": "inactive"}


async def test_a_peer_that_never_offered_video(peer: Signalling) -> None:
    await peer.call("audio")
    answer = await peer.show(*ALL_FAR)
    assert answer is not None
    assert read_answer(peer.standing, answer) == {"1", "2", "3", "4"}
    assert [section.format_tokens for section in answer.media if section.media == "video"] == [("127",), ("127",)]
    await peer.js("add", "video")
    found = await peer.offer_again()
    assert await peer.directions() == {"0": "sendonly", "1": "recvonly", "2": "sendrecv", "3": "recvonly", "4": "recvonly"}
    # It keeps our number for that codec, also where it sends.
    assert found.connection.line("2").codecs[0].pt == 127


async def test_our_offer_meets_a_camera_that_it_took_back(peer: Signalling) -> None:
    """A collision (messenger-calling 4.4): the numbers of the offer that it took back stay with a browser."""
    await peer.call("audio")
    await peer.js("add", "video")
    await peer.js("offer")
    assert await peer.js("rollBack") == "stable"
    answer = await peer.show(FAR_AGAIN, FAR_CAMERA)
    assert answer is not None
    assert read_answer(peer.standing, answer) == {"1", "2"}
    found = await peer.offer_again()
    assert found.confirmed == {"1", "2"}


async def test_a_camera_on_the_mid_of_an_offer_that_it_never_saw(peer: Signalling) -> None:
    await peer.call("audio")
    await peer.show(FAR_AGAIN, FAR_CAMERA, is_applied=False)
    await peer.js("add", "video")
    found = await peer.offer_again()
    assert [line.mid for line in found.withdrawn] == ["1", "2"]
    assert await peer.directions() == {"0": "sendrecv", "1": "sendonly"}
    await peer.show(replace(FAR_AGAIN, ssrc=7), replace(FAR_CAMERA, ssrc=8, rtx_ssrc=9))
    assert await peer.directions() == {"0": "sendonly", "1": "sendonly", "3": "recvonly", "4": "recvonly"}
    assert (await peer.offer_again()).confirmed == {"3", "4"}


async def test_a_second_sound_on_the_mid_of_an_offer_that_it_never_saw(peer: Signalling) -> None:
    await peer.call("audio")
    await peer.show(FAR_AGAIN, is_applied=False)
    await peer.js("add", "audio")
    # It may as well have applied our offer: the line is answered alike, and carries both.
    found = await peer.offer_again()
    assert not found.withdrawn
    assert await peer.directions() == {"0": "sendonly", "1": "sendrecv"}


async def test_a_line_that_it_stops_is_used_again(peer: Signalling) -> None:
    await peer.call("audio", "video")
    await peer.show(FAR_AGAIN)
    await peer.js("stop", "1")
    found = await peer.offer_again()
    assert [line.is_rejected for line in found.connection.lines] == [False, True, False]
    await peer.js("add", "video")
    found = await peer.offer_again()
    assert [line.mid for line in found.connection.lines] == ["0", "3", "2"]
    assert [track.label.value for track in found.connection.peer_tracks()] == ["default_audio", "default_video"]


async def test_its_camera_goes_and_comes_again(peer: Signalling) -> None:
    await peer.call("audio", "video")
    await peer.show(FAR_AGAIN, FAR_CAMERA)
    await peer.js("remove", "1")
    assert [track.label.value for track in (await peer.offer_again()).connection.peer_tracks()] == ["default_audio"]
    await peer.js("add", "video")
    found = await peer.offer_again()
    assert [track.label.value for track in found.connection.peer_tracks()] == ["default_audio", "default_video"]
    assert len(found.connection.lines) == 4


async def test_an_ice_restart_is_answered_with_new_credentials(peer: Signalling) -> None:
    await peer.call("audio", "video")
    await peer.show(FAR_AGAIN)
    before = peer.standing.peer
    await peer.js("restart")
    found = await peer.offer_again()
    assert found.connection.transport.ufrag == "newUfrag"
    assert found.connection.peer.ufrag != before.ufrag


BASIC = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034"


@pytest.mark.parametrize(
    "codec",
    [
        LineCodec("vp8/90000", 120, rtx_pt=121),
        LineCodec("vp9/90000", 120, "profile-id=0"),
        LineCodec("av1/90000", 120, "profile=0"),
        LineCodec("h264/90000", 120, BASIC, rtx_pt=121),
        LineCodec("h264/90000", 120, BASIC.replace("42e034", "4d0034")),
    ],
    ids=["VP8", "VP9", "AV1", "H264", "H264 main"],
)
async def test_a_codec_that_the_far_side_asks_for(peer: Signalling, codec: LineCodec) -> None:
    connection = await peer.call("audio", "video", far_side=FarSide((codec,)))
    has = connection.as_far_side()
    if has is None or find(has.codecs, codec) is None:
        # Firefox has H264 only with its plug-in: the line is refused, a track of ours silent, and the call goes on.
        assert peer.is_firefox
        assert connection.line("1").is_rejected
        await peer.show(FAR_AGAIN, replace(FAR_CAMERA, codec=codec))
        ways = await peer.directions()
        assert (ways["0"], ways["2"], ways["3"]) == ("sendonly", "recvonly", "inactive")
        return
    chosen = connection.line("1").codecs[0]
    assert (chosen.key, chosen.rtx_pt is None) == (codec.key, codec.rtx_pt is None)
    assert await peer.directions() == {"0": "sendrecv", "1": "sendonly"}
    answer = await peer.show(FAR_AGAIN, replace(FAR_CAMERA, codec=codec))
    assert answer is not None
    assert read_answer(peer.standing, answer) == {"2", "3"}
    assert (await peer.offer_again(FarSide((codec,)))).confirmed == {"2", "3"}
