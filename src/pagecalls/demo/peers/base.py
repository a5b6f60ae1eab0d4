"""What a peer is: a WebRTC endpoint, foreign to our engine, that speaks only SDP text to its driver.

Owns the protocol, its results and its errors. Knows nothing of a server: the driver carries the texts.

    PeerError               something about a peer went wrong
    ├── PeerRefused         the peer did not accept what it was given (its own words follow)
    ├── PeerGone            the peer's browser ended or stopped answering
    └── NotSupported        this kind of peer cannot do that
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pagecalls.demo.peers.digits import HeardDigit
from pagecalls.demo.peers.listening import Heard
from pagecalls.demo.peers.watching import Clap, Seen

_POLL_S = 0.1


class PeerError(Exception):
    """Something about a peer went wrong."""


class PeerRefused(PeerError):
    """The peer did not accept a description or a command; the text is its own."""


class PeerGone(PeerError):
    """The peer's browser ended or stopped answering."""


class NotSupported(PeerError):
    """This kind of peer, or what was negotiated, does not allow it."""


class IceState(StrEnum):
    """RTCIceConnectionState of the W3C's webrtc-pc."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    COMPLETED = "completed"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"

    @property
    def is_up(self) -> bool:
        """Whether packets can flow."""
        return self in (IceState.CONNECTED, IceState.COMPLETED)


class DtlsState(StrEnum):
    """RTCDtlsTransportState of the W3C's webrtc-pc."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class Source(StrEnum):
    """What an own track carries; the values are the labels of a call's tracks."""

    MICROPHONE = "default_audio"
    CAMERA = "default_video"
    SCREEN_SOUND = "screen_audio"
    SCREEN = "screen_video"

    @property
    def is_video(self) -> bool:
        """Camera and screen."""
        return self in (Source.CAMERA, Source.SCREEN)


class VideoCodec(StrEnum):
    """Video codecs by their names in SDP."""

    VP8 = "VP8"
    VP9 = "VP9"
    H264 = "H264"
    H265 = "H265"
    AV1 = "AV1"


@dataclass(frozen=True, slots=True)
class OwnTrack:
    """A track that this peer sends. `mid` and `msid` (`<stream> <track>`) are those of its last own description; None before
    one has the track's line."""

    source: Source
    mid: str | None
    msid: str | None


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """The addresses in use, each as `host:port`."""

    local: str
    remote: str


@dataclass(frozen=True, slots=True)
class VideoReceived:
    """What became of a received video stream. None is what the kind of peer does not count.

    `plis`, `firs` and `nacks` are the requests that this peer sent for it. `repeats` are packets that came again.
    """

    codec: VideoCodec | None
    frames_decoded: int
    key_frames_decoded: int
    freezes: int | None
    width: int
    height: int
    plis: int
    firs: int
    nacks: int
    repeats: int | None


@dataclass(frozen=True, slots=True)
class InboundStats:
    """One received stream (SSRC). None is what the kind of peer does not count.

    `audio_energy` is the browser's own totalAudioEnergy, a second witness of sound. `msid` is the `<stream> <track>` of the
    far side's last description for this line.
    """

    mid: str | None
    ssrc: int
    packets_received: int
    packets_lost: int
    jitter_s: float | None
    audio_energy: float | None
    msid: str | None = None
    video: VideoReceived | None = None


@dataclass(frozen=True, slots=True)
class VideoSent:
    """One video stream that this peer sends. None is what the kind of peer does not count.

    `plis`, `firs` and `nacks` are the requests that came for it. `limited_by` is what keeps the picture below what the source
    gives: `none`, `bandwidth`, `cpu` or `other` (RTCQualityLimitationReason).
    """

    mid: str | None
    ssrc: int
    codec: VideoCodec | None
    frames_encoded: int
    key_frames_encoded: int | None
    target_bps: float | None
    limited_by: str | None
    plis: int
    firs: int
    nacks: int


@dataclass(frozen=True, slots=True)
class PeerStats:
    """Counters since the start. Times are Unix seconds: ICE up, and ICE and DTLS up.

    `available_bps` is what the peer thinks that the way to the far side can carry; None where it has no estimate.
    """

    ice: IceState
    dtls: DtlsState
    ice_connected_at: float | None
    connected_at: float | None
    selected_pair: CandidatePair | None
    packets_sent: int
    inbound: tuple[InboundStats, ...]
    video_sent: tuple[VideoSent, ...] = ()
    available_bps: float | None = None

    @property
    def packets_received(self) -> int:
        """Over all streams."""
        return sum(stream.packets_received for stream in self.inbound)

    @property
    def packets_lost(self) -> int:
        """Over all streams."""
        return sum(stream.packets_lost for stream in self.inbound)

    def video(self, mid: str | None) -> VideoReceived | None:
        """The video that came by this line; of several streams the one with the most frames."""
        videos = [stream.video for stream in self.inbound if stream.mid == mid and stream.video is not None]
        return max(videos, key=lambda video: video.frames_decoded, default=None)


class Peer(Protocol):
    """One end of a call. Every method may raise `PeerGone`; those that take SDP may raise `PeerRefused`."""

    @property
    def name(self) -> str:
        """What it is, as people say it: `Chromium 156`. Known after `start`."""
        ...

    async def start(self) -> None:
        """Make the endpoint and its tone; nothing is sent before a description was applied."""
        ...

    async def offer(self, *, gather: bool = True, restarts_ice: bool = False) -> str:
        """A new offer with the peer's own tracks, the first as any later. `gather=False`: no candidates, as posted before
        gathering ends. `restarts_ice`: with new credentials; may raise `NotSupported`."""
        ...

    async def roll_back(self) -> None:
        """Take the last offer back, as after a collision; what it was to send is offered again by the next."""
        ...

    async def apply_answer(self, sdp: str) -> None:
        """Apply the answer to the last offer."""
        ...

    async def apply_renegotiation(self, offer_sdp: str) -> str:
        """Apply an offer of the far side, apply the own answer too, and return it; the driver may throw it away."""
        ...

    async def hear(self, *, window_s: float = 1.0, timeout_s: float = 10.0) -> Heard:
        """What arrives from now on: returns when a track was audible for a whole window, or when time is over."""
        ...

    async def digits(self) -> list[str]:
        """Digits heard so far, in order."""
        ...

    async def heard_digits(self) -> list[HeardDigit]:
        """The same with their times and lengths."""
        ...

    async def stats(self) -> PeerStats:
        """Counters and states now."""
        ...

    async def mute(self, muted: bool) -> None:
        """Send silence instead of the tone, or the tone again."""
        ...

    async def video_codecs(self) -> frozenset[VideoCodec]:
        """The codecs that it can both send and receive."""
        ...

    async def send_picture(self, source: Source, picture: int, codec: VideoCodec | None = None) -> None:
        """Begin to send a moving picture as camera or screen; the next offer says so.

        The line is the one on which the source was sent before, else one that the kind of peer chooses as for any new track. With
        a `codec` the offer lists no other; may raise `NotSupported`.
        """
        ...

    async def swap_picture(self, source: Source, picture: int) -> None:
        """Another camera on the same track: no new offer is needed."""
        ...

    async def send_screen_sound(self, tone_hz: int) -> None:
        """Begin to send a second tone, that of the screen; the next offer says so."""
        ...

    async def stop_sending(self, source: Source) -> None:
        """Take the source's track away; the next offer says so."""
        ...

    async def hold(self, *, sends: bool) -> None:
        """Receive nothing on any line, and without `sends` send nothing either; the next offer says so."""
        ...

    async def resume(self) -> None:
        """After `hold`: every line is as it was before; the next offer says so."""
        ...

    async def own_tracks(self) -> tuple[OwnTrack, ...]:
        """What it sends, with the names under which its last description offers them."""
        ...

    async def see(self, *pictures: int, frames: int = 10, timeout_s: float = 10.0) -> Seen:
        """What appears from now on: returns when each picture has shown so many frames, or when time is over."""
        ...

    async def clap(self) -> None:
        """Stop the tone and mark every own picture, at one moment; returns when both go on as before."""
        ...

    async def await_clap(self, picture: int, *, timeout_s: float = 10.0) -> Clap | None:
        """The far side's next clap, seen in this picture and heard; None when it did not come. Ask before it claps."""
        ...

    async def send_digits_inband(self, digits: str) -> None:
        """Send RFC 4733 events in the own stream, 500 ms each with 100 ms between. May raise `NotSupported`."""
        ...

    async def close(self) -> None:
        """End the endpoint and all that it started. May be called twice, and after a failure."""
        ...


async def await_frames(peer: Peer, mid: str | None, more: int, *, timeout_s: float = 10.0) -> VideoReceived:
    """Wait until the peer has decoded so many more frames of the line's video. Raises `TimeoutError` with what it counts."""
    before = (await peer.stats()).video(mid)
    wanted = (before.frames_decoded if before else 0) + more
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        stats = await peer.stats()
        now = stats.video(mid)
        if now is not None and now.frames_decoded >= wanted:
            return now
        if loop.time() >= deadline:
            raise TimeoutError(f"{peer.name} has not decoded {more} more frames on line {mid}: {stats.inbound}")
        await asyncio.sleep(_POLL_S)
