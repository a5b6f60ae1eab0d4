"""Pages' call settings, as they are kept."""

from __future__ import annotations

from typing import Protocol

from pagecalls.call.settings import CallSettings
from pagecalls.types import PageId


class SettingsRows(Protocol):
    """What a unit of work does with call settings."""

    def call_settings(self, page_id: PageId) -> CallSettings | None:
        """What was set for the Page; `None` if nothing ever was."""
        ...

    def put_call_settings(self, page_id: PageId, settings: CallSettings) -> None:
        """Insert or replace."""
        ...
