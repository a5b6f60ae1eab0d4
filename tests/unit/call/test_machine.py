"""The two ways to start a call, and two whole calls from ring to end."""

from __future__ import annotations

import pytest

from pagecalls.call.effects import (
    Carrier,
    CloseMedia,
    Effect,
    GrantPermission,
    NotifyConnect,
    NotifyStatus,
    NotifyTerminate,
    OfferFarTracks,
    RingDevices,
    StartMedia,
    TellConnected,
    TellEnded,
    TellRinging,
)
from pagecalls.call.events import (
    AcceptRequested,
    ConsumerAccepted,
    ConsumerHungUp,
    DeviceRang,
    Event,
    LegUp,
    TerminateRequested,
)
from pagecalls.call.limits import PERMISSION_S
from pagecalls.call.machine import apply, start_business_call, start_user_call
from pagecalls.call.model import Call, Deadline
from pagecalls.call.states import CallState, DeadlineKind, EndReason
from pagecalls.errors import NotOwner
from pagecalls.types import AppId, CallId, DeviceId, Direction, PageId, Platform, Psid, Side

APP = AppId("1")
PHONE = DeviceId("phone")


def start_in(*, is_routed: bool = True) -> tuple[Call, tuple[Effect, ...]]:
    return start_user_call(
        id=CallId("c_1"),
        page_id=PageId("10"),
        psid=Psid("20"),
        platform=Platform.INSTAGRAM,
        device=PHONE,
        is_routed=is_routed,
        now=1000,
    )


def start_out() -> tuple[Call, tuple[Effect, ...]]:
    return start_business_call(
        id=CallId("c_2"), page_id=PageId("10"), psid=Psid("20"), platform=Platform.MESSENGER, owner=APP, now=1000
    )


def play(call: Call, *events: tuple[float, Event]) -> tuple[Call, list[Effect]]:
    seen: list[Effect] = []
    for now, event in events:
        call, effects = apply(call, event, now)
        seen += effects
    return call, seen


def test_a_consumer_calls() -> None:
    call, effects = start_in()
    assert call == Call(
        id=CallId("c_1"),
        page_id=PageId("10"),
        psid=Psid("20"),
        platform=Platform.INSTAGRAM,
        direction=Direction.USER_INITIATED,
        state=CallState.RINGING_IN,
        created_at=1000,
        device=PHONE,
        deadlines=(Deadline(DeadlineKind.RING_IN, 1060),),
    )
    assert effects == (NotifyConnect(), TellRinging())


def test_a_consumer_calls_and_no_app_is_told() -> None:
    call, effects = start_in(is_routed=False)
    assert (call.state, call.next_deadline, effects) == (CallState.RINGING_IN, 1060, ())


def test_a_business_calls() -> None:
    call, effects = start_out()
    assert call == Call(
        id=CallId("c_2"),
        page_id=PageId("10"),
        psid=Psid("20"),
        platform=Platform.MESSENGER,
        direction=Direction.BUSINESS_INITIATED,
        state=CallState.DIALING,
        created_at=1000,
        owner=APP,
        deadlines=(Deadline(DeadlineKind.DIAL, 1015),),
    )
    assert effects == (NotifyConnect(), RingDevices())


def test_a_consumers_call_from_ring_to_end() -> None:
    call, effects = play(
        start_in()[0],
        (1001, LegUp(Side.CONSUMER)),
        (1004, AcceptRequested(APP, "offer")),
        (1005, LegUp(Side.BUSINESS)),
        (1065.5, ConsumerHungUp(PHONE)),
    )
    assert (call.state, call.duration_s, call.owner) == (CallState.COMPLETED, 61, APP)
    assert effects == [
        OfferFarTracks(Side.BUSINESS, 0, Carrier.RESPONSE),
        OfferFarTracks(Side.CONSUMER, 1, Carrier.PICK_UP),
        StartMedia(),
        TellConnected(),
        NotifyTerminate(),
        GrantPermission(1065.5 + PERMISSION_S),
        TellEnded(EndReason.COMPLETED),
        CloseMedia(),
    ]


def test_a_businesss_call_from_ring_to_end() -> None:
    call, effects = play(
        start_out()[0],
        (1000.5, LegUp(Side.BUSINESS)),
        (1001, DeviceRang(PHONE)),
        (1004, ConsumerAccepted(PHONE)),
        (1005, LegUp(Side.CONSUMER)),
        (1015, TerminateRequested(APP)),
    )
    assert (call.state, call.duration_s, call.business.current) == (CallState.COMPLETED, 10, 1)
    assert effects == [
        NotifyStatus("ringing"),
        NotifyStatus("accepted"),
        OfferFarTracks(Side.BUSINESS, 1, Carrier.PICK_UP),
        OfferFarTracks(Side.CONSUMER, 0, Carrier.RESPONSE),
        StartMedia(),
        TellConnected(),
        NotifyTerminate(),
        GrantPermission(1015 + PERMISSION_S),
        TellEnded(EndReason.COMPLETED),
        CloseMedia(),
    ]


def test_a_refusal_leaves_the_call_alone() -> None:
    before = start_out()[0]
    copy = start_out()[0]
    with pytest.raises(NotOwner):
        apply(before, TerminateRequested(AppId("2")), 1001)
    assert before == copy
