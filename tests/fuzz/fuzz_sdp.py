"""Fuzz entry of the SDP core: any bytes give a usable description or a typed `PeerError`, and what is usable is answered soundly.

`one_input` has the shape that coverage-guided fuzzers call. Without one, `python -m tests.fuzz.fuzz_sdp --seconds 60` mutates the
real offers in `tests/data/sdp`; a failure prints the seed that brings it back, and leaves its input in the working directory.
"""

from __future__ import annotations

from dataclasses import replace

from pagecalls.errors import PeerError
from pagecalls.sdp.connection import Connection, FarSide, LineCodec
from pagecalls.sdp.description import Description, Direction, Setup, parse, serialize
from pagecalls.sdp.grammar import MAX_TEXT_BYTES
from pagecalls.sdp.negotiate import answer_next, enable_only, read_answer, render_answer, render_offer, set_tracks, show_tracks
from pagecalls.sdp.profile import check_offer
from tests.fuzz.mutation import fuzz
from tests.unit.sdp.invariants import check_answer, check_next_answer, check_offer_of_ours
from tests.unit.sdp.samples import ALL_FAR, NAMES, answered, text_of


def one_input(data: bytes) -> None:
    """Judge one input. Raises whatever is not a `PeerError`."""
    # Through JSON a text may hold halves of surrogate pairs, so the bytes that are no UTF-8 become such.
    judge(data.decode("utf-8", "surrogateescape"))


def judge(text: str) -> Description | None:
    """The description that the text is, after everything that the server would do with it; `None` if it is refused."""
    try:
        description = parse(text)
    except PeerError as error:
        str(error)
        return None
    printed = serialize(description)
    # Lines inherited from the session level and CRLF line ends can make the text longer than what is read.
    if len(printed.encode()) <= MAX_TEXT_BYTES and parse(printed) != description:
        raise AssertionError("printed again it is another description")
    read_answer(_RENEGOTIATED, description)
    try:
        check_offer(description)
        connection = answered(description)
    except PeerError as error:
        str(error)
        return None
    check_answer(description, connection)
    for known in (_RENEGOTIATED, _WITH_VIDEO):
        _answered_next(known, description)
    again = show_tracks(connection, ALL_FAR, far_side=_FAR_SIDE)
    check_offer_of_ours(connection, again)
    read_answer(again, parse(render_answer(connection)))
    tracks = again.peer_tracks()
    names = {track.msid for track in tracks}
    if len(names) == len(tracks) and "" not in names:
        set_tracks(again, tracks)
        enable_only(again, [track.msid for track in tracks])
    # The same offer again: ours was never applied. Then one that holds all our lines.
    _answered_next(again, description)
    offer = _turned(parse(render_offer(again)))
    read_answer(again, offer)
    _answered_next(again, offer)
    return description


def _answered_next(before: Connection, offer: Description) -> None:
    """What would come of a later offer, and of the offer of ours that follows; refused for a reason that has a name."""
    try:
        found = answer_next(before, offer, tracks=(), far_side=_FAR_SIDE)
    except PeerError as error:
        str(error)
        return
    check_next_answer(before, offer, found)
    check_offer_of_ours(found.connection, show_tracks(found.connection, ALL_FAR))


def _turned(offer: Description) -> Description:
    """Our offer as the peer's next: it receives where we send, and sends where we receive."""
    turned = [Direction.of(sends=each.direction.receives, receives=each.direction.sends) for each in offer.media]
    sections = zip(offer.media, turned, strict=True)
    return replace(offer, media=tuple(replace(section, direction=way, setup=Setup.ACTPASS) for section, way in sections))


_RENEGOTIATED = show_tracks(answered(text_of("chrome-156-audio")), ALL_FAR[:2])
_WITH_VIDEO = show_tracks(answered(text_of("firefox-153-video")), ALL_FAR)
_FAR_SIDE = FarSide((LineCodec("vp8/90000", 96, rtx_pt=97), LineCodec("av1/90000", 45)))


if __name__ == "__main__":
    fuzz("sdp", one_input, [text_of(name).encode() for name in NAMES])
