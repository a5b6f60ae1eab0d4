"""The search for the ceiling, on servers that are only arithmetic."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from bench.load import LoadFailed
from bench.rig import Ceiling, Played, SetUp, Traffic
from bench.rig import Session as RealSession

FINE = Played(
    calls=0,
    packets=1000,
    loss_percent=0.0,
    packet_us=10.0,
    load_packet_us=5.0,
    p50_us=50.0,
    p99_us=300.0,
    late_us=100.0,
    load_busy=0.3,
    server_busy=0.5,
    dropped=0,
)


@dataclass(slots=True)
class Session(RealSession):
    """Carries `carried` calls well, connects `connected`; the load keeps up with `loaded`."""

    server: object = None  # type: ignore[assignment]
    load: object = None  # type: ignore[assignment]
    srtp: object = None  # type: ignore[assignment]
    carried: int = 0
    connected: int = 100_000
    loaded: int = 100_000
    tried: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.traffic = Traffic.AUDIO

    async def grow(self, calls: int) -> SetUp:
        if calls > self.connected:
            raise LoadFailed("2 of 4 peers failed")
        self.calls = calls
        return SetUp(1.0, 100.0)

    async def play(self, window_s: float, *, tick_us: int = 0, calls: int | None = None) -> Played:
        calls = self.calls if calls is None else calls
        self.tried.append(calls)
        played = replace(FINE, calls=calls)
        if calls > self.loaded:
            return replace(played, late_us=5_000.0)
        return played if calls <= self.carried else replace(played, loss_percent=2.0)


def ceiling(session: Session, first: int) -> Ceiling:
    async def run() -> Ceiling:
        await session.grow(first)
        return await session.ceiling(await session.play(1.0), 1.0)

    return asyncio.run(run())


@pytest.mark.parametrize("carried", [510, 900, 1700])
def test_the_ceiling_is_found_to_a_tenth(carried: int) -> None:
    found = ceiling(Session(carried=carried), 500)
    assert carried * 0.9 <= found.calls <= carried
    assert "loss 2.00 %" in found.why
    assert not found.is_load_bound
    assert found.by_cpu == pytest.approx(1000)


def test_a_first_try_that_is_too_much_is_searched_below() -> None:
    found = ceiling(Session(carried=300), 500)
    assert 250 <= found.calls <= 300


def test_a_server_that_carries_nothing_has_no_ceiling() -> None:
    session = Session(carried=0)
    assert ceiling(session, 200).calls == 0
    assert max(session.tried) == 200


def test_a_load_that_ends_first_says_so() -> None:
    found = ceiling(Session(carried=100_000, loaded=800), 500)
    assert found.is_load_bound
    assert found.why.startswith("load-bound")
    assert 700 <= found.calls <= 800


def test_calls_that_do_not_connect_end_the_search() -> None:
    found = ceiling(Session(carried=100_000, connected=700), 500)
    assert (found.calls, found.why) == (675, "at 911: 2 of 4 peers failed")


def test_what_a_call_sends() -> None:
    assert Traffic.AUDIO.packets_per_call == 100
    assert Traffic.VIDEO.packets_per_call == 240
    assert Traffic.BOTH.packets_per_call == 340
    assert [stream.ssrc for stream in Traffic.BOTH.streams(7)] == [7, 8]
