"""What each fuzz target starts from: a few inputs that get past the first checks, so that the fuzzer need not guess them.

Built from parts and from `tests/data`, so that no bytes lie in the repository that nobody can read.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

DATA = Path(__file__).parent.parent / "data"
COOKIE = 0x2112_A442
USERNAME, MESSAGE_INTEGRITY, FINGERPRINT = 0x0006, 0x0008, 0x8028
PRIORITY, USE_CANDIDATE, CONTROLLED, CONTROLLING = 0x0024, 0x0025, 0x8029, 0x802A
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
    """Rows of commands: the samples, and what changes the call of `fuzz/scene.rs`, whose legs are b and k."""
    samples = json.loads((DATA / "protocol.json").read_text())["commands"]
    yield _lines(samples)
    yield _lines([{"id": 1, "op": "call.create", "call": "d"}, *({**sample, "call": "d"} for sample in samples)])
    routes = [_route("b", "in", "k", "out"), _route("k", "cam", "b", "cam"), _route("b", "cam", "k", "cam", on=False)]
    changes: list[dict[str, object]] = [
        _apply("b", 10, [1000]),
        _apply("k", 10, [2000, 2002]),
        _apply("b", 11, []),
        {**_apply("k", 12, []), "recv": [], "send": []},
        {"op": "call.route", "call": "c", "rev": 10, "routes": routes},
        {"op": "leg.dtmf", "leg": "b", "track": "out", "digits": "1,#D", "tone_ms": 70, "gap_ms": 30},
        {"op": "leg.restart", "leg": "k"},
        {"op": "leg.create", "call": "c", "leg": "new"},
        {"op": "snapshot", "call": "c"},
        {"op": "leg.close", "leg": "b"},
        {"op": "call.close", "call": "c"},
    ]
    numbered = [{"id": number, **change} for number, change in enumerate(changes)]
    yield from (_lines([change]) for change in numbered)
    yield from (_lines([one, other]) for one, other in itertools.pairwise(numbered))
    yield _lines(numbered)


def _lines(commands: Sequence[Mapping[str, object]]) -> bytes:
    return b"\n".join(json.dumps(command, separators=(",", ":")).encode() for command in commands)


def _route(leg: str, track: str, to_leg: str, to_track: str, on: bool = True) -> dict[str, object]:
    return {"from": {"leg": leg, "track": track}, "to": {"leg": to_leg, "track": to_track}, "on": on}


def _apply(leg: str, rev: int, ssrcs: list[int]) -> dict[str, object]:
    """Sound both ways, to these outputs, and a camera one way."""
    sound = [{"key": "opus/48000/2", "pt": 111}, {"key": "telephone-event/48000", "pt": 110}]
    picture = [{"key": "vp8/90000", "pt": 96, "rtx_pt": 97}]
    recv = [{"track": "in", "mid": "0", "kind": "audio", "codecs": sound, "ext": {"mid": 4, "level": 1}}]
    outputs = [{"ssrc": ssrc, "mid": str(place)} for place, ssrc in enumerate(ssrcs)]
    send = [{"track": "out", "kind": "audio", "cname": "n", "codecs": sound, "ext": {"mid": 4}, "outputs": outputs}]
    camera = {"track": "cam", "kind": "video", "cname": "n", "codecs": picture, "ext": {"twcc": 3}, "fb": ["nack", "ccm fir"]}
    send.append({**camera, "outputs": [{"ssrc": 7000, "mid": "1", "rtx_ssrc": 7001}]})
    timers = {"conn_ms": 5_000, "dead_ms": 2_000, "bye_ms": None}
    return {"op": "leg.apply", "leg": leg, "rev": rev, "timers": timers, "recv": recv, "send": send}


# --- STUN (RFC 8489) --------------------------------------------------------------------------------------------------


DATAGRAM_ON, CHECK, MESSAGE, MEDIA, FORGET, RESTART, WAIT, REMOTE = range(8)
"""Steps of `fuzz_targets/stun.rs`."""
OLD, NOMINATION, INDICATION, UNSIGNED = 0x08, 0x10, 0xA0, 0x40
"""What can be added to a check."""
STREAM = 0x80
"""A path by TCP."""


def _stun() -> Iterator[bytes]:
    """Rows of steps: what, path, length, bytes."""

    def step(what: int, path: int, part: bytes = b"") -> bytes:
        return bytes([what, path, len(part)]) + part

    for message in _checks():
        yield step(DATAGRAM_ON, 0, message)
        yield step(REMOTE, 0) + step(DATAGRAM_ON, 0, message) + step(DATAGRAM_ON, 1, message)
    for kind, value in ((CONTROLLED, bytes(8)), (0x7FFF, b"what nobody knows"), (PRIORITY, b"\1")):
        attribute = struct.pack("!HB", kind, len(value)) + value
        yield step(CHECK, 0, attribute)
        yield step(MESSAGE, 0, struct.pack("!HB", USERNAME, 9) + b"ours:them" + attribute)
        yield step(CHECK | UNSIGNED, 0, attribute)
        yield step(CHECK | INDICATION, 0, attribute)
    both = step(CHECK, 0) + step(CHECK, 1)
    silence = step(WAIT, 0, bytes([28]))
    yield both + step(MEDIA, 0) + step(CHECK | NOMINATION, 1) + step(WAIT, 0, bytes([4])) + step(MEDIA, 0)
    # A nomination that media disproves: for half a minute another one is doubted.
    doubt = both + step(CHECK | NOMINATION, 1) + step(WAIT, 0, bytes([5])) + step(MEDIA, 0)
    yield doubt + step(CHECK | NOMINATION, 1) + step(MEDIA, 0) + step(WAIT, 0, bytes([121])) + step(CHECK | NOMINATION, 1)
    yield both + silence + step(CHECK, 1)
    yield both + step(FORGET, 0) + step(FORGET, 1)
    restarted = both + step(RESTART, 0)
    yield restarted + step(CHECK | OLD, 0) + step(CHECK, 1) + step(CHECK | OLD, 1)
    yield restarted + step(RESTART, 0) + step(CHECK | OLD, 0) + step(CHECK, 0) + step(RESTART, 0) + step(CHECK | OLD, 0)
    yield b"".join(step(CHECK, path) for path in range(20))
    yield b"".join(step(CHECK, STREAM | path) for path in range(6)) + silence + step(REMOTE, 0, bytes([20]))


def _checks() -> Iterator[bytes]:
    """Messages that are signed for the agent of `fuzz_targets/stun.rs`."""
    for extra in (
        b"",
        _attribute(USE_CANDIDATE, b""),
        _attribute(0x7FFF, b"what nobody knows"),
        _attribute(CONTROLLED, bytes(8)),
    ):
        body = _attribute(USERNAME, b"ours:them") + _attribute(PRIORITY, b"\x6e\x00\x01\xff")
        yield _signed(body + _attribute(CONTROLLING, bytes(8)) + extra)


def _frames() -> Iterator[bytes]:
    """Streams of RFC 4571: one check, and a check with more behind it."""
    for message in _checks():
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
    """Inputs of `fuzz_targets/rtcp.rs`: 1 for numbers that count from the last packet, and a compound."""
    return (bytes([1]) + compound for compound in _compounds())


SOURCES, OUTPUTS = (100, 500, 200, 600), (1000, 5000, 2000, 6000)
"""Streams of the peers in `fuzz/scene.rs` and streams to them: sound and camera of the business, then of the consumer."""


def _compounds() -> Iterator[bytes]:
    """One of each kind that the engine reads, about streams that run in `fuzz/scene.rs`; numbers count from the last packet."""
    blocks = b"".join(struct.pack("!IIIIII", ssrc, 0x0100_0005, 0, 12, 0x1234_5678, 65_536) for ssrc in OUTPUTS)
    report = _rtcp_packet(4, 201, struct.pack("!I", 100) + blocks)
    yield report
    for ssrc in SOURCES:
        sender = _rtcp_packet(4, 200, struct.pack("!IQIII", ssrc, 1 << 40, 960, 5, 400) + blocks)
        yield sender + _rtcp_packet(1, 202, struct.pack("!I", ssrc) + bytes([1, 4]) + b"name" + bytes(2))
    bye = _rtcp_packet(4, 203, struct.pack("!IIII", *SOURCES))
    clock = _rtcp_packet(0, 207, struct.pack("!IBBHQ", 100, 4, 0, 2, 1 << 40))
    answers = b"".join(struct.pack("!III", ssrc, 0x1234_5678, 65_536) for ssrc in OUTPUTS)
    answer = _rtcp_packet(0, 207, struct.pack("!IBBH", 100, 5, 0, 12) + answers)
    numbers = [_rtcp_packet(15, 205, body + bytes(-len(body) % 4)) for body in _twcc()]
    rate = _rtcp_packet(15, 206, struct.pack("!II4sI4I", 100, 0, b"REMB", 0x0408_1234, *OUTPUTS))
    for packet in (*_requests(), bye, clock, answer, *numbers, rate):
        yield report + packet
    yield report + b"".join(_requests())
    yield b"\xa4" + report[1:2] + struct.pack("!H", len(report) // 4) + report[4:] + bytes([0, 0, 0, 4]) + bye


def _requests() -> Iterator[bytes]:
    """What a receiver asks again for: two packets, a picture in either way."""
    for ssrc in OUTPUTS:
        yield _rtcp_packet(1, 205, struct.pack("!IIHH", 100, ssrc, 0xFFFE, 0b10))
        yield _rtcp_packet(1, 206, struct.pack("!II", 100, ssrc))
        yield _rtcp_packet(4, 206, struct.pack("!IIIBBH", 100, 0, ssrc, 9, 0, 0))


def _twcc() -> Iterator[bytes]:
    """Bodies of transport-wide feedback: a run, a vector of one bit a status, one of two."""
    head = struct.pack("!II", 1, 6000)
    yield head + struct.pack("!HHI", 65_534, 20, 0x0000_0100) + struct.pack("!H", 0x2000 | 20) + bytes(range(20))
    yield head + struct.pack("!HHI", 65_530, 14, 0x0000_0101) + struct.pack("!H", 0xAAAA) + bytes(7)
    mixed = struct.pack("!HBhBx", 0b1101_1001_0010_0000, 4, -9, 4)
    yield head + struct.pack("!HHI", 3, 7, 0xFFFF_FF02) + mixed


def _media() -> Iterator[tuple[int, bytes]]:
    """Packets of the peers in `fuzz/scene.rs`, each with its peer: 0 the business, 1 the consumer. The target numbers them."""
    for peer, pt, ssrc in ((0, 111, 100), (1, 109, 200)):
        for ts in (960, 1_920, 2_880):
            yield peer, struct.pack("!BBHII", 0x80, pt, 1, ts, ssrc) + bytes(20)
    for number in (1, 2, 3):
        yield 0, _numbered(0x31, 96, 500, number, bytes([number]) * 20)
        yield 1, _numbered(0x51, 120, 600, number, bytes([number]) * 20)


def _unusual_media() -> Iterator[tuple[int, bytes]]:
    """A repeat of a packet, padding, a repeat that is cut short, digits of either side, and streams that their MID names."""
    yield 0, _numbered(0x31, 97, 501, 4, struct.pack("!H", 2) + bytes([2]) * 20)
    yield 0, _numbered(0x31, 97, 501, 5, bytes(9) + bytes([10]), padding=True)
    yield 0, _numbered(0x31, 97, 501, 6, b"\2")
    for peer, pt, ssrc in ((0, 110, 100), (1, 101, 200)):
        for flags, duration in ((0x8A, 160), (0x0A, 320), (0x8A, 480)):
            yield peer, struct.pack("!BBHIIBBH", 0x80, pt, 1, 3_840, ssrc, 5, flags, duration)
    yield 0, struct.pack("!BBHIIHHBsBBxxx", 0x90, 111, 1, 960, 300, 0xBEDE, 2, 0x40, b"0", 0x10, 0x7F) + bytes(20)
    yield 1, struct.pack("!BBHIIHHBsBBxxx", 0x90, 120, 1, 960, 700, 0xBEDE, 2, 0x30, b"b", 0x70, 0x7F) + bytes(20)


def _numbered(element: int, pt: int, ssrc: int, number: int, payload: bytes, padding: bool = False) -> bytes:
    """A packet of a camera with its transport-wide number."""
    head = struct.pack("!BBHII", 0xB0 if padding else 0x90, pt, 1, 3_000, ssrc)
    return head + struct.pack("!HHBHx", 0xBEDE, 1, element, number) + payload


NEXT_RTP, RTP, RTCP, RTCP_FROM_LAST, DATAGRAM, STRANGER, TIME, CHANGE = range(0, 16, 2)
"""Steps of `fuzz_targets/peer.rs`, of peer 0."""


def _peer() -> Iterator[bytes]:
    """Rows of steps: what, length, bytes. Each row begins with running streams and then has one step more, or two."""

    def step(what: int, part: bytes = b"") -> bytes:
        return bytes([what, len(part)]) + part

    running = b"".join(step(NEXT_RTP | peer, packet) for peer, packet in _media())
    yield running
    for peer, packet in _unusual_media():
        yield running + step(NEXT_RTP | peer, packet)
        yield step(RTP | peer, packet)
    yield running + b"".join(step(NEXT_RTP | peer, packet) for peer, packet in _unusual_media()) + step(TIME, bytes([25]))
    for peer, packet in _media():
        yield running + step(0x10 | peer, packet) + step(0x80 | peer, packet)
    for compound in _compounds():
        if len(compound) < 256:
            yield running + step(RTCP_FROM_LAST, compound) + step(RTCP_FROM_LAST | 1, compound) + step(TIME, bytes([30]))
    again, move, lose, restart, digits, route, apply = (CHANGE | more << 4 for more in range(2, 9))
    for peer in (0, 1):
        moved = step(move | peer, b"\1")
        yield running + step(again | peer) + step(DATAGRAM | peer, b"\x80" * 40) + step(STRANGER | peer, bytes(20))
        yield running + moved + step(CHANGE | peer) + step(TIME, bytes([200])) + running
        yield running + moved + step(CHANGE | 0x10 | peer) + running + step(TIME, bytes([30])) + running
        yield running + moved + step(CHANGE | peer) + step(lose | peer) + running
        yield running + step(restart | peer) + step(CHANGE | peer) + running
        yield running + step(digits | peer, b"12#") + running + step(TIME, bytes([50])) + running
        yield running + step(route | peer, b"\0") + running + step(route | peer, b"\1") + running + step(TIME, bytes([20]))
        yield running + step(apply | peer, b"\0") + running + step(apply | peer, b"\1") + running


def _rtcp_packet(count: int, kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


# --- DTLS (RFC 6347) --------------------------------------------------------------------------------------------------


SRTP_PROFILES = b"SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"


def _dtls() -> Iterator[bytes]:
    """Inputs of `fuzz_targets/dtls_record.rs`. With 0: what each end of a handshake sent. With 1: deeds in one that is made."""
    for sent in (*_recorded_handshake(mtu=1_200), *_recorded_handshake(mtu=256)):
        yield bytes([0]) + b"".join(_sized(datagram) for datagram in sent)
        yield bytes([0]) + _sized(b"".join(sent))
    close_notify = bytes([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0])
    # It claims to be encrypted, and has no room for a tag.
    too_short = close_notify[:4] + bytes([1]) + close_notify[5:]
    yield bytes([0]) + _sized(close_notify)
    yield bytes([1])
    for number in range(6):
        yield bytes([1, number, 0]) + struct.pack("!HB", 100, 1)
        yield bytes([1, number, 1]) + struct.pack("!H", 60)
        for deed in (2, 3, 4):
            yield bytes([1, number, deed])
        for record in (close_notify, too_short):
            yield bytes([1, number, 5]) + _sized(record)


def _sized(datagram: bytes) -> bytes:
    return struct.pack("!H", len(datagram)) + datagram


def _recorded_handshake(mtu: int) -> tuple[list[bytes], list[bytes]]:
    """The records of a client and of a server that speak as a browser's library does, each with a certificate and SRTP."""
    client, server = (SSL.Connection(_dtls_context()) for _ in range(2))
    client.set_connect_state()
    server.set_accept_state()
    recorded: tuple[list[bytes], list[bytes]] = ([], [])
    ends = ((client, server), (server, client))
    for connection, _ in ends:
        connection.set_ciphertext_mtu(mtu)
    for _ in range(4):
        for (sender, receiver), sent in zip(ends, recorded, strict=True):
            with contextlib.suppress(SSL.WantReadError):
                sender.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                datagrams = _records(sender.bio_read(65_536))
                sent += datagrams
                for datagram in datagrams:
                    receiver.bio_write(datagram)
                    with contextlib.suppress(SSL.WantReadError):
                        receiver.do_handshake()
    return recorded


def _records(stream: bytes) -> list[bytes]:
    """DTLS records: a header of 13 octets, the last two of which are the length of what follows (RFC 6347 4.1)."""
    records = []
    while stream:
        length = 13 + int.from_bytes(stream[11:13], "big")
        records.append(stream[:length])
        stream = stream[length:]
    return records


def _dtls_context() -> SSL.Context:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=36_500))
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_privatekey(key)
    context.use_certificate(builder.sign(key, hashes.SHA256()))
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.set_tlsext_use_srtp(SRTP_PROFILES)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    return context
