from __future__ import annotations

import struct
from typing import cast

import pytest
from aiortc import RTCRtpReceiver
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
)

from pagecalls.demo.peers.aiortc_wire import StreamTap
from pagecalls.demo.peers.descriptions import with_telephone_event, without_candidates

OFFER = (
    "v=0\r\nm=audio 5000 UDP/TLS/RTP/SAVPF 96 0\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\na=end-of-candidates\r\na=mid:0\r\n"
)


def packet(sequence: int, *, ssrc: int = 1, payload_type: int = 96, timestamp: int = 0, payload: bytes = b"x") -> RtpPacket:
    made = RtpPacket(payload_type=payload_type, sequence_number=sequence % 65536, timestamp=timestamp)
    made.ssrc = ssrc
    made.payload = payload
    made.extensions.mid = "0"
    return made


def event(sequence: int, number: int, duration: int, *, end: bool = False, ssrc: int = 1, timestamp: int = 480) -> RtpPacket:
    payload = struct.pack("!BBH", number, (0x80 if end else 0) | 10, duration)
    return packet(sequence, ssrc=ssrc, payload_type=101, timestamp=timestamp, payload=payload)


@pytest.fixture
def tap() -> StreamTap:
    tap = StreamTap(lambda: 1_790_000_000.0)
    tap.learn("a=rtpmap:101 telephone-event/8000\r\na=rtpmap:96 opus/48000/2\r\n")
    return tap


def test_loss_is_counted_over_a_wrap_and_out_of_order(tap: StreamTap) -> None:
    for sequence in (65533, 65534, 65536, 65535, 65539):  # 65537 and 65538 are lost
        tap.packet(packet(sequence))
    (stream,) = tap.inbound()
    assert (stream.packets_received, stream.packets_lost, stream.mid) == (5, 2, "0")


def test_streams_are_counted_apart(tap: StreamTap) -> None:
    for sequence in range(3):
        tap.packet(packet(sequence, ssrc=1))
        tap.packet(packet(sequence, ssrc=2))
    assert [(stream.ssrc, stream.packets_received) for stream in tap.inbound()] == [(1, 3), (2, 3)]


def test_updates_ends_and_copies_are_one_digit(tap: StreamTap) -> None:
    for ssrc in (1, 2):
        for sequence, duration in enumerate(range(160, 4001, 160)):
            tap.packet(event(sequence, 11, duration, ssrc=ssrc))
        for sequence in (25, 26, 27):
            tap.packet(event(sequence, 11, 4000, end=True, ssrc=ssrc))
    (digit,) = tap.digits()
    assert (digit.digit, digit.duration_s) == ("#", 0.5)
    (seen,) = tap.events.values()
    assert (seen.ended, seen.ssrcs) == (6, {1, 2})


def test_the_same_digit_twice_differs_by_its_timestamp(tap: StreamTap) -> None:
    tap.packet(event(1, 9, 4000, timestamp=480))
    tap.packet(event(2, 9, 4000, timestamp=29280))
    assert [digit.digit for digit in tap.digits()] == ["9", "9"]


def test_event_packets_are_kept_as_they_came(tap: StreamTap) -> None:
    tap.packet(event(1, 9, 160, ssrc=2))
    tap.packet(packet(2))
    tap.packet(event(3, 9, 320, end=True, ssrc=2))
    seen = [(each.ssrc, each.sequence, each.digit, each.duration, each.is_end, each.volume) for each in tap.event_packets]
    assert seen == [(2, 1, "9", 160, False, 10), (2, 3, "9", 320, True, 10)]


@pytest.mark.parametrize("payload", [b"", b"\x01\x0a", struct.pack("!BBH", 16, 10, 160)])
def test_what_is_no_digit_is_passed_over(tap: StreamTap, payload: bytes) -> None:
    tap.packet(packet(1, payload_type=101, payload=payload))
    assert tap.digits() == []


def test_telephone_event_is_added_to_an_offer() -> None:
    offer = with_telephone_event(OFFER, 8000)
    assert "m=audio 5000 UDP/TLS/RTP/SAVPF 96 0 101\r\n" in offer
    assert "a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n" in offer
    assert "a=rtpmap:110 telephone-event/48000\r\n" in with_telephone_event(OFFER, 48000)


def test_candidates_are_taken_out() -> None:
    bare = without_candidates(OFFER)
    assert "candidate" not in bare
    assert bare.endswith("a=mid:0\r\n")


class FakeTransport:
    """As much of aiortc's transport as the tap touches."""

    def __init__(self) -> None:
        self._rtp_router = RtpRouter()
        self.sent: list[bytes] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)


@pytest.fixture
def transport(tap: StreamTap) -> FakeTransport:
    transport = FakeTransport()
    tap.watch(cast(RTCDtlsTransport, transport))
    return transport


async def test_requests_are_counted_by_stream_in_both_directions(tap: StreamTap, transport: FakeTransport) -> None:
    pli = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=9, media_ssrc=1)
    fir = RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=9, media_ssrc=0, fci=struct.pack("!LBxxx", 2, 7))
    nack = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=9, media_ssrc=1, lost=[5, 6])
    for packet in (pli, pli, fir, nack):
        transport._rtp_router.route_rtcp(packet)
        await transport._send_rtp(bytes(packet))
    for asked in (tap.asked_of_us, tap.asked_by_us):
        assert (asked[1].plis, asked[1].nacks, asked[1].firs) == (2, 1, 0)
        assert (asked[2].plis, asked[2].nacks, asked[2].firs) == (0, 0, 1)
    assert len(transport.sent) == 4


async def test_sent_pictures_are_counted_by_their_last_packets(tap: StreamTap, transport: FakeTransport) -> None:
    for sequence, is_last in enumerate([False, True, True]):
        made = packet(sequence, ssrc=77)
        made.marker = int(is_last)
        await transport._send_rtp(made.serialize(HeaderExtensionsMap()))
    assert tap.marked == {77: 2}


def test_a_picture_goes_to_the_line_of_its_mid(tap: StreamTap, transport: FakeTransport) -> None:
    """Two lines share a payload type; a new stream of one is not lost, and not shown on the other."""
    router = transport._rtp_router
    camera, screen = object(), object()
    for receiver, mid in ((camera, "2"), (screen, "3")):
        router.register_receiver(cast(RTCRtpReceiver, receiver), ssrcs=[], payload_types=[97], mid=mid)
    tap.learn("m=video 9 UDP/TLS/RTP/SAVPF 97 98\r\n")
    made = packet(1, ssrc=5, payload_type=97)
    made.extensions.mid = "3"
    assert router.route_rtp(made) is screen
    made.extensions.mid = None
    assert router.route_rtp(made) is screen, "its stream is known from then on"
    made.ssrc, made.extensions.mid = 6, "4"
    assert router.route_rtp(made) is None, "a line that is not begun yet"
