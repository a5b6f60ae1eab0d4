"""Apps' reports on calls, and which apps were told of a call, as they are kept. Both go with their call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pagecalls.call.metrics import CallMetrics
from pagecalls.types import AppId, CallId


@dataclass(frozen=True, slots=True)
class MetricsRecord:
    """The one report on a call: who handed it in, and when (Unix seconds)."""

    call_id: CallId
    app_id: AppId
    reported_at: float
    metrics: CallMetrics


class MetricsRows(Protocol):
    """What a unit of work does with reports."""

    def note_told(self, call_id: CallId, apps: Iterable[AppId]) -> None:
        """A `connect` of the call was written for these apps."""
        ...

    def told_apps(self, call_id: CallId) -> frozenset[AppId]:
        """The apps that a `connect` of the call was written for, whatever became of it since."""
        ...

    def call_metrics(self, call_id: CallId) -> MetricsRecord | None:
        """The report on the call, if there is one."""
        ...

    def add_call_metrics(self, record: MetricsRecord) -> None:
        """Store the first report on a call that is stored."""
        ...
