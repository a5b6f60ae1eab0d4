"""Facts of media, time and the server (messenger-calling 3.1, ruling 17).

Owns what a leg's fate, a passed deadline or a stopping server mean for the call. Nothing here refuses: where a fact means
nothing, the call stays as it is. Packets, timers and processes are unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from pagecalls.call.deadlines import first_due
from pagecalls.call.devices import gone
from pagecalls.call.effects import Effect
from pagecalls.call.events import DeadlinePassed, Event, LegBye, LegFailed, LegUp, MediaLost, ServerStopping
from pagecalls.call.model import Call, Deadline
from pagecalls.call.moves import JOINED, Outcome, caller_of, end, raise_leg
from pagecalls.call.states import CallState, DeadlineKind, EndReason
from pagecalls.types import Side


def ignore(call: Call, _event: Event, _now: float) -> Outcome:
    """It means nothing here."""
    return call, ()


# --- media ------------------------------------------------------------------------------------------------------------


def leg_up(call: Call, event: LegUp, now: float) -> Outcome:
    """Row 19. A caller's leg is often up while the call still rings."""
    return raise_leg(call, event.side, now)


def leg_failed(call: Call, event: LegFailed, now: float) -> Outcome:
    """Rows 18, 20 and 31. A leg that was made for an accept which then fell through takes nothing with it."""
    if not _has_leg(call, event.side):
        return replace(call, up=call.up - {event.side}), ()
    return end(call, _failure(call, event), now)


def leg_bye(call: Call, event: LegBye, now: float) -> Outcome:
    """Row 32 and T_bye. The BYE of a device that is still connected says nothing: it may be about to make a new leg."""
    if not _has_leg(call, event.side) or (event.side is Side.CONSUMER and not _is_device_away(call)):
        return call, ()
    return end(call, EndReason.COMPLETED if call.state in JOINED else EndReason.CANCELLED, now)


def _failure(call: Call, event: LegFailed) -> EndReason:
    match event.why:
        case "conn_timeout" | "dtls" | "fingerprint":
            return EndReason.FAILED
        case "internal":
            return EndReason.SERVER_ERROR
        case "dead":
            return _silence(call, event.side)
        case _:
            assert_never(event.why)


def _silence(call: Call, side: Side) -> EndReason:
    """A leg fell silent (T_dead). A caller whose socket is gone too has not failed: it gave up before the answer (row 7)."""
    if side is Side.BUSINESS or not _is_device_away(call):
        return EndReason.MEDIA_TIMEOUT
    return EndReason.CANCELLED if call.state is CallState.RINGING_IN else EndReason.CONNECTION_LOST


def _has_leg(call: Call, side: Side) -> bool:
    """The caller's leg exists from the start; the other one counts only once it has accepted."""
    return side is caller_of(call) or call.state in JOINED


def _is_device_away(call: Call) -> bool:
    return call.device in call.away


# --- time -------------------------------------------------------------------------------------------------------------


def deadline_passed(call: Call, _event: DeadlinePassed, now: float) -> Outcome:
    """Every due deadline in the order of time, also those that an earlier one has just set. An ended call has none left."""
    effects: tuple[Effect, ...] = ()
    while (deadline := first_due(call, now)) is not None:
        call, more = _meet(call, deadline, now)
        effects += more
    return call, effects


def _meet(call: Call, deadline: Deadline, now: float) -> Outcome:
    """Rows 8, 11 and 17."""
    match deadline.kind:
        case DeadlineKind.RING_IN:
            return end(call, EndReason.NOT_ANSWERED, now)
        case DeadlineKind.DIAL | DeadlineKind.RING_OUT:
            return end(call, EndReason.NO_ANSWER, now)
        case DeadlineKind.DEVICE_AWAY:
            return gone(call, deadline, now)
        case _:
            assert_never(deadline.kind)


# --- server -----------------------------------------------------------------------------------------------------------


def server_lost(call: Call, _event: ServerStopping | MediaLost, now: float) -> Outcome:
    """Row 35."""
    return end(call, EndReason.SERVER_ERROR, now)
