"""The state machine as a page: `python -m pagecalls.call.diagram > docs/states.md`.

Owns the look of that page. All it says is read from the table that runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_args

from pagecalls.call.events import Event
from pagecalls.call.states import CallState
from pagecalls.call.transitions import TABLE, Cell

STATES = tuple(CallState)
EVENTS: tuple[type[Event], ...] = get_args(Event)
STARTS = ((CallState.RINGING_IN, "a consumer calls"), (CallState.DIALING, "a business calls"))

HEAD = """# The states of a call

<!-- Generated: python -m pagecalls.call.diagram > docs/states.md -->

This page is made from the table in `src/pagecalls/call/transitions.py`, which is also what runs. The reasons are written there;
who sees what when a call ends is in [closing.md](closing.md).
"""

LEGEND = """## Every event in every state

Bold: the state that follows. *stays*: the call may keep its state. In code: the error that may come instead; then nothing
changes. A dash: the event means nothing there. Numbers in brackets are rows of the state table in messenger-calling 3.2.
"""


def render() -> str:
    """The whole page, Markdown with one Mermaid diagram."""
    return "\n".join((HEAD, "## The way of a call\n", *_mermaid(), "", LEGEND, *_table(), ""))


def _mermaid() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for state, why in STARTS:
        yield f"    [*] --> {state}: {why}"
    for source in STATES:
        for target in STATES:
            events = [event.__name__ for event in EVENTS if target in TABLE[source, event].to]
            if events:
                yield f"    {source} --> {target}: {'<br/>'.join(events)}"
    for state in STATES:
        if not state.is_live:
            yield f"    {state} --> [*]"
    yield "```"


def _table() -> Iterator[str]:
    yield f"| event | {' | '.join(STATES)} |"
    yield f"| --- |{' --- |' * len(STATES)}"
    for event in EVENTS:
        cells = (_cell(TABLE[state, event]) for state in STATES)
        yield f"| {event.__name__} | {' | '.join(cells)} |"


def _cell(cell: Cell[Event]) -> str:
    if cell.is_ignored:
        return "-"
    parts = [f"**{state}**" for state in cell.to]
    parts += ["*stays*"] if cell.stays else []
    parts += [f"`{error.__name__}`" for error in cell.refuses]
    if cell.rows:
        parts.append(f"({', '.join(map(str, cell.rows))})")
    return "<br/>".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render())
