"""Messages as plain lists, for the store's oracle."""

from __future__ import annotations

from pagecalls.store.base import CallButton
from pagecalls.types import PageId, Psid


class ModelMessages:
    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[CallButton] = []

    def add_call_button(self, button: CallButton) -> None:
        self.buttons.append(button)

    def has_live_button(self, page_id: PageId, psid: Psid, now: float) -> bool:
        return any((each.page_id, each.psid) == (page_id, psid) and each.expires_at > now for each in self.buttons)
