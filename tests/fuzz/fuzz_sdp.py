"""Fuzz entry of the SDP core: any bytes give a usable description or a typed `PeerError`, and what is usable is answered soundly.

`one_input` has the shape that coverage-guided fuzzers call. Without one, `python -m tests.fuzz.fuzz_sdp --seconds 60` mutates the
real offers in `tests/data/sdp`; a failure prints the seed that brings it back, and leaves its input in the working directory.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pagecalls.errors import PeerError
from pagecalls.sdp.connection import Connection, FarSide, LineCodec
from pagecalls.sdp.description import Description, Direction, Setup, parse, serialize
from pagecalls.sdp.grammar import MAX_TEXT_BYTES
from pagecalls.sdp.negotiate import answer_next, enable_only, read_answer, render_answer, render_offer, set_tracks, show_tracks
from pagecalls.sdp.profile import check_offer
from tests.unit.sdp.invariants import check_answer, check_next_answer, check_offer_of_ours
from tests.unit.sdp.samples import ALL_FAR, NAMES, answered, text_of

MAX_CUTS = 6
WORDS = (
    b"\r\n", b"\n", b"\x00", b"\xff", b" ", b":", b"/", b"=", b"-1", b"0", b"15", b"65536", b"99999999999999999999", b"a=", b"m=",
    b"a=mid:0", b"a=mid:1", b"a=bundle-only", b"a=group:BUNDLE 0 1", b"a=rtcp-fb:* nack", b"a=inactive", b"a=recvonly",
    b"a=setup:passive", b"a=extmap:1/recvonly urn:x", b"m=audio 9 UDP/TLS/RTP/SAVPF 111", b"\\r\\n", b"\xed\xa0\x80",
    b"a=mid:2", b"a=sendonly", b"m=video 0 UDP/TLS/RTP/SAVPF 96", b"a=fmtp:97 apt=96",
)  # fmt: skip


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


def mutated(chance: random.Random, samples: Sequence[bytes], words: Sequence[bytes] = WORDS) -> bytes:
    """A sample with a few cuts: bytes flipped, dropped, doubled, exchanged for a word that once meant trouble, lines shuffled."""
    data = bytearray(chance.choice(samples))
    for _ in range(chance.randint(1, MAX_CUTS)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 8, 40, 400)))
        match chance.randrange(6):
            case 0:
                data[start:end] = bytes(chance.randrange(256) for _ in range(end - start))
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
            case 3:
                data[start:end] = chance.choice(words)
            case 4:
                lines = bytes(data).split(b"\r\n")
                at = chance.randrange(len(lines))
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
                data = bytearray(b"\r\n".join(lines))
            case _:
                other = chance.choice(samples)
                at = chance.randrange(len(other))
                data[start:end] = other[at : at + chance.choice((10, 100, 1000))]
    return bytes(data)


def run(seconds: float, seed: int) -> int:
    """Fuzz for a while; the number of inputs that were tried."""
    samples = [text_of(name).encode() for name in NAMES]
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until:
        data = mutated(random.Random(f"{seed}/{tried}"), samples)
        try:
            one_input(data)
        except Exception:
            Path(f"fuzz-sdp-{seed}-{tried}.bin").write_bytes(data)
            sys.stderr.write(f"seed {seed}, input {tried}\n")
            raise
        tried += 1
    return tried


_RENEGOTIATED = show_tracks(answered(text_of("chrome-156-audio")), ALL_FAR[:2])
_WITH_VIDEO = show_tracks(answered(text_of("firefox-153-video")), ALL_FAR)
_FAR_SIDE = FarSide((LineCodec("vp8/90000", 96, rtx_pt=97), LineCodec("av1/90000", 45)))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Mutates real offers and judges what comes of them.")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tried = run(options.seconds, options.seed)
    sys.stdout.write(f"{tried} inputs, no fault\n")


if __name__ == "__main__":
    main()
