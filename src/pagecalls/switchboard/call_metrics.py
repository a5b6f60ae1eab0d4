"""Apps' own reports on their calls (messenger-calling 11): taken once, kept beside the call, shown to operators.

What is in a report decides nothing. The checks and the writing are one unit of work, so two apps cannot both be the first.
"""

from __future__ import annotations

from pagecalls.call.metrics import CallMetrics, judge_report
from pagecalls.clock import Clock
from pagecalls.errors import CallingNotAllowed, InvalidValue, NotInCall, UnknownCall, UnknownObject
from pagecalls.store.base import MetricsRecord, Store, Transaction
from pagecalls.switchboard.base import Caller
from pagecalls.switchboard.journal import Journal
from pagecalls.types import CallId, Platform


class MetricsDesk:
    """Takes reports."""

    def __init__(self, store: Store, clock: Clock, journal: Journal) -> None:
        self._store = store
        self._clock = clock
        self._journal = journal

    async def submit(self, caller: Caller, call_id: CallId, platform: Platform | None, metrics: CallMetrics) -> None:
        """Store the report. `platform` `None`: the call's own.

        Raises `CallingNotAllowed`, `UnknownCall`, `NotInCall`, `InvalidValue`, then what `judge_report` raises.
        """
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            page = tx.page(caller.page_id)
            if page is None:
                raise UnknownObject("post", caller.page_id)
            if not page.is_calling_eligible:
                raise CallingNotAllowed
            record = tx.call(call_id)
            if record is None:
                raise UnknownCall
            call = record.call
            if call.page_id != caller.page_id:
                raise NotInCall
            if platform is not None and platform is not call.platform:
                raise InvalidValue("platform", got=platform.value)
            judge_report(call, caller.app_id, tx.told_apps(call_id), tx.call_metrics(call_id) is not None, now)
            tx.add_call_metrics(MetricsRecord(call_id, caller.app_id, now, metrics))

        await self._store.write(work)
        stats = metrics.audio_stats
        self._journal.note(
            "call_metrics",
            call_id,
            app_id=caller.app_id,
            reason=metrics.end_cause.value,
            jitter_s=stats.jitter_s if stats is not None else None,
            round_trip_time_s=stats.round_trip_time_s if stats is not None else None,
            packets_lost=stats.packets_lost if stats is not None else None,
        )
