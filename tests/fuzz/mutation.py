"""Fuzzing without coverage: samples are damaged, the target judges, and what fails can be played again."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

MAX_CUTS = 6
WORDS = (
    b"\r\n", b"\n", b"\x00", b"\xff", b" ", b":", b"/", b"=", b"-1", b"0", b"15", b"65536", b"99999999999999999999", b"a=", b"m=",
    b"a=mid:0", b"a=mid:1", b"a=bundle-only", b"a=group:BUNDLE 0 1", b"a=rtcp-fb:* nack", b"a=inactive", b"a=recvonly",
    b"a=setup:passive", b"a=extmap:1/recvonly urn:x", b"m=audio 9 UDP/TLS/RTP/SAVPF 111", b"\\r\\n", b"\xed\xa0\x80",
    b"a=mid:2", b"a=sendonly", b"m=video 0 UDP/TLS/RTP/SAVPF 96", b"a=fmtp:97 apt=96",
)  # fmt: skip


def mutated(chance: random.Random, samples: Sequence[bytes], words: Sequence[bytes] = WORDS) -> bytes:
    """A sample with a few cuts: bytes flipped, dropped, doubled, exchanged for a word that once meant trouble, lines shuffled."""
    data = bytearray(chance.choice(samples))
    for _ in range(chance.randint(1, MAX_CUTS)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 8, 40, 400)))
        match chance.randrange(6):
            case 0:
                data[start:end] = bytes(chance.randrange(256) for _ in range(end - start))
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
            case 3:
                data[start:end] = chance.choice(words)
            case 4:
                lines = bytes(data).split(b"\r\n")
                at = chance.randrange(len(lines))
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
                data = bytearray(b"\r\n".join(lines))
            case _:
                other = chance.choice(samples)
                at = chance.randrange(len(other))
                data[start:end] = other[at : at + chance.choice((10, 100, 1000))]
    return bytes(data)


def fuzz(name: str, one_input: Callable[[bytes], None], samples: Sequence[bytes], words: Sequence[bytes] = WORDS) -> None:
    """A target's command line: `--seconds`, `--seed`. A failure names its seed and leaves its input in the working folder."""
    parser = argparse.ArgumentParser(description=f"Damages samples of {name} and judges what comes of them.")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    until = time.monotonic() + options.seconds
    tried = 0
    while time.monotonic() < until:
        data = mutated(random.Random(f"{options.seed}/{tried}"), samples, words)
        try:
            one_input(data)
        except Exception:
            Path(f"fuzz-{name}-{options.seed}-{tried}.bin").write_bytes(data)
            sys.stderr.write(f"seed {options.seed}, input {tried}\n")
            raise
        tried += 1
    sys.stdout.write(f"{tried} inputs, no fault\n")
