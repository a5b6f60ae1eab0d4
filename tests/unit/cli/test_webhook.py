"""`pagecalls webhook` on a data directory that no server uses."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pagecalls.cli import main, output
from pagecalls.cli.operator import Operator
from pagecalls.data_dir import DATABASE
from pagecalls.store.base import AppSubscription, DropReason, FailingReceiver, Transaction, WebhookKind
from pagecalls.store.sqlite import SqliteStore
from tests.contract.store_samples import APP, NOW, a_row, seed

CLEAN = {"PAGECALLS_URL": None, "PAGECALLS_ADMIN_TOKEN": None, "PAGECALLS_CONFIG": None}


def fill(transaction: Transaction) -> None:
    """A taken event, a dropped one, one that is owed, and a receiver that fails."""
    seed(transaction)
    transaction.put_app_subscription(AppSubscription(APP, "page", "http://receiver.example/hook", "verify", ("calls",)))
    rows = (a_row("e1"), a_row("e2", kind=WebhookKind.TERMINATE), a_row("e3", call_id=None))
    taken, dropped, owed = transaction.add_outbox(rows)
    transaction.outbox_delivered(taken, NOW + 1)
    transaction.add_attempt(taken, NOW + 1, 200, None, "", 0.25, "EVENT_RECEIVED")
    transaction.outbox_failed(dropped, None)
    transaction.add_attempt(dropped, NOW + 2, None, "timeout", "timed out", 20.0, "")
    transaction.drop_outbox(dropped, DropReason.SCHEDULE, NOW + 2)
    transaction.outbox_failed(owed, NOW + 5)
    transaction.add_attempt(owed, NOW + 2, 500, None, "", 0.5, "no\x1b")
    transaction.put_failing_receiver(FailingReceiver(APP, "page", NOW, 7, "500", alerted_at=NOW + 900))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    async def make() -> None:
        store = SqliteStore.open(tmp_path / DATABASE)
        await store.write(fill)
        await store.close()

    asyncio.run(make())
    return tmp_path


def run(folder: Path, *line: str) -> Result:
    return CliRunner().invoke(main, ["webhook", *line], env={**CLEAN, "PAGECALLS_DATA_DIR": str(folder)})


def text(folder: Path, *line: str) -> str:
    result = run(folder, *line)
    assert result.exit_code == 0, result.output
    return result.output


def data(folder: Path, *line: str) -> Any:
    return json.loads(text(folder, *line, "--json"))


def test_the_list(folder: Path) -> None:
    lines = text(folder, "list").splitlines()[3:]
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines if line.strip()]
    moment = "2026-09-21 14:13:20"
    assert cells == [
        ["3", moment, "connect", APP, "-", "owed, next attempt 2026-09-21 14:13:25", "1"],
        ["2", moment, "terminate", APP, "c_1", "dropped: schedule", "1"],
        ["1", moment, "connect", APP, "c_1", "delivered", "1"],
    ]


def test_the_list_for_a_machine_narrowed_down(folder: Path) -> None:
    assert [each["id"] for each in data(folder, "list", "--app", APP, "--limit", "2")] == [3, 2]
    assert [each["id"] for each in data(folder, "list", "--call", "c_1", "--kind", "connect")] == [1]
    assert [each["id"] for each in data(folder, "list", "--state", "dropped")] == [2]
    assert data(folder, "list", "--until", "9999d") == []
    assert text(folder, "list", "--app", "404") == "There are no such events.\n"


def test_the_list_fits_a_narrow_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "console", lambda least=0: Console(highlight=False, no_color=True, width=max(60, least)))
    lines = text(folder, "list").splitlines()
    assert max(map(len, lines)) <= 60
    assert re.split(r"\s{2,}", lines[1].strip()) == ["ID", "Time", "Event", "State", "Attempts"]
    assert [line.split()[:4] for line in lines if "2026-09-21 14:13:20" in line] == [
        ["3", "2026-09-21", "14:13:20", "connect"],
        ["2", "2026-09-21", "14:13:20", "terminate"],
        ["1", "2026-09-21", "14:13:20", "connect"],
    ]


def test_one_event(folder: Path) -> None:
    shown = text(folder, "show", "1")
    for words in ('{"event":"e1"}', "X-Hub-Signature-256", "sha256=", "http://receiver.example/hook", "EVENT_RECEIVED", "250 ms"):
        assert words in shown
    assert "secret-one" not in shown
    assert "timeout: timed out" in text(folder, "show", "2")
    assert data(folder, "show", "1")["log"][0]["status"] == 200
    assert "There is no delivery 9." in run(folder, "show", "9").output


def test_once_more_without_a_server_waits_for_the_next_one(folder: Path) -> None:
    assert text(folder, "replay", "1", "3", "9") == (
        "1 event is sent once more.\n"
        "3 is not: it, or an earlier event of its call, is still owed.\n"
        "9 is not: there is no such event.\n"
    )
    assert "delivered, goes once more" in text(folder, "list")
    assert data(folder, "replay", "--call", "c_1")["replayed"] == [1, 2]
    assert data(folder, "replay", "--app", APP, "--state", "dropped", "--yes")["replayed"] == [2]


@pytest.mark.parametrize("line", [[], ["1", "--call", "c_1"], ["--kind", "connect"], ["--app", APP], ["x"], ["0"]])
def test_what_cannot_be_sent_once_more(folder: Path, line: list[str]) -> None:
    assert run(folder, "replay", *line).exit_code == 2


def test_a_callback_cannot_be_tried_without_a_server(folder: Path) -> None:
    assert "No server runs on this data directory" in run(folder, "test", APP).output


@pytest.mark.parametrize("is_good", [True, False])
def test_a_callback_is_tried(folder: Path, monkeypatch: pytest.MonkeyPatch, is_good: bool) -> None:
    came = {"status": 200, "failure": None, "error": None, "latency_s": 0.0125, "answer": "fine"}
    lost = {"status": None, "failure": "connect", "error": "refused", "latency_s": 0.5, "answer": ""}
    reply = {
        "callback_url": "http://receiver.example/hook",
        "verification": {"success": is_good, "reason": None if is_good else "nobody there", **(came if is_good else lost)},
        "event": {"success": is_good, **(came if is_good else lost), "headers": {}, "body": "{}"},
    }
    asked: list[tuple[object, ...]] = []

    def request(_self: Operator, *what: object) -> object:
        asked.append(what)
        return reply

    monkeypatch.setattr(Operator, "request", request)
    tried = run(folder, "test", APP, "--object", "instagram")
    assert tried.exit_code == (0 if is_good else 1)
    assert asked == [("POST", "/deliveries/test", None, {"app_id": APP, "object": "instagram"})]
    words = ("200 in 12 ms", "the challenge came back", "taken") if is_good else ("connect: refused", "nobody there", "not taken")
    assert all(each in tried.output for each in words)
    assert json.loads(run(folder, "test", APP, "--json").output) == reply


def test_alerts(folder: Path) -> None:
    shown = text(folder, "alerts")
    assert all(each in shown for each in (APP, "page", "2026-09-21 14:13:20", "7", "500", "http://receiver.example/hook"))
    assert [each["app_id"] for each in data(folder, "alerts")] == [APP]
