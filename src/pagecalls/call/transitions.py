"""The whole life of a call, as one table: what every event does in every state.

Two rules hold for this folder. A call changes only through this table: `machine.apply` looks up (state, event) and does what
stands there. And nothing here knows who is watching: no HTTP, no sockets, no store, no clock.


The states

A call has a caller and a callee, and passes through at most three stages: it rings, both sides have accepted, it is over.

    who called      rings                    both accepted          over
    consumer        RINGING_IN ────────────┐
                                           ├──▶ CONNECTING ─▶ ACTIVE ──▶ COMPLETED
    business        DIALING ─▶ RINGING_OUT ┘                             FAILED

A consumer's call has nobody to look for: the business is told, and either some app accepts within T_ring_in or none does. So
ringing in is one state. A business's call first has to find a device. DIALING is the search, RINGING_OUT begins with the first
device found, and the difference shows on the wire: it is the one `call_status` with `ringing`. That is why a call whose last
ringing device is lost stays RINGING_OUT and only starts T_dial again: going back to DIALING would send `ringing` a second time.

CONNECTING means that both have accepted and media is not there yet, on either leg. Accepting and connecting are two different
facts and come in any order: the caller's leg is mostly up long before anybody accepts. ACTIVE is where all three have met (the
call is accepted, one leg is up, the other leg is up), and the moment it is reached is t_connected, from which `duration`
counts.

COMPLETED and FAILED differ in whose doing it was. People end calls in many ways, and all of these are COMPLETED, an unanswered
ring included. FAILED is for machines: no connection, a connection lost, a server gone. `EndReason` says which in detail.


Three kinds of event

Requests of the business and of the consumer's devices can be refused. A refusal is a `CallError`; it changes nothing, and each
is one named error of the contract. When several would fit, the order is that of messenger-calling 1.4: over or failed, then
ownership, then other state.

Facts of media, time and the server cannot be refused, because they have happened. Where they mean nothing they change nothing.
They may also come late, after a race that they lost; the table gives them a place in every state for that reason.

What devices do without being asked (they rang, they got lost, they came back) is a fact as well.


Who may

The owner is the app that started the call, or the first one to accept it, for ever. Before accept, any app that was told of the
call may end it. On the consumer's side the device that started or accepted the call is the only one with a say; before that,
every ringing device has one. A call that was not routed to apps belongs to none, and they are told nothing of it.


Media that changes

Both sides may change their media while the call goes on, and each side's peer connection counts its versions. An update is two
events, because a description stands between them: first whether this app or device may ask at all, then, when its description has
been understood, `MediaChanged`, where the versions decide. It is one rule for both sides (`updates`). While the call rings only
the calling side has a leg, so only it can change anything; nobody is there yet to be told.


Time

The call carries its deadlines as data, `Call.deadlines`; somebody else watches the clock and says `DeadlinePassed`. That event
names no deadline: all that are due at `now` are met, in their order, and one that ends the call takes the rest with it. T_conn,
T_dead and T_bye are not here. The media engine measures them, and they arrive as facts about a leg (ruling 17).


Reading the table

One row per event, one cell per state. A cell names the rule that runs, the states it may lead to, whether the call may also
stay where it is, the refusals it may give, and the rows of messenger-calling 3.2 that it obeys. `docs/states.md` is made from
it, and a test walks every reachable call to prove that each cell does all it says and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from pagecalls.call import devices, facts, requests, updates
from pagecalls.call.events import (
    AcceptRequested,
    ConsumerAccepted,
    ConsumerDeclined,
    ConsumerHungUp,
    ConsumerUpdateRequested,
    DeadlinePassed,
    DeviceLost,
    DeviceRang,
    DeviceReturned,
    Event,
    LegBye,
    LegFailed,
    LegUp,
    MediaChanged,
    MediaLost,
    MediaUpdateRequested,
    RejectRequested,
    ServerStopping,
    TerminateRequested,
)
from pagecalls.call.model import Call
from pagecalls.call.moves import Outcome
from pagecalls.call.states import Action, CallState
from pagecalls.errors import (
    AlreadyConnected,
    AlreadyTaken,
    CallEnded,
    CallError,
    CallFailed,
    MediaConflict,
    NotOwner,
    NotRouted,
    UnknownCall,
    WrongState,
)

E = TypeVar("E", bound=Event)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)

RINGING_IN = CallState.RINGING_IN
DIALING = CallState.DIALING
RINGING_OUT = CallState.RINGING_OUT
CONNECTING = CallState.CONNECTING
ACTIVE = CallState.ACTIVE
COMPLETED = CallState.COMPLETED
FAILED = CallState.FAILED


@dataclass(frozen=True, slots=True)
class Cell(Generic[E_contra]):
    """What one event does in one state.

    `to`: other states that it may lead to. `stays`: the call may keep its state. `refuses`: the errors that may come
    instead. `rows`: numbers of messenger-calling 3.2. A cell that names none of these does nothing at all.
    """

    do: Callable[[Call, E_contra, float], Outcome]
    to: tuple[CallState, ...] = ()
    stays: bool = False
    refuses: tuple[type[CallError], ...] = ()
    rows: tuple[int, ...] = ()

    @property
    def is_ignored(self) -> bool:
        """Whether the event means nothing here."""
        return not (self.to or self.stays or self.refuses)


Key = tuple[CallState, type[object]]
Table = Mapping[Key, Cell[Event]]


def _row(
    event: type[E],
    *,
    ringing_in: Cell[E],
    dialing: Cell[E],
    ringing_out: Cell[E],
    connecting: Cell[E],
    active: Cell[E],
    completed: Cell[E],
    failed: Cell[E],
) -> dict[Key, Cell[Event]]:
    """One event in all seven states; the signature sees to it that none is forgotten."""
    cells = {
        RINGING_IN: ringing_in,
        DIALING: dialing,
        RINGING_OUT: ringing_out,
        CONNECTING: connecting,
        ACTIVE: active,
        COMPLETED: completed,
        FAILED: failed,
    }
    return {(state, event): _of_any_event(event, cell) for state, cell in cells.items()}


def _of_any_event(kind: type[E], cell: Cell[E]) -> Cell[Event]:
    """The same cell, for a table that holds cells of all events."""

    def do(call: Call, event: Event, now: float) -> Outcome:
        if not isinstance(event, kind):
            raise TypeError(f"{type(event).__name__} in the row of {kind.__name__}")
        return cell.do(call, event, now)

    return Cell(do, cell.to, cell.stays, cell.refuses, cell.rows)


IGNORED: Cell[Event] = Cell(facts.ignore)
OVER: Cell[Event] = Cell(requests.refuse_over, refuses=(CallEnded,), rows=(33,))
HAS_FAILED: Cell[Event] = Cell(requests.refuse_over, refuses=(CallFailed,), rows=(34,))


# --- the business's requests ------------------------------------------------------------------------------------------

_ACCEPT_OUTBOUND: Cell[Event] = Cell(requests.refuse(Action.ACCEPT), refuses=(WrongState,), rows=(13,))
_ACCEPT_AGAIN = Cell(requests.accept_again, stays=True, refuses=(AlreadyTaken, AlreadyConnected, WrongState), rows=(21, 22))
_ACCEPT = _row(
    AcceptRequested,
    ringing_in=Cell(requests.accept, to=(CONNECTING, ACTIVE), refuses=(NotRouted,), rows=(4,)),
    dialing=_ACCEPT_OUTBOUND,
    ringing_out=_ACCEPT_OUTBOUND,
    connecting=_ACCEPT_AGAIN,
    active=_ACCEPT_AGAIN,
    completed=OVER,
    failed=HAS_FAILED,
)

_REJECT_OUTBOUND: Cell[Event] = Cell(requests.refuse(Action.REJECT, requests.USE_TERMINATE), refuses=(WrongState,), rows=(13,))
_REJECT_LATE: Cell[Event] = Cell(requests.refuse(Action.REJECT, requests.USE_TERMINATE), refuses=(WrongState,), rows=(23,))
_REJECT = _row(
    RejectRequested,
    ringing_in=Cell(requests.reject, to=(COMPLETED,), refuses=(NotRouted,), rows=(5,)),
    dialing=_REJECT_OUTBOUND,
    ringing_out=_REJECT_OUTBOUND,
    connecting=_REJECT_LATE,
    active=_REJECT_LATE,
    completed=Cell(requests.reject_over, stays=True, refuses=(CallEnded,), rows=(33,)),
    failed=HAS_FAILED,
)

_CANCEL = Cell(requests.terminate, to=(COMPLETED,), refuses=(NotOwner,), rows=(12, 29))
_HANG_UP = Cell(requests.terminate, to=(COMPLETED,), refuses=(NotOwner,), rows=(28, 29))
_TERMINATE = _row(
    TerminateRequested,
    ringing_in=Cell(requests.terminate_unanswered, to=(COMPLETED,), refuses=(NotRouted,), rows=(6,)),
    dialing=_CANCEL,
    ringing_out=_CANCEL,
    connecting=_HANG_UP,
    active=_HANG_UP,
    completed=Cell(requests.terminate_over, stays=True, refuses=(CallEnded,), rows=(33,)),
    failed=HAS_FAILED,
)

_UPDATE = Cell(updates.business_may, stays=True, refuses=(NotOwner,), rows=(24, 29))
_MEDIA_UPDATE = _row(
    MediaUpdateRequested,
    ringing_in=Cell(updates.not_while_ringing, refuses=(NotRouted, WrongState), rows=(9,)),
    dialing=_UPDATE,
    ringing_out=_UPDATE,
    connecting=_UPDATE,
    active=_UPDATE,
    completed=OVER,
    failed=HAS_FAILED,
)


# --- the consumer's devices -------------------------------------------------------------------------------------------

_RANG_LATE = Cell(devices.rang_late, stays=True)
_RANG = _row(
    DeviceRang,
    ringing_in=IGNORED,
    dialing=Cell(devices.rang_first, to=(RINGING_OUT,), rows=(10,)),
    ringing_out=Cell(devices.rang_too, stays=True),
    connecting=_RANG_LATE,
    active=_RANG_LATE,
    completed=_RANG_LATE,
    failed=_RANG_LATE,
)

_LOST_CELL = Cell(devices.lost, stays=True)
_LOST = _row(
    DeviceLost,
    ringing_in=_LOST_CELL,
    dialing=IGNORED,
    ringing_out=_LOST_CELL,
    connecting=_LOST_CELL,
    active=_LOST_CELL,
    completed=IGNORED,
    failed=IGNORED,
)

_BACK = Cell(devices.returned, stays=True)
_RETURNED = _row(
    DeviceReturned,
    ringing_in=_BACK,
    dialing=IGNORED,
    ringing_out=_BACK,
    connecting=_BACK,
    active=_BACK,
    completed=IGNORED,
    failed=IGNORED,
)

_NOT_ACCEPTABLE = Cell(devices.refuse_accept, refuses=(UnknownCall, AlreadyTaken, WrongState))
_ACCEPTED = _row(
    ConsumerAccepted,
    ringing_in=Cell(devices.refuse_accept, refuses=(UnknownCall, WrongState)),
    dialing=Cell(devices.refuse_accept, refuses=(UnknownCall,)),
    ringing_out=Cell(devices.accepted, to=(CONNECTING, ACTIVE), refuses=(UnknownCall,), rows=(14, 15)),
    connecting=_NOT_ACCEPTABLE,
    active=_NOT_ACCEPTABLE,
    completed=OVER,
    failed=HAS_FAILED,
)

_NOT_DECLINABLE = Cell(devices.refuse_decline, refuses=(UnknownCall, AlreadyTaken, WrongState))
_DECLINED = _row(
    ConsumerDeclined,
    ringing_in=Cell(devices.refuse_decline, refuses=(UnknownCall, WrongState)),
    dialing=Cell(devices.refuse_decline, refuses=(UnknownCall,)),
    ringing_out=Cell(devices.declined, to=(COMPLETED,), refuses=(UnknownCall,), rows=(16,)),
    connecting=_NOT_DECLINABLE,
    active=_NOT_DECLINABLE,
    completed=OVER,
    failed=HAS_FAILED,
)

_DEVICE_HANGS_UP = Cell(devices.hung_up, to=(COMPLETED,), refuses=(UnknownCall, AlreadyTaken), rows=(30,))
_HUNG_UP = _row(
    ConsumerHungUp,
    ringing_in=Cell(devices.cancelled, to=(COMPLETED,), refuses=(UnknownCall,), rows=(7,)),
    dialing=Cell(devices.hung_up_ringing, refuses=(UnknownCall,)),
    ringing_out=Cell(devices.hung_up_ringing, to=(COMPLETED,), refuses=(UnknownCall,), rows=(16,)),
    connecting=_DEVICE_HANGS_UP,
    active=_DEVICE_HANGS_UP,
    completed=OVER,
    failed=HAS_FAILED,
)

_DEVICE_UPDATES_RINGING = Cell(updates.consumer_may, stays=True, refuses=(UnknownCall,))
_NO_DEVICE_YET = Cell(updates.consumer_may, refuses=(UnknownCall,))
_DEVICE_UPDATES = Cell(updates.consumer_may, stays=True, refuses=(UnknownCall, AlreadyTaken), rows=(25,))
_CONSUMER_UPDATE = _row(
    ConsumerUpdateRequested,
    ringing_in=_DEVICE_UPDATES_RINGING,
    dialing=_NO_DEVICE_YET,
    ringing_out=_NO_DEVICE_YET,
    connecting=_DEVICE_UPDATES,
    active=_DEVICE_UPDATES,
    completed=OVER,
    failed=HAS_FAILED,
)


# --- what either side asked of its media, understood ------------------------------------------------------------------

_CHANGED_RINGING = Cell(updates.changed_while_ringing, stays=True, refuses=(WrongState, MediaConflict), rows=(24,))
_CHANGED = Cell(updates.changed, stays=True, refuses=(MediaConflict,), rows=(24, 25, 26))
_MEDIA_CHANGED = _row(
    MediaChanged,
    ringing_in=Cell(updates.changed_while_ringing, stays=True, refuses=(WrongState, MediaConflict)),
    dialing=_CHANGED_RINGING,
    ringing_out=_CHANGED_RINGING,
    connecting=_CHANGED,
    active=_CHANGED,
    completed=OVER,
    failed=HAS_FAILED,
)


# --- media, time, the server ------------------------------------------------------------------------------------------

_NOTED = Cell(facts.leg_up, stays=True)
_LEG_UP = _row(
    LegUp,
    ringing_in=_NOTED,
    dialing=_NOTED,
    ringing_out=_NOTED,
    connecting=Cell(facts.leg_up, to=(ACTIVE,), stays=True, rows=(19,)),
    active=IGNORED,
    completed=IGNORED,
    failed=IGNORED,
)

_CALLER_LEG_FAILED = Cell(facts.leg_failed, to=(FAILED,), stays=True, rows=(18,))
_LEG_FAILED = _row(
    LegFailed,
    ringing_in=Cell(facts.leg_failed, to=(COMPLETED, FAILED), stays=True, rows=(7, 31)),
    dialing=_CALLER_LEG_FAILED,
    ringing_out=_CALLER_LEG_FAILED,
    connecting=Cell(facts.leg_failed, to=(FAILED,), rows=(20, 31)),
    active=Cell(facts.leg_failed, to=(FAILED,), rows=(31,)),
    completed=IGNORED,
    failed=IGNORED,
)

_BYE = Cell(facts.leg_bye, to=(COMPLETED,), stays=True)
_LEG_BYE = _row(
    LegBye,
    ringing_in=_BYE,
    dialing=_BYE,
    ringing_out=_BYE,
    connecting=_BYE,
    active=Cell(facts.leg_bye, to=(COMPLETED,), stays=True, rows=(32,)),
    completed=IGNORED,
    failed=IGNORED,
)

_DEADLINE = _row(
    DeadlinePassed,
    ringing_in=Cell(facts.deadline_passed, to=(COMPLETED,), stays=True, rows=(7, 8)),
    dialing=Cell(facts.deadline_passed, to=(COMPLETED,), stays=True, rows=(11,)),
    ringing_out=Cell(facts.deadline_passed, to=(COMPLETED,), stays=True, rows=(17,)),
    connecting=IGNORED,
    active=IGNORED,
    completed=IGNORED,
    failed=IGNORED,
)

_GIVEN_UP = Cell(facts.server_lost, to=(FAILED,), rows=(35,))
_STOPPING = _row(
    ServerStopping,
    ringing_in=_GIVEN_UP,
    dialing=_GIVEN_UP,
    ringing_out=_GIVEN_UP,
    connecting=_GIVEN_UP,
    active=_GIVEN_UP,
    completed=IGNORED,
    failed=IGNORED,
)
_MEDIA_LOST = _row(
    MediaLost,
    ringing_in=_GIVEN_UP,
    dialing=_GIVEN_UP,
    ringing_out=_GIVEN_UP,
    connecting=_GIVEN_UP,
    active=_GIVEN_UP,
    completed=IGNORED,
    failed=IGNORED,
)


TABLE: Table = MappingProxyType(
    _ACCEPT
    | _REJECT
    | _TERMINATE
    | _MEDIA_UPDATE
    | _RANG
    | _LOST
    | _RETURNED
    | _ACCEPTED
    | _DECLINED
    | _HUNG_UP
    | _CONSUMER_UPDATE
    | _MEDIA_CHANGED
    | _LEG_UP
    | _LEG_FAILED
    | _LEG_BYE
    | _DEADLINE
    | _STOPPING
    | _MEDIA_LOST
)
"""Every state times every event."""
