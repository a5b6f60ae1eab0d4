"""Fuzz entry of consumers' JWTs and of the keys that check them. What must hold is in `tests/unit/consumer/identity/strange.py`.

As in `fuzz_sdp.py`: `one_input` for coverage-guided fuzzers, `python -m tests.fuzz.fuzz_jwt --seconds 60` without one.
"""

from __future__ import annotations

from tests.fuzz.mutation import fuzz
from tests.unit.consumer.identity.strange import SAMPLES, judge_bytes

WORDS = (
    b".", b"..", b"=", b"-", b"_", b"null", b"-1", b"1e999", b"NaN", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\ud800",
    b'"none"', b'"exp":99999999999999999999999999', b'"exp":1e308', b'"sub":55', b'"aud":[]', b'"kty":"oct"', b'"kty":"RSA"',
    b'"n":""', b'"crv":"P-521"', b'"alg":"HS256"', b"-----BEGIN CERTIFICATE-----", b"eyJhbGciOiJub25lIn0", b"\\u0000",
    b"eyJiNjQiOmZhbHNlfQ",
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Judge one input."""
    judge_bytes(data)


if __name__ == "__main__":
    fuzz("tokens of identity systems", one_input, SAMPLES, WORDS)
