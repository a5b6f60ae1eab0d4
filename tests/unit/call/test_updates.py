"""Media updates of both sides: who may ask, what their versions allow, and who is told (messenger-calling 2.6 and 4)."""

from __future__ import annotations

import pytest

from pagecalls.call.effects import Carrier, OfferFarTracks, Replay, TellCollision
from pagecalls.call.events import ConsumerUpdateRequested, Event, MediaChanged, MediaUpdateRequested
from pagecalls.call.machine import apply
from pagecalls.call.model import Call
from pagecalls.call.versions import Advance
from pagecalls.errors import AlreadyTaken, CallEnded, CallFailed, MediaConflict, NotOwner, NotRouted, UnknownCall, WrongState
from pagecalls.types import AppId, DeviceId, Side

APP = AppId("1")
OTHER = AppId("2")
PHONE = DeviceId("phone")
TABLET = DeviceId("tablet")


def update(side: Side, from_version: int | None = None, **facts: bool) -> MediaChanged:
    advance = None if from_version is None else Advance(from_version, from_version + 1)
    return MediaChanged(side, advance, "digest", **facts)


def versions(call: Call) -> tuple[int, int]:
    return call.business.current, call.consumer.current


# --- who may ask ------------------------------------------------------------------------------------------------------


def test_row_9_no_update_while_the_business_is_called(ringing_in: Call, unrouted: Call) -> None:
    with pytest.raises(WrongState):
        apply(ringing_in, MediaUpdateRequested(APP), 1001)
    with pytest.raises(NotRouted):
        apply(unrouted, MediaUpdateRequested(APP), 1001)


@pytest.mark.parametrize("fixture", ["dialing", "ringing_out", "connecting_in", "active_in", "connecting_out", "active_out"])
def test_rows_24_and_29_the_owner_alone(fixture: str, request: pytest.FixtureRequest) -> None:
    call = request.getfixturevalue(fixture)
    with pytest.raises(NotOwner):
        apply(call, MediaUpdateRequested(OTHER), 1006)
    assert apply(call, MediaUpdateRequested(APP), 1006) == (call, ())


@pytest.mark.parametrize("fixture", ["ringing_in", "unrouted", "connecting_in", "active_in", "connecting_out", "active_out"])
def test_row_25_the_device_in_the_call_alone(fixture: str, request: pytest.FixtureRequest) -> None:
    call = request.getfixturevalue(fixture)
    assert apply(call, ConsumerUpdateRequested(PHONE), 1006) == (call, ())
    with pytest.raises((UnknownCall, AlreadyTaken)):
        apply(call, ConsumerUpdateRequested(TABLET), 1006)


@pytest.mark.parametrize("fixture", ["dialing", "ringing_out"])
def test_a_device_that_is_called_has_nothing_to_change(fixture: str, request: pytest.FixtureRequest) -> None:
    call = request.getfixturevalue(fixture)
    with pytest.raises(UnknownCall):
        apply(call, ConsumerUpdateRequested(PHONE), 1006)
    with pytest.raises(WrongState):
        apply(call, update(Side.CONSUMER), 1006)


def test_a_business_that_is_called_has_nothing_to_change(ringing_in: Call) -> None:
    with pytest.raises(WrongState):
        apply(ringing_in, update(Side.BUSINESS), 1006)


@pytest.mark.parametrize(
    "event", [MediaUpdateRequested(APP), ConsumerUpdateRequested(PHONE), update(Side.BUSINESS), update(Side.CONSUMER)]
)
def test_rows_33_and_34_the_call_is_over(rejected: Call, failed: Call, event: Event) -> None:
    with pytest.raises(CallEnded):
        apply(rejected, event, 1030)
    with pytest.raises(CallFailed):
        apply(failed, event, 1030)


# --- what follows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture", ["connecting_in", "active_in", "connecting_out", "active_out"])
@pytest.mark.parametrize("side", list(Side))
def test_the_other_side_is_shown_the_change_in_its_next_version(fixture: str, side: Side, request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue(fixture)
    call, effects = apply(before, update(side), 1006)
    assert call.counter(side).current == before.counter(side).current + 1
    shown = before.counter(side.other).current + 1
    assert call.counter(side.other).current == shown
    assert effects == (OfferFarTracks(side.other, shown, Carrier.UPDATE),)
    assert call.state is before.state


@pytest.mark.parametrize("side", list(Side))
def test_row_26_what_nobody_notices_is_told_to_nobody(active_in: Call, side: Side) -> None:
    """A camera that was swapped, or new credentials."""
    call, effects = apply(active_in, update(side, is_visible=False), 1006)
    assert (call.counter(side.other), effects) == (active_in.counter(side.other), ())
    assert call.counter(side).current == active_in.counter(side).current + 1


@pytest.mark.parametrize(
    ("fixture", "side"), [("ringing_in", Side.CONSUMER), ("dialing", Side.BUSINESS), ("ringing_out", Side.BUSINESS)]
)
def test_a_calling_side_changes_its_media_while_it_rings(fixture: str, side: Side, request: pytest.FixtureRequest) -> None:
    before = request.getfixturevalue(fixture)
    call, effects = apply(before, update(side, 0), 1001)
    assert (call.counter(side).current, call.counter(side.other).current, effects) == (1, 0, ())


def test_an_offer_that_was_never_applied_is_made_again_in_the_response(active_in: Call) -> None:
    """Ruling 15: V goes to `to_version` for the update and one further for our offer."""
    call, effects = apply(active_in, update(Side.BUSINESS, 0, is_offer_due=True), 1006)
    assert versions(call) == (2, 2)
    assert effects == (OfferFarTracks(Side.BUSINESS, 2, Carrier.RESPONSE), OfferFarTracks(Side.CONSUMER, 2, Carrier.UPDATE))


def test_a_collision_changes_nothing(active_out: Call) -> None:
    assert apply(active_out, update(Side.BUSINESS, 0), 1006) == (active_out, (TellCollision(1),))


def test_the_last_update_again_is_answered_as_before(active_in: Call) -> None:
    call, _ = apply(active_in, update(Side.CONSUMER, 1), 1006)
    assert apply(call, update(Side.CONSUMER, 1), 1007) == (call, (Replay(),))


def test_impossible_numbers(active_in: Call) -> None:
    with pytest.raises(MediaConflict) as caught:
        apply(active_in, update(Side.BUSINESS, 3), 1006)
    assert caught.value.current_version == 0


# --- the worked example (4.4) -----------------------------------------------------------------------------------------


def test_the_consumer_takes_the_lock_first(active_in: Call) -> None:
    call, effects = apply(active_in, update(Side.CONSUMER), 1006)
    assert effects == (OfferFarTracks(Side.BUSINESS, 1, Carrier.UPDATE),)
    same, effects = apply(call, MediaChanged(Side.BUSINESS, Advance(0, 1), "offer X"), 1006)
    assert (same, effects) == (call, (TellCollision(1),))
    call, _ = apply(call, MediaChanged(Side.BUSINESS, Advance(1, 2), "offer Y"), 1006)
    assert call.business.current == 2
    _, effects = apply(call, update(Side.CONSUMER), 1007)
    assert effects == (OfferFarTracks(Side.BUSINESS, 3, Carrier.UPDATE),)


def test_the_business_takes_the_lock_first(active_in: Call) -> None:
    call, _ = apply(active_in, MediaChanged(Side.BUSINESS, Advance(0, 1), "offer X"), 1006)
    assert call.business.current == 1
    _, effects = apply(call, update(Side.CONSUMER), 1006)
    assert effects == (OfferFarTracks(Side.BUSINESS, 2, Carrier.UPDATE),)
