"""From a peer's offer to our answer, from there to our own offer, and what an answer of the peer proves.

The door to the decisions of messenger-calling 5 and 6, pure functions over `Connection`. Owns the first answer itself; later
offers of the peer are `renegotiate.py`, offers of ours `offers.py`, tracks without a description `tracks.py`. Refuses to know
text (`render.py`), who the peer is, versions and time. A peer's offer is answered exactly; an offer of ours must never need a
reply (6.6, 1).
"""

from __future__ import annotations

from collections.abc import Sequence

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.codecs import line_terms, media_kind, note_extensions, note_listed
from pagecalls.sdp.connection import DEFAULT_SETTINGS, Connection, FarSide, FarTrack, MediaSettings, NextAnswer, Transport
from pagecalls.sdp.description import Description, MediaSection
from pagecalls.sdp.lines import answered, highest_mid, one_id_each, rejected
from pagecalls.sdp.offers import show_tracks
from pagecalls.sdp.profile import media_lines, peer_transport, transport_line
from pagecalls.sdp.render import render_answer, render_offer
from pagecalls.sdp.renegotiate import answer_next, is_ice_restart
from pagecalls.sdp.tracks import enable_only, label_lines, set_tracks
from pagecalls.types import MediaKind, Track

__all__ = [
    "NextAnswer",
    "answer_first",
    "answer_next",
    "append_tracks",
    "enable_only",
    "is_ice_restart",
    "read_answer",
    "render_answer",
    "render_offer",
    "set_tracks",
    "show_tracks",
]


def answer_first(
    offer: Description,
    *,
    tracks: Sequence[Track],
    transport: Transport,
    session_id: int,
    far: FarTrack,
    far_side: FarSide | None = None,
    settings: MediaSettings = DEFAULT_SETTINGS,
) -> Connection:
    """Answer a peer's first offer, which `profile.check_offer` has let through.

    `far` names the far side's default audio, whose stream and track stand in `a=msid` of the first audio line; its source is not
    named there (messenger-calling 6.6, 2). `far_side`: what the far peer has listed, if it is known. Raises
    `UnusableConnection`: the cases of `tracks.label_lines` and of the profile.
    """
    media = media_lines(offer)
    labels = label_lines(media, tracks)
    terms = {section.mid: line_terms(section, settings, far_side) for section in media if _is_wanted(section, settings)}
    taken = [section for section in media if terms.get(section.mid)]
    sound = next((section for section in taken if media_kind(section) is MediaKind.AUDIO), None)
    carrier = transport_line(offer, taken)
    if sound is None or carrier is None:
        raise UnusableConnection(ConnectionFault.NO_OPUS)
    sound_msids = {sound.mid: far.msid} if sound.direction.receives else {}
    lines = tuple(
        answered(section, found, labels.get(section.mid), sound_msids.get(section.mid, ""))
        if (found := terms.get(section.mid))
        else rejected(section)
        for section in offer.media
    )
    return Connection(
        session_id=session_id,
        session_version=1,
        transport=transport,
        peer=peer_transport(carrier),
        lines=one_id_each(lines),
        bundle=any(section.mid in group.mids for group in offer.bundles for section in taken),
        listed=note_listed(offer),
        listed_ext=note_extensions(offer),
        highest_mid=highest_mid(section.mid for section in offer.media),
        sound_msid=far.msid,
    )


def append_tracks(connection: Connection, tracks: Sequence[FarTrack]) -> Connection:
    """Our next offer with these tracks of the far side and no others: `show_tracks` under its older name."""
    return show_tracks(connection, tracks)


def read_answer(connection: Connection, answer: Description) -> frozenset[str]:
    """The mids of our appended lines on which an answer receives: the proof that our offer was applied (messenger-calling 6.7).

    An answer to something else than our last offer, told by its mids, proves nothing and is no error.
    """
    if [section.mid for section in answer.media] != [line.mid for line in connection.lines]:
        return frozenset()
    return frozenset(
        line.mid
        for line, section in zip(connection.lines, answer.media, strict=True)
        if line.is_ours and line.carries_far and section.is_live and section.direction.receives
    )


def _is_wanted(section: MediaSection, settings: MediaSettings) -> bool:
    return settings.video_enabled or media_kind(section) is not MediaKind.VIDEO
