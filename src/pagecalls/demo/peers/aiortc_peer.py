"""A peer on aiortc, in this process: nothing to install beside the package, and every received packet can be seen.

Owns the tone track, the reading of received tracks, and the few places where aiortc has to be held differently:
loopback candidates, an RSA certificate, `a=setup:active`, telephone-event in the offer.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCDtlsTransport
from aiortc.rtp import is_rtcp
from av import AudioFrame

from pagecalls.clock import SystemClock
from pagecalls.demo.peers.aiortc_wire import StreamTap, rsa_certificate
from pagecalls.demo.peers.base import CandidatePair, DtlsState, IceState, NotSupported, PeerGone, PeerRefused, PeerStats
from pagecalls.demo.peers.browser_page import without_candidates
from pagecalls.demo.peers.digits import HeardDigit
from pagecalls.demo.peers.listening import KEPT_RATE_HZ, Ear, Heard, Recording
from pagecalls.demo.peers.tone import TONE_AMPLITUDE, sine

_RATE_HZ = 48000
_CHANNELS = 2
_FRAME_SAMPLES = 960  # 20 ms
_LOOPBACK = "127.0.0.1"
_EVENT_PAYLOAD_TYPES = {8000: 101, 48000: 110}


class Certificate(Enum):
    """What the peer shows in the DTLS handshake."""

    ECDSA = "ecdsa"
    RSA = "rsa"


class SrtpProfile(Enum):
    """The protections that a handshake may agree on; the values are OpenSSL's names."""

    AES_CM_128_HMAC_SHA1_80 = "SRTP_AES128_CM_SHA1_80"
    AEAD_AES_128_GCM = "SRTP_AEAD_AES_128_GCM"
    AEAD_AES_256_GCM = "SRTP_AEAD_AES_256_GCM"


@dataclass(frozen=True, slots=True)
class AiortcOptions:
    """How this peer differs from plain aiortc.

    `loopback_only` gathers 127.0.0.1 alone, else every address and 127.0.0.1. `setup_active` offers `a=setup:active`
    and refuses an answer that would make it the DTLS server. `event_clock_hz` (8000 or 48000) adds telephone-event to
    the offer, which aiortc itself never does; received events are read from the packets. `srtp_profile` is the only one
    that it takes. Without `sends_reports` it sends no RTCP, so that a far side never learns what arrives here.
    """

    certificate: Certificate = Certificate.ECDSA
    setup_active: bool = False
    loopback_only: bool = True
    event_clock_hz: int | None = None
    srtp_profile: SrtpProfile | None = None
    sends_reports: bool = True


class AiortcPeer:
    """A `Peer` on aiortc."""

    def __init__(
        self,
        *,
        tone_hz: int,
        amplitude: float = TONE_AMPLITUDE,
        options: AiortcOptions | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._options = options or AiortcOptions()
        self._now = now or SystemClock().now
        self._tone = ToneTrack(tone_hz, amplitude)
        self._connection: RTCPeerConnection | None = None
        self._tap = StreamTap(self._now)
        self._ear = Ear(self._nothing_to_fetch)
        self._readers: list[asyncio.Task[None]] = []
        self._ice_connected_at: float | None = None
        self._connected_at: float | None = None

    @property
    def name(self) -> str:
        """`aiortc 1.16`."""
        return "aiortc " + ".".join(version("aiortc").split(".")[:2])

    @property
    def tap(self) -> StreamTap:
        """Received packets as they were on the wire, per SSRC."""
        return self._tap

    async def start(self) -> None:
        """See `Peer.start`."""
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        connection = RTCPeerConnection(configuration)
        if self._options.certificate is Certificate.RSA:
            # aiortc takes no certificate from outside, and makes its own in the constructor.
            vars(connection)["_RTCPeerConnection__certificates"] = [rsa_certificate()]
        connection.on("track", self._listen)
        connection.on("iceconnectionstatechange", self._note_ice)
        connection.on("connectionstatechange", self._note_connected)
        connection.addTrack(self._tone)
        self._connection = connection
        self._gather_on_loopback()
        self._limit_transport()
        self._tap.watch(self._transport)

    async def offer(self, *, gather: bool = True) -> str:
        """See `Peer.offer`."""
        connection = self._open
        await connection.setLocalDescription(await connection.createOffer())
        sdp = self._as_offered(connection.localDescription.sdp)
        return sdp if gather else without_candidates(sdp)

    async def apply_answer(self, sdp: str) -> None:
        """See `Peer.apply_answer`."""
        if self._options.setup_active and "a=setup:passive" not in sdp:
            raise PeerRefused("an offer with a=setup:active must be answered with a=setup:passive (RFC 5763)")
        self._tap.learn(sdp)
        await self._apply("answer", sdp)

    async def apply_renegotiation(self, offer_sdp: str) -> str:
        """See `Peer.apply_renegotiation`."""
        self._tap.learn(offer_sdp)
        await self._apply("offer", offer_sdp)
        await self._open.setLocalDescription(await self._open.createAnswer())
        return str(self._open.localDescription.sdp)

    async def hear(self, *, window_s: float = 1.0, timeout_s: float = 10.0) -> Heard:
        """See `Peer.hear`."""
        return await self._ear.hear(window_s=window_s, timeout_s=timeout_s)

    async def digits(self) -> list[str]:
        """See `Peer.digits`: from the telephone-event packets."""
        return [digit.digit for digit in await self.heard_digits()]

    async def heard_digits(self) -> list[HeardDigit]:
        """See `Peer.heard_digits`."""
        return self._tap.digits()

    async def stats(self) -> PeerStats:
        """See `Peer.stats`."""
        sent = [await sender.getStats() for sender in self._open.getSenders()]
        outbound = [entry for report in sent for entry in report.values() if entry.type == "outbound-rtp"]
        return PeerStats(
            ice=IceState(self._open.iceConnectionState),
            dtls=DtlsState(self._transport.state),
            ice_connected_at=self._ice_connected_at,
            connected_at=self._connected_at,
            selected_pair=self._selected_pair(),
            packets_sent=sum(entry.packetsSent for entry in outbound),
            inbound=self._tap.inbound(),
        )

    async def mute(self, muted: bool) -> None:
        """See `Peer.mute`."""
        self._tone.muted = muted

    async def send_digits_inband(self, digits: str) -> None:
        """aiortc has no sender of events."""
        raise NotSupported(f"{self.name} cannot send digits")

    async def close(self) -> None:
        """See `Peer.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        self._tone.stop()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    @property
    def _open(self) -> RTCPeerConnection:
        if self._connection is None:
            raise PeerGone("the peer is not started or already closed")
        return self._connection

    @property
    def _transport(self) -> RTCDtlsTransport:
        """The one transport: everything is bundled."""
        return self._open.getTransceivers()[0].receiver.transport

    async def _apply(self, kind: str, sdp: str) -> None:
        try:
            await self._open.setRemoteDescription(RTCSessionDescription(sdp=sdp, type=kind))
        except (ValueError, InvalidStateError, OperationError) as error:
            raise PeerRefused(f"aiortc refused the {kind}: {error}") from error

    def _as_offered(self, sdp: str) -> str:
        if self._options.setup_active:
            sdp = sdp.replace("a=setup:actpass", "a=setup:active")
        if self._options.event_clock_hz is not None:
            sdp = with_telephone_event(sdp, self._options.event_clock_hz)
        return sdp

    def _gather_on_loopback(self) -> None:
        """aioice leaves 127.0.0.1 out of its candidates; without another interface there would be none at all."""
        ice: Any = self._transport.transport.iceGatherer._connection
        gather = ice.get_component_candidates
        loopback_only = self._options.loopback_only

        async def gather_with_loopback(*, addresses: list[str], **others: Any) -> Any:
            wanted = [_LOOPBACK] if loopback_only else [*addresses, _LOOPBACK]
            return await gather(addresses=wanted, **others)

        ice.get_component_candidates = gather_with_loopback

    def _limit_transport(self) -> None:
        """What aiortc's transport would do beyond the options."""
        transport: Any = self._transport
        profile = self._options.srtp_profile
        if profile is not None:
            transport._srtp_profiles = [each for each in SRTP_PROFILES if each.openssl_profile.decode() == profile.value]
        if not self._options.sends_reports:
            send = transport._send_rtp

            async def send_media_only(data: bytes) -> None:
                if not is_rtcp(data):
                    await send(data)

            transport._send_rtp = send_media_only

    def _selected_pair(self) -> CandidatePair | None:
        pair = self._transport.transport._connection._nominated.get(1)
        if pair is None:
            return None
        local, remote = pair.local_addr, pair.remote_addr
        return CandidatePair(local=f"{local[0]}:{local[1]}", remote=f"{remote[0]}:{remote[1]}")

    async def _nothing_to_fetch(self) -> None:
        """Recordings grow by themselves here."""

    def _listen(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._readers.append(asyncio.ensure_future(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        mids = [t.mid for t in self._open.getTransceivers() if t.receiver.track is track]
        recording = Recording(track.id, mids[0] if mids else None, KEPT_RATE_HZ)
        self._ear.recordings[track.id] = recording
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, AudioFrame):
                    recording.append(_left_channel(frame), self._now())

    def _note_ice(self) -> None:
        if self._ice_connected_at is None and self._connection and self._connection.iceConnectionState == "completed":
            self._ice_connected_at = self._now()

    def _note_connected(self) -> None:
        if self._connected_at is None and self._connection and self._connection.connectionState == "connected":
            self._connected_at = self._now()


class ToneTrack(MediaStreamTrack):
    """An endless sine at 48 kHz, a frame each 20 ms. Stereo, as turning mono into Opus' stereo would cost 3 dB."""

    kind = "audio"

    def __init__(self, tone_hz: int, amplitude: float) -> None:
        super().__init__()
        mono = sine(tone_hz, rate_hz=_RATE_HZ, duration_s=1.0, amplitude=amplitude)
        self._second = array("h", [sample for sample in mono for _ in range(_CHANNELS)]).tobytes()
        self._sent = 0
        self._started_at: float | None = None
        self.muted = False

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._started_at is None:
            self._started_at = loop.time()
        due = self._started_at + self._sent * _FRAME_SAMPLES / _RATE_HZ
        await asyncio.sleep(max(0.0, due - loop.time()))
        frame = self._frame()
        self._sent += 1
        return frame

    def _frame(self) -> AudioFrame:
        size = _FRAME_SAMPLES * _CHANNELS * 2
        start = self._sent * size % len(self._second)
        frame = AudioFrame(format="s16", layout="stereo", samples=_FRAME_SAMPLES)
        frame.planes[0].update(bytes(size) if self.muted else self._second[start : start + size])
        frame.pts = self._sent * _FRAME_SAMPLES
        frame.sample_rate = _RATE_HZ
        frame.time_base = fractions.Fraction(1, _RATE_HZ)
        return frame


def with_telephone_event(sdp: str, clock_hz: int) -> str:
    """The same audio offer with a telephone-event payload type of this clock."""
    payload_type = _EVENT_PAYLOAD_TYPES[clock_hz]
    sdp = re.sub(r"(?m)^(m=audio .*?)(\r?)$", rf"\1 {payload_type}\2", sdp)
    line = f"a=rtpmap:{payload_type} telephone-event/{clock_hz}"
    return re.sub(r"(?m)^(a=rtpmap:\d+ opus/48000/2)(\r?\n)", rf"\1\2{line}\2", sdp)


def _left_channel(frame: AudioFrame) -> array[int]:
    """Every n-th sample of the left channel, at about the kept rate; the sounds of a proof need no filter."""
    samples = array("h")
    samples.frombytes(bytes(frame.planes[0]))
    interleaved = 1 if frame.format.is_planar else len(frame.layout.channels)
    return samples[: frame.samples * interleaved : interleaved * (frame.sample_rate // KEPT_RATE_HZ)]
