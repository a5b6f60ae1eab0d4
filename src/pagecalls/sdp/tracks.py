"""Which m-line is which track (messenger-calling 5.2).

Owns the match of `tracks[]` with the m-lines of an offer, and the labels of lines that the request does not list. Refuses to know
codecs, answers and what becomes of a track.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.codecs import media_kind
from pagecalls.sdp.description import MediaSection
from pagecalls.types import MediaKind, Track, TrackLabel, TrackStatus

MAX_TRACKS = 4
"""messenger-calling 5.1."""

_DEFAULTS = (TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO)


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """What a line carries. `alias` is the name that the request gave it, where that is not in the offer."""

    label: TrackLabel
    status: TrackStatus = TrackStatus.ENABLED
    alias: str = ""


def label_lines(lines: Sequence[MediaSection], tracks: Sequence[Track]) -> Mapping[str, LabelledLine]:
    """The label of each audio or video line that has a track, by mid.

    Raises `UnusableConnection`: too many tracks, an msid that no line has, a label that does not fit or stands twice. Lines
    that send without being listed take the free labels of their kind in order; a line for which none is left has none.
    """
    if len(tracks) > MAX_TRACKS:
        raise UnusableConnection(ConnectionFault.TOO_MANY_TRACKS)
    labelled: dict[str, LabelledLine] = {}
    nameless: list[Track] = []
    for track in tracks:
        line = _line_of(track, lines)
        if line is None:
            nameless.append(track)
        else:
            _label(labelled, line, LabelledLine(track.label, track.status))
    for track in nameless:
        _label(labelled, _aliased_line(track, lines, labelled), LabelledLine(track.label, track.status, track.msid))
    for line in lines:
        free = _free_label(line, labelled)
        if line.direction.sends and line.mid not in labelled and free is not None:
            labelled[line.mid] = LabelledLine(free)
    return labelled


def _line_of(track: Track, lines: Sequence[MediaSection]) -> MediaSection | None:
    """The line that the msid names: by stream and track, by track, or by a stream that one line of the kind has."""
    named = [(line, line.msid) for line in lines]
    for line, msid in named:
        if msid is not None and track.msid == str(msid):
            return line
    for line, msid in named:
        if msid is not None and msid.track and track.msid == msid.track:
            return line
    of_stream = [
        line for line, msid in named if msid is not None and track.msid == msid.stream and media_kind(line) is track.label.kind
    ]
    return of_stream[0] if len(of_stream) == 1 else None


def _aliased_line(track: Track, lines: Sequence[MediaSection], labelled: Mapping[str, LabelledLine]) -> MediaSection:
    """The only line of the kind that sends and is not matched yet: some clients name a track that they never added."""
    left = [line for line in lines if media_kind(line) is track.label.kind and line.direction.sends and line.mid not in labelled]
    if track.label not in _DEFAULTS or len(left) != 1:
        raise UnusableConnection(ConnectionFault.UNKNOWN_MSID, track.msid[:100])
    return left[0]


def _label(labelled: dict[str, LabelledLine], line: MediaSection, entry: LabelledLine) -> None:
    is_taken = line.mid in labelled or any(entry.label is other.label for other in labelled.values())
    if is_taken or media_kind(line) is not entry.label.kind:
        raise UnusableConnection(ConnectionFault.LABEL_MISFIT, entry.label.value)
    labelled[line.mid] = entry


def _free_label(line: MediaSection, labelled: Mapping[str, LabelledLine]) -> TrackLabel | None:
    taken = {entry.label for entry in labelled.values()}
    return next((label for label in _labels_of(media_kind(line)) if label not in taken), None)


def _labels_of(kind: MediaKind | None) -> tuple[TrackLabel, ...]:
    return tuple(label for label in TrackLabel if label.kind is kind)


def set_tracks(connection: Connection, tracks: Sequence[Track]) -> Connection:
    """Change label and status of known tracks of the peer, without a description (messenger-calling 5.3)."""
    raise NotImplementedError


def enable_only(connection: Connection, msids: Sequence[str]) -> Connection:
    """The old list form (messenger-calling 2.6): the named tracks of the peer are enabled, all its others disabled."""
    raise NotImplementedError
