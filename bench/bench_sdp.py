"""CPU time of one offer: text in, judged, answered, text out. Of the renegotiation offer that follows, and of a later offer.

    PYTHONPATH=src python bench/bench_sdp.py

Microseconds of CPU, the median of several rounds, with the garbage collector on as in the server. The aim of the design is well
under 200 us for a browser's audio offer. A later offer is the same text again as the peer's next, with its camera on where
the file has one, in answer to which our lines are found missing; the far side's tracks are shown anew.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, Python looks in this folder and not in the one above, where `bench` is.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figure import Figure
from pagecalls.sdp.connection import Connection, FarTrack, HostCandidate, LineCodec, Transport
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first, answer_next, render_answer, render_offer, show_tracks
from pagecalls.sdp.profile import check_offer
from pagecalls.types import TrackLabel

OFFERS = Path(__file__).parent.parent / "tests" / "data" / "sdp"
ROUNDS, REPEATS = 9, 200

TRANSPORT = Transport(
    "q7XcPn2b",
    "Zk3v9TqLw8RfYb1MhXs5Ncd0",
    ":".join(["AB"] * 32),
    (HostCandidate("udp", "192.0.2.10", 40012), HostCandidate("udp", "2001:db8::10", 40012)),
)
STREAM = "730155201:kT4vQw9LbX2mZp7R:DEFAULT"
FAR = FarTrack(TrackLabel.DEFAULT_AUDIO, STREAM, "5120734419906211387", 1)
CAMERA = FarTrack(TrackLabel.DEFAULT_VIDEO, STREAM, "4409172216630955871", 2, 3, LineCodec("vp8/90000", 96, rtx_pt=97))


def answer(text: str) -> tuple[Connection, str]:
    """What accept does with an offer."""
    offer = parse(text)
    check_offer(offer)
    connection = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=1, far=FAR)
    return connection, render_answer(connection)


def offer_back(connection: Connection) -> str:
    """What follows it: the far side's sound on a line of its own."""
    return render_offer(show_tracks(connection, [FAR]))


def later(connection: Connection, text: str) -> tuple[str, str]:
    """What media_update does with an offer: judged, answered, and the far side's two tracks shown again."""
    offer = parse(text)
    check_offer(offer)
    found = answer_next(connection, offer, tracks=()).connection
    return render_answer(found), render_offer(show_tracks(found, [FAR, CAMERA]))


def cpu_us(work: Callable[[], object]) -> float:
    """Microseconds of CPU that one piece of work takes."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(REPEATS):
            work()
        rounds.append((time.process_time() - start) / REPEATS * 1e6)
    return statistics.median(rounds)


def measured() -> Iterator[tuple[str, float, float, float]]:
    """Each real offer's name with the microseconds of its answer, of the offer back, and of the next offer."""
    for path in sorted(OFFERS.glob("*-offer.sdp")):
        text = path.read_bytes().decode()
        connection, _ = answer(text)
        shown = show_tracks(connection, [FAR, CAMERA])
        yield (
            path.name.removesuffix("-offer.sdp"),
            cpu_us(partial(answer, text)),
            cpu_us(partial(offer_back, connection)),
            cpu_us(partial(later, shown, text)),
        )


async def figures() -> list[Figure]:
    """Sound, and sound with a camera; screens are left out."""
    rows: list[Figure] = []
    for name, first, second, third in measured():
        if name.endswith("-screen"):
            continue
        rows.append(Figure(f"SDP, {name}: answer", first, "us CPU", "200" if name.endswith("-audio") else ""))
        rows.append(Figure(f"SDP, {name}: offer back", second, "us CPU"))
        rows.append(Figure(f"SDP, {name}: later offer, answer and offer back", third, "us CPU"))
    return rows


def main() -> None:
    """Measure every real offer."""
    print(f"{'offer':28}{'answer':>10}{'offer back':>12}{'later offer':>13}   us CPU")
    for name, first, second, third in measured():
        print(f"{name:28}{first:10.0f}{second:12.0f}{third:13.0f}")


if __name__ == "__main__":
    main()
