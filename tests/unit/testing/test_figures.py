from __future__ import annotations

import random
import statistics

import pytest

from pagecalls.testing.impair import Counts, Delays, Figures, Kind
from pagecalls.testing.impair.figures import MAX_STREAMS


def test_delays() -> None:
    chance = random.Random(1)
    values_ms = [chance.expovariate(1 / 30) for _ in range(5_000)]
    delays = Delays()
    for value in values_ms:
        delays.note(value / 1000)
    assert delays.mean_ms == pytest.approx(statistics.mean(values_ms))
    cuts = statistics.quantiles(values_ms, n=100)
    assert delays.quantile_ms(0.5) == pytest.approx(cuts[49], rel=0.06)
    assert delays.quantile_ms(0.99) == pytest.approx(cuts[98], rel=0.06)


def test_no_delays_yet() -> None:
    assert (Delays().mean_ms, Delays().quantile_ms(0.5)) == (0.0, 0.0)
    none = Delays()
    none.note(0.0)
    assert none.quantile_ms(0.99) == 0.0


def test_sums_of_two_flows() -> None:
    first, second = Figures(), Figures()
    for figures, received, jitter_ms in ((first, 3, 9.0), (second, 4, 2.0)):
        figures.kinds[Kind.RTP] = Counts(received=received, lost=1)
        stream = figures.stream(5)
        assert stream is not None
        stream.received, stream.jitter_ms = received, jitter_ms
    second.kinds[Kind.STUN] = Counts(received=10)
    first.add(second)
    assert (first.of(Kind.MEDIA).received, first.total.received, first.total.dropped) == (7, 17, 2)
    assert (first.streams[5].received, first.streams[5].jitter_ms) == (7, 2.0)
    first.add(second)
    assert second.streams[5].received == 4, "what was added is not changed"


def test_streams_are_bounded() -> None:
    figures = Figures()
    assert all(figures.stream(ssrc) is not None for ssrc in range(MAX_STREAMS))
    assert figures.stream(MAX_STREAMS) is None
    assert figures.stream(0) is not None
