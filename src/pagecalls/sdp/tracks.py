"""Which m-line is which track of the peer (messenger-calling 5.2), and tracks changed without a description (5.3).

Owns the match of `tracks[]` with the m-lines of an offer and with known tracks, and the labels of lines that the request does not
list. Refuses to know codecs, answers and what becomes of a track.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.codecs import media_kind
from pagecalls.sdp.connection import Connection, Line
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


@dataclass(frozen=True, slots=True)
class _Name:
    """A line as a request may name it. `msid` as in `a=msid`: a stream, or a stream and a track."""

    mid: str
    kind: MediaKind | None
    msid: str
    alias: str = ""


def label_lines(lines: Sequence[MediaSection], tracks: Sequence[Track], known: Sequence[Line] = ()) -> Mapping[str, LabelledLine]:
    """The label of each audio or video line that has a track, by mid.

    `known`: the lines of `lines` as they stood before, for a later offer: names are looked up in the offer first and then
    there, and what the request does not list keeps its label and its status. Raises `UnusableConnection`: too many tracks, an
    msid that no line has, a label that does not fit or stands twice. Lines that send without being listed take the free labels
    of their kind in order; a line for which none is left has none.
    """
    if len(tracks) > MAX_TRACKS:
        raise UnusableConnection(ConnectionFault.TOO_MANY_TRACKS)
    labelling = _Labelling(lines, {line.mid: line for line in known})
    labelling.take_listed(tracks)
    labelling.keep_known()
    labelling.give_free_labels()
    return labelling.labelled


def set_tracks(connection: Connection, tracks: Sequence[Track]) -> Connection:
    """Change label and status of tracks that the peer sends, without a description (messenger-calling 5.3).

    Raises `UnusableConnection` as `label_lines` does; nothing is an alias here.
    """
    if len(tracks) > MAX_TRACKS:
        raise UnusableConnection(ConnectionFault.TOO_MANY_TRACKS)
    sent = [line for line in connection.lines if line.carries_peer]
    names = [_name_of(line) for line in sent]
    labels = {line.mid: (line.peer_label, line.peer_status) for line in sent}
    listed: set[str] = set()
    for track in tracks:
        name = _find(track.msid, track.label.kind, names)
        if name is None:
            raise UnusableConnection(ConnectionFault.UNKNOWN_MSID, track.msid[:100])
        if name.kind is not track.label.kind or name.mid in listed:
            raise UnusableConnection(ConnectionFault.LABEL_MISFIT, track.label.value)
        listed.add(name.mid)
        labels[name.mid] = (track.label, track.status)
    _demand_one_line_each(label for label, _ in labels.values())
    return _with_tracks(connection, labels)


def enable_only(connection: Connection, msids: Sequence[str]) -> Connection:
    """The old list form (messenger-calling 2.6): the named tracks of the peer are enabled, all its others disabled.

    Raises `UnusableConnection` for a name that no track has.
    """
    sent = [line for line in connection.lines if line.carries_peer]
    names = [_name_of(line) for line in sent]
    enabled: set[str] = set()
    for msid in msids:
        name = _find(msid, None, names)
        if name is None:
            raise UnusableConnection(ConnectionFault.UNKNOWN_MSID, msid[:100])
        enabled.add(name.mid)
    statuses = {True: TrackStatus.ENABLED, False: TrackStatus.DISABLED}
    return _with_tracks(connection, {line.mid: (line.peer_label, statuses[line.mid in enabled]) for line in sent})


class _Labelling:
    """The labels of an offer's lines while they are found: those listed, those known, and what is left for the rest."""

    def __init__(self, lines: Sequence[MediaSection], known: Mapping[str, Line]) -> None:
        self.lines = lines
        self.known = known
        self.labelled: dict[str, LabelledLine] = {}

    def take_listed(self, tracks: Sequence[Track]) -> None:
        """Lines that the request names."""
        if not tracks:
            return
        offered = [_Name(line.mid, media_kind(line), str(line.msid or "")) for line in self.lines]
        before = [_name_of(line) for line in self.known.values() if line.carries_peer]
        nameless: list[Track] = []
        for track in tracks:
            name = _find(track.msid, track.label.kind, offered)
            if name is not None:
                self._label(name.mid, name.kind, LabelledLine(track.label, track.status, self._kept_alias(name)))
            elif (old := _find(track.msid, track.label.kind, before)) is not None:
                self._label(old.mid, old.kind, LabelledLine(track.label, track.status, track.msid))
            else:
                nameless.append(track)
        for track in nameless:
            line = self._aliased_line(track)
            self._label(line.mid, media_kind(line), LabelledLine(track.label, track.status, track.msid))

    def keep_known(self) -> None:
        """Lines that send as before, and are not listed, keep what they had; a track with another name is enabled."""
        for line in self.lines:
            if line.direction.sends and line.mid not in self.labelled and (entry := self._kept(line)) is not None:
                self._label(line.mid, media_kind(line), entry)

    def give_free_labels(self) -> None:
        """Lines that send and have no label yet take the free ones; a silent line keeps its own if nobody wants it."""
        for line in self.lines:
            if line.direction.sends and line.mid not in self.labelled and (free := self._free_label(line)) is not None:
                self.labelled[line.mid] = LabelledLine(free)
        for line in self.lines:
            entry = self._kept(line)
            if line.mid not in self.labelled and entry is not None and not self._is_taken(entry.label):
                self.labelled[line.mid] = entry

    def _aliased_line(self, track: Track) -> MediaSection:
        """The only line of the kind that sends and is not matched yet: some clients name a track that they never added.

        A known line of another label is matched by that, and one of the same label is preferred.
        """
        left = [
            line
            for line in self.lines
            if media_kind(line) is track.label.kind and line.direction.sends and line.mid not in self.labelled
        ]
        labels = {line.mid: self.known[line.mid].peer_label for line in left if line.mid in self.known}
        same = [line for line in left if labels.get(line.mid) is track.label]
        fitting = same or [line for line in left if labels.get(line.mid) is None]
        if track.label not in _DEFAULTS or len(fitting) != 1:
            raise UnusableConnection(ConnectionFault.UNKNOWN_MSID, track.msid[:100])
        return fitting[0]

    def _kept(self, section: MediaSection) -> LabelledLine | None:
        line = self.known.get(section.mid)
        if line is None or line.peer_label is None:
            return None
        if line.peer_msid != str(section.msid or ""):
            return LabelledLine(line.peer_label)
        return LabelledLine(line.peer_label, line.peer_status, line.peer_alias)

    def _kept_alias(self, name: _Name) -> str:
        line = self.known.get(name.mid)
        return line.peer_alias if line is not None and line.peer_msid == name.msid else ""

    def _label(self, mid: str, kind: MediaKind | None, entry: LabelledLine) -> None:
        if mid in self.labelled or self._is_taken(entry.label) or kind is not entry.label.kind:
            raise UnusableConnection(ConnectionFault.LABEL_MISFIT, entry.label.value)
        self.labelled[mid] = entry

    def _is_taken(self, label: TrackLabel) -> bool:
        return any(entry.label is label for entry in self.labelled.values())

    def _free_label(self, line: MediaSection) -> TrackLabel | None:
        kind = media_kind(line)
        taken = {entry.label for entry in self.labelled.values()}
        return next((label for label in TrackLabel if label.kind is kind and label not in taken), None)


def _find(msid: str, kind: MediaKind | None, names: Sequence[_Name]) -> _Name | None:
    """The line that the msid names: by alias, by stream and track, by track, or by a stream that one line of the kind has."""
    if not msid:
        return None
    exact = next((name for name in names if msid in (name.alias, name.msid)), None)
    if exact is not None:
        return exact
    of_track = next((name for name in names if name.msid.partition(" ")[2] == msid), None)
    if of_track is not None:
        return of_track
    of_stream = [name for name in names if name.msid.partition(" ")[0] == msid and (kind is None or name.kind is kind)]
    return of_stream[0] if len(of_stream) == 1 else None


def _name_of(line: Line) -> _Name:
    return _Name(line.mid, line.kind, line.peer_msid, line.peer_alias)


def _demand_one_line_each(labels: Iterable[TrackLabel | None]) -> None:
    seen: set[TrackLabel | None] = set()
    for label in labels:
        if label in seen:
            raise UnusableConnection(ConnectionFault.LABEL_MISFIT, label.value if label else "")
        seen.add(label)


def _with_tracks(connection: Connection, entries: Mapping[str, tuple[TrackLabel | None, TrackStatus]]) -> Connection:
    """The connection with these labels and statuses by mid. A silent line gives up a label that another one has now."""
    taken = {label for label, _ in entries.values()}
    lines = []
    for line in connection.lines:
        if line.mid in entries:
            label, status = entries[line.mid]
            line = replace(line, peer_label=label, peer_status=status)
        elif line.peer_label in taken:
            line = replace(line, peer_label=None)
        lines.append(line)
    return replace(connection, lines=tuple(lines))
