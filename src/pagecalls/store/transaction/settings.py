"""Pages' call settings on SQLite."""

from __future__ import annotations

import msgspec

from pagecalls.call.settings import CallSettings
from pagecalls.store.transaction.base import Rows
from pagecalls.types import PageId


class SqliteSettings(Rows):
    """Implements `base.settings.SettingsRows`."""

    def call_settings(self, page_id: PageId) -> CallSettings | None:
        """What was set for the Page; `None` if nothing ever was."""
        row = self._run("call_settings", (page_id,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=CallSettings)

    def put_call_settings(self, page_id: PageId, settings: CallSettings) -> None:
        """Insert or replace."""
        self._run("put_call_settings", (page_id, msgspec.json.encode(settings).decode()))
