"""What each fuzz target starts from: a few inputs that get past the first checks, so that the fuzzer need not guess them.

Built from parts and from `tests/data`, so that no bytes lie in the repository that nobody can read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from OpenSSL import SSL

DATA = Path(__file__).parent.parent / "data"
COOKIE = 0x2112_A442
USERNAME, MESSAGE_INTEGRITY, FINGERPRINT, PRIORITY, USE_CANDIDATE, CONTROLLING = 0x0006, 0x0008, 0x8028, 0x0024, 0x0025, 0x802A
STUN_PASSWORD = b"ourpasswordourpassword"
"""That of the agent in `fuzz_targets/stun.rs`."""


def seeds(target: str) -> list[bytes]:
    """The inputs to begin with; none for a target that needs none."""
    makers = {
        "stun": _stun,
        "control_frame": _control_frames,
        "rtp": _rtp,
        "rtcp": _rtcp,
        "twcc": _twcc,
        "srtp_unprotect": lambda: (bytes([12]) + packet for packet in _rtp()),
        "dtls_record": _dtls,
        "peer": _peer,
        "framing": _frames,
    }
    return list(makers[target]()) if target in makers else []


def _control_frames() -> Iterator[bytes]:
    samples = json.loads((DATA / "protocol.json").read_text())
    return (json.dumps(command).encode() for command in samples["commands"])


# --- STUN (RFC 8489) --------------------------------------------------------------------------------------------------


def _stun() -> Iterator[bytes]:
    for extra in (b"", _attribute(USE_CANDIDATE, b""), _attribute(0x7FFF, b"what nobody knows")):
        body = _attribute(USERNAME, b"ours:them") + _attribute(PRIORITY, b"\x6e\x00\x01\xff")
        yield _signed(body + _attribute(CONTROLLING, bytes(8)) + extra)


def _frames() -> Iterator[bytes]:
    """Streams of RFC 4571: one check, and a check with more behind it."""
    for message in _stun():
        frame = struct.pack("!H", len(message)) + message
        yield frame
        yield frame + bytes([0, 3]) + b"RTP" + frame[:9]


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _signed(body: bytes) -> bytes:
    """A binding request with MESSAGE-INTEGRITY and FINGERPRINT; each is made over a length that includes itself (14.5, 14.7)."""

    def head(length: int) -> bytes:
        return struct.pack("!HHI12s", 0x0001, length, COOKIE, b"transaction!")

    code = hmac.new(STUN_PASSWORD, head(len(body) + 24) + body, hashlib.sha1).digest()
    body += _attribute(MESSAGE_INTEGRITY, code)
    sum32 = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354_554E
    body += _attribute(FINGERPRINT, struct.pack("!I", sum32))
    return head(len(body)) + body


# --- RTP and RTCP (RFC 3550, 4585, 8285) ------------------------------------------------------------------------------


def _rtp() -> Iterator[bytes]:
    plain = struct.pack("!BBHII", 0x80, 111, 7, 960, 0xCAFE)
    yield plain + bytes(20)
    one_byte = bytes([0x10, 0x99, 0x40]) + b"0" + bytes([0x32, 1, 2, 3])
    yield b"\x90" + plain[1:] + struct.pack("!HH", 0xBEDE, 2) + one_byte + bytes(20)
    two_byte = bytes([1, 1, 0x99, 4, 1]) + b"0" + bytes(2)
    yield b"\xb0" + plain[1:] + struct.pack("!HH", 0x1000, 2) + two_byte + bytes(16) + bytes([4])
    yield b"\x82" + plain[1:] + struct.pack("!II", 1, 2) + bytes(20)


def _rtcp() -> Iterator[bytes]:
    block = struct.pack("!IIIIII", 0xCAFE, 0x0100_0005, 70_000, 12, 0x1234_5678, 65_536)
    report = _rtcp_packet(1, 201, struct.pack("!I", 1) + block)
    sender = _rtcp_packet(1, 200, struct.pack("!IQIII", 1, 1 << 40, 960, 5, 400) + block)
    name = struct.pack("!I", 1) + bytes([1, 4]) + b"name" + bytes(2)
    yield sender + _rtcp_packet(1, 202, name)
    yield report + _rtcp_packet(1, 203, struct.pack("!I", 1))
    yield report + _rtcp_packet(1, 205, struct.pack("!IIHH", 1, 0xCAFE, 17, 0b101))
    yield report + _rtcp_packet(1, 206, struct.pack("!II", 1, 0xCAFE))
    yield report + _rtcp_packet(4, 206, struct.pack("!IIIBBH", 1, 0, 0xCAFE, 9, 0, 0))


def _twcc() -> Iterator[bytes]:
    """Bodies of transport-wide feedback: a run, a vector of one bit a status, one of two."""
    head = struct.pack("!II", 1, 6000)
    yield head + struct.pack("!HHI", 1, 20, 0x0000_0100) + struct.pack("!H", 0x2000 | 20) + bytes(range(20))
    yield head + struct.pack("!HHI", 65_530, 14, 0x0000_0101) + struct.pack("!H", 0xAAAA) + bytes(7)
    mixed = struct.pack("!HBhBx", 0b1101_1001_0010_0000, 4, -9, 4)
    yield head + struct.pack("!HHI", 3, 7, 0xFFFF_FF02) + mixed


def _film() -> Iterator[bytes]:
    """Packets of the business's camera: three with transport-wide numbers, the repeat of one, and padding."""

    def packet(pt: int, ssrc: int, seq: int, number: int, payload: bytes, padding: bool = False) -> bytes:
        head = struct.pack("!BBHII", 0xB0 if padding else 0x90, pt, seq, 3_000, ssrc)
        return head + struct.pack("!HHBHx", 0xBEDE, 1, 0x31, number) + payload

    for seq in (1, 2, 3):
        yield packet(96, 500, seq, seq, bytes([seq]) * 20)
    yield packet(97, 501, 1, 4, struct.pack("!H", 2) + bytes([2]) * 20)
    yield packet(97, 501, 2, 5, bytes(9) + bytes([10]), padding=True)


def _peer() -> Iterator[bytes]:
    """Steps of `fuzz_targets/peer.rs`: what, length, bytes. The sources are those of its peers, 100 and 200, and a camera."""
    sound = [
        struct.pack("!BBHII", 0x80, pt, seq, 960 * seq, ssrc) + bytes(20)
        for pt, ssrc in ((111, 100), (109, 200))
        for seq in (1, 2)
    ]
    reports = [struct.pack("!BBHI", 0x80, 201, 1, 100) + packet for packet in _rtcp()]
    rows = [(0 if part[1] == 111 else 1, part) for part in sound] + [(4, part) for part in reports if len(part) < 256]
    told = [struct.pack("!BBHI", 0x80, 201, 1, 100) + _rtcp_packet(15, 205, body + bytes(-len(body) % 4)) for body in _twcc()]
    rows += [(0, part) for part in _film()] + [(5, part) for part in told]
    yield b"".join(bytes([what, len(part)]) + part for what, part in rows)
    for what, part in rows:
        yield bytes([what, len(part)]) + part


def _rtcp_packet(count: int, kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


# --- DTLS (RFC 6347) --------------------------------------------------------------------------------------------------


def _dtls() -> Iterator[bytes]:
    """A ClientHello as a browser's library writes it, cut into the parts that the target reads: a length octet before each."""
    connection = SSL.Connection(SSL.Context(SSL.DTLS_METHOD))
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        hello = connection.bio_read(4_096)
        yield bytes([min(len(hello), 255)]) + hello
    close_notify = bytes([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0])
    yield bytes([len(close_notify)]) + close_notify
