"""The wire as an aiortc peer sees it: every decrypted RTP packet, counted per stream, the digits among them, and the requests for
repeats and key frames in both directions.

Owns the hooks into aiortc's transport and its packet router, and what RFC 4733 says of an event packet. aiortc itself drops
packets whose payload type it does not know, keeps one counter where two streams share a receiver, and never reads an event. It
also never looks at a MID, which RFC 8843 section 9.2 puts first: it would lose a new stream of one of two video lines, or show it
on the other; so pictures are routed here.
"""

from __future__ import annotations

import datetime
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    is_rtcp,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from pagecalls.clock import SystemClock
from pagecalls.demo.peers.base import InboundStats
from pagecalls.demo.peers.digits import HeardDigit

_EVENT_DIGITS = "0123456789*#ABCD"  # RFC 4733 section 3.2
_EVENT_LINE = re.compile(r"^a=rtpmap:(\d+) telephone-event/(\d+)", re.MULTILINE | re.IGNORECASE)
_VIDEO_LINE = re.compile(r"^m=video \S+ \S+ ([\d ]+)", re.MULTILINE)


@dataclass(slots=True)
class Event:
    """One telephone-event, told apart by its timestamp: copies and repeats of it share that."""

    digit: str
    at: float
    clock_hz: int
    duration: int = 0
    marked: int = 0
    ended: int = 0
    ssrcs: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One packet of a telephone-event as it arrived. `at` in Unix seconds, `duration` in steps of the event's clock."""

    at: float
    ssrc: int
    sequence: int
    timestamp: int
    is_marked: bool
    digit: str
    is_end: bool
    volume: int
    duration: int


@dataclass(slots=True)
class Stream:
    """What arrived with one SSRC. `mids` holds every MID seen, None for a packet without."""

    ssrc: int
    first_sequence: int
    highest: int
    received: int = 0
    mids: set[str | None] = field(default_factory=set)
    payload_types: set[int] = field(default_factory=set)
    last_at: float = 0.0

    @property
    def mid(self) -> str | None:
        """Any that was seen."""
        return next((mid for mid in self.mids if mid is not None), None)

    @property
    def lost(self) -> int:
        """Expected less received, never negative."""
        return max(0, self.highest - self.first_sequence + 1 - self.received)


@dataclass(slots=True)
class Asked:
    """Requests for one stream."""

    plis: int = 0
    firs: int = 0
    nacks: int = 0


class StreamTap:
    """Watches one transport. Call `learn` with each description of the far side, so that events are known as such."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.streams: dict[int, Stream] = {}
        self.events: dict[int, Event] = {}
        """By RTP timestamp, in the order of arrival."""
        self.event_packets: list[EventPacket] = []
        """Every packet of every event."""
        self.video_types: set[int] = set()
        """Payload types of video in any description of the far side."""
        self.asked_by_us: defaultdict[int, Asked] = defaultdict(Asked)
        """By the SSRC that is received."""
        self.asked_of_us: defaultdict[int, Asked] = defaultdict(Asked)
        """By the SSRC that is sent."""
        self.marked: Counter[int] = Counter()
        """Sent packets with the marker by SSRC: of a picture's stream, its frames."""
        self._now = now
        self._clocks: dict[int, int] = {}  # telephone-event payload type -> clock

    def learn(self, sdp: str) -> None:
        """Take the numbers of telephone-event from a description."""
        self._clocks.update({int(number): int(clock_hz) for number, clock_hz in _EVENT_LINE.findall(sdp)})
        self.video_types.update(int(number) for types in _VIDEO_LINE.findall(sdp) for number in types.split())

    def watch(self, transport: RTCDtlsTransport) -> None:
        """See every packet before aiortc decides whom it is for, and whatever it sends before it is encrypted."""
        router: Any = transport._rtp_router
        route, route_rtcp, send = router.route_rtp, router.route_rtcp, transport._send_rtp

        def seen(packet: RtpPacket) -> Any:
            self.packet(packet)
            if packet.payload_type not in self.video_types or packet.extensions.mid is None:
                return route(packet)
            receiver = router.mid_table.get(packet.extensions.mid)
            if receiver is not None:
                router.ssrc_table[packet.ssrc] = receiver  # a sender leaves its MID away after some time
            return receiver

        def seen_rtcp(packet: Any) -> Any:
            _count(packet, self.asked_of_us)
            return route_rtcp(packet)

        async def sent(data: bytes) -> None:
            if is_rtcp(data):
                for packet in RtcpPacket.parse(data):
                    _count(packet, self.asked_by_us)
            elif data[1] & 0x80:  # the marker: a picture's last packet
                self.marked[int.from_bytes(data[8:12], "big")] += 1
            await send(data)

        router.route_rtp, router.route_rtcp = seen, seen_rtcp
        vars(transport)["_send_rtp"] = sent

    def packet(self, packet: RtpPacket) -> None:
        """Count one packet, and read it if it is an event."""
        stream = self.streams.get(packet.ssrc)
        if stream is None:
            stream = Stream(packet.ssrc, packet.sequence_number, packet.sequence_number)
            self.streams[packet.ssrc] = stream
        # The 16-bit number nearest to the highest so far (RFC 3711 section 3.3.1).
        ahead = (packet.sequence_number - stream.highest + 0x8000) % 0x10000 - 0x8000
        stream.highest = max(stream.highest, stream.highest + ahead)
        stream.received += 1
        stream.mids.add(packet.extensions.mid)
        stream.payload_types.add(packet.payload_type)
        stream.last_at = self._now()
        if packet.payload_type in self._clocks:
            self._event(packet, self._clocks[packet.payload_type])

    def digits(self) -> list[HeardDigit]:
        """Digits so far, in order."""
        return [HeardDigit(digit=e.digit, at=e.at, duration_s=e.duration / e.clock_hz) for e in self.events.values()]

    def inbound(self) -> tuple[InboundStats, ...]:
        """One entry a stream."""
        return tuple(
            InboundStats(
                mid=stream.mid,
                ssrc=stream.ssrc,
                packets_received=stream.received,
                packets_lost=stream.lost,
                jitter_s=None,
                audio_energy=None,
            )
            for stream in self.streams.values()
        )

    def _event(self, packet: RtpPacket, clock_hz: int) -> None:
        if len(packet.payload) < 4:
            return
        number, flags, duration = struct.unpack_from("!BBH", packet.payload)  # RFC 4733 section 2.3
        if number >= len(_EVENT_DIGITS):
            return
        now, digit = self._now(), _EVENT_DIGITS[number]
        self.event_packets.append(
            EventPacket(
                at=now,
                ssrc=packet.ssrc,
                sequence=packet.sequence_number,
                timestamp=packet.timestamp,
                is_marked=bool(packet.marker),
                digit=digit,
                is_end=bool(flags >> 7),
                volume=flags & 0x3F,
                duration=duration,
            )
        )
        event = self.events.setdefault(packet.timestamp, Event(digit, now, clock_hz))
        event.duration = max(event.duration, duration)
        event.marked += packet.marker
        event.ended += flags >> 7
        event.ssrcs.add(packet.ssrc)


def _count(packet: Any, asked: defaultdict[int, Asked]) -> None:
    """Note what a feedback packet asks for; a FIR names its stream inside (RFC 5104 section 4.3.1)."""
    if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
        asked[packet.media_ssrc].nacks += 1
    elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI:
        asked[packet.media_ssrc].plis += 1
    elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_FIR:
        asked[int.from_bytes(packet.fci[:4], "big")].firs += 1


class RsaCertificate(RTCCertificate):
    """A certificate with an RSA key. aiortc itself allows only ECDSA suites, which an RSA server could not use."""

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA")
        return context


def rsa_certificate() -> RTCCertificate:
    """A self-signed RSA certificate for one month."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.fromtimestamp(SystemClock().now(), tz=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return RsaCertificate(key=key, cert=certificate)  # type: ignore[arg-type]
