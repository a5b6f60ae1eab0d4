"""The business's requests: who may, when, and what the others are told (messenger-calling 2.3 to 2.6)."""

from __future__ import annotations

import pytest

from pagecalls.call.effects import Carrier, NotifyTerminate, OfferFarTracks, Replay, StartMedia, TellConnected, TellEnded
from pagecalls.call.events import (
    AcceptRequested,
    ConsumerHungUp,
    DeviceLost,
    LegUp,
    MediaUpdateRequested,
    RejectRequested,
    TerminateRequested,
)
from pagecalls.call.machine import apply
from pagecalls.call.model import AcceptedWith, Call, EndedBy
from pagecalls.call.states import Action, CallState, EndReason
from pagecalls.errors import (
    AlreadyConnected,
    AlreadyTaken,
    CallEnded,
    CallFailed,
    EndedHow,
    NotOwner,
    NotRouted,
    WrongState,
)
from pagecalls.types import AppId, DeviceId, Side

APP = AppId("1")
OTHER = AppId("2")
PHONE = DeviceId("phone")


# --- accept -----------------------------------------------------------------------------------------------------------


def test_accept(ringing_in: Call) -> None:
    call, effects = apply(ringing_in, AcceptRequested(OTHER, "offer"), 1002)
    assert (call.state, call.owner, call.deadlines) == (CallState.CONNECTING, OTHER, ())
    assert call.accepted == AcceptedWith("offer", 1002)
    assert (call.business.current, call.consumer.current) == (0, 1)
    assert effects == (
        OfferFarTracks(Side.BUSINESS, 0, Carrier.RESPONSE),
        OfferFarTracks(Side.CONSUMER, 1, Carrier.PICK_UP),
        StartMedia(),
    )


def test_accept_with_both_legs_up_connects_at_once(ringing_in: Call) -> None:
    call = apply(apply(ringing_in, LegUp(Side.CONSUMER), 1001)[0], LegUp(Side.BUSINESS), 1001)[0]
    call, effects = apply(call, AcceptRequested(APP, "offer"), 1002)
    assert (call.state, call.connected_at) == (CallState.ACTIVE, 1002)
    assert effects[-2:] == (StartMedia(), TellConnected())


def test_accept_while_the_device_is_away_forgets_its_deadline(ringing_in: Call) -> None:
    call = apply(ringing_in, DeviceLost(PHONE), 1001)[0]
    call, _ = apply(call, AcceptRequested(APP, "offer"), 1002)
    assert (call.deadlines, call.away) == ((), frozenset({PHONE}))


@pytest.mark.parametrize(
    "event", [AcceptRequested(APP, "x"), RejectRequested(APP), TerminateRequested(APP), MediaUpdateRequested(APP)]
)
def test_an_unrouted_call_is_no_apps(
    unrouted: Call, event: AcceptRequested | RejectRequested | TerminateRequested | MediaUpdateRequested
) -> None:
    with pytest.raises(NotRouted):
        apply(unrouted, event, 1002)


def test_the_same_accept_within_30_s_is_answered_again(connecting_in: Call, active_in: Call) -> None:
    assert apply(connecting_in, AcceptRequested(APP, "offer"), 1032) == (connecting_in, (Replay(),))
    assert apply(active_in, AcceptRequested(APP, "offer"), 1032) == (active_in, (Replay(),))


def test_another_offer_or_a_late_repeat_is_refused(active_in: Call) -> None:
    with pytest.raises(AlreadyConnected):
        apply(active_in, AcceptRequested(APP, "another"), 1010)
    with pytest.raises(AlreadyConnected):
        apply(active_in, AcceptRequested(APP, "offer"), 1032.1)


def test_another_app_comes_too_late(connecting_in: Call) -> None:
    with pytest.raises(AlreadyTaken):
        apply(connecting_in, AcceptRequested(OTHER, "offer"), 1003)


@pytest.mark.parametrize("fixture", ["dialing", "ringing_out", "connecting_out", "active_out"])
@pytest.mark.parametrize("app", [APP, OTHER])
def test_a_business_call_cannot_be_accepted_by_an_app(fixture: str, app: AppId, request: pytest.FixtureRequest) -> None:
    with pytest.raises(WrongState):
        apply(request.getfixturevalue(fixture), AcceptRequested(app, "offer"), 1006)


# --- reject -----------------------------------------------------------------------------------------------------------


def test_any_app_may_reject(ringing_in: Call) -> None:
    call, effects = apply(ringing_in, RejectRequested(OTHER), 1002)
    assert (call.state, call.end_reason, call.owner) == (CallState.COMPLETED, EndReason.REJECTED, None)
    assert call.ended_by == EndedBy(OTHER, Action.REJECT, 1002)
    assert NotifyTerminate() in effects
    assert TellEnded(EndReason.REJECTED) in effects


@pytest.mark.parametrize("fixture", ["dialing", "ringing_out", "connecting_in", "active_in", "connecting_out", "active_out"])
def test_reject_after_accept_or_of_a_business_call(fixture: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(WrongState, match=r"reject is not possible while the call is [A-Z_]+\. Use terminate\."):
        apply(request.getfixturevalue(fixture), RejectRequested(APP), 1006)


# --- terminate --------------------------------------------------------------------------------------------------------


def test_terminate_of_a_ringing_call_is_a_reject(ringing_in: Call) -> None:
    call, _ = apply(ringing_in, TerminateRequested(OTHER), 1002)
    assert (call.state, call.end_reason) == (CallState.COMPLETED, EndReason.REJECTED)
    assert call.ended_by == EndedBy(OTHER, Action.TERMINATE, 1002)


@pytest.mark.parametrize(
    ("fixture", "reason"),
    [
        ("dialing", EndReason.CANCELLED),
        ("ringing_out", EndReason.CANCELLED),
        ("connecting_in", EndReason.COMPLETED),
        ("active_in", EndReason.COMPLETED),
        ("connecting_out", EndReason.COMPLETED),
        ("active_out", EndReason.COMPLETED),
    ],
)
def test_the_owner_ends_its_call(fixture: str, reason: EndReason, request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue(fixture)
    with pytest.raises(NotOwner):
        apply(before, TerminateRequested(OTHER), 1010)
    call, _ = apply(before, TerminateRequested(APP), 1010)
    assert (call.state, call.end_reason) == (CallState.COMPLETED, reason)
    assert call.ended_by == EndedBy(APP, Action.TERMINATE, 1010)


# --- repeats ----------------------------------------------------------------------------------------------------------


def test_reject_may_be_repeated_for_30_s_by_its_app(rejected: Call) -> None:
    assert apply(rejected, RejectRequested(APP), 1040) == (rejected, (Replay(),))
    for event in (RejectRequested(OTHER), TerminateRequested(APP), AcceptRequested(APP, "offer"), MediaUpdateRequested(APP)):
        with pytest.raises(CallEnded) as caught:
            apply(rejected, event, 1040)
        assert caught.value.how is EndedHow.REJECTED
    with pytest.raises(CallEnded):
        apply(rejected, RejectRequested(APP), 1040.1)


def test_terminate_may_be_repeated_for_30_s_by_its_app(active_in: Call) -> None:
    ended, _ = apply(active_in, TerminateRequested(APP), 1010)
    assert apply(ended, TerminateRequested(APP), 1040) == (ended, (Replay(),))
    for event in (TerminateRequested(OTHER), RejectRequested(APP)):
        with pytest.raises(CallEnded) as caught:
            apply(ended, event, 1011)
        assert caught.value.how is EndedHow.ENDED
    with pytest.raises(CallEnded):
        apply(ended, TerminateRequested(APP), 1040.1)


def test_no_repeat_of_what_the_consumer_ended(active_in: Call) -> None:
    ended, _ = apply(active_in, ConsumerHungUp(PHONE), 1010)
    with pytest.raises(CallEnded):
        apply(ended, TerminateRequested(APP), 1010)


@pytest.mark.parametrize(
    "event", [AcceptRequested(APP, "offer"), RejectRequested(APP), TerminateRequested(APP), MediaUpdateRequested(APP)]
)
def test_a_failed_call_says_so(
    failed: Call, event: AcceptRequested | RejectRequested | TerminateRequested | MediaUpdateRequested
) -> None:
    with pytest.raises(CallFailed):
        apply(failed, event, 1023)
