"""Messages of a Page to a consumer, as far as calls need them: templates, buttons that call, and when a Page may write.

Owns the arithmetic of messenger-calling 8.4. It knows no wire and no store, and not who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pagecalls.call.limits import DAY_S, HUMAN_WINDOW_S, WINDOW_S

AUDIO_CALL = "audio_call"
"""The one type of button that does something here."""

MAX_TEXT_CHARS = 2000
"""The longest text of a message, either way. The contract names none; this is the platform's."""

MAX_TITLE_CHARS = 80
"""The longest title of an element or of a button, likewise."""

PROMPT_TITLE = "Call"
"""What the button of a `call_prompt` says, which has no words of its own."""


class Template(StrEnum):
    """messenger-calling 8.4."""

    CALLING_OPTIN = "calling_optin"
    CALL_PROMPT = "call_prompt"
    GENERIC = "generic"
    BUTTON = "button"


@dataclass(frozen=True, slots=True)
class DraftButton:
    """A button that is asked for. `days`: how long one that calls will work; `None` for every other type.

    `url` and `payload` of other types are kept and do nothing.
    """

    type: str
    title: str
    days: int | None = None
    url: str | None = None
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is asked for. No `template`: plain text."""

    text: str | None = None
    template: Template | None = None
    buttons: tuple[DraftButton, ...] = ()

    @property
    def is_calling(self) -> bool:
        """Whether the Page must take calls for it: a template of calls, or any that holds a button that calls (8.4)."""
        calls = (Template.CALLING_OPTIN, Template.CALL_PROMPT)
        return self.template in calls or any(button.days is not None for button in self.buttons)


@dataclass(frozen=True, slots=True)
class Button:
    """A button as it was sent. `expires_at`, Unix seconds, only of one that calls."""

    type: str
    title: str
    expires_at: float | None = None
    url: str | None = None
    payload: str | None = None


def button_of(draft: DraftButton, now: float) -> Button:
    """The button of a message that is sent at `now`."""
    expires_at = None if draft.days is None else now + draft.days * DAY_S
    return Button(draft.type, draft.title, expires_at, draft.url, draft.payload)


def is_window_open(last_contact_at: float | None, now: float, *, is_human_agent: bool = False) -> bool:
    """Whether the Page may write: 24 h from the consumer's last message, tap or call; 7 days for a human agent (8.4).

    At its end the window is shut.
    """
    length = HUMAN_WINDOW_S if is_human_agent else WINDOW_S
    return last_contact_at is not None and now < last_contact_at + length
