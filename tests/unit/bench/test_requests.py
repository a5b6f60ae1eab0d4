"""Every edge that is served is measured."""

from __future__ import annotations

from collections.abc import Iterator

from bench.bench_requests import SAMPLES
from pagecalls.graph.routes import APP_EDGES, FIXED_PATHS, PAGE_EDGES, USER_EDGES


def served() -> Iterator[tuple[str, str]]:
    for node, edges in (("{page}", PAGE_EDGES), ("{app}", APP_EDGES), ("me", USER_EDGES)):
        yield from ((f"{node}/{edge}".rstrip("/"), verb) for edge, verbs in edges.items() for verb in verbs)
    yield from (("/".join(words).rstrip("/"), verb) for words, verbs in FIXED_PATHS.items() for verb in verbs)


def test_of_every_edge_and_verb_there_is_a_sample() -> None:
    assert set(SAMPLES) == set(served())
