"""Reports on calls, and who was told of them, go with their call."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pagecalls.call.metrics import CallEndCause, CallMetrics
from pagecalls.call.states import CallState
from pagecalls.store.base import MetricsRecord, Transaction
from pagecalls.store.sqlite import SqliteStore
from tests.contract.store_samples import APP, NOW, OTHER_APP, a_call, seed

CALL = a_call("c_1", state=CallState.COMPLETED, deadline_at=None)


async def test_a_call_that_is_deleted_takes_them_along(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "pagecalls.db")

    def work(tx: Transaction) -> None:
        seed(tx)
        tx.put_call(CALL)
        tx.note_told(CALL.call.id, [APP, OTHER_APP])
        tx.add_call_metrics(MetricsRecord(CALL.call.id, APP, NOW, CallMetrics(CallEndCause.UNKNOWN, NOW)))
        tx.put_call(CALL)  # a change of the call leaves them alone

    await store.write(work)
    assert await store.read(lambda tx: tx.told_apps(CALL.call.id)) == {APP, OTHER_APP}
    assert await store.read(lambda tx: tx.call_metrics(CALL.call.id)) is not None
    await store.close()

    beside = sqlite3.connect(tmp_path / "pagecalls.db")
    beside.execute("PRAGMA foreign_keys = ON")
    beside.execute("DELETE FROM calls")
    beside.commit()
    counts = [beside.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("call_apps", "call_metrics")]
    beside.close()
    assert counts == [0, 0]
