"""The four moves of a call. Everything that changes `Call.state` is in this file.

    ring     DIALING ───────────────────────▶ RINGING_OUT
    pick_up  RINGING_IN, RINGING_OUT ───────▶ CONNECTING, or ACTIVE at once
    raise_leg            CONNECTING ────────▶ ACTIVE
    end      every live state ──────────────▶ COMPLETED, FAILED

Owns what each move does to the call and what must follow from it. It does not ask whether the move is allowed: that is the
business of `requests`, `devices` and `facts`, which the table in `transitions` calls.
"""

from __future__ import annotations

from dataclasses import replace

from pagecalls.call.deadlines import with_deadline, without
from pagecalls.call.effects import CloseMedia, Effect, GrantPermission, NotifyTerminate, StartMedia, TellConnected, TellEnded
from pagecalls.call.limits import PERMISSION_S, RING_OUT_S
from pagecalls.call.model import Call, EndedBy
from pagecalls.call.states import CallState, DeadlineKind, EndReason
from pagecalls.errors import CallEnded, CallError, CallFailed, EndedHow
from pagecalls.types import Direction, Side

Outcome = tuple[Call, tuple[Effect, ...]]
"""What every rule gives back: the call as it is now, and what must be done, in order."""

JOINED = frozenset({CallState.CONNECTING, CallState.ACTIVE})
"""Both sides have accepted."""

BOTH_SIDES = frozenset(Side)


def caller_of(call: Call) -> Side:
    """The side that called: the only one with a leg while the call rings."""
    return Side.CONSUMER if call.direction is Direction.USER_INITIATED else Side.BUSINESS


def ring(call: Call, now: float) -> Call:
    """The first device rings: T_dial gives way to T_ring_out."""
    call = replace(without(call, DeadlineKind.DIAL), state=CallState.RINGING_OUT)
    return with_deadline(call, DeadlineKind.RING_OUT, now + RING_OUT_S)


def pick_up(call: Call, now: float) -> Outcome:
    """Both sides have accepted. No deadline of ours is left; T_conn is the engine's (ruling 17)."""
    call = replace(call, state=CallState.CONNECTING, deadlines=(), ringing=frozenset())
    call, connected = _activate_when_up(call, now)
    return call, (StartMedia(), *connected)


def raise_leg(call: Call, side: Side, now: float) -> Outcome:
    """A leg is up. In CONNECTING the second one connects the call; elsewhere it is only remembered."""
    return _activate_when_up(replace(call, up=call.up | {side}), now)


def _activate_when_up(call: Call, now: float) -> Outcome:
    """t_connected is the latest of "both accepted" and the two legs, so it is always this very moment (messenger-calling 3.1)."""
    if call.state is not CallState.CONNECTING or call.up != BOTH_SIDES:
        return call, ()
    return replace(call, state=CallState.ACTIVE, connected_at=now), (TellConnected(),)


def end(call: Call, reason: EndReason, now: float, by: EndedBy | None = None) -> Outcome:
    """The call is over. It keeps `device` and `ringing`, so that `TellEnded` finds everybody who has to do with it."""
    ended = replace(
        call,
        state=CallState.FAILED if reason.is_failure else CallState.COMPLETED,
        deadlines=(),
        ended_at=now,
        end_reason=reason,
        ended_by=by,
    )
    notify = (NotifyTerminate(),) if call.is_routed else ()
    grant = (GrantPermission(now + PERMISSION_S),) if _earns_permission(call) else ()
    return ended, (*notify, *grant, TellEnded(reason), CloseMedia())


def _earns_permission(call: Call) -> bool:
    """A connected call of either direction, or a consumer's call that nobody accepted (messenger-calling 8.2)."""
    is_unaccepted = call.direction is Direction.USER_INITIATED and call.state not in JOINED
    return call.connected_at is not None or is_unaccepted


def over(call: Call) -> CallError:
    """The refusal of an ended call (messenger-calling 1.4: E_FAILED, and the three subcodes of E_ENDED)."""
    if call.state is CallState.FAILED:
        return CallFailed()
    match call.end_reason:
        case EndReason.REJECTED:
            return CallEnded(EndedHow.REJECTED)
        case EndReason.NOT_ANSWERED | EndReason.NO_ANSWER:
            return CallEnded(EndedHow.RANG_OUT)
        case _:
            return CallEnded(EndedHow.ENDED)
