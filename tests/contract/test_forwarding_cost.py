"""A forwarded packet costs the engine no more instructions than when somebody last looked (`docs/bench.md`)."""

from __future__ import annotations

import pytest

from bench import bench_relay
from bench.bench_relay import COMMITTED, Flow

ALLOWANCE = 0.05
"""Other builds of OpenSSL and of the compiler, and the choice that a C library makes by processor."""


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    bench_relay.build()


@pytest.mark.parametrize("flow", COMMITTED, ids=str)
async def test_a_packet_takes_the_committed_instructions(flow: Flow) -> None:
    """More is a loss that somebody should know of; less is a gain that the committed figure should keep."""
    found = await bench_relay.instructions(flow)
    committed = COMMITTED[flow]
    assert found == pytest.approx(committed, rel=ALLOWANCE), f"{found:.0f} instructions, {committed} are committed"
