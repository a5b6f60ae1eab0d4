"""Datagrams that an attacker sends to the media port, made from chance and from what was overheard.

Pure: a seed gives the same datagrams for the same material. Three attackers differ in what they may send:

- A *stranger* has an address of its own and has seen nothing but the calls' descriptions and packets on the wire.
- A *forger* writes a peer's address into what it sends; everything that a stranger sends, it sends too.
- A *repeater* sends again, unchanged and from the peer's address, what the peer has sent.

One thing is left out: a captured check that is sent again from elsewhere. It is authentic, and no server can tell it from the
peer's own after a change of address. What it costs is a promise of its own (`ice.rs`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

STUN_HEADER = 20
INTEGRITY_AND_FINGERPRINT = 24 + 8
"""The last two attributes of a check; what comes before them is protected."""
RTP_HEADER = 12
LONGEST = 65_507
"""Octets in a datagram over IPv4."""


class Kind(Enum):
    """What a hostile datagram looks like."""

    EMPTY = "empty"
    NOISE = "noise of every first byte"
    OVERSIZED = "oversized"
    STUN_TRUNCATED = "check cut off"
    STUN_MUTATED = "check with changed bytes"
    STUN_UNSIGNED = "check with a known ufrag and wrong integrity"
    STUN_REPLAYED = "the peer's own check again"
    DTLS_ALERT = "close_notify and other alerts"
    DTLS_HELLO = "ClientHello, whole and damaged"
    DTLS_RECORD = "records of every type"
    DTLS_REPLAYED = "the peer's own records again"
    SRTP_FORGED = "right SSRC, wrong tag"
    SRTP_BROKEN = "headers that promise more than there is"
    SRTP_REPLAYED = "the peer's own packets again"
    SRTCP_FORGED = "BYE and reports with the right SSRC and a wrong tag"


REPLAYED = frozenset({Kind.STUN_REPLAYED, Kind.DTLS_REPLAYED, Kind.SRTP_REPLAYED})
"""Authentic: only from the peer's own address."""


@dataclass(frozen=True, slots=True)
class Overheard:
    """What one peer has sent, by protocol."""

    checks: tuple[bytes, ...]
    records: tuple[bytes, ...]
    packets: tuple[bytes, ...]

    @classmethod
    def of(cls, datagrams: list[bytes]) -> Overheard:
        """Sorted by the first byte (RFC 7983)."""
        return cls(
            tuple(each for each in datagrams if each[0] < 4),
            tuple(each for each in datagrams if 20 <= each[0] < 64),
            tuple(each for each in datagrams if 128 <= each[0] < 192),
        )


class Attacker:
    """Makes datagrams of every kind out of what was overheard of one peer."""

    def __init__(self, chance: random.Random, overheard: Overheard) -> None:
        self._chance = chance
        self._heard = overheard
        self._makers: dict[Kind, Callable[[], bytes]] = {
            Kind.EMPTY: bytes,
            Kind.NOISE: self._noise,
            Kind.OVERSIZED: self._oversized,
            Kind.STUN_TRUNCATED: self._cut_check,
            Kind.STUN_MUTATED: self._changed_check,
            Kind.STUN_UNSIGNED: self._unsigned_check,
            Kind.STUN_REPLAYED: lambda: self._chance.choice(self._heard.checks),
            Kind.DTLS_ALERT: self._alert,
            Kind.DTLS_HELLO: self._hello,
            Kind.DTLS_RECORD: self._record,
            Kind.DTLS_REPLAYED: lambda: self._chance.choice(self._heard.records),
            Kind.SRTP_FORGED: self._forged_rtp,
            Kind.SRTP_BROKEN: self._broken_rtp,
            Kind.SRTP_REPLAYED: lambda: self._chance.choice(self._heard.packets),
            Kind.SRTCP_FORGED: self._forged_rtcp,
        }

    def make(self, kind: Kind) -> bytes:
        """One datagram."""
        return self._makers[kind]()

    # --- anything -----------------------------------------------------------------------------------------------------

    def _noise(self) -> bytes:
        first = self._chance.choice((range(4), range(4, 20), range(20, 64), range(64, 128), range(128, 192), range(192, 256)))
        return bytes([self._chance.choice(first)]) + self._chance.randbytes(self._chance.randrange(200))

    def _oversized(self) -> bytes:
        like = self._chance.choice((self._heard.checks, self._heard.records, self._heard.packets))
        size = LONGEST if self._chance.randrange(50) == 0 else self._chance.randrange(1_501, 4_000)
        return self._chance.choice(like).ljust(size, b"\xff")

    def _change(self, data: bytes, end: int) -> bytes:
        """One to three bytes before `end` are others."""
        changed = bytearray(data)
        for at in self._chance.sample(range(end), self._chance.randint(1, 3)):
            changed[at] ^= self._chance.randint(1, 255)
        return bytes(changed)

    # --- STUN (RFC 8489) ----------------------------------------------------------------------------------------------

    def _cut_check(self) -> bytes:
        check = self._chance.choice(self._heard.checks)
        cut = self._chance.randrange(1, len(check) - INTEGRITY_AND_FINGERPRINT)
        if cut <= STUN_HEADER or self._chance.random() < 0.5:
            return check[:cut]
        # Its length says what is left of it, so that only the attributes are wrong.
        cut -= cut % 4
        return check[:2] + (cut - STUN_HEADER).to_bytes(2, "big") + check[4:cut]

    def _changed_check(self) -> bytes:
        check = self._chance.choice(self._heard.checks)
        return self._change(check, len(check) - 8)

    def _unsigned_check(self) -> bytes:
        """All as it should be, with another transaction, so that the integrity is that of another message."""
        check = self._chance.choice(self._heard.checks)
        return check[:8] + self._chance.randbytes(12) + check[STUN_HEADER:]

    # --- DTLS (RFC 6347) ----------------------------------------------------------------------------------------------

    def _dtls(self, type_: int, epoch: int, body: bytes, length: int | None = None) -> bytes:
        version = self._chance.choice((b"\xfe\xfd", b"\xfe\xff", b"\xfe\xfc"))
        number = self._chance.randrange(2**48).to_bytes(6, "big")
        size = len(body) if length is None else length
        return bytes([type_]) + version + epoch.to_bytes(2, "big") + number + size.to_bytes(2, "big") + body

    def _alert(self) -> bytes:
        """In the clear, and as if it were encrypted."""
        epoch = self._chance.choice((0, 0, 1, 2))
        level, description = self._chance.choice(((1, 0), (2, 0), (2, 10), (2, 20), (2, 40), (1, 90), (1, 100)))
        body = bytes([level, description])
        return self._dtls(21, epoch, body if epoch == 0 else body + self._chance.randbytes(24))

    def _hello(self) -> bytes:
        """The peer's own, changed or with another random; from a stranger it must not begin a handshake."""
        hello = next(each for each in self._heard.records if each[0] == 22)
        if self._chance.random() < 0.5:
            return self._change(hello, len(hello))
        random_at = 13 + 12 + 2
        return hello[:random_at] + self._chance.randbytes(32) + hello[random_at + 32 :]

    def _record(self) -> bytes:
        body = self._chance.randbytes(self._chance.randrange(120))
        is_honest = self._chance.random() < 0.7
        length = None if is_honest else self._chance.randrange(2**16)
        return self._dtls(self._chance.randrange(20, 64), self._chance.randrange(3), body, length)

    # --- SRTP (RFC 3711) ----------------------------------------------------------------------------------------------

    def _forged_rtp(self) -> bytes:
        """The header of a packet that may come next, and a body that nobody has signed."""
        packet = self._chance.choice(self._heard.packets)
        ahead = self._chance.choice((1, 2, 100, 0x7000, 0x9000))
        number = (int.from_bytes(packet[2:4], "big") + ahead) & 0xFFFF
        return packet[:2] + number.to_bytes(2, "big") + packet[4:RTP_HEADER] + self._chance.randbytes(len(packet) - RTP_HEADER)

    def _broken_rtp(self) -> bytes:
        """Contributing sources, extension and padding that are not there."""
        packet = bytearray(self._chance.choice(self._heard.packets))
        packet[0] |= self._chance.randint(1, 0x3F)
        return bytes(packet[: self._chance.randrange(1, len(packet))])

    def _forged_rtcp(self) -> bytes:
        ssrc = self._chance.choice(self._heard.packets)[8:RTP_HEADER]
        type_, count = self._chance.choice(((203, 1), (200, 0), (201, 1), (205, 1), (206, 1), (206, 15), (207, 0)))
        body = self._chance.randbytes(4 * self._chance.randrange(8))
        head = bytes([0x80 | count, type_]) + (1 + len(body) // 4).to_bytes(2, "big") + ssrc
        index = (0x8000_0000 | self._chance.randrange(2**31)).to_bytes(4, "big")
        return head + body + index + self._chance.randbytes(10)
