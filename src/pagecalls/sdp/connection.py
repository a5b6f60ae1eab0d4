"""What stands between two descriptions: the state of one peer connection as a value.

Owns the value types that the rest of the server keeps and stores: text, whole numbers, flags, tuples and enums only, so that
they are JSON without further ado. Refuses to know how a description is read, answered or printed. "Peer" is the side that
this connection leads to (the business, or the consumer's device); "far" is the side behind us, whose tracks we send to the
peer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.sdp.attributes import Direction, Setup
from pagecalls.types import MediaKind, Track, TrackLabel, TrackStatus

__all__ = [
    "Connection",
    "Direction",
    "FarTrack",
    "HostCandidate",
    "Line",
    "LineCodec",
    "MediaSettings",
    "PeerTransport",
    "Setup",
    "Stream",
    "Transport",
]


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What the operator and the Page decide.

    `opus_fmtp` is what we ask of every sender (messenger-calling 6.4). `video_enabled` is the Page's wish; a video m-line is
    taken only if `codecs.carried` names a codec for it as well.
    """

    opus_fmtp: str = "maxaveragebitrate=20000;maxplaybackrate=16000;minptime=10;usedtx=1;useinbandfec=1"
    video_enabled: bool = False


@dataclass(frozen=True, slots=True)
class HostCandidate:
    """An address that the engine listens on, as a peer should see it. `proto` is `udp` or `tcp`."""

    proto: str
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class Transport:
    """Our end of the peer's transport. `fingerprint` is SHA-256 in upper-case hex with colons."""

    ufrag: str
    pwd: str
    fingerprint: str
    candidates: tuple[HostCandidate, ...]


@dataclass(frozen=True, slots=True)
class PeerTransport:
    """The peer's end. `fingerprints`: algorithm and value, of which any one may match its certificate."""

    ufrag: str
    pwd: str
    fingerprints: tuple[tuple[str, str], ...]


def cname_of(stream_id: str) -> str:
    """The RTCP name of a stream: its id without the last part (messenger-calling 5.4)."""
    return stream_id.rpartition(":")[0] or stream_id


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as we name it: `<digits>:<16 characters>:DEFAULT` (messenger-calling 5.4)."""

    stream_id: str

    @property
    def cname(self) -> str:
        """The RTCP name of its sources."""
        return cname_of(self.stream_id)


@dataclass(frozen=True, slots=True)
class FarTrack:
    """One track of the far side, as it is to be offered to the peer."""

    label: TrackLabel
    stream_id: str
    track_id: str
    ssrc: int

    @property
    def msid(self) -> str:
        """The value of its `a=msid`."""
        return f"{self.stream_id} {self.track_id}"

    @property
    def cname(self) -> str:
        """The RTCP name of its source."""
        return cname_of(self.stream_id)


@dataclass(frozen=True, slots=True)
class LineCodec:
    """A codec in the peer's own numbering. `key` as `opus/48000/2`, lower case; `fmtp` empty where nothing is asked."""

    key: str
    pt: int
    fmtp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One m-line as we last described it.

    `media` and `protocol` are the peer's words; `kind` is `None` for a line that is neither audio nor video, which is always
    rejected. `direction` is ours. `is_ours`: we appended the line. `ext` are the header extensions in use, `mid` and `level`,
    with their ids. `rejected_format` is what the m-line of a rejected line repeats.

    `peer_*` is what the peer sends here: `peer_msid` the value of its `a=msid`, empty where it wrote none, `peer_alias`
    another name by which its `tracks` call it (messenger-calling 5.2, 3), `peer_ssrcs` the sources that it named. `far_*` is
    what we send here: `far_ssrc` is set only if our description names it. A line that carried the A-stream keeps its
    `far_label` and `far_msid` when we stop saying that we send there, because the stream itself goes on until the peer shows
    that it took our offer (6.6).
    """

    mid: str
    media: str
    kind: MediaKind | None
    protocol: str
    direction: Direction
    is_ours: bool = False
    is_rejected: bool = False
    rejected_format: str = ""
    codecs: tuple[LineCodec, ...] = ()
    ext: tuple[tuple[str, int], ...] = ()
    rtcp_rsize: bool = False
    peer_label: TrackLabel | None = None
    peer_msid: str = ""
    peer_alias: str = ""
    peer_status: TrackStatus = TrackStatus.ENABLED
    peer_ssrcs: tuple[int, ...] = ()
    far_label: TrackLabel | None = None
    far_msid: str = ""
    far_ssrc: int | None = None

    @property
    def far_cname(self) -> str:
        """The RTCP name of what we send here; empty where there is nothing."""
        return cname_of(self.far_msid.partition(" ")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One peer connection. `session_version` counts our descriptions from 1 (messenger-calling 6.2).

    `bundle`: the peer's offer had a BUNDLE group. `seen_pts`: payload type and codec key of everything that the peer's
    descriptions have listed so far; a number never changes its codec within a call (6.5).
    """

    session_id: int
    session_version: int
    transport: Transport
    peer: PeerTransport
    lines: tuple[Line, ...]
    bundle: bool
    seen_pts: tuple[tuple[int, str], ...] = ()
    role: Setup = Setup.PASSIVE

    def peer_tracks(self) -> tuple[Track, ...]:
        """The tracks that the peer sends, under the name by which it knows them."""
        return tuple(
            Track(line.peer_alias or line.peer_msid, line.peer_label, line.peer_status)
            for line in self.lines
            if line.peer_label is not None and line.direction.receives
        )

    @property
    def audio_line(self) -> Line:
        """The line of the first answer that carries sound: the first accepted audio line."""
        return next(line for line in self.lines if line.kind is MediaKind.AUDIO and not line.is_rejected)

    def line(self, mid: str) -> Line:
        """The line with this mid. Raises `KeyError`."""
        for line in self.lines:
            if line.mid == mid:
                return line
        raise KeyError(mid)
