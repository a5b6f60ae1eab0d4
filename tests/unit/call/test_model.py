"""What a call can tell of itself."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from pagecalls.call.model import Call, Deadline
from pagecalls.call.states import DeadlineKind
from pagecalls.call.versions import Counter
from pagecalls.types import Side


def test_next_deadline_is_the_earliest(ringing_in: Call) -> None:
    assert ringing_in.next_deadline == 1060
    earlier = replace(ringing_in, deadlines=(*ringing_in.deadlines, Deadline(DeadlineKind.DEVICE_AWAY, 1031)))
    assert earlier.next_deadline == 1031


def test_no_deadline(active_in: Call) -> None:
    assert active_in.next_deadline is None


@pytest.mark.parametrize(("ended_at", "duration_s"), [(1005, 1), (1005.2, 1), (1006, 1), (1006.1, 2), (1065, 60)])
def test_duration_is_rounded_up_and_at_least_one(active_in: Call, ended_at: float, duration_s: int) -> None:
    assert replace(active_in, ended_at=ended_at).duration_s == duration_s


def test_no_duration_without_connection_or_end(rejected: Call, active_in: Call) -> None:
    assert rejected.duration_s is None
    assert active_in.duration_s is None


def test_a_call_is_a_value(ringing_in: Call) -> None:
    with pytest.raises(FrozenInstanceError):
        ringing_in.business = Counter(1)  # type: ignore[misc]
    assert replace(ringing_in) == ringing_in


def test_each_side_has_a_counter(ringing_in: Call) -> None:
    for side in Side:
        call = ringing_in.with_counter(side, Counter(3))
        assert (call.counter(side), call.counter(side.other)) == (Counter(3), Counter())
