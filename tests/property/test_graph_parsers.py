"""The Graph face's parsers on damaged requests; `python -m tests.fuzz graph` does the same for longer."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_graph import SAMPLES, one_input
from tests.fuzz.mutation import mutated


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_requests(seed: int) -> None:
    one_input(mutated(random.Random(seed), SAMPLES))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    one_input(data)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_samples_themselves(sample: bytes) -> None:
    one_input(sample)
