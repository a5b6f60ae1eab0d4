"""The pure half of the impairment relay under traffic that nobody chose: nothing is lost track of, order and rate hold, and the
same seed does the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pagecalls.testing.impair import CLEAR, Channel, Impairment, Kind, Traced

SHARES = st.sampled_from([0.0, 0.0, 0.05, 0.3, 1.0])
IMPAIRMENTS = st.builds(
    Impairment,
    loss=st.sampled_from([0.0, 0.0, 0.05, 0.3]),
    loss_burst=st.sampled_from([None, 1.0, 3.5]),
    delay_ms=st.sampled_from([0.0, 40.0]),
    jitter_ms=st.sampled_from([0.0, 10.0, 60.0]),
    jitter_reorders=st.booleans(),
    reorder=SHARES,
    reorder_depth=st.integers(1, 5),
    duplicate=SHARES,
    rate_bps=st.sampled_from([None, 8_000.0, 200_000.0]),
    queue_ms=st.sampled_from([0.0, 50.0, 500.0]),
    mtu_bytes=st.sampled_from([None, 100]),
    impairs=st.sampled_from([Kind.ANY, Kind.RTP, Kind.MEDIA]),
)
FIRST_BYTES = {Kind.STUN: 0, Kind.DTLS: 22, Kind.RTP: 0x80, Kind.RTCP: 0x81, Kind.OTHER: 0x50}


@dataclass(frozen=True)
class Arrival:
    """`wait_ms` after the one before it."""

    wait_ms: int
    kind: Kind
    size: int


ARRIVALS = st.lists(
    st.builds(Arrival, st.integers(0, 40), st.sampled_from(list(FIRST_BYTES)), st.integers(12, 150)), min_size=1, max_size=80
)
RTP_EACH_20_MS = [Arrival(20, Kind.RTP, 80)] * 3_000


def datagram(arrival: Arrival, number: int) -> bytes:
    """Its number stands where RTP has its sequence number, and in the rest so that copies are known as such."""
    second = 200 if arrival.kind is Kind.RTCP else 111
    return bytes([FIRST_BYTES[arrival.kind], second]) + number.to_bytes(2, "big") + bytes(arrival.size - 4)


@dataclass
class Run:
    """What came of some traffic: (time, number) of each departure."""

    channel: Channel
    out: list[tuple[float, int]]
    traced: list[Traced]


def channel_of(impairment: Impairment, seed: int, traced: list[Traced]) -> Channel:
    return Channel(lambda kind: random.Random(f"{seed}/{kind}").random, impairment, traced.append)


def run(impairment: Impairment, arrivals: Sequence[Arrival], seed: int = 1) -> Run:
    """Everything to its end. Departures are taken exactly when they are due."""
    traced: list[Traced] = []
    channel = channel_of(impairment, seed, traced)
    out: list[tuple[float, int]] = []

    def take_until(until: float) -> None:
        while (at := channel.next_at) is not None and at <= until:
            out.extend((at, int.from_bytes(left[2:4], "big")) for left in channel.take(at))

    now = 0.0
    for number, arrival in enumerate(arrivals):
        now += arrival.wait_ms / 1000
        take_until(now)
        channel.push(datagram(arrival, number), now)
        total = channel.figures.total
        assert total.waiting == channel.in_flight
    take_until(float("inf"))
    return Run(channel, out, traced)


@settings(deadline=None)
@given(IMPAIRMENTS, ARRIVALS, st.integers(0, 5))
def test_what_came_in_went_out_or_was_dropped(impairment: Impairment, arrivals: list[Arrival], seed: int) -> None:
    ran = run(impairment, arrivals, seed)
    total = ran.channel.figures.total
    assert ran.channel.in_flight == 0
    assert total.received == len(arrivals)
    assert total.forwarded == len(ran.out) == total.received + total.duplicated - total.dropped
    for number in {number for _, number in ran.out}:
        assert sum(1 for _, each in ran.out if each == number) <= 2
    assert sum(arrival.size for arrival in arrivals) == total.received_bytes


@settings(deadline=None)
@given(IMPAIRMENTS, ARRIVALS, st.integers(0, 5))
def test_kinds_that_are_not_meant_pass_at_once(impairment: Impairment, arrivals: list[Arrival], seed: int) -> None:
    ran = run(impairment, arrivals, seed)
    untouched = ran.channel.figures.of(~impairment.impairs)
    assert untouched.received == untouched.forwarded
    left_at = {number: at for at, number in reversed(ran.out)}
    now = 0.0
    for number, arrival in enumerate(arrivals):
        now += arrival.wait_ms / 1000
        if arrival.kind not in impairment.impairs:
            assert left_at[number] == now


@settings(deadline=None)
@given(IMPAIRMENTS, ARRIVALS, st.integers(0, 5))
def test_nothing_overtakes_without_leave(impairment: Impairment, arrivals: list[Arrival], seed: int) -> None:
    orderly = replace(impairment, reorder=0.0, jitter_reorders=False, impairs=Kind.ANY)
    ran = run(orderly, arrivals, seed)
    assert [number for _, number in ran.out] == sorted(number for _, number in ran.out)
    assert ran.channel.figures.total.reordered == 0


@settings(deadline=None)
@given(IMPAIRMENTS, ARRIVALS)
def test_the_same_seed_does_the_same(impairment: Impairment, arrivals: list[Arrival]) -> None:
    assert run(impairment, arrivals).traced == run(impairment, arrivals).traced


@settings(deadline=None)
@given(IMPAIRMENTS, ARRIVALS, st.lists(st.integers(0, 40), min_size=80, max_size=80))
def test_chance_does_not_look_at_the_clock(impairment: Impairment, arrivals: list[Arrival], waits_ms: list[int]) -> None:
    """Which are lost, held and doubled is the same however the machine was loaded; but for the queue, which time fills."""
    timeless = replace(impairment, rate_bps=None)
    later = [replace(arrival, wait_ms=wait_ms) for arrival, wait_ms in zip(arrivals, waits_ms, strict=False)]

    def decided(traced: list[Traced]) -> list[object]:
        return [(each.kind, each.number, each.fate, each.is_copy) for each in traced]

    assert decided(run(timeless, arrivals).traced) == decided(run(timeless, later).traced)


@settings(deadline=None)
@given(ARRIVALS)
def test_one_knob_does_not_change_what_another_does(arrivals: list[Arrival]) -> None:
    def lost(impairment: Impairment) -> list[object]:
        return [(each.kind, each.number) for each in run(impairment, arrivals).traced if each.fate.name == "LOST"]

    loss = Impairment(loss=0.3)
    assert lost(loss) == lost(replace(loss, delay_ms=30, jitter_ms=20, reorder=0.2, duplicate=0.5))


@settings(deadline=None)
@given(ARRIVALS, st.sampled_from([8_000.0, 64_000.0, 500_000.0]), st.sampled_from([0.0, 1.0]), st.sampled_from([20.0, 1_000.0]))
def test_no_window_carries_more_than_the_rate(
    arrivals: list[Arrival], rate_bps: float, duplicate: float, queue_ms: float
) -> None:
    ran = run(Impairment(rate_bps=rate_bps, duplicate=duplicate, queue_ms=queue_ms), arrivals)
    sizes = [(at, arrivals[number].size * 8) for at, number in ran.out]
    sums = [0]
    for _, bits in sizes:
        sums.append(sums[-1] + bits)
    for first, last in combinations(range(len(sizes)), 2):
        # From the end of one datagram to the end of another lie all that came after the first.
        assert sums[last + 1] - sums[first + 1] <= (sizes[last][0] - sizes[first][0]) * rate_bps + 1e-3


@settings(deadline=None)
@given(ARRIVALS, st.sampled_from([0.0, 30.0]), st.sampled_from([8_000.0, 64_000.0]))
def test_nobody_waits_in_the_queue_beyond_its_bound(arrivals: list[Arrival], queue_ms: float, rate_bps: float) -> None:
    ran = run(Impairment(rate_bps=rate_bps, queue_ms=queue_ms), arrivals)
    for each in ran.traced:
        if each.due_at is not None:
            assert each.due_at - each.at <= queue_ms / 1000 + each.size * 8 / rate_bps + 1e-9


# --- statistics, for fixed seeds: a bound of four standard deviations would be met by 99.99 % of all seeds ---------------


def lost_numbers(ran: Run) -> list[int]:
    return [each.number for each in ran.traced if each.fate.name == "LOST"]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1_000_000), st.sampled_from([0.01, 0.05, 0.2]))
def test_so_much_is_lost(seed: int, loss: float) -> None:
    lost = len(lost_numbers(run(Impairment(loss=loss), RTP_EACH_20_MS, seed)))
    expected = loss * len(RTP_EACH_20_MS)
    assert abs(lost - expected) < 5 * (expected * (1 - loss)) ** 0.5


def test_losses_come_in_bursts_of_the_asked_length() -> None:
    lost = lost_numbers(run(Impairment(loss=0.2, loss_burst=4), RTP_EACH_20_MS, seed=3))
    bursts = 1 + sum(after - before > 1 for before, after in pairwise(lost))
    assert 0.15 < len(lost) / len(RTP_EACH_20_MS) < 0.25
    assert 3 < len(lost) / bursts < 5


def jitter_of(impairment: Impairment) -> tuple[float, float]:
    """Mean delay and mean interarrival jitter in ms, in the order of arrival; the running figure of RFC 3550 swings around it."""
    ran = run(impairment, RTP_EACH_20_MS, seed=4)
    # The n-th was sent at (n + 1) * 20 ms, so its departure less that is how long it took.
    transit_ms = [(at - (number + 1) * 0.02) * 1000 for at, number in ran.out]
    steps = [abs(after - before) for before, after in pairwise(transit_ms)]
    return sum(transit_ms) / len(transit_ms), sum(steps) / len(steps)


def test_free_jitter_is_the_interarrival_jitter_of_the_rfc() -> None:
    for jitter_ms in (5, 20, 50):
        delay_ms, measured_ms = jitter_of(Impairment(delay_ms=30, jitter_ms=jitter_ms, jitter_reorders=True))
        assert abs(delay_ms - 30 - jitter_ms) < jitter_ms * 0.1
        assert abs(measured_ms - jitter_ms) < jitter_ms * 0.15


def test_jitter_that_keeps_the_order_delays_more_and_varies_less() -> None:
    delay_ms, measured_ms = jitter_of(Impairment(jitter_ms=20))
    assert 24 < delay_ms < 29
    assert 15 < measured_ms < 18


def test_shares_of_copies_and_of_held_ones() -> None:
    ran = run(Impairment(duplicate=0.1, reorder=0.05, reorder_depth=3), RTP_EACH_20_MS, seed=5)
    total = ran.channel.figures.total
    assert 0.08 < total.duplicated / total.received < 0.12
    assert 0.035 < total.reordered / total.received < 0.065
    places = {number: place for place, (_, number) in enumerate(ran.out)}
    assert len(places) == total.received


def test_a_clear_direction_adds_nothing() -> None:
    ran = run(CLEAR, RTP_EACH_20_MS[:100])
    assert [number for _, number in ran.out] == list(range(100))
    assert ran.channel.figures.delays.mean_ms == 0
