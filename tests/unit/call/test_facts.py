"""Legs, deadlines and the server: facts that are never refused (messenger-calling 3.1, 3.2)."""

from __future__ import annotations

from typing import Literal

import pytest

from pagecalls.call.effects import GrantPermission, NotifyTerminate, TellConnected
from pagecalls.call.events import DeadlinePassed, DeviceLost, LegBye, LegFailed, LegUp, MediaLost, ServerStopping
from pagecalls.call.limits import PERMISSION_S
from pagecalls.call.machine import apply
from pagecalls.call.model import Call
from pagecalls.call.states import CallState, EndReason
from pagecalls.types import DeviceId, Side

PHONE = DeviceId("phone")
BUSINESS = Side.BUSINESS
CONSUMER = Side.CONSUMER
Why = Literal["dtls", "fingerprint", "conn_timeout", "dead", "internal"]
SHORT_FATES: tuple[tuple[Why, EndReason], ...] = (("dtls", EndReason.FAILED), ("dead", EndReason.MEDIA_TIMEOUT))


# --- legs that come up ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
def test_no_leg_connects_a_call_that_rings(ringing_out: Call, side: Side) -> None:
    call, effects = apply(ringing_out, LegUp(side), 1001)
    assert (call.state, effects) == (CallState.RINGING_OUT, ())
    assert side in call.up


def test_the_last_leg_connects(connecting_out: Call) -> None:
    call, effects = apply(connecting_out, LegUp(CONSUMER), 1005)
    assert (call.state, call.connected_at, effects) == (CallState.ACTIVE, 1005, (TellConnected(),))


def test_the_same_leg_twice_does_not_connect(connecting_out: Call) -> None:
    assert apply(connecting_out, LegUp(BUSINESS), 1005) == (connecting_out, ())


# --- legs that fail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture", ["connecting_in", "active_in", "connecting_out", "active_out"])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("dtls", EndReason.FAILED),
        ("fingerprint", EndReason.FAILED),
        ("conn_timeout", EndReason.FAILED),
        ("dead", EndReason.MEDIA_TIMEOUT),
        ("internal", EndReason.SERVER_ERROR),
    ],
)
def test_either_leg_fails_after_accept(
    fixture: str, side: Side, why: Why, reason: EndReason, request: pytest.FixtureRequest
) -> None:
    call, effects = apply(request.getfixturevalue(fixture), LegFailed(side, why), 1030)
    assert (call.state, call.end_reason) == (CallState.FAILED, reason)
    assert effects[0] == NotifyTerminate()


@pytest.mark.parametrize("fixture", ["dialing", "ringing_out"])
def test_the_business_leg_fails_while_the_consumer_rings(fixture: str, request: pytest.FixtureRequest) -> None:
    """Row 18."""
    before = request.getfixturevalue(fixture)
    for why, reason in SHORT_FATES:
        call, _ = apply(before, LegFailed(BUSINESS, why), 1005)
        assert (call.state, call.end_reason) == (CallState.FAILED, reason)


def test_the_callers_leg_fails_while_the_business_rings(ringing_in: Call) -> None:
    for why, reason in SHORT_FATES:
        call, _ = apply(ringing_in, LegFailed(CONSUMER, why), 1005)
        assert (call.state, call.end_reason) == (CallState.FAILED, reason)


def test_a_leg_that_has_no_part_yet_takes_nothing_with_it(ringing_in: Call, ringing_out: Call) -> None:
    for before, side in ((ringing_in, BUSINESS), (ringing_out, CONSUMER)):
        call, _ = apply(before, LegUp(side), 1001)
        assert apply(call, LegFailed(side, "dead"), 1005) == (before, ())
        assert apply(before, LegBye(side), 1005) == (before, ())


@pytest.mark.parametrize("fixture", ["connecting_in", "active_in", "connecting_out", "active_out"])
def test_socket_and_leg_are_both_gone(fixture: str, request: pytest.FixtureRequest) -> None:
    lost, _ = apply(request.getfixturevalue(fixture), DeviceLost(PHONE), 1010)
    call, _ = apply(lost, LegFailed(CONSUMER, "dead"), 1038)
    assert (call.state, call.end_reason) == (CallState.FAILED, EndReason.CONNECTION_LOST)
    call, _ = apply(lost, LegFailed(BUSINESS, "dead"), 1038)
    assert call.end_reason is EndReason.MEDIA_TIMEOUT


def test_socket_and_leg_gone_before_accept_is_a_cancel(ringing_in: Call) -> None:
    lost, _ = apply(ringing_in, DeviceLost(PHONE), 1010)
    call, effects = apply(lost, LegFailed(CONSUMER, "dead"), 1038)
    assert (call.state, call.end_reason) == (CallState.COMPLETED, EndReason.CANCELLED)
    assert GrantPermission(1038 + PERMISSION_S) in effects


# --- BYE --------------------------------------------------------------------------------------------------------------


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
def test_the_business_leaves_without_terminate(fixture: str, reason: EndReason, request: pytest.FixtureRequest) -> None:
    call, _ = apply(request.getfixturevalue(fixture), LegBye(BUSINESS), 1010)
    assert (call.state, call.end_reason, call.ended_by) == (CallState.COMPLETED, reason, None)


@pytest.mark.parametrize(
    ("fixture", "reason"),
    [
        ("ringing_in", EndReason.CANCELLED),
        ("connecting_in", EndReason.COMPLETED),
        ("active_in", EndReason.COMPLETED),
        ("connecting_out", EndReason.COMPLETED),
        ("active_out", EndReason.COMPLETED),
    ],
)
def test_the_device_leaves(fixture: str, reason: EndReason, request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue(fixture)
    assert apply(before, LegBye(CONSUMER), 1010) == (before, ())
    lost, _ = apply(before, DeviceLost(PHONE), 1010)
    call, _ = apply(lost, LegBye(CONSUMER), 1015)
    assert (call.state, call.end_reason) == (CallState.COMPLETED, reason)


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "due", "reason"),
    [
        ("ringing_in", 1060, EndReason.NOT_ANSWERED),
        ("unrouted", 1060, EndReason.NOT_ANSWERED),
        ("dialing", 1015, EndReason.NO_ANSWER),
        ("ringing_out", 1060, EndReason.NO_ANSWER),
    ],
)
def test_nobody_answers(fixture: str, due: float, reason: EndReason, request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue(fixture)
    assert apply(before, DeadlinePassed(), due - 0.1) == (before, ())
    call, _ = apply(before, DeadlinePassed(), due)
    assert (call.state, call.end_reason, call.duration_s) == (CallState.COMPLETED, reason, None)


def test_the_earlier_of_two_due_deadlines_decides(ringing_in: Call) -> None:
    early, _ = apply(ringing_in, DeviceLost(PHONE), 1029)
    assert apply(early, DeadlinePassed(), 1100)[0].end_reason is EndReason.CANCELLED
    late, _ = apply(ringing_in, DeviceLost(PHONE), 1031)
    assert apply(late, DeadlinePassed(), 1100)[0].end_reason is EndReason.NOT_ANSWERED


# --- the server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [ServerStopping(), MediaLost()])
def test_the_server_ends_every_live_call(live: Call, event: ServerStopping | MediaLost) -> None:
    call, _ = apply(live, event, 1020)
    assert (call.state, call.end_reason) == (CallState.FAILED, EndReason.SERVER_ERROR)


@pytest.mark.parametrize(
    "event",
    [
        ServerStopping(),
        MediaLost(),
        DeadlinePassed(),
        LegUp(BUSINESS),
        LegFailed(CONSUMER, "dead"),
        LegBye(BUSINESS),
        DeviceLost(PHONE),
    ],
)
def test_a_fact_after_the_end_changes_nothing(
    rejected: Call,
    failed: Call,
    event: ServerStopping | MediaLost | DeadlinePassed | LegUp | LegFailed | LegBye | DeviceLost,
) -> None:
    assert apply(rejected, event, 5000) == (rejected, ())
    assert apply(failed, event, 5000) == (failed, ())
