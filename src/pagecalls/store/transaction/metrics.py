"""Apps' reports on calls on SQLite."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pagecalls.call.metrics import CallMetrics
from pagecalls.store.base.metrics import MetricsRecord
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId, CallId


class SqliteMetrics(Rows):
    """Implements `base.metrics.MetricsRows`."""

    def note_told(self, call_id: CallId, apps: Iterable[AppId]) -> None:
        """A `connect` of the call was written for these apps."""
        for app in apps:
            self._run("note_told", (call_id, app))

    def told_apps(self, call_id: CallId) -> frozenset[AppId]:
        """The apps that a `connect` of the call was written for, whatever became of it since."""
        return frozenset(row[0] for row in self._run("told_apps", (call_id,)))

    def call_metrics(self, call_id: CallId) -> MetricsRecord | None:
        """The report on the call, if there is one."""
        row = self._run("call_metrics", (call_id,)).fetchone()
        if row is None:
            return None
        app_id, reported_at, body = row
        return MetricsRecord(call_id, app_id, reported_at, msgspec.json.decode(body, type=CallMetrics))

    def add_call_metrics(self, record: MetricsRecord) -> None:
        """Store the first report on a call that is stored."""
        body = msgspec.json.encode(record.metrics).decode()
        self._run("add_call_metrics", (record.call_id, record.app_id, record.reported_at, body))
