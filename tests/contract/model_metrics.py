"""Apps' reports on calls as plain dictionaries, for the store's oracle."""

from __future__ import annotations

from collections.abc import Iterable

from pagecalls.store.base import MetricsRecord
from pagecalls.types import AppId, CallId


class ModelMetrics:
    def __init__(self) -> None:
        super().__init__()
        self.told: dict[CallId, frozenset[AppId]] = {}
        self.reports: dict[CallId, MetricsRecord] = {}

    def note_told(self, call_id: CallId, apps: Iterable[AppId]) -> None:
        self.told[call_id] = self.told_apps(call_id) | frozenset(apps)

    def told_apps(self, call_id: CallId) -> frozenset[AppId]:
        return self.told.get(call_id, frozenset())

    def call_metrics(self, call_id: CallId) -> MetricsRecord | None:
        return self.reports.get(call_id)

    def add_call_metrics(self, record: MetricsRecord) -> None:
        self.reports[record.call_id] = record
