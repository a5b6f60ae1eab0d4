"""Call settings as a plain dictionary, for the store's oracle."""

from __future__ import annotations

from pagecalls.call.settings import CallSettings
from pagecalls.types import PageId


class ModelSettings:
    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[PageId, CallSettings] = {}

    def call_settings(self, page_id: PageId) -> CallSettings | None:
        return self.settings.get(page_id)

    def put_call_settings(self, page_id: PageId, settings: CallSettings) -> None:
        self.settings[page_id] = settings
