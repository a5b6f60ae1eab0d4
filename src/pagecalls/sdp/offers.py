"""Our own offers: each track of the far side on a line of its own (messenger-calling 6.5).

Owns which line a far track gets, and in which numbers. Refuses to know what the peer sends, beyond that it goes on. Nothing in
an offer may need a reply (6.6, 1): one codec for each line, in the peer's own numbers wherever it has any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pagecalls.sdp import video
from pagecalls.sdp.codecs import MAX_EXTENSION_ID, PICTURE_EXTENSIONS, TRANSPORT_CC, without_transport_cc
from pagecalls.sdp.connection import Connection, Direction, FarSide, FarTrack, Line, LineCodec
from pagecalls.sdp.description import MAX_MEDIA_SECTIONS
from pagecalls.sdp.lines import one_id_each
from pagecalls.types import MediaKind, TrackLabel

_PROTOCOL = "UDP/TLS/RTP/SAVPF"
_FIRST_PT, _LAST_PT = 127, 96
"""Where we look for a number that no client of the peer's kind would use next: downwards (messenger-calling 6.5)."""

_USUAL_IDS: Mapping[str, int] = MappingProxyType({"ctype": 6, "rot": 13})
"""The ids that Chromium will give. Once it has made an offer with video, even one that it took back, an id of ours that means
something else there makes its next offer impossible."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a far track's line says of codecs. `is_readable`: the peer has the codec that the far side sends."""

    codecs: tuple[LineCodec, ...]
    ext: tuple[tuple[str, int], ...]
    rtcp_rsize: bool = False
    is_readable: bool = True


def show_tracks(connection: Connection, tracks: Sequence[FarTrack], *, far_side: FarSide | None = None) -> Connection:
    """Our next offer: `tracks` are all tracks of the far side that are to be live now.

    On the lines that the peer offered we only receive, unless one carries a far track too (ruling 21). A new track takes the line
    that its label had, else a new one behind all others; a label that is not among the tracks leaves its line inactive. A track
    in a codec that the peer lacks gets an inactive line, and so does a track of the peer's that `far_side` cannot read (6.4).
    Raises `ValueError` where a label stands twice.
    """
    if len({track.label for track in tracks}) != len(tracks):
        raise ValueError("a label stands twice")
    composer = _Composer(connection, far_side)
    for track in tracks:
        composer.show(track)
    return replace(
        connection,
        session_version=composer.version,
        lines=one_id_each(composer.lines),
        numbered=composer.numbered,
        highest_mid=composer.highest_mid,
    )


class _Composer:
    """An offer of ours while its tracks come in."""

    def __init__(self, connection: Connection, far_side: FarSide | None) -> None:
        self.connection = connection
        self.version = connection.session_version + 1
        self.lines = [_without_far(line, far_side) for line in connection.lines]
        self.numbered = connection.numbered
        self.highest_mid = connection.highest_mid

    def show(self, track: FarTrack) -> None:
        """Give the track a line, if there is any way to describe one."""
        index = self._line_of(track.label)
        place = self._sound_place() if track.label.kind is MediaKind.AUDIO else self._picture_place(track)
        if place is None:
            return
        if index is not None:
            line = self.lines[index]
            if not line.carries_peer:
                known = replace(line, codecs=place.codecs, ext=place.ext)
                self.lines[index] = _carrying(line, place.codecs, place.ext, track) if place.is_readable else known
                return
            if line.kind is MediaKind.AUDIO or (place.is_readable and video.find(line.codecs, place.codecs[0])):
                # The peer sends here as well (ruling 21): the numbers stay those of its own offer.
                self.lines[index] = _carrying(line, line.codecs, line.ext, track)
                return
        if len(self.lines) < MAX_MEDIA_SECTIONS:
            self.lines.append(self._appended(track, place))

    def _line_of(self, label: TrackLabel) -> int | None:
        """The appended line that this label had last."""
        found = [index for index, line in enumerate(self.lines) if line.is_ours and line.far_label is label]
        return found[-1] if found else None

    def _appended(self, track: FarTrack, place: _Place) -> Line:
        kind = track.label.kind
        used = {line.mid for line in self.lines}
        self.highest_mid += 1
        while str(self.highest_mid) in used:
            self.highest_mid += 1
        return Line(
            mid=str(self.highest_mid),
            media=kind.value,
            kind=kind,
            protocol=next((line.protocol for line in self.lines if line.kind is not None), _PROTOCOL),
            direction=Direction.SENDONLY if place.is_readable else Direction.INACTIVE,
            is_ours=True,
            is_offered=False,
            since=self.version,
            codecs=place.codecs,
            ext=place.ext,
            rtcp_rsize=place.rtcp_rsize,
            far_label=track.label,
            far_msid=track.msid if place.is_readable else "",
            far_ssrc=track.ssrc if place.is_readable else None,
            far_rtx_ssrc=track.rtx_ssrc if place.codecs[0].rtx_pt is not None else None,
        )

    def _sound_place(self) -> _Place | None:
        """The numbering of the first line with sound."""
        pattern = self._pattern(MediaKind.AUDIO)
        return None if pattern is None else _Place(pattern.codecs, pattern.ext, pattern.rtcp_rsize)

    def _pattern(self, kind: MediaKind) -> Line | None:
        return next((line for line in self.lines if line.kind is kind and not line.is_rejected), None)

    def _picture_place(self, track: FarTrack) -> _Place | None:
        """The track's codec in the peer's numbers; in numbers of ours if the peer has never listed any video."""
        connection = self.connection
        if not connection.has_video_listed:
            return self._numbered_place(track.codec or video.DEFAULT_CODEC)
        listed = video.usable(connection.listed)
        codec = video.choose(listed, None) if track.codec is None else video.find(listed, track.codec)
        is_readable = codec is not None
        codec = codec or video.choose(listed, FarSide(tuple(listed)))
        if codec is None:
            return None
        has_repeats = track.codec is not None and track.codec.rtx_pt is not None and track.rtx_ssrc is not None
        codec = replace(
            codec, fmtp=video.line_fmtp(codec.key, codec.fmtp), rtx_pt=codec.rtx_pt if has_repeats and is_readable else None
        )
        return self._picture(codec, self._known_extensions(), is_readable=is_readable)

    def _numbered_place(self, sent: LineCodec) -> _Place | None:
        """A codec under a number of ours; the same codec has the same number throughout the call."""
        codec = video.find(self.numbered, sent)
        if codec is None:
            pt = self._free_pt()
            if pt is None or video.identity(sent.key, sent.fmtp) is None:
                return None
            codec = LineCodec(sent.key, pt, video.line_fmtp(sent.key, sent.fmtp), video.FEEDBACK)
            self.numbered = (*self.numbered, codec)
        return self._picture(codec, self._numbered_extensions(), is_readable=True)

    def _picture(self, codec: LineCodec, names: dict[str, int], *, is_readable: bool) -> _Place:
        has_numbers = "twcc" in names and TRANSPORT_CC in codec.feedback
        wanted = [name for name in PICTURE_EXTENSIONS if name in names and (has_numbers or name != "twcc")]
        ext = tuple(sorted(((name, names[name]) for name in wanted), key=lambda each: each[1]))
        pattern = self._pattern(MediaKind.VIDEO) or self._pattern(MediaKind.AUDIO)
        codecs = (codec,) if has_numbers else without_transport_cc((codec,))
        return _Place(codecs, ext, pattern is not None and pattern.rtcp_rsize, is_readable)

    def _known_extensions(self) -> dict[str, int]:
        """The ids that the peer has listed, those in use first."""
        known = [each for line in reversed(self.lines) for each in line.ext]
        return {name: number for name, number in (*self.connection.listed_ext, *known) if name and number <= MAX_EXTENSION_ID}

    def _numbered_extensions(self) -> dict[str, int]:
        """The ids that the bundle has; for what it lacks the usual ones, else the first free. A peer that offered no MID needs
        none."""
        names = self._known_extensions()
        taken = {number for _, number in self.connection.listed_ext} | set(names.values())
        fresh = [name for name in PICTURE_EXTENSIONS if name != "mid" and name not in names]
        names |= {name: _USUAL_IDS[name] for name in fresh if name in _USUAL_IDS and _USUAL_IDS[name] not in taken}
        free = iter([number for number in range(1, MAX_EXTENSION_ID + 1) if number not in taken | set(names.values())])
        return names | dict(zip((name for name in fresh if name not in names), free, strict=False))

    def _free_pt(self) -> int | None:
        """The highest number that stands in none of the peer's descriptions, and that we have not used."""
        connection = self.connection
        used = {codec.pt for codec in (*connection.listed, *self.numbered)}
        return next((pt for pt in range(_FIRST_PT, _LAST_PT - 1, -1) if pt not in used), None)


def _without_far(line: Line, far_side: FarSide | None) -> Line:
    """A line before the far tracks come: we receive what we did, as long as the far side can read it."""
    if line.is_rejected:
        return line
    is_wanted = line.kind is not MediaKind.VIDEO or video.has_codec(far_side, line.codecs[0])
    direction = Direction.of(sends=False, receives=line.direction.receives and is_wanted)
    if line.is_ours:
        return replace(line, direction=direction, far_msid="", far_ssrc=None, far_rtx_ssrc=None)
    return line if direction is line.direction else replace(line, direction=direction)


def _carrying(line: Line, codecs: tuple[LineCodec, ...], ext: tuple[tuple[str, int], ...], track: FarTrack) -> Line:
    """The line with the far track on it, in these numbers."""
    return replace(
        line,
        direction=Direction.of(sends=True, receives=line.direction.receives),
        codecs=codecs,
        ext=ext,
        far_msid=track.msid,
        far_ssrc=track.ssrc,
        far_rtx_ssrc=track.rtx_ssrc if codecs[0].rtx_pt is not None else None,
    )
