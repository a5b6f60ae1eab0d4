from __future__ import annotations

import struct

import pytest
from aiortc.rtp import RtpPacket

from pagecalls.demo.peers.aiortc_peer import with_telephone_event
from pagecalls.demo.peers.aiortc_wire import StreamTap
from pagecalls.demo.peers.browser_page import without_candidates

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
