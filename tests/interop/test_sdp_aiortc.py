"""Our answers and offers, applied by aiortc's own peer connection at signalling level: no media flows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from pagecalls.sdp.connection import Connection, FarTrack, HostCandidate, LineCodec, MediaSettings, NextAnswer
from pagecalls.sdp.description import Setup, parse
from pagecalls.sdp.negotiate import answer_first, answer_next, read_answer, render_answer, render_offer, show_tracks
from pagecalls.sdp.profile import check_offer
from tests.unit.sdp.invariants import check_answer, check_next_answer, check_offer_of_ours
from tests.unit.sdp.samples import ALL_FAR, FAR, FAR_AGAIN, FAR_CAMERA, SESSION_ID, TRANSPORT

# Port 9 on loopback: connectivity checks go nowhere.
NOWHERE = replace(TRANSPORT, candidates=(HostCandidate("udp", "127.0.0.1", 9),))


@pytest.fixture
async def peer() -> AsyncIterator[RTCPeerConnection]:
    """A peer connection that sends sound."""
    connection = RTCPeerConnection()
    connection.addTrack(AudioStreamTrack())
    yield connection
    await connection.close()


async def set_up(peer: RTCPeerConnection, *, has_video: bool = True) -> Connection:
    """The peer's offer, answered, and the answer applied."""
    await peer.setLocalDescription(await peer.createOffer())
    offer = parse(peer.localDescription.sdp)
    check_offer(offer)
    settings = MediaSettings(video_enabled=has_video)
    connection = answer_first(offer, tracks=(), transport=NOWHERE, session_id=SESSION_ID, far=FAR, settings=settings)
    check_answer(offer, connection)
    await peer.setRemoteDescription(RTCSessionDescription(render_answer(connection), "answer"))
    return connection


async def renegotiate(peer: RTCPeerConnection, before: Connection, *tracks: FarTrack) -> tuple[Connection, str]:
    """Our next offer, applied; the connection behind it and the peer's answer."""
    connection = show_tracks(before, tracks or [FAR_AGAIN])
    check_offer_of_ours(before, connection)
    await peer.setRemoteDescription(RTCSessionDescription(render_offer(connection), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return connection, peer.localDescription.sdp


async def offer_again(peer: RTCPeerConnection, before: Connection) -> NextAnswer:
    """The peer's next offer, answered, and the answer applied."""
    await peer.setLocalDescription(await peer.createOffer())
    offer = parse(peer.localDescription.sdp)
    check_offer(offer)
    found = answer_next(before, offer, tracks=())
    check_next_answer(before, offer, found)
    await peer.setRemoteDescription(RTCSessionDescription(render_answer(found.connection), "answer"))
    assert peer.signalingState == "stable"
    return found


def directions(peer: RTCPeerConnection) -> dict[str | None, str | None]:
    """Each transceiver's mid and what it does now."""
    return {transceiver.mid: transceiver.currentDirection for transceiver in peer.getTransceivers()}


async def test_the_answer_is_applied(peer: RTCPeerConnection) -> None:
    await set_up(peer)
    assert peer.signalingState == "stable"
    assert directions(peer) == {"0": "sendrecv"}
    (transceiver,) = peer.getTransceivers()
    assert transceiver.receiver.track.id == FAR.track_id


async def test_the_renegotiation_is_applied_and_answered(peer: RTCPeerConnection) -> None:
    connection, text = await renegotiate(peer, await set_up(peer))
    assert peer.signalingState == "stable"
    assert directions(peer) == {"0": "sendonly", "1": "recvonly"}
    answer = parse(text)
    assert [section.setup for section in answer.media] == [Setup.ACTIVE, Setup.ACTIVE]
    assert read_answer(connection, answer) == {"1"}
    assert peer.getTransceivers()[1].receiver.track.id == FAR_AGAIN.track_id


async def test_the_first_answer_alone_proves_nothing(peer: RTCPeerConnection) -> None:
    connection = show_tracks(await set_up(peer), [FAR_AGAIN])
    assert read_answer(connection, parse(peer.localDescription.sdp)) == frozenset()


async def test_refused_video_does_not_stop_the_sound(peer: RTCPeerConnection) -> None:
    peer.addTrack(VideoStreamTrack())
    before = await set_up(peer, has_video=False)
    assert directions(peer) == {"0": "sendrecv", "1": "inactive"}
    connection, text = await renegotiate(peer, before)
    assert directions(peer) == {"0": "sendonly", "1": "inactive", "2": "recvonly"}
    assert read_answer(connection, parse(text)) == {"2"}


async def test_a_refused_data_channel_does_not_stop_the_sound(peer: RTCPeerConnection) -> None:
    peer.createDataChannel("data")
    connection, text = await renegotiate(peer, await set_up(peer))
    assert directions(peer) == {"0": "sendonly", "2": "recvonly"}
    assert read_answer(connection, parse(text)) == {"2"}


async def test_a_peer_that_only_listens() -> None:
    listener = RTCPeerConnection()
    listener.addTransceiver("audio", direction="recvonly")
    try:
        connection, text = await renegotiate(listener, await set_up(listener))
        assert directions(listener) == {"0": "inactive", "1": "recvonly"}
        assert read_answer(connection, parse(text)) == {"1"}
    finally:
        await listener.close()


async def test_its_next_offer_after_the_renegotiation_is_answered(peer: RTCPeerConnection) -> None:
    connection, _ = await renegotiate(peer, await set_up(peer))
    found = await offer_again(peer, connection)
    assert directions(peer) == {"0": "sendonly", "1": "recvonly"}
    assert found.confirmed == {"1"}


async def test_its_camera_is_received_from_the_start(peer: RTCPeerConnection) -> None:
    peer.addTrack(VideoStreamTrack())
    before = await set_up(peer)
    assert directions(peer) == {"0": "sendrecv", "1": "sendonly"}
    await renegotiate(peer, before, FAR_AGAIN, FAR_CAMERA)
    assert directions(peer) == {"0": "sendonly", "1": "sendonly", "2": "recvonly", "3": "recvonly"}
    camera = peer.getTransceivers()[3].receiver
    assert (camera.track.kind, camera.track.id) == ("video", FAR_CAMERA.track_id)


async def test_a_peer_that_never_offered_video_is_shown_four_tracks(peer: RTCPeerConnection) -> None:
    connection, text = await renegotiate(peer, await set_up(peer), *ALL_FAR)
    assert directions(peer) == {"0": "sendonly", "1": "recvonly", "2": "recvonly", "3": "recvonly", "4": "recvonly"}
    assert read_answer(connection, parse(text)) == {"1", "2", "3", "4"}
    assert "a=rtpmap:127 VP8/90000" in text
    found = await offer_again(peer, connection)
    assert found.confirmed == {"1", "2", "3", "4"}
    # It goes back to numbers of its own, and those are binding for its description.
    assert {line.codecs[0].pt for line in found.connection.lines if line.media == "video"} == {97}


async def test_its_camera_comes_and_goes_and_comes_again(peer: RTCPeerConnection) -> None:
    connection, _ = await renegotiate(peer, await set_up(peer))
    sender = peer.addTrack(VideoStreamTrack())
    connection = (await offer_again(peer, connection)).connection
    assert directions(peer) == {"0": "sendonly", "1": "recvonly", "2": "sendonly"}
    connection, _ = await renegotiate(peer, connection, FAR_AGAIN, FAR_CAMERA)
    connection, _ = await renegotiate(peer, connection)
    assert directions(peer) == {"0": "sendonly", "1": "recvonly", "2": "sendonly", "3": "inactive"}
    (transceiver,) = [each for each in peer.getTransceivers() if each.sender is sender]
    transceiver.direction = "inactive"
    connection = (await offer_again(peer, connection)).connection
    assert [track.label.value for track in connection.peer_tracks()] == ["default_audio"]
    transceiver.direction = "sendonly"
    connection = (await offer_again(peer, connection)).connection
    assert [track.label.value for track in connection.peer_tracks()] == ["default_audio", "default_video"]


async def test_it_never_heard_of_our_offer_and_numbers_its_camera_alike(peer: RTCPeerConnection) -> None:
    before = show_tracks(await set_up(peer), [FAR_AGAIN])
    peer.addTrack(VideoStreamTrack())
    found = await offer_again(peer, before)
    assert [line.mid for line in found.withdrawn] == ["1"]
    assert directions(peer) == {"0": "sendrecv", "1": "sendonly"}
    await renegotiate(peer, found.connection, replace(FAR_AGAIN, ssrc=7))
    assert directions(peer) == {"0": "sendonly", "1": "sendonly", "2": "recvonly"}


async def test_a_plain_add_track_reuses_the_line_that_we_appended(peer: RTCPeerConnection) -> None:
    connection, _ = await renegotiate(peer, await set_up(peer), FAR_AGAIN, FAR_CAMERA)
    peer.addTrack(VideoStreamTrack())
    found = await offer_again(peer, connection)
    assert directions(peer) == {"0": "sendonly", "1": "recvonly", "2": "sendrecv"}
    assert found.connection.line("2").far_ssrc == FAR_CAMERA.ssrc
    connection, _ = await renegotiate(peer, found.connection, FAR_AGAIN, FAR_CAMERA)
    assert connection.line("2").direction.value == "sendrecv"
    assert directions(peer)["2"] == "sendrecv"


async def test_a_track_that_it_cannot_read_gets_a_silent_line(peer: RTCPeerConnection) -> None:
    peer.addTrack(VideoStreamTrack())
    before = await set_up(peer)
    camera = replace(FAR_CAMERA, codec=LineCodec("av1/90000", 45))
    connection, text = await renegotiate(peer, before, FAR_AGAIN, camera)
    assert directions(peer) == {"0": "sendonly", "1": "sendonly", "2": "recvonly", "3": "inactive"}
    assert read_answer(connection, parse(text)) == {"2"}
    found = await offer_again(peer, connection)
    await renegotiate(peer, found.connection, FAR_AGAIN, FAR_CAMERA)
    assert directions(peer)["3"] == "recvonly"
