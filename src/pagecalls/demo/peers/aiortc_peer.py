"""A peer on aiortc, in this process: nothing to install beside the package, and every received packet can be seen.

Owns the sending and the reading of tracks, and the few places where aiortc has to be held differently: loopback candidates, an
RSA certificate, `a=setup:active`, telephone-event in the offer; offer and answer are brought into line by `aiortc_signalling`.

Its video is VP8 and H264. It sends up to 1.5 Mbit/s of VP8 or 3 Mbit/s of H264, where a picture needs so much; a REMB moves that
between 250 or 500 kbit/s and these bounds, a loss does not. It answers PLI, and FIR that names it as the media source, with a key
frame. It asks for a lost packet when it notices the gap and again at each later gap, and gives a picture up when 512 packets
have come after what is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCDtlsTransport
from aiortc.rtp import is_rtcp
from av import AudioFrame, VideoFrame

from pagecalls.clock import SystemClock
from pagecalls.demo.peers.aiortc_signalling import (
    add_track,
    own_lines_apart,
    receive_renumbered,
    roll_back,
    settle,
    transceiver_of,
)
from pagecalls.demo.peers.aiortc_stats import Decoded, count_key_frames, inbound, packets_sent, sdp_of, video_sent
from pagecalls.demo.peers.aiortc_tracks import PictureTrack, ToneTrack, cells_shown
from pagecalls.demo.peers.aiortc_wire import StreamTap, rsa_certificate
from pagecalls.demo.peers.base import (
    CandidatePair,
    DtlsState,
    IceState,
    NotSupported,
    OwnTrack,
    PeerGone,
    PeerRefused,
    PeerStats,
    Source,
    VideoCodec,
)
from pagecalls.demo.peers.descriptions import msids_by_mid, with_telephone_event, without_candidates
from pagecalls.demo.peers.digits import HeardDigit
from pagecalls.demo.peers.listening import KEPT_RATE_HZ, Ear, Heard, Recording
from pagecalls.demo.peers.picture import CAMERA_SIZE, CLAP_S, SCREEN_SIZE, Size
from pagecalls.demo.peers.tone import TONE_AMPLITUDE
from pagecalls.demo.peers.watching import Clap, Eye, Screening, Seen

_LOOPBACK = "127.0.0.1"
_SCREEN_STREAM_ID = "screen"


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
        self._amplitude = amplitude
        self._playing: dict[Source, ToneTrack | PictureTrack] = {}
        self._senders: dict[Source, RTCRtpSender] = {}  # kept when their source stops
        self._connection: RTCPeerConnection | None = None
        self._held: list[tuple[RTCRtpTransceiver, str]] = []  # with the direction that each had before
        self._tap = StreamTap(self._now)
        self._ear = Ear(self._nothing_to_fetch)
        self._eye = Eye(self._nothing_to_fetch)
        self._decoded: dict[MediaStreamTrack, Decoded] = {}
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
        self._connection = connection
        self._send(Source.MICROPHONE, self._tone)
        self._gather_on_loopback()
        self._limit_transport()
        self._tap.watch(self._transport)

    async def offer(self, *, gather: bool = True, restarts_ice: bool = False) -> str:
        """See `Peer.offer`: aiortc never restarts ICE."""
        if restarts_ice:
            raise NotSupported(f"{self.name} cannot restart ICE")
        connection = self._open
        await connection.setLocalDescription(await connection.createOffer())
        sdp = self._as_offered(connection.localDescription.sdp)
        return sdp if gather else without_candidates(sdp)

    async def roll_back(self) -> None:
        """See `Peer.roll_back`."""
        roll_back(self._open)

    async def apply_answer(self, sdp: str) -> None:
        """See `Peer.apply_answer`."""
        if self._options.setup_active and "a=setup:passive" not in sdp:
            raise PeerRefused("an offer with a=setup:active must be answered with a=setup:passive (RFC 5763)")
        self._tap.learn(sdp)
        await self._apply("answer", sdp)
        settle(self._open)
        receive_renumbered(self._open)

    async def apply_renegotiation(self, offer_sdp: str) -> str:
        """See `Peer.apply_renegotiation`."""
        self._tap.learn(offer_sdp)
        connection = self._open
        is_first = connection.remoteDescription is None  # then own tracks are sent on its lines
        with contextlib.nullcontext() if is_first else own_lines_apart(connection):
            await self._apply("offer", offer_sdp)
            await connection.setLocalDescription(await connection.createAnswer())
        receive_renumbered(connection)
        return str(connection.localDescription.sdp)

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
        return PeerStats(
            ice=IceState(self._open.iceConnectionState),
            dtls=DtlsState(self._transport.state),
            ice_connected_at=self._ice_connected_at,
            connected_at=self._connected_at,
            selected_pair=self._selected_pair(),
            packets_sent=await packets_sent(self._open),
            inbound=inbound(self._open, self._tap, self._decoded),
            video_sent=video_sent(self._open, self._tap),
        )

    async def mute(self, muted: bool) -> None:
        """See `Peer.mute`."""
        self._tone.muted = muted

    async def video_codecs(self) -> frozenset[VideoCodec]:
        """See `Peer.video_codecs`."""
        names = {codec.name for codec in get_capabilities("video").codecs}
        return frozenset(codec for codec in VideoCodec if codec in names)

    async def send_picture(self, source: Source, picture: int, codec: VideoCodec | None = None) -> None:
        """See `Peer.send_picture`."""
        if codec is not None and codec not in await self.video_codecs():
            raise NotSupported(f"{self.name} has no {codec}")
        before = self._playing.get(source)
        track = before if isinstance(before, PictureTrack) else PictureTrack(picture, _size(source))
        track.picture = picture
        self._send(source, track)
        if codec is not None:
            wanted = [each for each in get_capabilities("video").codecs if each.name in (codec, "rtx")]
            transceiver_of(self._open, self._senders[source]).setCodecPreferences(wanted)

    async def swap_picture(self, source: Source, picture: int) -> None:
        """See `Peer.swap_picture`. aiortc's replaceTrack would change the track's name and turn its clock back; so the same track
        shows another picture."""
        track = self._playing[source]
        if isinstance(track, PictureTrack):
            track.picture = picture

    async def send_screen_sound(self, tone_hz: int) -> None:
        """See `Peer.send_screen_sound`."""
        self._send(Source.SCREEN_SOUND, ToneTrack(tone_hz, self._amplitude))

    async def stop_sending(self, source: Source) -> None:
        """See `Peer.stop_sending`."""
        if self._playing.pop(source, None) is None:
            return
        sender = self._senders[source]
        sender.replaceTrack(None)  # the track itself is not stopped: aiortc would end the sender with it
        transceiver = transceiver_of(self._open, sender)
        transceiver.direction = "recvonly" if transceiver.direction in ("sendrecv", "recvonly") else "inactive"

    async def hold(self, *, sends: bool) -> None:
        """See `Peer.hold`."""
        self._held = [(each, each.direction) for each in self._open.getTransceivers()]
        for each, before in self._held:
            each.direction = "sendonly" if sends and before.startswith("send") else "inactive"

    async def resume(self) -> None:
        """See `Peer.resume`."""
        for each, before in self._held:
            each.direction = before
        self._held = []

    async def own_tracks(self) -> tuple[OwnTrack, ...]:
        """See `Peer.own_tracks`."""
        msids = msids_by_mid(sdp_of(self._open.localDescription))
        mids = {source: transceiver_of(self._open, self._senders[source]).mid for source in self._playing}
        return tuple(OwnTrack(source, mid, msids.get(mid or "")) for source, mid in mids.items())

    async def see(self, *pictures: int, frames: int = 10, timeout_s: float = 10.0) -> Seen:
        """See `Peer.see`."""
        return await self._eye.see(*pictures, frames=frames, timeout_s=timeout_s)

    async def clap(self) -> None:
        """See `Peer.clap`."""
        for is_on in (True, False):
            for track in self._playing.values():
                track.clap(is_on)
            await asyncio.sleep(CLAP_S if is_on else 0)

    async def await_clap(self, picture: int, *, timeout_s: float = 10.0) -> Clap | None:
        """See `Peer.await_clap`."""
        return await self._eye.clap(self._ear, picture, after=self._now(), timeout_s=timeout_s)

    async def send_digits_inband(self, digits: str) -> None:
        """aiortc has no sender of events."""
        raise NotSupported(f"{self.name} cannot send digits")

    async def close(self) -> None:
        """See `Peer.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        for track in (self._tone, *self._playing.values()):
            track.stop()
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

    def _send(self, source: Source, track: ToneTrack | PictureTrack) -> None:
        """Put the track on the line that its source had before, else on that of any new track."""
        sender = self._senders.get(source)
        if sender is not None:
            sender.replaceTrack(track)
            transceiver_of(self._open, sender).direction = "sendrecv"
        else:
            sender = add_track(self._open, track, taken=list(self._senders.values()))
            if source in (Source.SCREEN, Source.SCREEN_SOUND):
                sender._stream_id = _SCREEN_STREAM_ID
        self._senders[source] = sender
        self._playing[source] = track

    def _listen(self, track: MediaStreamTrack) -> None:
        mid = next((t.mid for t in self._open.getTransceivers() if t.receiver.track is track), None)
        read = self._hear(track, mid) if track.kind == "audio" else self._watch(track, mid)
        self._readers.append(asyncio.ensure_future(read))

    async def _watch(self, track: MediaStreamTrack, mid: str | None) -> None:
        screening = self._eye.screenings[track.id] = Screening(track.id, mid)
        decoded = self._decoded[track] = Decoded()
        count_key_frames(next(r for r in self._open.getReceivers() if r.track is track), decoded)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame):
                    decoded.frames += 1
                    decoded.width, decoded.height = frame.width, frame.height
                    screening.append(cells_shown(frame), self._now())

    async def _hear(self, track: MediaStreamTrack, mid: str | None) -> None:
        recording = Recording(track.id, mid, KEPT_RATE_HZ)
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


def _size(source: Source) -> Size:
    return SCREEN_SIZE if source is Source.SCREEN else CAMERA_SIZE


def _left_channel(frame: AudioFrame) -> array[int]:
    """Every n-th sample of the left channel, at about the kept rate; the sounds of a proof need no filter."""
    samples = array("h")
    samples.frombytes(bytes(frame.planes[0]))
    interleaved = 1 if frame.format.is_planar else len(frame.layout.channels)
    return samples[: frame.samples * interleaved : interleaved * (frame.sample_rate // KEPT_RATE_HZ)]
