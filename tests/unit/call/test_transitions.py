"""The table has every cell, and every cell does exactly what it says.

The second half walks all calls that a small world can produce (two apps, two devices, a few seconds) and notes what each cell
was seen to do. That must be what the cell claims: nothing more, or the diagram is wrong; nothing less, or it has a dead entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import get_args

import pytest

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
from pagecalls.call.machine import apply, start_business_call, start_user_call
from pagecalls.call.model import Call
from pagecalls.call.states import CallState
from pagecalls.call.transitions import TABLE, Key
from pagecalls.call.versions import Advance, Counter
from pagecalls.errors import CallError
from pagecalls.types import AppId, CallId, DeviceId, PageId, Platform, Psid, Side

APPS = (AppId("1"), AppId("2"))
DEVICES = (DeviceId("phone"), DeviceId("tablet"))
EVENTS: tuple[type[Event], ...] = get_args(Event)
DEPTH = 5
IDENTICAL = "same state: nothing happened"
CHANGED = "same state: something happened"


def test_every_state_has_a_cell_for_every_event() -> None:
    assert set(TABLE) == {(state, event) for state in CallState for event in EVENTS}


def test_a_cell_refuses_the_event_of_another_row(ringing_in: Call) -> None:
    with pytest.raises(TypeError, match="MediaLost in the row of LegUp"):
        TABLE[CallState.RINGING_IN, LegUp].do(ringing_in, MediaLost(), 1000)


def test_facts_are_never_refused() -> None:
    requests = {
        AcceptRequested,
        RejectRequested,
        TerminateRequested,
        MediaUpdateRequested,
        ConsumerAccepted,
        ConsumerDeclined,
        ConsumerHungUp,
        ConsumerUpdateRequested,
        MediaChanged,
    }
    assert {event for (_, event), cell in TABLE.items() if cell.refuses} == requests


def test_nothing_leads_out_of_an_ended_call() -> None:
    assert not [key for key, cell in TABLE.items() if not key[0].is_live and cell.to]


@pytest.mark.parametrize("key", list(TABLE), ids=lambda key: f"{key[0]}-{key[1].__name__}")
def test_each_cell_does_what_it_says(key: Key) -> None:
    cell, seen = TABLE[key], witnessed()[key]
    assert seen - {IDENTICAL, CHANGED} == {*cell.to, *cell.refuses}
    if cell.is_ignored:
        assert seen == {IDENTICAL}
    else:
        assert bool(seen & {IDENTICAL, CHANGED}) is cell.stays
        assert seen != {IDENTICAL}, "the event means nothing here, and the table should say so"


# --- the walk ---------------------------------------------------------------------------------------------------------


@cache
def witnessed() -> dict[Key, set[object]]:
    """For each cell: the states it led to, the errors it raised, and whether it did something or nothing in place."""
    seen: dict[Key, set[object]] = defaultdict(set)
    frontier = set(starts())
    known = set(frontier)
    for _ in range(DEPTH):
        reached = set()
        for call in frontier:
            for event, now in steps(call):
                result = note(seen, call, event, now)
                if result is not None:
                    reached.add(rebase(result, now))
        frontier = reached - known
        known |= frontier
    return seen


def starts() -> Iterator[Call]:
    for is_routed in (True, False):
        yield start_user_call(
            id=CallId("c"),
            page_id=PageId("10"),
            psid=Psid("20"),
            platform=Platform.MESSENGER,
            device=DEVICES[0],
            is_routed=is_routed,
            now=0,
        )[0]
    yield start_business_call(
        id=CallId("c"), page_id=PageId("10"), psid=Psid("20"), platform=Platform.MESSENGER, owner=APPS[0], now=0
    )[0]


def steps(call: Call) -> Iterator[tuple[Event, float]]:
    """Every event of the small world. Time stands still but for deadlines, and for repeats that come too late."""
    for app in APPS:
        for now in (0, 31):
            yield AcceptRequested(app, "offer"), now
            yield RejectRequested(app), now
            yield TerminateRequested(app), now
        yield AcceptRequested(app, "another"), 0
        yield MediaUpdateRequested(app), 0
    for device in DEVICES:
        for kind in (
            DeviceRang,
            DeviceLost,
            DeviceReturned,
            ConsumerAccepted,
            ConsumerDeclined,
            ConsumerHungUp,
            ConsumerUpdateRequested,
        ):
            yield kind(device), 0
    for side in Side:
        for advance in (None, Advance(0, 1), Advance(8, 9)):
            yield MediaChanged(side, advance, "update"), 0
        yield LegUp(side), 0
        yield LegBye(side), 0
        yield LegFailed(side, "dtls"), 0
        yield LegFailed(side, "dead"), 0
        yield LegFailed(side, "internal"), 0
    yield DeadlinePassed(), 0
    if call.next_deadline is not None:
        yield DeadlinePassed(), call.next_deadline
    yield ServerStopping(), 0
    yield MediaLost(), 0


def note(seen: dict[Key, set[object]], call: Call, event: Event, now: float) -> Call | None:
    key = (call.state, type(event))
    try:
        result, effects = apply(call, event, now)
    except CallError as error:
        seen[key].add(type(error))
        return None
    if result.state is not call.state:
        seen[key].add(result.state)
    else:
        seen[key].add(IDENTICAL if (result, effects) == (call, ()) else CHANGED)
    return result


def rebase(call: Call, now: float) -> Call:
    """The same call seen from a clock that starts at `now`, so that calls which differ only in their date are one.

    No cell leads elsewhere for a version: those that differ only in their counters are one as well.
    """
    return replace(
        call,
        business=Counter(),
        consumer=Counter(),
        created_at=0,
        deadlines=tuple(replace(deadline, at=deadline.at - now) for deadline in call.deadlines),
        accepted=call.accepted and replace(call.accepted, at=call.accepted.at - now),
        ended_by=call.ended_by and replace(call.ended_by, at=call.ended_by.at - now),
        connected_at=None if call.connected_at is None else 0,
        ended_at=None if call.ended_at is None else 0,
    )
