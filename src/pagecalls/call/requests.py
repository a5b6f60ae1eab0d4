"""The business's requests: accept, reject, terminate (messenger-calling 2.3 to 2.5).

Owns who may ask for what, and the order in which a refusal is chosen: ended or failed, then ownership, then other state (1.4). It
knows neither tokens nor SDP; both were looked at before a request becomes an event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from pagecalls.call.effects import Carrier, OfferFarTracks, Replay
from pagecalls.call.events import AcceptRequested, Event, RejectRequested, TerminateRequested
from pagecalls.call.limits import REPLAY_S
from pagecalls.call.model import AcceptedWith, Call, EndedBy
from pagecalls.call.moves import JOINED, Outcome, end, over, pick_up
from pagecalls.call.states import Action, EndReason
from pagecalls.errors import AlreadyConnected, AlreadyTaken, NotOwner, NotRouted, WrongState
from pagecalls.types import AppId, Direction, Side

USE_TERMINATE = "Use terminate."


def refuse(action: Action, hint: str = "") -> Callable[[Call, Event, float], NoReturn]:
    """A rule that always says E_STATE."""

    def wrong_state(call: Call, _event: Event, _now: float) -> NoReturn:
        raise WrongState(action, call.state, hint)

    return wrong_state


def accept(call: Call, event: AcceptRequested, now: float) -> Outcome:
    """Row 4: the first app to accept owns the call for good.

    The business hears of the consumer's tracks in this response, which belongs to version 0 (4.1). The consumer's device, whose
    own offer was answered long ago, gets a new version.
    """
    must_be_routed(call)
    consumer = call.consumer.offered()
    call = replace(call, owner=event.app, accepted=AcceptedWith(event.digest, now), consumer=consumer)
    call, started = pick_up(call, now)
    return call, (
        OfferFarTracks(Side.BUSINESS, call.business.current, Carrier.RESPONSE),
        OfferFarTracks(Side.CONSUMER, consumer.current, Carrier.PICK_UP),
        *started,
    )


def accept_again(call: Call, event: AcceptRequested, now: float) -> Outcome:
    """Rows 21 and 22. A call that the business started has nothing to accept (2.3)."""
    if call.direction is Direction.BUSINESS_INITIATED:
        raise WrongState(Action.ACCEPT, call.state)
    if event.app != call.owner:
        raise AlreadyTaken
    accepted = call.accepted
    if accepted is None or event.digest != accepted.digest or now > accepted.at + REPLAY_S:
        raise AlreadyConnected
    return call, (Replay(),)


def reject(call: Call, event: RejectRequested, now: float) -> Outcome:
    """Row 5: any app that was told of the call may reject it, for all of them (2.4)."""
    return _reject_as(Action.REJECT, call, event.app, now)


def terminate_unanswered(call: Call, event: TerminateRequested, now: float) -> Outcome:
    """Row 6: before accept, terminate acts as reject (2.5)."""
    return _reject_as(Action.TERMINATE, call, event.app, now)


def _reject_as(action: Action, call: Call, app: AppId, now: float) -> Outcome:
    must_be_routed(call)
    return end(call, EndReason.REJECTED, now, EndedBy(app, action, now))


def terminate(call: Call, event: TerminateRequested, now: float) -> Outcome:
    """Rows 12, 28 and 29: the owner cancels its unanswered call, or hangs up."""
    must_own(call, event.app)
    reason = EndReason.COMPLETED if call.state in JOINED else EndReason.CANCELLED
    return end(call, reason, now, EndedBy(event.app, Action.TERMINATE, now))


def reject_over(call: Call, event: RejectRequested, now: float) -> Outcome:
    """Rows 33 and 34 for reject."""
    return _repeat(Action.REJECT, call, event.app, now)


def terminate_over(call: Call, event: TerminateRequested, now: float) -> Outcome:
    """Rows 33 and 34 for terminate."""
    return _repeat(Action.TERMINATE, call, event.app, now)


def _repeat(action: Action, call: Call, app: AppId, now: float) -> Outcome:
    """The app whose action ended the call may repeat that action for 30 s: its reply may have been lost (2.5)."""
    by = call.ended_by
    if by is None or (by.app, by.action) != (app, action) or now > by.at + REPLAY_S:
        raise over(call)
    return call, (Replay(),)


def refuse_over(call: Call, _event: Event, _now: float) -> NoReturn:
    """Rows 33 and 34 for every request that has no replay."""
    raise over(call)


def must_be_routed(call: Call) -> None:
    """A call that rings elsewhere is no app's to answer (messenger-calling 9.3). Raises `NotRouted`."""
    if not call.is_routed:
        raise NotRouted


def must_own(call: Call, app: AppId) -> None:
    """Once there is an owner, nobody else steers. Raises `NotOwner`."""
    if call.owner != app:
        raise NotOwner
