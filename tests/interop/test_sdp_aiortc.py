"""Our answers and offers, applied by aiortc's own peer connection at signalling level: no media flows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from pagecalls.sdp.connection import Connection, HostCandidate
from pagecalls.sdp.description import Setup, parse
from pagecalls.sdp.negotiate import answer_first, append_tracks, read_answer, render_answer, render_offer
from pagecalls.sdp.profile import check_offer
from tests.unit.sdp.invariants import check_answer, check_offer_of_ours
from tests.unit.sdp.samples import FAR, FAR_AGAIN, SESSION_ID, TRANSPORT

# Port 9 on loopback: connectivity checks go nowhere.
NOWHERE = replace(TRANSPORT, candidates=(HostCandidate("udp", "127.0.0.1", 9),))


@pytest.fixture
async def peer() -> AsyncIterator[RTCPeerConnection]:
    """A peer connection that sends sound."""
    connection = RTCPeerConnection()
    connection.addTrack(AudioStreamTrack())
    yield connection
    await connection.close()


async def set_up(peer: RTCPeerConnection) -> Connection:
    """The peer's offer, answered, and the answer applied."""
    await peer.setLocalDescription(await peer.createOffer())
    offer = parse(peer.localDescription.sdp)
    check_offer(offer)
    connection = answer_first(offer, tracks=(), transport=NOWHERE, session_id=SESSION_ID, far=FAR)
    check_answer(offer, connection)
    await peer.setRemoteDescription(RTCSessionDescription(render_answer(connection), "answer"))
    return connection


async def renegotiate(peer: RTCPeerConnection, before: Connection) -> tuple[Connection, str]:
    """Our next offer, applied; the connection behind it and the peer's answer."""
    connection = append_tracks(before, [FAR_AGAIN])
    check_offer_of_ours(before, connection)
    await peer.setRemoteDescription(RTCSessionDescription(render_offer(connection), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return connection, peer.localDescription.sdp


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
    connection = append_tracks(await set_up(peer), [FAR_AGAIN])
    assert read_answer(connection, parse(peer.localDescription.sdp)) == frozenset()


async def test_refused_video_does_not_stop_the_sound(peer: RTCPeerConnection) -> None:
    peer.addTrack(VideoStreamTrack())
    before = await set_up(peer)
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


async def test_its_next_offer_after_the_renegotiation_passes_our_rules(peer: RTCPeerConnection) -> None:
    await renegotiate(peer, await set_up(peer))
    offer = parse((await peer.createOffer()).sdp)
    check_offer(offer)
    assert [section.mid for section in offer.media] == ["0", "1"]
