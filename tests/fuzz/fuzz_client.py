"""Fuzz entry of the client's readers: answers, batches and webhooks, from any bytes. What must hold is in
`tests/unit/client/strange.py`.

As in `fuzz_sdp.py`: `one_input` for coverage-guided fuzzers, `python -m tests.fuzz.fuzz_client --seconds 60` without one.
"""

from __future__ import annotations

from tests.fuzz.mutation import fuzz
from tests.unit.client.strange import SAMPLES, judge

WORDS = (
    b"null", b"true", b"-1", b"1e999", b"NaN", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\ud800", b"\\u0000", b'{"sdp":"v=0"}',
    b'"{}"', b'"error"', b'"code"', b'"success":false', b'"session"', b'"data"', b'"entry"', b"99999999999999999999999999",
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Judge one input."""
    judge(data)


if __name__ == "__main__":
    fuzz("client", one_input, SAMPLES, WORDS)
