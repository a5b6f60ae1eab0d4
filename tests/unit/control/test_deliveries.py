from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from pagecalls.store.base import (
    AppSubscription,
    DropReason,
    FailingReceiver,
    Hold,
    OutboxRow,
    Transaction,
    WebhookKind,
)
from pagecalls.switchboard.deliveries import REPLAY_LIMIT, SLICE, SLICES, Deliveries
from pagecalls.switchboard.ids import Ids
from pagecalls.webhooks import signing
from tests.contract.store_model import ModelStore
from tests.contract.store_samples import APP, NOW, OTHER_APP, a_row, seed
from tests.unit.control.support import Courier, Desk, Tester, refused

URL = "http://receiver.example/hook"


class Log:
    """The face over a log in memory."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.store = ModelStore()
        self.courier = Courier()
        self.desk.deliveries = Deliveries(self.store, self.desk.clock, self.courier, Tester(), Ids(Random(1)))

        def work(transaction: Transaction) -> None:
            seed(transaction)
            for app_id in (APP, OTHER_APP):
                transaction.put_app_subscription(AppSubscription(app_id, "page", URL, "verify", ("calls",)))

        self.store.write_now(work)

    def add(self, *rows: OutboxRow, taken: bool = True) -> list[int]:
        def work(transaction: Transaction) -> list[int]:
            ids = transaction.add_outbox(rows)
            for row_id in ids if taken else ():
                transaction.outbox_delivered(row_id, NOW + 1)
                transaction.add_attempt(row_id, NOW + 1, 200, None, "", 0.12345, "EVENT_RECEIVED")
            return ids

        return self.store.write_now(work)

    async def get(self, path: str) -> Any:
        reply = await self.desk.ask("GET", f"/_pagecalls/{path}")
        assert reply.status == 200, reply.json
        return reply.json

    async def post(self, path: str, body: object) -> Any:
        reply = await self.desk.ask("POST", f"/_pagecalls/deliveries/{path}", body)
        assert reply.status == 200, reply.json
        return reply.json

    async def ids(self, query: str = "") -> list[int]:
        return [each["id"] for each in (await self.get(f"deliveries{query}"))["data"]]

    def replays(self) -> list[int]:
        return self.store.write_now(lambda transaction: [key.id for key in transaction.replays_outbox(10_000)])


async def test_an_event_in_the_list() -> None:
    log = Log()
    (row_id,) = log.add(a_row("e1"))
    assert await log.get("deliveries") == {
        "data": [
            {
                "id": row_id,
                "event_id": "e1",
                "app_id": APP,
                "object": "page",
                "call_id": "c_1",
                "kind": "connect",
                "state": "delivered",
                "reason": None,
                "attempts": 1,
                "created_at": NOW,
                "settled_at": NOW + 1,
                "next_at": None,
                "replay_at": None,
            }
        ],
        "next": None,
    }


async def test_what_is_looked_for() -> None:
    log = Log()
    one = log.add(a_row("e1"), a_row("e2", app_id=OTHER_APP, kind=WebhookKind.TERMINATE))
    two = log.add(a_row("e3", call_id="c_2", created_at=NOW + 50), a_row("e4", call_id=None), taken=False)
    assert await log.ids() == [*reversed(two), *reversed(one)]
    assert await log.ids(f"?app_id={OTHER_APP}") == [one[1]]
    assert await log.ids("?call_id=c_1") == [one[1], one[0]]
    assert await log.ids(f"?call_id=c_1&app_id={APP}") == [one[0]]
    assert await log.ids("?kind=terminate") == [one[1]]
    assert await log.ids("?state=ready") == [two[1], two[0]]
    assert await log.ids(f"?since={NOW + 50}") == [two[0]]
    assert await log.ids(f"?until={NOW + 50}") == [two[1], one[1], one[0]]
    assert await log.ids("?app_id=404") == []


async def test_page_after_page() -> None:
    log = Log()
    ids = log.add(*(a_row(f"e{number}") for number in range(5)))
    page = await log.get("deliveries?limit=2")
    assert [each["id"] for each in page["data"]] == [ids[4], ids[3]]
    page = await log.get(f"deliveries?limit=2&after={page['next']}")
    assert [each["id"] for each in page["data"]] == [ids[2], ids[1]]
    page = await log.get(f"deliveries?limit=2&after={page['next']}")
    assert ([each["id"] for each in page["data"]], page["next"]) == ([ids[0]], None)


async def test_a_search_that_finds_little_says_where_it_stopped() -> None:
    log = Log()
    (wanted,) = log.add(a_row("e0", kind=WebhookKind.TERMINATE))
    ids = log.add(*(a_row("e", call_id=None) for _ in range(SLICE * SLICES)))
    page = await log.get("deliveries?kind=terminate")
    assert page == {"data": [], "next": str(ids[0])}
    assert await log.ids(f"?kind=terminate&after={page['next']}") == [wanted]


@pytest.mark.parametrize(
    "query",
    [
        "kind=rings",
        "state=lost",
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=0000000019999",
        "limit=000000001" + "9" * 21,
        "limit=" + "9" * 5000,
        "after=-1",
        "after=0",
        "since=soon",
        "until=nan",
        "since=-1",
    ],
)
async def test_what_cannot_be_looked_for(query: str) -> None:
    assert refused(await Desk().ask("GET", f"/_pagecalls/deliveries?{query}")) == (400, "bad_request")


async def test_one_event_with_its_bytes_its_signatures_and_every_attempt() -> None:
    log = Log()
    row = a_row("e1")
    (row_id,) = log.add(row, taken=False)

    def work(transaction: Transaction) -> None:
        transaction.outbox_failed(row_id, NOW + 5)
        transaction.add_attempt(row_id, NOW, None, "timeout", "timed out", 20.0, "")
        transaction.outbox_delivered(row_id, NOW + 6)
        transaction.add_attempt(row_id, NOW + 6, 200, None, "", 0.12345, "thanks")

    log.store.write_now(work)
    shown = await log.get(f"deliveries/{row_id}")
    assert (shown["state"], shown["attempts"], shown["callback_url"]) == ("delivered", 2, URL)
    assert shown["body"].encode() == row.body
    assert shown["headers"] == signing.headers("secret-one", row.body)
    assert "secret-one" not in repr(shown)
    assert shown["log"] == [
        {
            "attempt": 1,
            "at": NOW,
            "status": None,
            "failure": "timeout",
            "error": "timed out",
            "latency_s": 20.0,
            "answer": "",
        },
        {
            "attempt": 2,
            "at": NOW + 6,
            "status": 200,
            "failure": None,
            "error": None,
            "latency_s": 0.1235,
            "answer": "thanks",
        },
    ]


async def test_an_event_whose_app_has_no_callback_any_more_has_no_signature() -> None:
    log = Log()
    (row_id,) = log.add(replace(a_row("e1"), object="instagram"))
    shown = await log.get(f"deliveries/{row_id}")
    assert (shown["callback_url"], shown["headers"]) == (None, None)


@pytest.mark.parametrize("name", ["1", "0", "x", "-1", "9" * 5000, "1/2"])
async def test_an_event_that_is_not_there(name: str) -> None:
    assert refused(await Desk().ask("GET", f"/_pagecalls/deliveries/{name}")) == (404, "not_found")


async def test_some_events_are_sent_once_more() -> None:
    log = Log()
    ids = log.add(a_row("e1"), a_row("e2"))
    (owed, behind) = log.add(a_row("e3", call_id="c_2"), a_row("e4", call_id="c_2"), taken=False)
    log.store.write_now(lambda transaction: transaction.outbox_delivered(behind, NOW))
    (gone,) = log.add(replace(a_row("e5"), object="instagram"))
    reply = await log.post("replay", {"ids": [behind, ids[1], ids[0], ids[0], owed, gone, 404]})
    assert reply == {
        "replayed": ids,
        "skipped": [
            {"id": owed, "reason": "owed"},
            {"id": behind, "reason": "owed"},
            {"id": gone, "reason": "no_subscription"},
            {"id": 404, "reason": "unknown"},
        ],
        "left": 0,
    }
    assert log.replays() == ids
    assert log.courier.wakes == 1


async def test_events_of_a_subscription_that_is_off_are_not_sent_once_more() -> None:
    log = Log()
    (row_id,) = log.add(a_row("e1"))
    off = AppSubscription(APP, "page", URL, "verify", ("calls",), is_active=False)
    log.store.write_now(lambda transaction: transaction.put_app_subscription(off))
    assert (await log.post("replay", {"ids": [row_id]}))["skipped"] == [{"id": row_id, "reason": "no_subscription"}]


async def test_all_events_of_a_call_or_of_an_app_in_a_span_are_sent_once_more() -> None:
    log = Log()
    first = log.add(a_row("e1"), a_row("e2", kind=WebhookKind.TERMINATE), a_row("e3", app_id=OTHER_APP))
    (later,) = log.add(a_row("e4", call_id="c_2", created_at=NOW + 50))
    assert (await log.post("replay", {"call_id": "c_1"}))["replayed"] == first
    assert (await log.post("replay", {"call_id": "c_1", "app_id": APP, "kind": "terminate"}))["replayed"] == [first[1]]
    assert (await log.post("replay", {"app_id": APP, "since": NOW + 1, "until": NOW + 51}))["replayed"] == [later]
    assert (await log.post("replay", {"app_id": APP, "state": "dropped"}))["replayed"] == []


async def test_what_is_sent_once_more_at_a_time_is_bounded() -> None:
    log = Log()
    ids = log.add(*(a_row("e", call_id=None) for _ in range(REPLAY_LIMIT + 3)))
    reply = await log.post("replay", {"app_id": APP})
    assert (reply["replayed"], reply["left"]) == (ids[:REPLAY_LIMIT], 3)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": "1"},
        {"ids": [1.5]},
        {"ids": [1], "call_id": "c_1"},
        {"ids": list(range(1, REPLAY_LIMIT + 2))},
        {"since": 5},
        {"app_id": "1", "kind": "rings"},
        {"app_id": "1", "since": -5},
        {"app": "1"},
        b"replay",
    ],
)
async def test_what_cannot_be_sent_once_more(body: object) -> None:
    assert refused(await Desk().ask("POST", "/_pagecalls/deliveries/replay", body)) == (400, "bad_request")


async def test_a_callback_is_tried_out() -> None:
    log = Log()
    reply = await log.post("test", {"app_id": APP})
    event = reply.pop("event")
    assert reply == {
        "callback_url": URL,
        "verification": {
            "success": False,
            "reason": "no echo",
            "status": None,
            "failure": "timeout",
            "error": "timed out",
            "latency_s": 4.0,
            "answer": "",
        },
    }
    assert (event["success"], event["status"], event["answer"]) == (False, 503, "come \ufffd[31mlater")
    assert event["headers"] == signing.headers("secret-one", event["body"].encode())


async def test_a_callback_that_is_not_there_is_not_tried_out() -> None:
    for body in ({"app_id": "404"}, {"app_id": APP, "object": "user"}):
        assert refused(await Log().desk.ask("POST", "/_pagecalls/deliveries/test", body)) == (404, "not_found")


async def test_alerts() -> None:
    log = Log()
    assert await log.get("alerts") == {"data": [], "next": None}

    def work(transaction: Transaction) -> None:
        transaction.put_failing_receiver(FailingReceiver(APP, "page", NOW, 7, "500", alerted_at=NOW + 900))
        transaction.put_failing_receiver(FailingReceiver(OTHER_APP, "page", NOW, 7, "500"))

    log.store.write_now(work)
    assert await log.get("alerts") == {
        "data": [
            {
                "app_id": APP,
                "object": "page",
                "callback_url": URL,
                "failing_since": NOW,
                "failures": 7,
                "last": "500",
                "alerted_at": NOW + 900,
                "disabled_at": None,
            }
        ],
        "next": None,
    }


async def test_why_a_row_was_dropped_is_told() -> None:
    log = Log()
    (row_id,) = log.add(a_row("e1"), taken=False)
    log.store.write_now(lambda transaction: transaction.drop_outbox(row_id, DropReason.DISABLED, NOW + 2))
    (entry,) = (await log.get("deliveries"))["data"]
    assert (entry["state"], entry["reason"], entry["settled_at"]) == (Hold.DROPPED, "disabled", NOW + 2)
