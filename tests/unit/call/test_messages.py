"""The window, and how long buttons work (messenger-calling 8.4)."""

from __future__ import annotations

import pytest

from pagecalls.call.messages import Draft, DraftButton, Template, button_of, is_window_open

NOW, DAY_S = 1_000_000.0, 86_400.0
CALL = DraftButton("audio_call", "Call", 3)
LINK = DraftButton("web_url", "Site", url="https://example.org", payload="p")


@pytest.mark.parametrize(
    ("last", "is_human", "is_open"),
    [
        (None, False, False),
        (None, True, False),
        (NOW, False, True),
        (NOW - DAY_S + 1, False, True),
        (NOW - DAY_S, False, False),
        (NOW - DAY_S, True, True),
        (NOW - 7 * DAY_S + 1, True, True),
        (NOW - 7 * DAY_S, True, False),
    ],
)
def test_the_window(last: float | None, is_human: bool, is_open: bool) -> None:
    assert is_window_open(last, NOW, is_human_agent=is_human) is is_open


def test_a_button_that_calls_has_an_end_and_others_have_not() -> None:
    assert button_of(CALL, NOW).expires_at == NOW + 3 * DAY_S
    other = button_of(LINK, NOW)
    assert (other.expires_at, other.url, other.payload) == (None, "https://example.org", "p")


@pytest.mark.parametrize(
    ("draft", "is_calling"),
    [
        (Draft("Hello"), False),
        (Draft(template=Template.CALLING_OPTIN), True),
        (Draft(template=Template.CALL_PROMPT, buttons=(CALL,)), True),
        (Draft("?", Template.BUTTON, (LINK, CALL)), True),
        (Draft("?", Template.BUTTON, (LINK,)), False),
        (Draft("Tea", Template.GENERIC), False),
    ],
)
def test_what_needs_calling(draft: Draft, is_calling: bool) -> None:
    assert draft.is_calling is is_calling
