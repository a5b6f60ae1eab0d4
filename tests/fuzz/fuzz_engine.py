"""Fuzz entry of what the engine says: the body of any frame from it, a reply or an event.

What must hold: it is one of the two or a `BadFrame`, whatever is in it; and an event that was read is the same when it is written
and read again. `one_input` for coverage-guided fuzzers, `python -m tests.fuzz.fuzz_engine --seconds 60` without one.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from pagecalls.media.frames import BadFrame, Reply, decode
from tests.fuzz.mutation import fuzz

_PROTOCOL = json.loads((Path(__file__).parent.parent / "data" / "protocol.json").read_text())
_FRAMES = (
    *_PROTOCOL["events"],
    *({"id": 1, "ok": body} for body in _PROTOCOL["replies"].values()),
    _PROTOCOL["refusal"],
)
SAMPLES = tuple(json.dumps(frame).encode() for frame in _FRAMES)
WORDS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-1", b"1e999", b"NaN", b"0.5", b"\\ud800", b"\\u0000", b"\xff",
    b'"ev"', b'"seq"', b'"id"', b'"ok"', b'"err"', b'"stats"', b'"leg.failed"', b'"leg.ice"', b"18446744073709551616", b"[" * 200,
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Judge one input."""
    try:
        frame = decode(data)
    except BadFrame:
        return
    if isinstance(frame, Reply):
        if (frame.ok is None) == (frame.err is None):
            raise AssertionError("a reply says both or neither")
    elif decode(msgspec.json.encode(frame)) != frame:
        raise AssertionError("an event is another when it is read again")


if __name__ == "__main__":
    fuzz("what the engine says", one_input, SAMPLES, WORDS)
