"""Messages with call buttons, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pagecalls.types import PageId, Psid


@dataclass(frozen=True, slots=True)
class CallButton:
    """A button that lets a consumer call the Page until `expires_at`, Unix seconds (messenger-calling 8.4)."""

    message_id: str
    page_id: PageId
    psid: Psid
    title: str
    expires_at: float


class MessageRows(Protocol):
    """What a unit of work does with messages."""

    def add_call_button(self, button: CallButton) -> None:
        """Store one more button."""
        ...

    def has_live_button(self, page_id: PageId, psid: Psid, now: float) -> bool:
        """Whether the consumer has a call button of the Page that works at `now`."""
        ...
