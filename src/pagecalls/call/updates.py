"""Media updates in mid-call, of the business and of the consumer's device (messenger-calling 2.6 and 4; rows 9, 24 to 26, 29).

An update is judged in two steps, because between them stands the description: may this one ask at all (`may_update`, one for each
side), and then, when what it asks for can be done, do its versions allow it (`changed`, the same for both sides). Owns these
rules. It knows no description: whether the other side will notice anything is told to it.
"""

from __future__ import annotations

from typing import NoReturn, assert_never

from pagecalls.call.devices import must_be_in_call
from pagecalls.call.effects import Carrier, Effect, OfferFarTracks, Replay, TellCollision
from pagecalls.call.events import ConsumerUpdateRequested, MediaChanged, MediaUpdateRequested
from pagecalls.call.model import Call
from pagecalls.call.moves import JOINED, Outcome, caller_of
from pagecalls.call.requests import must_be_routed, must_own
from pagecalls.call.states import Action
from pagecalls.call.versions import Collided, Counter, Repeated, judge
from pagecalls.errors import WrongState
from pagecalls.types import Side


def not_while_ringing(call: Call, _event: MediaUpdateRequested, _now: float) -> NoReturn:
    """Row 9: a ringing call has no business leg that could change."""
    must_be_routed(call)
    raise WrongState(Action.MEDIA_UPDATE, call.state)


def business_may(call: Call, event: MediaUpdateRequested, _now: float) -> Outcome:
    """Rows 24 and 29: the owner, as soon as it has a leg."""
    must_own(call, event.app)
    return call, ()


def consumer_may(call: Call, event: ConsumerUpdateRequested, _now: float) -> Outcome:
    """Row 25. A calling device has a leg from the start, and may change it while the call rings, as a calling business may."""
    must_be_in_call(call, event.device)
    return call, ()


def no_leg(call: Call, _event: MediaChanged, _now: float) -> NoReturn:
    """The side that is called has no leg yet."""
    raise WrongState(Action.MEDIA_UPDATE, call.state)


def changed_while_ringing(call: Call, event: MediaChanged, now: float) -> Outcome:
    """Only the calling side has a leg; nobody is there yet to be told."""
    if event.side is not caller_of(call):
        no_leg(call, event, now)
    return changed(call, event, now)


def changed(call: Call, event: MediaChanged, _now: float) -> Outcome:
    """The update goes by its versions: applied, answered as before, or refused as too late (4.2, 4.3)."""
    verdict = judge(call.counter(event.side), event.advance, event.digest)
    match verdict:
        case Repeated():
            return call, (Replay(),)
        case Collided():
            return call, (TellCollision(call.counter(event.side).current),)
        case Counter():
            return _applied(call.with_counter(event.side, verdict), event)
        case _:
            assert_never(verdict)


def _applied(call: Call, event: MediaChanged) -> Outcome:
    """An offer that is due is made in the response, for one more version (ruling 15, 4.1); the other side sees the change."""
    effects: tuple[Effect, ...] = ()
    if event.is_offer_due:
        call, again = _offer(call, event.side, Carrier.RESPONSE)
        effects += (again,)
    if event.is_visible and call.state in JOINED:
        call, news = _offer(call, event.side.other, Carrier.UPDATE)
        effects += (news,)
    return call, effects


def _offer(call: Call, side: Side, by: Carrier) -> tuple[Call, OfferFarTracks]:
    counter = call.counter(side).offered()
    return call.with_counter(side, counter), OfferFarTracks(side, counter.current, by)
