"""Small values for tests of the store, and what they look at in it."""

from __future__ import annotations

from pagecalls.call.model import Call, Deadline
from pagecalls.call.states import CallState, DeadlineKind
from pagecalls.store.base import App, CallRecord, Consumer, Hold, OutboxRow, Page, Transaction, WebhookKind
from pagecalls.types import AppId, CallId, Direction, PageId, Platform, Psid

NOW = 1_790_000_000.0
APP = AppId("1001")
OTHER_APP = AppId("1002")
PAGE = PageId("2001")
PSIDS = tuple(Psid(str(3001 + number)) for number in range(3))
PSID = PSIDS[0]


def seed(transaction: Transaction) -> None:
    """Two apps, a Page and its consumers."""
    transaction.put_app(App(APP, "first", "secret-one"))
    transaction.put_app(App(OTHER_APP, "second", "secret-two"))
    transaction.put_page(Page(PAGE, "A Page"))
    for psid in PSIDS:
        transaction.put_consumer(Consumer(psid, PAGE, Platform.MESSENGER, f"Person {psid}"))


def a_call(
    call_id: str, psid: Psid = PSID, state: CallState = CallState.RINGING_IN, deadline_at: float | None = NOW + 60
) -> CallRecord:
    """A consumer's call."""
    deadlines = () if deadline_at is None else (Deadline(DeadlineKind.RING_IN, deadline_at),)
    call = Call(
        CallId(call_id), PAGE, psid, Platform.MESSENGER, Direction.USER_INITIATED, state, created_at=NOW, deadlines=deadlines
    )
    return CallRecord(call, b'{"legs":[]}')


def a_row(
    event_id: str,
    *,
    app_id: AppId = APP,
    call_id: str | None = "c_1",
    kind: WebhookKind = WebhookKind.CONNECT,
    hold: Hold = Hold.READY,
    created_at: float = NOW,
    about: str | None = None,
) -> OutboxRow:
    """A row that was never tried."""
    body = f'{{"event":"{event_id}"}}'.encode()
    call = None if call_id is None else CallId(call_id)
    return OutboxRow(event_id, app_id, "page", call, kind, body, created_at, hold, created_at, about=about)


def ready_rows(transaction: Transaction) -> list[OutboxRow]:
    """The rows that are READY, in order of id."""
    entries = reversed(transaction.outbox_entries(None, None, before=2**62, limit=9999))
    found = [transaction.outbox_row(entry.id) for entry in entries if entry.hold is Hold.READY]
    return [row for row in found if row is not None]
