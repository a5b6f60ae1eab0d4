"""What a peer is: a WebRTC endpoint, foreign to our engine, that speaks only SDP text to its driver.

Owns the protocol, its results and its errors. Knows nothing of a server: the driver carries the texts.

    PeerError               something about a peer went wrong
    ├── PeerRefused         the peer did not accept what it was given (its own words follow)
    ├── PeerGone            the peer's browser ended or stopped answering
    └── NotSupported        this kind of peer cannot do that
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pagecalls.demo.peers.digits import HeardDigit
from pagecalls.demo.peers.listening import Heard


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


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """The addresses in use, each as `host:port`."""

    local: str
    remote: str


@dataclass(frozen=True, slots=True)
class InboundStats:
    """One received stream (SSRC). None is what the kind of peer does not count.

    `audio_energy` is the browser's own totalAudioEnergy, a second witness of sound.
    """

    mid: str | None
    ssrc: int
    packets_received: int
    packets_lost: int
    jitter_s: float | None
    audio_energy: float | None


@dataclass(frozen=True, slots=True)
class PeerStats:
    """Counters since the start. Times are Unix seconds: ICE up, and ICE and DTLS up."""

    ice: IceState
    dtls: DtlsState
    ice_connected_at: float | None
    connected_at: float | None
    selected_pair: CandidatePair | None
    packets_sent: int
    inbound: tuple[InboundStats, ...]

    @property
    def packets_received(self) -> int:
        """Over all streams."""
        return sum(stream.packets_received for stream in self.inbound)

    @property
    def packets_lost(self) -> int:
        """Over all streams."""
        return sum(stream.packets_lost for stream in self.inbound)


class Peer(Protocol):
    """One end of a call. Every method may raise `PeerGone`; those that take SDP may raise `PeerRefused`."""

    @property
    def name(self) -> str:
        """What it is, as people say it: `Chromium 156`. Known after `start`."""
        ...

    async def start(self) -> None:
        """Make the endpoint and its tone; nothing is sent before a description was applied."""
        ...

    async def offer(self, *, gather: bool = True) -> str:
        """A new offer with the peer's own tone track. `gather=False`: no candidates, as posted before gathering ends."""
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

    async def send_digits_inband(self, digits: str) -> None:
        """Send RFC 4733 events in the own stream, 500 ms each with 100 ms between. May raise `NotSupported`."""
        ...

    async def close(self) -> None:
        """End the endpoint and all that it started. May be called twice, and after a failure."""
        ...
