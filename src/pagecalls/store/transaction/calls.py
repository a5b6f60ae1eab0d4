"""Calls on SQLite."""

from __future__ import annotations

import sqlite3

from pagecalls.store.base.calls import CallRecord, LiveCallExists
from pagecalls.store.codec import Column, columns_of, record_of
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId, CallId, Direction, PageId, Psid


class SqliteCalls(Rows):
    """Implements `base.calls.CallRows`."""

    def call(self, call_id: CallId) -> CallRecord | None:
        """The call, live or ended."""
        row = self._run("call", (call_id,)).fetchone()
        return None if row is None else record_of(*row)

    def put_call(self, record: CallRecord) -> None:
        """Insert or replace. Raises `LiveCallExists`; the transaction is as it was before."""
        try:
            self._run("put_call", columns_of(record))
        except sqlite3.IntegrityError as error:
            # The only unique index that can refuse: a taken id is replaced, and the row number is the database's own.
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
                raise
            raise LiveCallExists(record.call.page_id, record.call.psid) from error

    def live_call(self, page_id: PageId, psid: Psid) -> CallRecord | None:
        """The consumer's live call with the Page; there is at most one."""
        row = self._run("live_call", (page_id, psid)).fetchone()
        return None if row is None else record_of(*row)

    def live_calls(self) -> list[CallRecord]:
        """Every live call, in order of creation."""
        return [record_of(*row) for row in self._run("live_calls")]

    def live_calls_of_page(self, page_id: PageId) -> int:
        """How many live calls the Page has."""
        (count,) = self._run("live_calls_of_page", (page_id,)).fetchone()
        return int(count)

    def live_calls_of_app(self, app_id: AppId) -> int:
        """How many live calls the app has accepted or started."""
        (count,) = self._run("live_calls_of_app", (app_id,)).fetchone()
        return int(count)

    def calls_begun(self, page_id: PageId, psid: Psid, direction: Direction, since: float) -> int:
        """How many calls between the two began after `since`, in that direction, live or over."""
        named: dict[str, Column] = {"page_id": page_id, "psid": psid, "direction": direction.value, "since": since}
        (count,) = self._run("calls_begun", named).fetchone()
        return int(count)
