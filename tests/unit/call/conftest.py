"""Calls in every state, each reached by the events that lead there. The devices are `phone` and `tablet`, the apps 1 and 2."""

from __future__ import annotations

import pytest

from pagecalls.call.events import (
    AcceptRequested,
    ConsumerAccepted,
    DeviceRang,
    Event,
    LegFailed,
    LegUp,
    RejectRequested,
)
from pagecalls.call.machine import apply, start_business_call, start_user_call
from pagecalls.call.model import Call
from pagecalls.types import AppId, CallId, DeviceId, PageId, Platform, Psid, Side

START = 1000.0
PHONE = DeviceId("phone")
TABLET = DeviceId("tablet")
APP = AppId("1")


def play(call: Call, now: float, *events: Event) -> Call:
    for event in events:
        call, _ = apply(call, event, now)
    return call


def user_call(*, is_routed: bool) -> Call:
    call, _ = start_user_call(
        id=CallId("c_1"),
        page_id=PageId("10"),
        psid=Psid("20"),
        platform=Platform.MESSENGER,
        device=PHONE,
        is_routed=is_routed,
        now=START,
    )
    return call


@pytest.fixture
def ringing_in() -> Call:
    return user_call(is_routed=True)


@pytest.fixture
def unrouted() -> Call:
    return user_call(is_routed=False)


@pytest.fixture
def dialing() -> Call:
    call, _ = start_business_call(
        id=CallId("c_2"), page_id=PageId("10"), psid=Psid("20"), platform=Platform.MESSENGER, owner=APP, now=START
    )
    return call


@pytest.fixture
def ringing_out(dialing: Call) -> Call:
    """Rings on both devices; the business's leg is up."""
    return play(dialing, START, LegUp(Side.BUSINESS), DeviceRang(PHONE), DeviceRang(TABLET))


@pytest.fixture
def connecting_in(ringing_in: Call) -> Call:
    """Accepted by app 1 at 1002; only the consumer's leg is up."""
    return play(ringing_in, 1002, LegUp(Side.CONSUMER), AcceptRequested(APP, "offer"))


@pytest.fixture
def connecting_out(ringing_out: Call) -> Call:
    """Accepted on the phone at 1002; only the business's leg is up."""
    return play(ringing_out, 1002, ConsumerAccepted(PHONE))


@pytest.fixture
def active_in(connecting_in: Call) -> Call:
    """Connected at 1005."""
    return play(connecting_in, 1005, LegUp(Side.BUSINESS))


@pytest.fixture
def active_out(connecting_out: Call) -> Call:
    """Connected at 1005."""
    return play(connecting_out, 1005, LegUp(Side.CONSUMER))


@pytest.fixture
def rejected(ringing_in: Call) -> Call:
    """Rejected by app 1 at 1010."""
    return play(ringing_in, 1010, RejectRequested(APP))


@pytest.fixture
def failed(connecting_in: Call) -> Call:
    """The business's leg did not come up by 1022."""
    return play(connecting_in, 1022, LegFailed(Side.BUSINESS, "conn_timeout"))


@pytest.fixture(
    params=["ringing_in", "unrouted", "dialing", "ringing_out", "connecting_in", "connecting_out", "active_in", "active_out"]
)
def live(request: pytest.FixtureRequest) -> Call:
    """Each of the live ones in turn."""
    call = request.getfixturevalue(request.param)
    assert isinstance(call, Call)
    return call
