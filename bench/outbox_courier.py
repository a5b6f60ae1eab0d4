"""The courier of one server by itself, over a store in a file: how long it takes for a full outbox, and what CPU.

Arguments: the folder, the number of calls of each app, and the callback URL of each app; after a `+` those of apps whose
receivers are bad. Each call has the five events of a call that the business made and the consumer took. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

import uvloop

from pagecalls.clock import SystemClock
from pagecalls.store.base import App, AppSubscription, Hold, OutboxRow, Transaction, WebhookKind
from pagecalls.store.sqlite import SqliteStore
from pagecalls.types import AppId, CallId
from pagecalls.webhooks.outbox import Courier
from pagecalls.webhooks.sender import AiohttpSender
from pagecalls.webhooks.targets import TargetPolicy

KINDS = (
    (WebhookKind.CONNECT, 300),
    (WebhookKind.CALL_STATUS, 250),
    (WebhookKind.CALL_STATUS, 250),
    (WebhookKind.MEDIA_UPDATE, 2600),
    (WebhookKind.TERMINATE, 300),
)
"""What a call sends, and how many octets each has."""


async def deliver(folder: Path, calls: int, good: list[str], bad: list[str]) -> dict[str, float]:
    """Fill the outbox, then deliver all that the good ones are owed."""
    store, clock = SqliteStore.open(folder / "store.db"), SystemClock()
    sender = AiohttpSender(TargetPolicy(allow_loopback=True))
    urls = {AppId(str(1 + number)): url for number, url in enumerate([*bad, *good])}
    wanted = set(list(urls)[len(bad) :])
    left = calls * len(KINDS) * len(good)
    done = asyncio.Event()

    def on_outcome(row: OutboxRow, _outcome: object) -> None:
        nonlocal left
        left -= row.app_id in wanted
        if not left:
            done.set()

    courier = Courier(store, sender, clock, on_attempt=lambda row: None, on_outcome=on_outcome)
    await fill(store, urls, calls, clock.now())
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    courier.start()
    await done.wait()
    wall_s = time.monotonic() - began
    if not bad:
        await courier.idle()
    after = resource.getrusage(resource.RUSAGE_SELF)
    await courier.stop(grace_s=0)
    await sender.close()
    await store.close()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"events": calls * len(KINDS) * len(good), "wall_s": wall_s, "cpu_s": cpu_s}


async def fill(store: SqliteStore, urls: dict[AppId, str], calls: int, now: float) -> None:
    """All rows are there before the clock starts."""

    def work(transaction: Transaction) -> None:
        for app_id, url in urls.items():
            transaction.put_app(App(app_id, f"app {app_id}", "secret"))
            transaction.put_app_subscription(AppSubscription(app_id, "page", url, "verify", ("calls",)))
        transaction.add_outbox(row(app_id, call, number, now) for call in range(calls) for number in range(5) for app_id in urls)

    await store.write(work)


def row(app_id: AppId, call: int, number: int, now: float) -> OutboxRow:
    """Event `number` of a call."""
    kind, size = KINDS[number]
    event_id = f"{app_id} {call} {number}"
    body = json.dumps({"object": "page", "event_id": event_id, "padding": "x" * size}).encode()
    return OutboxRow(event_id, app_id, "page", CallId(f"c_{call}"), kind, body, now, Hold.READY, now)


def main() -> None:
    """See the module."""
    folder, calls, *urls = sys.argv[1:]
    split = urls.index("+")
    print(json.dumps(uvloop.run(deliver(Path(folder), int(calls), urls[:split], urls[split + 1 :]))))


if __name__ == "__main__":
    main()
