from __future__ import annotations

import asyncio
import logging

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.switchboard.journal import Journal


async def test_entries_are_numbered_and_filtered() -> None:
    journal = Journal(SteppedClock(100.0))
    journal.note("ice", "c_1", side="business")
    journal.note("dtls", "c_1")
    assert [entry["seq"] for entry in await journal.after(0, 0)] == [1, 2]
    assert await journal.after(1, 0) == [{"seq": 2, "at": 100.0, "kind": "dtls", "call_id": "c_1", "facts": {}}]


async def test_it_is_bounded() -> None:
    journal = Journal(SteppedClock(), capacity=3)
    for _ in range(10):
        journal.note("x")
    assert [entry["seq"] for entry in await journal.after(0, 0)] == [8, 9, 10]


async def test_a_reader_waits_for_news() -> None:
    journal = Journal(SteppedClock())
    reading = asyncio.create_task(journal.after(0, 30))
    await asyncio.sleep(0)
    journal.note("news")
    assert [entry["kind"] for entry in await reading] == ["news"]


async def test_waiting_ends_without_news() -> None:
    assert await Journal(SteppedClock()).after(0, 0.01) == []


async def test_nobody_waits_once_the_server_ends() -> None:
    journal = Journal(SteppedClock())
    journal.note("last")
    reading = asyncio.create_task(journal.after(1, 30))
    await asyncio.sleep(0)
    journal.close()
    assert await reading == []
    assert await journal.after(1, 30) == []
    assert [entry["kind"] for entry in await journal.after(0, 30)] == ["last"]


async def test_the_log_tells_whom_a_fact_is_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pagecalls.journal"):
        Journal(SteppedClock()).note("message_sent", app_id="777", page_id="1001")
    (line,) = caplog.records
    assert (line.__dict__["app_id"], line.__dict__["page_id"], line.__dict__["call_id"]) == ("777", "1001", None)


async def test_a_fact_is_an_entry_and_a_line_in_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    journal = Journal(SteppedClock())
    journal.note("webhook_answer", "c_1", event="connect", status=200, error=None)
    journal.note("upkeep", calls=3)
    first, second = await journal.after(0, 0)
    assert first["facts"] == {"event": "connect", "status": 200, "error": None}
    assert (second["seq"], second["call_id"]) == (2, None)
    assert caplog.messages == ["webhook_answer c_1 event=connect status=200 error=-", "upkeep - calls=3"]
