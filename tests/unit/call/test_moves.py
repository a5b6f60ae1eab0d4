"""The four moves, and the refusal of a call that is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.call.effects import CloseMedia, GrantPermission, NotifyTerminate, StartMedia, TellConnected, TellEnded
from pagecalls.call.limits import PERMISSION_S
from pagecalls.call.model import Call, Deadline, EndedBy
from pagecalls.call.moves import end, over, pick_up, raise_leg, ring
from pagecalls.call.states import Action, CallState, DeadlineKind, EndReason
from pagecalls.errors import CallEnded, CallFailed, EndedHow
from pagecalls.types import AppId, Side


def test_ring_trades_t_dial_for_t_ring_out(dialing: Call) -> None:
    call = ring(dialing, 1003)
    assert call.state is CallState.RINGING_OUT
    assert call.deadlines == (Deadline(DeadlineKind.RING_OUT, 1063),)


def test_pick_up_waits_for_the_legs(ringing_out: Call) -> None:
    call, effects = pick_up(ringing_out, 1003)
    assert (call.state, call.connected_at, call.deadlines, call.ringing) == (CallState.CONNECTING, None, (), frozenset())
    assert effects == (StartMedia(),)


def test_pick_up_with_both_legs_connects(ringing_out: Call) -> None:
    call, effects = pick_up(replace(ringing_out, up=frozenset(Side)), 1003)
    assert (call.state, call.connected_at) == (CallState.ACTIVE, 1003)
    assert effects == (StartMedia(), TellConnected())


def test_a_leg_before_accept_is_only_remembered(dialing: Call) -> None:
    call, effects = raise_leg(raise_leg(dialing, Side.CONSUMER, 1001)[0], Side.BUSINESS, 1001)
    assert (call.state, call.up, call.connected_at, effects) == (CallState.DIALING, frozenset(Side), None, ())


def test_the_second_leg_connects(connecting_in: Call) -> None:
    call, effects = raise_leg(connecting_in, Side.BUSINESS, 1005)
    assert (call.state, call.connected_at, effects) == (CallState.ACTIVE, 1005, (TellConnected(),))


def test_a_leg_that_comes_up_again_does_not_connect_twice(active_in: Call) -> None:
    assert raise_leg(active_in, Side.BUSINESS, 1009) == (active_in, ())


@pytest.mark.parametrize("reason", list(EndReason))
def test_the_reason_decides_the_state(active_out: Call, reason: EndReason) -> None:
    call, _ = end(active_out, reason, 1065)
    assert call.state is (CallState.FAILED if reason.is_failure else CallState.COMPLETED)
    assert (call.end_reason, call.ended_at, call.deadlines, call.ended_by) == (reason, 1065, (), None)


def test_end_tells_everybody_in_order(active_out: Call) -> None:
    by = EndedBy(AppId("1"), Action.TERMINATE, 1065)
    call, effects = end(active_out, EndReason.COMPLETED, 1065, by)
    assert call.ended_by == by
    assert effects == (
        NotifyTerminate(),
        GrantPermission(1065 + PERMISSION_S),
        TellEnded(EndReason.COMPLETED),
        CloseMedia(),
    )


def test_end_keeps_who_rang(ringing_out: Call) -> None:
    """`TellEnded` without devices means everybody who has to do with the call; the ended call must still know them."""
    call, _ = end(ringing_out, EndReason.DECLINED, 1004)
    assert call.ringing == ringing_out.ringing


def test_an_unrouted_call_tells_no_app(unrouted: Call) -> None:
    _, effects = end(unrouted, EndReason.NOT_ANSWERED, 1060)
    assert effects == (GrantPermission(1060 + PERMISSION_S), TellEnded(EndReason.NOT_ANSWERED), CloseMedia())


@pytest.mark.parametrize(
    ("fixture", "is_granted"),
    [
        ("ringing_in", True),
        ("unrouted", True),
        ("connecting_in", False),
        ("active_in", True),
        ("dialing", False),
        ("ringing_out", False),
        ("connecting_out", False),
        ("active_out", True),
    ],
)
def test_who_earns_a_permission(fixture: str, is_granted: bool, request: pytest.FixtureRequest) -> None:
    """A connected call, or a consumer's call that nobody accepted (messenger-calling 8.2)."""
    _, effects = end(request.getfixturevalue(fixture), EndReason.SERVER_ERROR, 1070)
    assert (GrantPermission(1070 + PERMISSION_S) in effects) is is_granted


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        (EndReason.REJECTED, EndedHow.REJECTED),
        (EndReason.NOT_ANSWERED, EndedHow.RANG_OUT),
        (EndReason.NO_ANSWER, EndedHow.RANG_OUT),
        (EndReason.COMPLETED, EndedHow.ENDED),
        (EndReason.CANCELLED, EndedHow.ENDED),
        (EndReason.DECLINED, EndedHow.ENDED),
    ],
)
def test_over_says_how(ringing_in: Call, reason: EndReason, how: EndedHow) -> None:
    error = over(end(ringing_in, reason, 1010)[0])
    assert isinstance(error, CallEnded)
    assert error.how is how


def test_over_after_a_failure(failed: Call) -> None:
    assert isinstance(over(failed), CallFailed)
