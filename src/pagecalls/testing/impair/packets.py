"""What a datagram of a WebRTC transport is, judged from its first bytes.

Owns the division of RFC 7983 and the clear part of an RTP header. Refuses to look further: everything behind is encrypted or
none of a relay's business.
"""

from __future__ import annotations

from enum import Flag, auto

_RTP_HEADER_BYTES = 12


class Kind(Flag):
    """The protocols that share a transport's port. Members may be joined: `Kind.RTP | Kind.RTCP`."""

    STUN = auto()
    DTLS = auto()
    RTP = auto()
    RTCP = auto()
    OTHER = auto()
    MEDIA = RTP | RTCP
    ANY = STUN | DTLS | RTP | RTCP | OTHER


def _of_first_byte(first: int) -> Kind:
    if first <= 3:
        return Kind.STUN
    if 20 <= first <= 63:
        return Kind.DTLS
    return Kind.RTP if 128 <= first <= 191 else Kind.OTHER


_KINDS = tuple(_of_first_byte(first) for first in range(256))


def classify(datagram: bytes) -> Kind:
    """One of the five kinds: by the first byte (RFC 7983), and RTP from RTCP by the second (RFC 5761 section 4)."""
    if not datagram:
        return Kind.OTHER
    kind = _KINDS[datagram[0]]
    if kind is Kind.RTP and len(datagram) > 1 and 192 <= datagram[1] <= 223:
        return Kind.RTCP
    return kind


def rtp_source(datagram: bytes) -> tuple[int, int] | None:
    """SSRC and sequence number of an RTP packet, which SRTP leaves in the clear; `None` if it is too short for them."""
    if len(datagram) < _RTP_HEADER_BYTES:
        return None
    return int.from_bytes(datagram[8:12], "big"), int.from_bytes(datagram[2:4], "big")
