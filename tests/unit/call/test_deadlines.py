"""Deadlines are a list with one entry per kind and device."""

from __future__ import annotations

from pagecalls.call.deadlines import first_due, with_deadline, without
from pagecalls.call.model import Call, Deadline
from pagecalls.call.states import DeadlineKind
from pagecalls.types import DeviceId

AWAY = DeadlineKind.DEVICE_AWAY
PHONE = DeviceId("phone")
TABLET = DeviceId("tablet")


def test_a_new_time_replaces_the_old_one(ringing_in: Call) -> None:
    assert with_deadline(ringing_in, DeadlineKind.RING_IN, 1070).deadlines == (Deadline(DeadlineKind.RING_IN, 1070),)


def test_each_device_has_its_own(ringing_in: Call) -> None:
    call = with_deadline(with_deadline(ringing_in, AWAY, 1030, PHONE), AWAY, 1040, TABLET)
    assert len(call.deadlines) == 3
    assert without(call, AWAY, PHONE).deadlines == (Deadline(DeadlineKind.RING_IN, 1060), Deadline(AWAY, 1040, TABLET))


def test_dropping_what_is_not_there_gives_the_same_call(ringing_in: Call) -> None:
    assert without(ringing_in, DeadlineKind.DIAL) is ringing_in
    assert without(ringing_in, AWAY, PHONE) is ringing_in


def test_first_due(ringing_in: Call) -> None:
    call = with_deadline(ringing_in, AWAY, 1030, PHONE)
    assert first_due(call, 1029.9) is None
    assert first_due(call, 1030) == Deadline(AWAY, 1030, PHONE)
    assert first_due(call, 1100) == Deadline(AWAY, 1030, PHONE)


def test_of_two_at_the_same_time_the_older_one_comes_first(ringing_in: Call) -> None:
    call = with_deadline(ringing_in, AWAY, 1060, PHONE)
    assert first_due(call, 1060) == Deadline(DeadlineKind.RING_IN, 1060)
