"""Whatever a stranger brings as a token, or an issuer as keys and claims, is judged and never breaks anything."""

from __future__ import annotations

import json
import random

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.unit.consumer.identity.strange import SAMPLES, TOKENS, judge_bytes

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4))
NAMES = ("sub", "page", "exp", "platform", "name", "nbf", "jti", "iss", "aud", "keys", "kty", "crv", "x", "y", "n", "e")


@given(st.binary())
@example(b"[" * 50_000)
@example(b"9" * 10_000)
@example(b"\xed\xa0\x80.a.b")
def test_any_bytes(data: bytes) -> None:
    judge_bytes(data)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)))
def test_any_claims_and_keys(value: dict[str, object]) -> None:
    judge_bytes(json.dumps(value).encode())
    judge_bytes(json.dumps({"keys": [value]}).encode())


@given(st.integers(0, 2**32))
def test_damaged_samples(seed: int) -> None:
    judge_bytes(mutated(random.Random(seed), SAMPLES))


@given(st.sampled_from(TOKENS), st.integers(0, 10_000), st.characters(max_codepoint=127))
def test_a_good_token_with_one_other_character_is_not_believed(token: bytes, at: int, other: str) -> None:
    changed = bytearray(token)
    changed[at % len(token)] = ord(other)
    judge_bytes(bytes(changed))
