"""A peer's later offer, and our answer to it (messenger-calling 6.1, 6.5, 6.6; rulings 15 and 21).

Owns the match of the offered lines with those that stand, what the offer proves of our own offers, and the direction of every
line. Refuses to know text, versions and who is to be told. The answer has exactly the lines of the offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp import video
from pagecalls.sdp.codecs import line_terms, media_kind, note_extensions, note_listed
from pagecalls.sdp.connection import DEFAULT_SETTINGS, Connection, Direction, FarSide, Line, MediaSettings, NextAnswer, Transport
from pagecalls.sdp.description import Description, MediaSection
from pagecalls.sdp.lines import answered, highest_mid, one_id_each, rejected
from pagecalls.sdp.profile import media_lines, peer_transport, transport_line
from pagecalls.sdp.tracks import label_lines
from pagecalls.types import MediaKind, Track, TrackLabel


@dataclass(frozen=True, slots=True)
class _Matched:
    """The lines of an offer beside those that stood before, `None` where a line is new; and those that were never applied."""

    pairs: tuple[tuple[MediaSection, Line | None], ...]
    withdrawn: tuple[Line, ...]

    @property
    def known(self) -> tuple[Line, ...]:
        """The earlier lines that the offer goes on with."""
        return tuple(line for _, line in self.pairs if line is not None and not line.is_rejected)


def is_ice_restart(connection: Connection, offer: Description) -> bool:
    """Whether the offer brings new ICE credentials (RFC 8839 section 4.4.1.1), so that our answer needs new ones of the engine.

    In a bundle a line may repeat credentials that do not count; those that do are known, and gone after a restart.
    """
    ours = (connection.peer.ufrag, connection.peer.pwd)
    return not any((section.ufrag, section.pwd) == ours for section in media_lines(offer))


def answer_next(
    connection: Connection,
    offer: Description,
    *,
    tracks: Sequence[Track],
    transport: Transport | None = None,
    far_side: FarSide | None = None,
    is_a_on: bool = True,
    settings: MediaSettings = DEFAULT_SETTINGS,
) -> NextAnswer:
    """Answer a later offer, which `profile.check_offer` has let through.

    `transport`: new credentials of ours, for an ICE restart alone. `is_a_on`: the A-stream has not been stopped (6.6, 4).
    Raises `UnusableConnection`: lines of the peer's own that are gone or moved (LINES_CHANGED), new video where the Page has
    none (VIDEO_OFF), and the cases of `tracks.label_lines` and of the profile.
    """
    matched = _match(connection.lines, offer.media)
    _refuse_new_video(matched, settings)
    media = media_lines(offer)
    labels = label_lines(media, tracks, matched.known)
    terms = {
        section.mid: line_terms(section, settings, far_side, before)
        for section, before in matched.pairs
        if section.is_live and _is_allowed(section, before, settings)
    }
    lines = [
        _with_far(answered(section, found, labels.get(section.mid)), section, before)
        if (found := terms.get(section.mid))
        else rejected(section)
        for section, before in matched.pairs
    ]
    runs = _runs_a(matched, lines, is_a_on=is_a_on)
    taken = [section for section in media if terms.get(section.mid)]
    carrier = transport_line(offer, taken)
    if carrier is None:
        raise UnusableConnection(ConnectionFault.NO_OPUS)
    answer = replace(
        connection,
        session_version=connection.session_version + 1,
        transport=transport or connection.transport,
        peer=peer_transport(carrier) if transport else connection.peer,
        lines=one_id_each(_with_sound(lines, connection, matched, runs=runs)),
        bundle=any(section.mid in group.mids for group in offer.bundles for section in taken),
        listed=note_listed(offer, connection.listed),
        listed_ext=note_extensions(offer, connection.listed_ext),
        highest_mid=highest_mid((section.mid for section in offer.media), connection.highest_mid),
    )
    confirmed = frozenset(line.mid for line in answer.lines if line.is_ours and line.carries_far)
    is_lit = any(before is not None and before.is_dark and _is_received(section) for section, before in matched.pairs)
    return NextAnswer(answer, matched.withdrawn, confirmed, _resumed(matched, answer.lines), is_lit)


# --- which line is which ----------------------------------------------------------------------------------------------


def _match(lines: Sequence[Line], sections: Sequence[MediaSection]) -> _Matched:
    """Put the offered lines beside the earlier ones (messenger-calling 6.1). Raises `UnusableConnection` LINES_CHANGED.

    Lines that the peer has offered stay where they are; one that was refused or stopped may be used for something new (RFC 8829
    section 5.2.2). An appended line that the peer never offered may be missing, or its mid may be another line's: then our offer
    was not applied, and neither was any later one, for each holds all that came before.
    """
    refuted = [line.since for index, line in enumerate(lines) if not line.is_offered and _is_refuted(line, sections, index)]
    withdrawn = tuple(line for line in lines if not line.is_offered and refuted and line.since >= min(refuted))
    standing = lines[: len(lines) - len(withdrawn)]
    if len(standing) > len(sections):
        raise UnusableConnection(ConnectionFault.LINES_CHANGED, f"mid {standing[len(sections)].mid} is missing")
    pairs: list[tuple[MediaSection, Line | None]] = []
    for index, section in enumerate(sections):
        before = standing[index] if index < len(standing) else None
        if before is not None and (section.mid, section.media) != (before.mid, before.media):
            if not before.is_rejected:
                raise UnusableConnection(ConnectionFault.LINES_CHANGED, f"mid {before.mid} is missing or moved")
            before = None
        pairs.append((section, before))
    return _Matched(tuple(pairs), withdrawn)


def _is_refuted(line: Line, sections: Sequence[MediaSection], index: int) -> bool:
    """Whether the offer shows that this appended line was never applied.

    A line that only sends is a new one of the peer's: it was made to receive. One that does both may be either (ruling 21), and
    is answered alike.
    """
    if index >= len(sections):
        return True
    section = sections[index]
    if (section.mid, section.media) != (line.mid, line.media):
        return True
    return section.is_live and section.direction is Direction.SENDONLY


def _refuse_new_video(matched: _Matched, settings: MediaSettings) -> None:
    """Without video on the Page no line for it may be added; one that the first answer refused may stand there again."""
    if settings.video_enabled:
        return
    for section, before in matched.pairs:
        if media_kind(section) is MediaKind.VIDEO and section.is_live and before is None:
            raise UnusableConnection(ConnectionFault.VIDEO_OFF, f"mid {section.mid}")


def _is_allowed(section: MediaSection, before: Line | None, settings: MediaSettings) -> bool:
    is_running = before is not None and not before.is_rejected
    return settings.video_enabled or is_running or media_kind(section) is not MediaKind.VIDEO


# --- what we send -----------------------------------------------------------------------------------------------------


def _with_far(line: Line, section: MediaSection, before: Line | None) -> Line:
    """The answered line with the far track that it carries, if it is one of those that we appended.

    The track goes on wherever the peer receives, with the same stream, track and source, also where the peer now sends as well
    (ruling 21). It stops where the line's codec has become another one. Where the peer does not receive, sound waits with its
    source. The source of a picture is over then: a browser shows nothing of one that comes back.
    """
    if before is None or before.is_rejected or not before.is_ours:
        return line
    is_held = not section.direction.receives
    line = replace(line, is_ours=True, since=before.since, far_label=before.far_label, is_held=is_held)
    if not before.far_msid or not _is_same_codec(line, before):
        return line
    if line.kind is MediaKind.VIDEO and is_held:
        return replace(line, far_msid=before.far_msid)
    if before.far_ssrc is None:
        return line
    return replace(
        line,
        direction=Direction.of(sends=not is_held, receives=line.direction.receives),
        far_msid=before.far_msid,
        far_ssrc=before.far_ssrc,
        far_rtx_ssrc=before.far_rtx_ssrc if line.codecs[0].rtx_pt is not None else None,
    )


def _resumed(matched: _Matched, lines: Sequence[Line]) -> frozenset[str]:
    """The lines whose sound the peer receives again. Where it knows no MID, only the source tells the lines apart."""
    held = {before.mid for _, before in matched.pairs if before is not None and before.is_held}
    sound = [line for line in lines if line.mid in held and line.kind is MediaKind.AUDIO and line.carries_far]
    return frozenset(line.mid for line in sound if "mid" in dict(line.ext))


def _is_received(section: MediaSection) -> bool:
    return section.is_live and section.direction.receives


def _is_same_codec(line: Line, before: Line) -> bool:
    if line.kind is MediaKind.AUDIO:
        return True
    return video.find(line.codecs, before.codecs[0]) is not None


def _runs_a(matched: _Matched, lines: Sequence[Line], *, is_a_on: bool) -> bool:
    """Whether the A-stream runs after this offer: it does until B is heard, and again when B turns out unheard of (6.6, 8)."""
    if any(line.far_label is TrackLabel.DEFAULT_AUDIO for line in matched.withdrawn):
        return True
    is_b_heard = any(line.far_label is TrackLabel.DEFAULT_AUDIO and line.carries_far for line in lines)
    return is_a_on and not is_b_heard


def _with_sound(lines: Sequence[Line], connection: Connection, matched: _Matched, *, runs: bool) -> tuple[Line, ...]:
    """The lines with the A-stream on the peer's own audio line: that which had it, else the first (messenger-calling 6.6, 2)."""
    own = [line for line in lines if line.kind is MediaKind.AUDIO and not line.is_ours and not line.is_rejected]
    before = connection.a_line
    place = next((line for line in own if before is not None and line.mid == before.mid), own[0] if own else None)
    receiving = {section.mid for section, _ in matched.pairs if section.direction.receives}
    if place is None or place.mid not in receiving:
        return tuple(lines)
    sound = replace(
        place,
        direction=Direction.of(sends=runs, receives=place.direction.receives),
        far_label=TrackLabel.DEFAULT_AUDIO,
        far_msid=connection.sound_msid,
    )
    return tuple(sound if line is place else line for line in lines)
