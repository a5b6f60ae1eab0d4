"""One call for an operator's eyes: its state, the figures of its legs, and what its app reported of it."""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.call.model import Call
from pagecalls.store.base import MetricsRecord, Transaction
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.figures import LegFigures
from pagecalls.types import CallId


@dataclass(frozen=True, slots=True)
class CallReport:
    """The call as it is stored, and what the engine told of its legs; empty before the first figures and long after the end.

    `metrics`: the app's own report, if it has sent one.
    """

    call: Call
    legs: tuple[LegFigures, ...]
    metrics: MetricsRecord | None = None


class CallReports:
    """Reads what the switchboard knows."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def call_report(self, call_id: CallId) -> CallReport | None:
        """`None`: there is no such call."""

        def work(tx: Transaction) -> tuple[Call, MetricsRecord | None] | None:
            record = tx.call(call_id)
            return (record.call, tx.call_metrics(call_id)) if record is not None else None

        found = await self._calls.store.read(work)
        return CallReport(found[0], self._calls.legs.figures.of(call_id), found[1]) if found is not None else None
