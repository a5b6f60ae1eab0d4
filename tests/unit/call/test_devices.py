"""The consumer's devices: ringing, answers, and a socket that is lost (consumer-protocol)."""

from __future__ import annotations

import pytest

from pagecalls.call.effects import (
    Carrier,
    NotifyStatus,
    OfferFarTracks,
    StartMedia,
    TellConnected,
    TellEnded,
)
from pagecalls.call.events import (
    AcceptRequested,
    ConsumerAccepted,
    ConsumerDeclined,
    ConsumerHungUp,
    DeadlinePassed,
    DeviceLost,
    DeviceRang,
    DeviceReturned,
    LegUp,
    TerminateRequested,
)
from pagecalls.call.machine import apply
from pagecalls.call.model import Call, Deadline
from pagecalls.call.states import CallState, DeadlineKind, EndReason
from pagecalls.errors import AlreadyTaken, CallEnded, UnknownCall, WrongState
from pagecalls.types import AppId, DeviceId, Side

PHONE = DeviceId("phone")
TABLET = DeviceId("tablet")
WATCH = DeviceId("watch")
RING_OUT = Deadline(DeadlineKind.RING_OUT, 1060)


# --- ringing ----------------------------------------------------------------------------------------------------------


def test_the_first_device_rings(dialing: Call) -> None:
    call, effects = apply(dialing, DeviceRang(PHONE), 1003)
    assert (call.state, call.ringing) == (CallState.RINGING_OUT, frozenset({PHONE}))
    assert call.deadlines == (Deadline(DeadlineKind.RING_OUT, 1063),)
    assert effects == (NotifyStatus("ringing"),)


def test_a_second_device_rings_without_a_second_webhook(dialing: Call) -> None:
    call, _ = apply(dialing, DeviceRang(PHONE), 1003)
    call, effects = apply(call, DeviceRang(TABLET), 1009)
    assert (call.ringing, call.deadlines) == (frozenset({PHONE, TABLET}), (Deadline(DeadlineKind.RING_OUT, 1063),))
    assert effects == ()


def test_a_device_that_is_rung_again_is_not_away(ringing_out: Call) -> None:
    call, _ = apply(ringing_out, DeviceLost(PHONE), 1003)
    assert apply(call, DeviceRang(PHONE), 1009) == (ringing_out, ())


def test_a_device_that_rings_too_late_is_told(connecting_out: Call) -> None:
    tell = TellEnded(EndReason.ANSWERED_ELSEWHERE, frozenset({WATCH}))
    assert apply(connecting_out, DeviceRang(WATCH), 1003) == (connecting_out, (tell,))
    assert apply(connecting_out, DeviceRang(PHONE), 1003) == (connecting_out, ())
    ended, _ = apply(connecting_out, TerminateRequested(AppId("1")), 1004)
    assert apply(ended, DeviceRang(WATCH), 1004) == (ended, (TellEnded(EndReason.COMPLETED, frozenset({WATCH})),))


def test_a_consumers_own_call_rings_no_device(ringing_in: Call, connecting_in: Call, rejected: Call) -> None:
    for call in (ringing_in, connecting_in, rejected):
        assert apply(call, DeviceRang(TABLET), 1012) == (call, ())


# --- accept -----------------------------------------------------------------------------------------------------------


def test_accept_on_one_of_two_devices(ringing_out: Call) -> None:
    call, effects = apply(ringing_out, ConsumerAccepted(TABLET), 1003)
    assert (call.state, call.device, call.ringing, call.deadlines) == (CallState.CONNECTING, TABLET, frozenset(), ())
    assert (call.business.current, call.consumer.current, call.owner, call.accepted) == (1, 0, AppId("1"), None)
    assert effects == (
        NotifyStatus("accepted"),
        OfferFarTracks(Side.BUSINESS, 1, Carrier.PICK_UP),
        OfferFarTracks(Side.CONSUMER, 0, Carrier.RESPONSE),
        StartMedia(),
        TellEnded(EndReason.ANSWERED_ELSEWHERE, frozenset({PHONE})),
    )


def test_a_device_that_picks_up_by_calling_is_told_as_a_caller(ringing_out: Call) -> None:
    call, effects = apply(ringing_out, ConsumerAccepted(PHONE, by_calling=True), 1003)
    assert (call.state, call.device, call.consumer.current) == (CallState.CONNECTING, PHONE, 1)
    assert OfferFarTracks(Side.CONSUMER, 1, Carrier.RESPONSE) in effects


def test_accept_on_the_only_device_tells_nobody(dialing: Call) -> None:
    call, _ = apply(dialing, DeviceRang(PHONE), 1001)
    _, effects = apply(call, ConsumerAccepted(PHONE), 1003)
    assert effects[-1] == StartMedia()


def test_accept_with_both_legs_up_connects_at_once(ringing_out: Call) -> None:
    call, _ = apply(ringing_out, LegUp(Side.CONSUMER), 1003)
    call, effects = apply(call, ConsumerAccepted(PHONE), 1003)
    assert (call.state, call.connected_at) == (CallState.ACTIVE, 1003)
    assert TellConnected() in effects


def test_accept_by_a_device_that_was_thought_away(ringing_out: Call) -> None:
    call, _ = apply(ringing_out, DeviceLost(PHONE), 1001)
    call, _ = apply(call, ConsumerAccepted(PHONE), 1003)
    assert (call.device, call.away, call.deadlines) == (PHONE, frozenset(), ())


def test_accept_by_a_device_that_does_not_ring(dialing: Call, ringing_out: Call, ringing_in: Call) -> None:
    for call in (dialing, ringing_out, ringing_in):
        with pytest.raises(UnknownCall):
            apply(call, ConsumerAccepted(WATCH), 1003)


def test_accept_that_comes_second(connecting_out: Call, active_out: Call) -> None:
    for call in (connecting_out, active_out):
        with pytest.raises(AlreadyTaken):
            apply(call, ConsumerAccepted(TABLET), 1006)
        with pytest.raises(WrongState):
            apply(call, ConsumerAccepted(PHONE), 1006)


def test_a_device_cannot_accept_or_decline_its_own_call(ringing_in: Call, active_in: Call) -> None:
    for call in (ringing_in, active_in):
        with pytest.raises(WrongState):
            apply(call, ConsumerAccepted(PHONE), 1006)
        with pytest.raises(WrongState, match="Hang up instead"):
            apply(call, ConsumerDeclined(PHONE), 1006)
        with pytest.raises(UnknownCall):
            apply(call, ConsumerAccepted(TABLET), 1006)


# --- decline and hang up ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [ConsumerDeclined(TABLET), ConsumerHungUp(TABLET)])
def test_one_device_declines_for_all(ringing_out: Call, event: ConsumerDeclined | ConsumerHungUp) -> None:
    call, effects = apply(ringing_out, event, 1003)
    assert (call.state, call.end_reason) == (CallState.COMPLETED, EndReason.DECLINED)
    assert TellEnded(EndReason.DECLINED) in effects


@pytest.mark.parametrize("event", [ConsumerDeclined(WATCH), ConsumerHungUp(WATCH)])
def test_a_device_that_does_not_ring_ends_nothing(
    dialing: Call, ringing_out: Call, ringing_in: Call, active_in: Call, event: ConsumerDeclined | ConsumerHungUp
) -> None:
    for call in (dialing, ringing_out, ringing_in, active_in):
        with pytest.raises(UnknownCall):
            apply(call, event, 1006)


@pytest.mark.parametrize("event", [ConsumerDeclined(TABLET), ConsumerHungUp(TABLET)])
def test_a_device_that_rang_before_ends_nothing(active_out: Call, event: ConsumerDeclined | ConsumerHungUp) -> None:
    with pytest.raises(AlreadyTaken):
        apply(active_out, event, 1006)


def test_cancel_before_accept(ringing_in: Call, unrouted: Call) -> None:
    for before in (ringing_in, unrouted):
        call, _ = apply(before, ConsumerHungUp(PHONE), 1003)
        assert (call.state, call.end_reason) == (CallState.COMPLETED, EndReason.CANCELLED)


@pytest.mark.parametrize("fixture", ["connecting_in", "active_in", "connecting_out", "active_out"])
def test_hang_up_after_accept(fixture: str, request: pytest.FixtureRequest) -> None:
    call, _ = apply(request.getfixturevalue(fixture), ConsumerHungUp(PHONE), 1009)
    assert (call.state, call.end_reason) == (CallState.COMPLETED, EndReason.COMPLETED)


@pytest.mark.parametrize("event", [ConsumerAccepted(PHONE), ConsumerDeclined(PHONE), ConsumerHungUp(PHONE)])
def test_nothing_after_the_end(rejected: Call, event: ConsumerAccepted | ConsumerDeclined | ConsumerHungUp) -> None:
    with pytest.raises(CallEnded):
        apply(rejected, event, 1011)


# --- presence ---------------------------------------------------------------------------------------------------------


def test_the_caller_has_30_s_to_come_back(ringing_in: Call) -> None:
    call, effects = apply(ringing_in, DeviceLost(PHONE), 1003)
    assert (call.away, effects) == (frozenset({PHONE}), ())
    assert call.next_deadline == 1033
    assert apply(call, DeviceReturned(PHONE), 1032) == (ringing_in, ())
    ended, _ = apply(call, DeadlinePassed(), 1033)
    assert (ended.state, ended.end_reason) == (CallState.COMPLETED, EndReason.CANCELLED)


def test_a_second_loss_gives_no_more_time(ringing_in: Call) -> None:
    call, _ = apply(ringing_in, DeviceLost(PHONE), 1003)
    assert apply(call, DeviceLost(PHONE), 1010) == (call, ())


def test_a_device_that_has_nothing_to_do_with_the_call(
    ringing_in: Call, dialing: Call, ringing_out: Call, active_in: Call
) -> None:
    for call in (ringing_in, dialing, ringing_out, active_in):
        assert apply(call, DeviceLost(WATCH), 1006) == (call, ())
        assert apply(call, DeviceReturned(WATCH), 1006) == (call, ())


def test_one_of_two_ringing_devices_is_gone(ringing_out: Call) -> None:
    call, _ = apply(ringing_out, DeviceLost(PHONE), 1003)
    assert call.ringing == frozenset({PHONE, TABLET})
    call, effects = apply(call, DeadlinePassed(), 1033)
    assert (call.state, call.ringing, call.away) == (CallState.RINGING_OUT, frozenset({TABLET}), frozenset())
    assert (call.deadlines, effects) == ((RING_OUT,), ())


def test_the_last_ringing_device_is_gone(ringing_out: Call) -> None:
    call = ringing_out
    for device in (PHONE, TABLET):
        call, _ = apply(call, DeviceLost(device), 1003)
    call, effects = apply(call, DeadlinePassed(), 1033)
    assert (call.state, call.ringing, effects) == (CallState.RINGING_OUT, frozenset(), ())
    assert call.deadlines == (RING_OUT, Deadline(DeadlineKind.DIAL, 1048))
    with pytest.raises(UnknownCall):
        apply(call, ConsumerAccepted(PHONE), 1034)

    rung, effects = apply(call, DeviceRang(WATCH), 1040)
    assert (rung.ringing, rung.deadlines, effects) == (frozenset({WATCH}), (RING_OUT,), ())

    ended, _ = apply(call, DeadlinePassed(), 1048)
    assert (ended.state, ended.end_reason) == (CallState.COMPLETED, EndReason.NO_ANSWER)


def test_a_clock_that_leaps_meets_the_deadline_that_follows_from_another(ringing_out: Call) -> None:
    call = ringing_out
    for device in (PHONE, TABLET):
        call, _ = apply(call, DeviceLost(device), 1000)
    call, _ = apply(call, DeadlinePassed(), 1046)
    assert (call.state, call.end_reason, call.ended_at) == (CallState.COMPLETED, EndReason.NO_ANSWER, 1046)


@pytest.mark.parametrize("fixture", ["connecting_in", "active_in", "connecting_out", "active_out"])
def test_after_accept_a_lost_socket_ends_nothing(fixture: str, request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue(fixture)
    call, effects = apply(before, DeviceLost(PHONE), 1006)
    assert (call.state, call.away, call.deadlines, effects) == (before.state, frozenset({PHONE}), (), ())
    assert apply(call, DeadlinePassed(), 9999) == (call, ())
    assert apply(call, DeviceReturned(PHONE), 9999) == (before, ())


def test_a_device_that_was_away_at_accept_may_come_back_later(ringing_in: Call) -> None:
    call, _ = apply(ringing_in, DeviceLost(PHONE), 1003)
    call, _ = apply(call, AcceptRequested(AppId("1"), "offer"), 1004)
    call, _ = apply(call, DeviceReturned(PHONE), 1100)
    assert (call.state, call.away) == (CallState.CONNECTING, frozenset())
