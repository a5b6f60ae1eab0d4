"""Fuzz entry of the client's readers: answers, batches and webhooks, from any bytes. What must hold is in
`tests/unit/client/strange.py`.

As in `fuzz_sdp.py`: `one_input` for coverage-guided fuzzers, `python -m tests.fuzz.fuzz_client --seconds 60` without one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.fuzz.fuzz_sdp import mutated
from tests.unit.client.strange import SAMPLES, judge

WORDS = (
    b"null", b"true", b"-1", b"1e999", b"NaN", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\ud800", b"\\u0000", b'{"sdp":"v=0"}',
    b'"{}"', b'"error"', b'"code"', b'"success":false', b'"session"', b'"data"', b'"entry"', b"99999999999999999999999999",
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Judge one input."""
    judge(data)


def run(seconds: float, seed: int) -> int:
    """Fuzz for a while; the number of inputs that were tried."""
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until:
        data = mutated(random.Random(f"{seed}/{tried}"), SAMPLES, WORDS)
        try:
            one_input(data)
        except Exception:
            Path(f"fuzz-client-{seed}-{tried}.bin").write_bytes(data)
            sys.stderr.write(f"seed {seed}, input {tried}\n")
            raise
        tried += 1
    return tried


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Mutates answers and webhooks and judges what comes of them.")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tried = run(options.seconds, options.seed)
    sys.stdout.write(f"{tried} inputs, no fault\n")


if __name__ == "__main__":
    main()
