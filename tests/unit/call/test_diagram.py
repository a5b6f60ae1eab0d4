"""The page of states says what the table says."""

from __future__ import annotations

from pathlib import Path

from pagecalls.call.diagram import EVENTS, render
from pagecalls.call.states import CallState

PAGE = Path(__file__).parents[3] / "docs" / "states.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m pagecalls.call.diagram > docs/states.md"


def test_the_diagram_has_every_state_and_the_table_every_event() -> None:
    page = render()
    diagram = page.split("```")[1]
    assert all(state in diagram for state in CallState)
    assert all(f"\n| {event.__name__} |" in page for event in EVENTS)


def test_ended_calls_lead_nowhere() -> None:
    diagram = render().split("```")[1]
    assert "COMPLETED --> [*]" in diagram
    assert "FAILED --> [*]" in diagram
    assert diagram.count("COMPLETED -->") == 1
    assert diagram.count("FAILED -->") == 1
