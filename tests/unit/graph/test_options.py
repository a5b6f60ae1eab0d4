from __future__ import annotations

import re

from pagecalls.graph.options import GraphOptions, TraceIds


def test_shape_of_trace_ids() -> None:
    for fill in (0, 0x5A, 0xFF):
        ids = TraceIds.draw(lambda size, fill=fill: bytes([fill]) * size)  # type: ignore[misc]
        assert re.fullmatch(r"A[A-Za-z0-9_-]{22}", ids.request_id)
        assert re.fullmatch(r"[A-Za-z0-9_-]{11}", ids.trace_id)


def test_defaults_draw_fresh_ids() -> None:
    options = GraphOptions()
    assert TraceIds.draw(options.random_bytes) != TraceIds.draw(options.random_bytes)
    options.on_request("calls", "accept", 200, 0.1)
