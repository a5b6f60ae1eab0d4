"""From a peer's offer to our answer, from there to our own offer, and what an answer of the peer proves.

Owns the decisions of messenger-calling 6.2 to 6.5 and 6.7 as pure functions over `Connection`. Refuses to know text
(`render.py`), who the peer is, versions and time. A peer's offer is answered exactly; an offer of ours must never need a reply
(6.6, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.codecs import line_codecs, line_extensions, listed_pts, media_kind
from pagecalls.sdp.connection import Connection, Direction, FarTrack, Line, LineCodec, MediaSettings, Transport
from pagecalls.sdp.description import Description, MediaSection
from pagecalls.sdp.profile import media_lines, peer_transport, transport_line
from pagecalls.sdp.render import render_answer, render_offer
from pagecalls.sdp.tracks import LabelledLine, label_lines
from pagecalls.types import MediaKind, Track, TrackStatus

__all__ = ["answer_first", "append_tracks", "read_answer", "render_answer", "render_offer"]

DEFAULT_SETTINGS = MediaSettings()
"""What holds where nobody set anything."""

MAX_NAMED_SSRCS = 16
"""Most sources of one line that are kept; a line has one, or a few layers, and the rest is found by its MID."""


def answer_first(
    offer: Description,
    *,
    tracks: Sequence[Track],
    transport: Transport,
    session_id: int,
    far: FarTrack,
    settings: MediaSettings = DEFAULT_SETTINGS,
) -> Connection:
    """Answer a peer's first offer, which `profile.check_offer` has let through.

    `far` names the far side's default audio, whose stream and track stand in `a=msid` of the first audio line; its source is not
    named there (messenger-calling 6.6, 2). Raises `UnusableConnection`: the cases of `tracks.label_lines` and of the profile.
    """
    media = media_lines(offer)
    labels = label_lines(media, tracks)
    codecs = {section.mid: line_codecs(section, settings) for section in media if _is_wanted(section, settings)}
    taken = [section for section in media if codecs.get(section.mid)]
    sound = next((section for section in taken if media_kind(section) is MediaKind.AUDIO), None)
    carrier = transport_line(offer, taken)
    if sound is None or carrier is None:
        raise UnusableConnection(ConnectionFault.NO_OPUS)
    return Connection(
        session_id=session_id,
        session_version=1,
        transport=transport,
        peer=peer_transport(carrier),
        lines=tuple(
            _answered(section, found, labels.get(section.mid), far if section is sound else None)
            if (found := codecs.get(section.mid))
            else _rejected(section)
            for section in offer.media
        ),
        bundle=any(section.mid in group.mids for group in offer.bundles for section in taken),
        seen_pts=listed_pts(offer),
    )


def append_tracks(connection: Connection, tracks: Sequence[FarTrack]) -> Connection:
    """Our next offer: the far side's tracks, each on a line of its own behind all others (messenger-calling 6.5).

    On the lines that the peer offered we only receive from now on. Raises `ValueError` for a track whose label we offer already,
    or of a kind for which the peer has no line to take the numbering from.
    """
    lines = [line if line.is_ours else _receiving(line) for line in connection.lines]
    for track in tracks:
        if any(line.is_ours and line.far_label is track.label for line in lines):
            raise ValueError(f"{track.label} is offered already")
        lines.append(_appended(track, lines))
    return replace(connection, session_version=connection.session_version + 1, lines=tuple(lines))


def read_answer(connection: Connection, answer: Description) -> frozenset[str]:
    """The mids of our appended lines on which an answer receives: the proof that our offer was applied (messenger-calling 6.7).

    An answer to something else than our last offer, told by its mids, proves nothing and is no error.
    """
    if [section.mid for section in answer.media] != [line.mid for line in connection.lines]:
        return frozenset()
    return frozenset(
        line.mid
        for line, section in zip(connection.lines, answer.media, strict=True)
        if line.is_ours and section.is_live and section.direction.receives
    )


def _is_wanted(section: MediaSection, settings: MediaSettings) -> bool:
    return settings.video_enabled or media_kind(section) is not MediaKind.VIDEO


def _answered(section: MediaSection, codecs: tuple[LineCodec, ...], entry: LabelledLine | None, far: FarTrack | None) -> Line:
    """Our half of an offered line: we receive what has a label, and send where there is something to send."""
    sent = far if section.direction.receives else None
    return Line(
        mid=section.mid,
        media=section.media,
        kind=media_kind(section),
        protocol=section.protocol,
        direction=Direction.of(sends=sent is not None, receives=section.direction.sends and entry is not None),
        codecs=codecs,
        ext=line_extensions(section),
        rtcp_rsize=section.has_rtcp_rsize,
        peer_label=entry.label if entry else None,
        peer_msid=str(section.msid or ""),
        peer_alias=entry.alias if entry else "",
        peer_status=entry.status if entry else TrackStatus.ENABLED,
        peer_ssrcs=section.media_ssrcs[:MAX_NAMED_SSRCS],
        far_label=sent.label if sent else None,
        far_msid=sent.msid if sent else "",
    )


def _rejected(section: MediaSection) -> Line:
    """A line with port 0. It repeats one format, by name: aiortc 1.16 refuses an audio or video line that has none it knows."""
    first = next((fmt for fmt in section.formats if fmt.encoding), None)
    return Line(
        mid=section.mid,
        media=section.media,
        kind=media_kind(section),
        protocol=section.protocol,
        direction=Direction.INACTIVE,
        is_rejected=True,
        rejected_format=str(first.pt) if first else section.format_tokens[0],
        codecs=(LineCodec(first.key, first.pt),) if first else (),
    )


def _receiving(line: Line) -> Line:
    return replace(line, direction=Direction.of(sends=False, receives=line.direction.receives))


def _appended(track: FarTrack, lines: Sequence[Line]) -> Line:
    """A line for one far track, in the numbering of the peer's own first line of that kind."""
    kind = track.label.kind
    pattern = next((line for line in lines if line.kind is kind and not line.is_rejected), None)
    if pattern is None:
        raise ValueError(f"the peer has no {kind} line")
    return Line(
        mid=_next_mid(lines),
        media=kind.value,
        kind=kind,
        protocol=pattern.protocol,
        direction=Direction.SENDONLY,
        is_ours=True,
        codecs=pattern.codecs,
        ext=pattern.ext,
        rtcp_rsize=pattern.rtcp_rsize,
        far_label=track.label,
        far_msid=track.msid,
        far_ssrc=track.ssrc,
    )


def _next_mid(lines: Sequence[Line]) -> str:
    """The number after the highest that is a mid. Mids too long for a header extension do not count as numbers."""
    used = [int(line.mid) for line in lines if line.mid.isascii() and line.mid.isdigit() and len(line.mid) < 16]
    return str(max(used, default=-1) + 1)
