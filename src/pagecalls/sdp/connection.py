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
    "DEFAULT_SETTINGS",
    "RTX",
    "Connection",
    "Direction",
    "FarSide",
    "FarTrack",
    "HostCandidate",
    "Line",
    "LineCodec",
    "MediaSettings",
    "NextAnswer",
    "PeerTransport",
    "Setup",
    "Stream",
    "Transport",
]


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What the operator and the Page decide.

    `opus_fmtp` is what we ask of every sender (messenger-calling 6.4). `video_enabled` is the Page's wish: without it a first
    offer's video is refused with port 0, and a later offer may bring no new video.
    """

    opus_fmtp: str = "maxaveragebitrate=20000;maxplaybackrate=16000;minptime=10;usedtx=1;useinbandfec=1"
    video_enabled: bool = True


DEFAULT_SETTINGS = MediaSettings()
"""What holds where nobody set anything."""


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


RTX = "rtx/90000"
"""Repeats of a video stream in a stream of their own (RFC 4588). Never a codec of a line, only a number beside one."""


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

    def id_for(self, label: TrackLabel) -> str:
        """The stream that a track of this label belongs to: screens have one of their own, with the same RTCP name."""
        return f"{self.cname}:{'SCREEN' if label in _SCREEN else 'DEFAULT'}"


_SCREEN = (TrackLabel.SCREEN_AUDIO, TrackLabel.SCREEN_VIDEO)


@dataclass(frozen=True, slots=True)
class LineCodec:
    """A codec in the peer's own numbering.

    `key` as `opus/48000/2`, lower case; `fmtp` empty where nothing is asked. `feedback` in SDP's words: `nack`, `nack pli`,
    `ccm fir`, `goog-remb`, `transport-cc`. `rtx_pt`: the number of its repeats (RFC 4588), if they go in a stream of their own.
    """

    key: str
    pt: int
    fmtp: str = ""
    feedback: tuple[str, ...] = ()
    rtx_pt: int | None = None


@dataclass(frozen=True, slots=True)
class FarTrack:
    """One track of the far side, as it is to be offered to the peer.

    `codec`: in which codec, and whether with repeats, the far side sends it, in the far side's numbering; `None` for sound, which
    is always Opus. `rtx_ssrc` is the source of the repeats; they are offered only if both sides have them.
    """

    label: TrackLabel
    stream_id: str
    track_id: str
    ssrc: int
    rtx_ssrc: int | None = None
    codec: LineCodec | None = None

    @property
    def msid(self) -> str:
        """The value of its `a=msid`."""
        return f"{self.stream_id} {self.track_id}"

    @property
    def cname(self) -> str:
        """The RTCP name of its source."""
        return cname_of(self.stream_id)


@dataclass(frozen=True, slots=True)
class FarSide:
    """What the far peer can send and receive: the video codecs that its descriptions have listed, in its own numbering.

    There is none (`None`) while nothing is known: nobody is there yet, or what is there has listed no video (messenger-calling
    6.4).
    """

    codecs: tuple[LineCodec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One m-line as we last described it.

    `media` and `protocol` are the peer's words; `kind` is `None` for a line that is neither audio nor video, which is always
    rejected. `direction` is ours. `ext` are the header extensions in use, `mid`, `level`, `twcc`, `ctype` and `rot`, with their
    ids. `rejected_format` is what the m-line of a rejected line repeats.

    `is_ours`: we appended the line. `is_offered`: it stood in an offer of the peer, so it has to stay there; a line of ours that
    never did may turn out never to have been applied (messenger-calling 6.1). `since`: the `session_version` of our offer that
    appended it, 0 for the peer's own lines.

    `peer_*` is what the peer sends here: `peer_msid` the value of its `a=msid`, empty where it wrote none, `peer_alias`
    another name by which its `tracks` call it (messenger-calling 5.2, 3), `peer_ssrcs` the sources that it named,
    `peer_rtx_ssrcs` those of its repeats. A line that the peer stopped sending on keeps its label until another line takes it.

    `far_*` is what we send here: `far_ssrc` is set only if our description names it, `far_rtx_ssrc` only if repeats are offered.
    The peer's own line that carries the A-stream keeps its `far_label` and `far_msid` when we stop saying that we send there,
    because the stream itself goes on until the peer shows that it took our offer (6.6). An appended line that carries nothing
    now keeps its `far_label`, for the next track of that label (6.5). `is_held`: the peer's last offer does not receive on this
    line of ours. Sound keeps its source then, and a picture only its `far_msid`, as it comes back from another source.
    """

    mid: str
    media: str
    kind: MediaKind | None
    protocol: str
    direction: Direction
    is_ours: bool = False
    is_offered: bool = True
    since: int = 0
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
    peer_rtx_ssrcs: tuple[int, ...] = ()
    far_label: TrackLabel | None = None
    far_msid: str = ""
    far_ssrc: int | None = None
    far_rtx_ssrc: int | None = None
    is_held: bool = False

    @property
    def far_cname(self) -> str:
        """The RTCP name of what we send here; empty where there is nothing."""
        return cname_of(self.far_msid.partition(" ")[0])

    @property
    def carries_far(self) -> bool:
        """Whether our description says that a track of the far side, named by its source, comes here."""
        return self.far_ssrc is not None and self.direction.sends

    @property
    def is_dark(self) -> bool:
        """Whether the peer stopped receiving the picture that was shown here, so that it has to be shown anew."""
        return self.is_ours and bool(self.far_msid) and self.far_ssrc is None

    @property
    def carries_peer(self) -> bool:
        """Whether a track of the peer is received here."""
        return self.peer_label is not None and self.direction.receives


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One peer connection. `session_version` counts our descriptions from 1 (messenger-calling 6.2).

    `bundle`: the peer's last offer had a BUNDLE group. `listed`: every payload type that the peer's descriptions have listed so
    far; a later description's word holds. `listed_ext`: the header extension ids that they used, by our short names, an empty
    name for those that we have no use for. `numbered`: the numbers that we gave to codecs ourselves, because the peer had none
    for them; none of them ever means another codec (6.5). `highest_mid`: the highest number that has been a mid, -1 for none.
    `sound_msid`: the stream and track of the far side's A-stream.
    """

    session_id: int
    session_version: int
    transport: Transport
    peer: PeerTransport
    lines: tuple[Line, ...]
    bundle: bool
    listed: tuple[LineCodec, ...] = ()
    listed_ext: tuple[tuple[str, int], ...] = ()
    numbered: tuple[LineCodec, ...] = ()
    highest_mid: int = -1
    sound_msid: str = ""
    role: Setup = Setup.PASSIVE

    def peer_tracks(self) -> tuple[Track, ...]:
        """The tracks that the peer sends, under the name by which it knows them."""
        return tuple(
            Track(line.peer_alias or line.peer_msid, line.peer_label, line.peer_status)
            for line in self.lines
            if line.peer_label is not None and line.direction.receives
        )

    @property
    def has_video_listed(self) -> bool:
        """Whether a description of the peer has listed video codecs, whether or not we carry them."""
        return any(codec.key.endswith("/90000") for codec in self.listed)

    def as_far_side(self) -> FarSide | None:
        """What the other side's negotiation should know of this peer; `None` while it has listed no video."""
        video = [codec for codec in self.listed if codec.key.endswith("/90000")]
        return FarSide(tuple([codec for codec in video if codec.key != RTX])) if video else None

    @property
    def audio_line(self) -> Line:
        """The line whose numbering holds for sound: the first accepted audio line."""
        return next(line for line in self.lines if line.kind is MediaKind.AUDIO and not line.is_rejected)

    @property
    def a_line(self) -> Line | None:
        """The peer's own line for the A-stream (messenger-calling 6.6); `None` if it receives on none."""
        sound = TrackLabel.DEFAULT_AUDIO
        return next((line for line in self.lines if line.far_label is sound and not line.is_ours and line.far_ssrc is None), None)

    def far_line(self, label: TrackLabel) -> Line | None:
        """The line on which the far side's track of this label is offered now, named by its source; never the A-stream's."""
        return next((line for line in self.lines if line.far_label is label and line.carries_far), None)

    def peer_line(self, label: TrackLabel) -> Line | None:
        """The line on which the peer's track of this label is received."""
        return next((line for line in self.lines if line.peer_label is label and line.carries_peer), None)

    def line(self, mid: str) -> Line:
        """The line with this mid. Raises `KeyError`."""
        for line in self.lines:
            if line.mid == mid:
                return line
        raise KeyError(mid)


@dataclass(frozen=True, slots=True)
class NextAnswer:
    """The answer to a later offer of the peer, and what that offer proves of ours.

    `withdrawn`: appended lines that the offer shows were never applied (ruling 15). They are gone from `connection`; their
    streams stop before the answer is written, and their tracks are to be offered again. `confirmed`: mids of the appended lines
    on which the peer receives (6.6, 4). `resumed`: mids of those with sound that it receives again after it did not. `is_lit`: it
    receives again where a picture was; that needs an offer of ours, with another source.
    """

    connection: Connection
    withdrawn: tuple[Line, ...] = ()
    confirmed: frozenset[str] = frozenset()
    resumed: frozenset[str] = frozenset()
    is_lit: bool = False
