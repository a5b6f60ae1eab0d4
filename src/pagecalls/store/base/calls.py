"""Calls, live and ended, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pagecalls.call.model import Call
from pagecalls.types import AppId, CallId, Direction, PageId, Psid


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call with its media facts.

    `media` is the switchboard's own JSON (legs, connections, stored replies); the store keeps it whole.
    """

    call: Call
    media: bytes = b"{}"


class LiveCallExists(Exception):
    """The consumer and the Page already have a live call (the partial unique index has the last word)."""


class CallRows(Protocol):
    """What a unit of work does with calls."""

    def call(self, call_id: CallId) -> CallRecord | None:
        """The call, live or ended."""
        ...

    def put_call(self, record: CallRecord) -> None:
        """Insert or replace. Raises `LiveCallExists`."""
        ...

    def live_call(self, page_id: PageId, psid: Psid) -> CallRecord | None:
        """The consumer's live call with the Page; there is at most one."""
        ...

    def live_calls(self) -> list[CallRecord]:
        """Every live call, in order of creation."""
        ...

    def live_calls_of_page(self, page_id: PageId) -> int:
        """How many live calls the Page has."""
        ...

    def live_calls_of_app(self, app_id: AppId) -> int:
        """How many live calls the app has accepted or started."""
        ...

    def calls_begun(self, page_id: PageId, psid: Psid, direction: Direction, since: float) -> int:
        """How many calls between the two began after `since`, in that direction, live or over."""
        ...
