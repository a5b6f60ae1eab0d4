"""Messages with call buttons on SQLite."""

from __future__ import annotations

from pagecalls.store.base.messages import CallButton
from pagecalls.store.transaction.base import Rows
from pagecalls.types import PageId, Psid


class SqliteMessages(Rows):
    """Implements `base.messages.MessageRows`."""

    def add_call_button(self, button: CallButton) -> None:
        """Store one more button."""
        where = (button.message_id, button.page_id, button.psid)
        self._run("add_call_button", (*where, button.title, button.expires_at))

    def has_live_button(self, page_id: PageId, psid: Psid, now: float) -> bool:
        """Whether the consumer has a call button of the Page that works at `now`."""
        return self._run("has_live_button", (page_id, psid, now)).fetchone() is not None
