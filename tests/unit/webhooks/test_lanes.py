from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pagecalls.store.base import OutboxKey
from pagecalls.types import AppId
from pagecalls.webhooks.lanes import GATE_S, Lanes


def key(row_id: int, lane: str | None = "c_1", app_id: str = "1", attempts: int = 0) -> OutboxKey:
    return OutboxKey(row_id, AppId(app_id), lane, attempts)


def test_the_first_row_begins_and_the_second_waits_for_it() -> None:
    lanes = Lanes()
    assert lanes.add(key(1)) == [key(1)]
    assert lanes.add(key(2)) == []
    assert lanes.settle(key(1)) == [key(2)]
    assert lanes.settle(key(2)) == []
    assert lanes.add(key(3)) == [key(3)]


def test_the_second_row_waits_three_seconds_from_the_begin_of_the_first() -> None:
    lanes = Lanes()
    lanes.add(key(1))
    lanes.add(key(2))
    assert lanes.next_at() is None
    assert lanes.begin(key(1), 100.0)
    assert lanes.next_at() == 103.0
    assert lanes.open(102.99) == []
    assert lanes.open(103.0) == [key(2)]
    assert lanes.settle(key(1)) == []


def test_a_row_that_comes_later_waits_for_the_rest_of_the_time() -> None:
    lanes = Lanes()
    lanes.add(key(1))
    assert not lanes.begin(key(1), 100.0)
    assert lanes.add(key(2)) == []
    assert lanes.next_at() == 103.0
    assert lanes.open(103.0) == [key(2)]


def test_a_row_that_comes_after_the_time_begins_at_once() -> None:
    lanes = Lanes()
    lanes.add(key(1))
    lanes.begin(key(1), 100.0)
    assert lanes.open(103.0) == []
    assert lanes.add(key(2)) == [key(2)]


def test_lanes_do_not_wait_for_each_other() -> None:
    lanes = Lanes()
    for other in (key(1), key(2, lane="c_2"), key(3, app_id="2"), key(4, lane=None), key(5, lane=None)):
        assert lanes.add(other) == [other]


def test_a_second_begin_does_not_move_the_gate() -> None:
    lanes = Lanes()
    lanes.add(key(1))
    lanes.add(key(2))
    assert lanes.begin(key(1), 100.0)
    assert not lanes.begin(key(1), 102.0)
    assert lanes.next_at() == 103.0


def test_retries_have_no_say_in_another_rows_gate() -> None:
    lanes = Lanes()
    lanes.add(key(2))
    lanes.add(key(3))
    assert not lanes.begin(key(1, attempts=1), 100.0)
    assert lanes.settle(key(1, attempts=1)) == []


@given(st.lists(st.tuples(st.sampled_from(["add", "settle", "wait"]), st.integers(0, 4), st.integers(0, 2)), max_size=60))
def test_rows_begin_in_order_and_never_too_early(script: list[tuple[str, int, int]]) -> None:
    lanes, now, row_id = Lanes(), 0.0, 0
    begun: dict[str | None, list[int]] = {}
    began_at: dict[int, float] = {}
    settled: set[int] = set()
    added: list[OutboxKey] = []

    def take(keys: list[OutboxKey]) -> None:
        for each in keys:
            lane = begun.setdefault(each.lane, [])
            if lane:
                assert lane[-1] in settled or now >= began_at[lane[-1]] + GATE_S
            lane.append(each.id)
            began_at[each.id] = now
            lanes.begin(each, now)

    for step, number, call in script:
        match step:
            case "add":
                row_id += 1
                added.append(key(row_id, f"c_{call}"))
                take(lanes.add(added[-1]))
            case "settle":
                flying = [each for each in added if each.id in began_at and each.id not in settled]
                if flying:
                    chosen = flying[number % len(flying)]
                    settled.add(chosen.id)
                    take(lanes.settle(chosen))
            case _:
                now += number
                take(lanes.open(now))
    while (due := lanes.next_at()) is not None:
        now = due
        take(lanes.open(now))
    for lane in begun.values():
        assert lane == sorted(lane)
    assert sorted(began_at) == [each.id for each in added]
