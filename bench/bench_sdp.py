"""CPU time of one offer: text in, judged, answered, text out. And of the renegotiation offer that follows.

    PYTHONPATH=src python bench/bench_sdp.py

Microseconds of CPU, the median of several rounds, with the garbage collector on as in the server. The aim of the design is well
under 200 us for a browser's audio offer.
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
from pagecalls.sdp.connection import Connection, FarTrack, HostCandidate, Transport
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first, append_tracks, render_answer, render_offer
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
FAR = FarTrack(TrackLabel.DEFAULT_AUDIO, "730155201:kT4vQw9LbX2mZp7R:DEFAULT", "5120734419906211387", 1)


def answer(text: str) -> tuple[Connection, str]:
    """What accept does with an offer."""
    offer = parse(text)
    check_offer(offer)
    connection = answer_first(offer, tracks=(), transport=TRANSPORT, session_id=1, far=FAR)
    return connection, render_answer(connection)


def offer_back(connection: Connection) -> str:
    """What follows it: the far side's sound on a line of its own."""
    return render_offer(append_tracks(connection, [FAR]))


def cpu_us(work: Callable[[], object]) -> float:
    """Microseconds of CPU that one piece of work takes."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(REPEATS):
            work()
        rounds.append((time.process_time() - start) / REPEATS * 1e6)
    return statistics.median(rounds)


def measured() -> Iterator[tuple[str, float, float]]:
    """Each real offer's name with the microseconds of its answer and of the offer back."""
    for path in sorted(OFFERS.glob("*-offer.sdp")):
        text = path.read_bytes().decode()
        connection, _ = answer(text)
        yield path.name.removesuffix("-offer.sdp"), cpu_us(partial(answer, text)), cpu_us(partial(offer_back, connection))


async def figures() -> list[Figure]:
    """The audio offers: those of the calls that this version carries."""
    rows: list[Figure] = []
    for name, first, second in measured():
        if name.endswith("-audio"):
            rows.append(Figure(f"SDP, {name}: answer", first, "us CPU", "200"))
            rows.append(Figure(f"SDP, {name}: offer back", second, "us CPU"))
    return rows


def main() -> None:
    """Measure every real offer."""
    print(f"{'offer':28}{'answer':>10}{'offer back':>12}   us CPU")
    for name, first, second in measured():
        print(f"{name:28}{first:10.0f}{second:12.0f}")


if __name__ == "__main__":
    main()
