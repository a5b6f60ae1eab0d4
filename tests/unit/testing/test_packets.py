from __future__ import annotations

import pytest

from pagecalls.testing.impair import Kind, classify
from pagecalls.testing.impair.packets import rtp_source


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", Kind.OTHER),
        (b"\x00\x01", Kind.STUN),
        (b"\x03", Kind.STUN),
        (b"\x04", Kind.OTHER),
        (b"\x13", Kind.OTHER),
        (b"\x14\xfe", Kind.DTLS),
        (b"\x3f", Kind.DTLS),
        (b"\x40\x00", Kind.OTHER),
        (b"\x7f", Kind.OTHER),
        (b"\x80", Kind.RTP),
        (b"\x80\x6f", Kind.RTP),
        (b"\x80\xef", Kind.RTP),  # payload type 111 with the marker
        (b"\x80\xbf", Kind.RTP),
        (b"\x81\xc0", Kind.RTCP),
        (b"\x81\xc9", Kind.RTCP),
        (b"\xbf\xdf", Kind.RTCP),
        (b"\x80\xe0", Kind.RTP),  # payload type 96 with the marker
        (b"\xc0", Kind.OTHER),
        (b"\xff", Kind.OTHER),
    ],
)
def test_kinds(head: bytes, kind: Kind) -> None:
    assert classify(head) is kind


def test_source_of_an_rtp_packet() -> None:
    packet = bytes.fromhex("806f fffe 00000001 deadbeef 00")
    assert rtp_source(packet) == (0xDEADBEEF, 0xFFFE)
    assert rtp_source(packet[:12]) == (0xDEADBEEF, 0xFFFE)
    assert rtp_source(packet[:11]) is None
