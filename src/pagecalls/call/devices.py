"""The consumer's devices: they ring, answer, decline, hang up, get lost and come back (consumer-protocol).

Owns which device has a say in a call. It knows no sockets and no tokens: a device is a name.

A device that wants to start a call while the Page already rings its consumer picks that call up instead (messenger-calling
3.3). For this file that is two facts in a row: the device rang, the device accepted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from pagecalls.call.deadlines import with_deadline, without
from pagecalls.call.effects import Carrier, NotifyStatus, OfferFarTracks, TellEnded
from pagecalls.call.events import ConsumerAccepted, ConsumerDeclined, ConsumerHungUp, DeviceLost, DeviceRang, DeviceReturned
from pagecalls.call.limits import AWAY_S, DIAL_S
from pagecalls.call.model import Call, Deadline
from pagecalls.call.moves import JOINED, Outcome, end, pick_up, ring
from pagecalls.call.states import Action, CallState, DeadlineKind, EndReason
from pagecalls.errors import AlreadyTaken, UnknownCall, WrongState
from pagecalls.types import DeviceId, Direction, Side

HANG_UP = "Hang up instead."


# --- ringing ----------------------------------------------------------------------------------------------------------


def rang_first(call: Call, event: DeviceRang, now: float) -> Outcome:
    """Row 10: the owner hears of it once, however many devices ring."""
    call = ring(replace(call, ringing=call.ringing | {event.device}), now)
    return call, (NotifyStatus("ringing"),)


def rang_too(call: Call, event: DeviceRang, _now: float) -> Outcome:
    """One more device, or one that is rung again. T_ring_out goes on; a restarted T_dial has found its device."""
    call = without(_present(call, event.device), DeadlineKind.DIAL)
    return replace(call, ringing=call.ringing | {event.device}), ()


def rang_late(call: Call, event: DeviceRang, _now: float) -> Outcome:
    """Its `call.incoming` crossed with another device's answer, or with the end. It must not ring for ever."""
    if call.direction is Direction.USER_INITIATED or event.device == call.device:
        return call, ()
    reason = call.end_reason or EndReason.ANSWERED_ELSEWHERE
    return call, (TellEnded(reason, frozenset({event.device})),)


# --- answers ----------------------------------------------------------------------------------------------------------


def accepted(call: Call, event: ConsumerAccepted, now: float) -> Outcome:
    """Rows 14 and 15. The business gets the consumer's tracks in a new version, the device the business's in its response.

    A device that picked up by calling cannot know that it did: it is told as a caller, in a version of its own.
    """
    _must_ring(call, event.device)
    others = call.ringing - {event.device}
    business = call.business.offered()
    consumer = call.consumer.offered() if event.by_calling else call.consumer
    call = replace(_present(call, event.device), device=event.device, business=business, consumer=consumer)
    call, started = pick_up(call, now)
    # An empty set would mean everybody, so nobody else is told when nobody else rang.
    elsewhere = (TellEnded(EndReason.ANSWERED_ELSEWHERE, others),) if others else ()
    return call, (
        NotifyStatus("accepted"),
        OfferFarTracks(Side.BUSINESS, business.current, Carrier.PICK_UP),
        OfferFarTracks(Side.CONSUMER, consumer.current, Carrier.RESPONSE),
        *started,
        *elsewhere,
    )


def declined(call: Call, event: ConsumerDeclined, now: float) -> Outcome:
    """Row 16: one device declines for all of them."""
    _must_ring(call, event.device)
    return end(call, EndReason.DECLINED, now)


def hung_up_ringing(call: Call, event: ConsumerHungUp, now: float) -> Outcome:
    """Hanging up a call that rings is declining it."""
    _must_ring(call, event.device)
    return end(call, EndReason.DECLINED, now)


def cancelled(call: Call, event: ConsumerHungUp, now: float) -> Outcome:
    """Row 7: the consumer gives up before anybody accepted."""
    must_be_in_call(call, event.device)
    return end(call, EndReason.CANCELLED, now)


def hung_up(call: Call, event: ConsumerHungUp, now: float) -> Outcome:
    """Row 30."""
    must_be_in_call(call, event.device)
    return end(call, EndReason.COMPLETED, now)


def refuse_accept(call: Call, event: ConsumerAccepted, _now: float) -> NoReturn:
    """There is nothing to accept: own call, accepted before, or not this device's call."""
    must_be_in_call(call, event.device)
    raise WrongState(Action.ACCEPT, call.state)


def refuse_decline(call: Call, event: ConsumerDeclined, _now: float) -> NoReturn:
    """There is nothing to decline any more."""
    must_be_in_call(call, event.device)
    raise WrongState("decline", call.state, HANG_UP)


def _must_ring(call: Call, device: DeviceId) -> None:
    if device not in call.ringing:
        raise UnknownCall


def must_be_in_call(call: Call, device: DeviceId) -> None:
    """Only `call.device` has a say. Another one of the consumer's may have rung, and is told why it came too late.

    Raises `AlreadyTaken`, `UnknownCall`.
    """
    if device == call.device:
        return
    if call.direction is Direction.BUSINESS_INITIATED and call.state in JOINED:
        raise AlreadyTaken
    raise UnknownCall


# --- presence ---------------------------------------------------------------------------------------------------------


def lost(call: Call, event: DeviceLost, now: float) -> Outcome:
    """A socket is gone. Where the call still waits for an answer, the device has 30 s to come back."""
    device = event.device
    if device in call.away or (device != call.device and device not in call.ringing):
        return call, ()
    call = replace(call, away=call.away | {device})
    # After accept the leg alone decides: no deadline (consumer-protocol, third row of the table).
    return (call if call.state in JOINED else with_deadline(call, DeadlineKind.DEVICE_AWAY, now + AWAY_S, device)), ()


def returned(call: Call, event: DeviceReturned, _now: float) -> Outcome:
    """The device is back in time. One that no longer rings has to be rung again."""
    return _present(call, event.device), ()


def gone(call: Call, deadline: Deadline, now: float) -> Outcome:
    """A device did not come back before an answer (consumer-protocol, first two rows of the table).

    T_dial counts from the deadline and not from `now`, so that a clock that leaps over both deadlines meets both (ruling 17).
    """
    if call.state is CallState.RINGING_IN:
        return end(call, EndReason.CANCELLED, now)
    device = {deadline.device}
    call = without(call, DeadlineKind.DEVICE_AWAY, deadline.device)
    call = replace(call, ringing=call.ringing - device, away=call.away - device)
    return (call if call.ringing else with_deadline(call, DeadlineKind.DIAL, deadline.at + DIAL_S)), ()


def _present(call: Call, device: DeviceId) -> Call:
    if device not in call.away:
        return call
    return without(replace(call, away=call.away - {device}), DeadlineKind.DEVICE_AWAY, device)
