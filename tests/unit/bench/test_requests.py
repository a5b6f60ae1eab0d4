"""Every edge that is served is measured."""

from __future__ import annotations

from bench.bench_requests import SAMPLES, missing
from pagecalls.graph.routes import APP_EDGES, PAGE_EDGES


def test_of_every_edge_and_verb_there_is_a_sample() -> None:
    served = [(edge, verb) for edges in (PAGE_EDGES, APP_EDGES) for edge, verbs in edges.items() for verb in verbs]
    assert missing(served) == []
    assert set(SAMPLES) == set(served)
    assert missing([("nothing", "GET")]) == [("nothing", "GET")]
