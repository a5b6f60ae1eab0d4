"""The store's port on one SQLite connection: which named query each method runs, and how its rows read.

It never begins, commits or rolls back; `writer.py` frames the units of work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from pagecalls.store.base import (
    App,
    AppSubscription,
    CallRecord,
    Consumer,
    ConsumerToken,
    Hold,
    LiveCallExists,
    OutboxKey,
    OutboxRow,
    Page,
    PageSubscription,
    Token,
    TokenKind,
    WebhookKind,
)
from pagecalls.store.codec import Column, columns_of, names_of, names_text, record_of
from pagecalls.types import AppId, CallId, Direction, PageId, Platform, Psid


class SqliteTransaction:
    """Implements `base.Transaction`. Used on the connection's own thread only."""

    def __init__(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries

    def _run(self, name: str, parameters: Sequence[Column] | Mapping[str, Column] = ()) -> sqlite3.Cursor:
        return self._connection.execute(self._queries[name], parameters)

    # --- metadata, apps, Pages, tokens ---

    def meta(self, key: str) -> str | None:
        """The value stored under `key`."""
        row = self._run("meta", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put_meta(self, key: str, value: str) -> None:
        """Insert or replace."""
        self._run("put_meta", (key, value))

    def app(self, app_id: AppId) -> App | None:
        """The app, if it exists."""
        row = self._run("app", (app_id,)).fetchone()
        return None if row is None else _app(*row)

    def apps(self) -> list[App]:
        """Every app, in order of id."""
        return [_app(*row) for row in self._run("apps")]

    def put_app(self, app: App) -> None:
        """Insert or replace."""
        self._run("put_app", (app.id, app.name, app.secret, app.default_version, int(app.require_proof)))

    def page(self, page_id: PageId) -> Page | None:
        """The Page, if it exists."""
        row = self._run("page", (page_id,)).fetchone()
        return None if row is None else Page(row[0], row[1], bool(row[2]))

    def put_page(self, page: Page) -> None:
        """Insert or replace."""
        self._run("put_page", (page.id, page.name, int(page.is_calling_eligible)))

    def token(self, digest: str) -> Token | None:
        """The access token, if it was ever given out."""
        row = self._run("token", (digest,)).fetchone()
        if row is None:
            return None
        digest, kind, app_id, page_id, scopes, expires_at, is_revoked = row
        return Token(digest, TokenKind(kind), app_id, page_id, frozenset(names_of(scopes)), expires_at, bool(is_revoked))

    def put_token(self, token: Token) -> None:
        """Insert or replace."""
        scopes = names_text(sorted(token.scopes))
        owner = (token.digest, token.kind.value, token.app_id, token.page_id)
        self._run("put_token", (*owner, scopes, token.expires_at, int(token.is_revoked)))

    # --- subscriptions ---

    def app_subscriptions(self, app_id: AppId) -> list[AppSubscription]:
        """The app's subscriptions, in order of object."""
        rows = self._run("app_subscriptions", (app_id,))
        return [_app_subscription(*row) for row in rows]

    def put_app_subscription(self, subscription: AppSubscription) -> None:
        """Insert or replace the subscription to the same object."""
        target = (subscription.app_id, subscription.object, subscription.callback_url, subscription.verify_token)
        self._run("put_app_subscription", (*target, names_text(subscription.fields), int(subscription.is_active)))

    def delete_app_subscription(self, app_id: AppId, object_: str) -> None:
        """Delete; nothing happens if there is none."""
        self._run("delete_app_subscription", (app_id, object_))

    def page_subscription(self, app_id: AppId, page_id: PageId) -> PageSubscription | None:
        """The app's fields on the Page."""
        row = self._run("page_subscription", (app_id, page_id)).fetchone()
        return None if row is None else PageSubscription(row[0], row[1], names_of(row[2]))

    def put_page_subscription(self, subscription: PageSubscription) -> None:
        """Insert or replace."""
        self._run("put_page_subscription", (subscription.app_id, subscription.page_id, names_text(subscription.fields)))

    def delete_page_subscription(self, app_id: AppId, page_id: PageId) -> None:
        """Delete; nothing happens if there is none."""
        self._run("delete_page_subscription", (app_id, page_id))

    def subscribers(self, page_id: PageId, object_: str, field_: str) -> list[AppId]:
        """Apps with the field at both levels, in order of id (graph-platform 7.1)."""
        return [row[0] for row in self._run("subscribers", {"page_id": page_id, "object": object_, "field": field_})]

    def has_page_subscriber(self, page_id: PageId, field_: str) -> bool:
        """Whether any app has the field on the Page (ruling 13)."""
        return self._run("has_page_subscriber", {"page_id": page_id, "field": field_}).fetchone() is not None

    # --- consumers ---

    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        """The person, if the Page knows them."""
        row = self._run("consumer", (page_id, psid)).fetchone()
        return None if row is None else Consumer(row[0], row[1], Platform(row[2]), row[3])

    def put_consumer(self, consumer: Consumer) -> None:
        """Insert or replace."""
        self._run("put_consumer", (consumer.psid, consumer.page_id, consumer.platform.value, consumer.name))

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        """The consumer's token, if it was ever given out."""
        row = self._run("consumer_token", (digest,)).fetchone()
        return None if row is None else ConsumerToken(*row)

    def put_consumer_token(self, token: ConsumerToken) -> None:
        """Insert or replace."""
        self._run("put_consumer_token", (token.digest, token.psid, token.page_id, token.device_id, token.expires_at))

    def permission(self, page_id: PageId, psid: Psid) -> float | None:
        """When the call permission expires, Unix seconds."""
        row = self._run("permission", (page_id, psid)).fetchone()
        return None if row is None else float(row[0])

    def put_permission(self, page_id: PageId, psid: Psid, expires_at: float) -> None:
        """Insert or replace."""
        self._run("put_permission", (page_id, psid, expires_at))

    # --- calls ---

    def call(self, call_id: CallId) -> CallRecord | None:
        """The call, live or ended."""
        row = self._run("call", (call_id,)).fetchone()
        return None if row is None else record_of(*row)

    def put_call(self, record: CallRecord) -> None:
        """Insert or replace. Raises `LiveCallExists`; the transaction is as it was before."""
        try:
            self._run("put_call", columns_of(record))
        except sqlite3.IntegrityError as error:
            # The only unique index that can refuse: a taken id is replaced, and the row number is the database's own.
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
                raise
            raise LiveCallExists(record.call.page_id, record.call.psid) from error

    def live_call(self, page_id: PageId, psid: Psid) -> CallRecord | None:
        """The consumer's live call with the Page; there is at most one."""
        row = self._run("live_call", (page_id, psid)).fetchone()
        return None if row is None else record_of(*row)

    def live_calls(self) -> list[CallRecord]:
        """Every live call, in order of creation."""
        return [record_of(*row) for row in self._run("live_calls")]

    def calls_begun(self, page_id: PageId, psid: Psid, direction: Direction, since: float) -> int:
        """How many calls between the two began after `since`, in that direction, live or over."""
        named: dict[str, Column] = {"page_id": page_id, "psid": psid, "direction": direction.value, "since": since}
        (count,) = self._run("calls_begun", named).fetchone()
        return int(count)

    def calls_due(self, now: float) -> list[CallId]:
        """Live calls with a deadline at or before `now`, earliest first."""
        return [row[0] for row in self._run("calls_due", (now,))]

    def next_deadline(self) -> float | None:
        """The earliest deadline of any live call, Unix seconds."""
        (at,) = self._run("next_deadline").fetchone()
        return None if at is None else float(at)

    # --- outbox ---

    def add_outbox(self, rows: Iterable[OutboxRow]) -> list[int]:
        """Store rows in order; the ids given to them."""
        return [self._add_row(row) for row in rows]

    def _add_row(self, row: OutboxRow) -> int:
        source = (row.event_id, row.app_id, row.object, row.call_id, row.kind.value, row.body)
        row_id = self._run("add_outbox", (*source, row.created_at, row.hold.value, row.next_at, row.attempts)).lastrowid
        if row_id is None:
            raise sqlite3.InternalError("an inserted row has no id")
        return row_id

    def release_outbox(self, ids: Sequence[int], now: float) -> None:
        """HELD rows among `ids` become READY, due at `now`."""
        for row_id in ids:
            self._run("release_outbox", {"id": row_id, "now": now})

    def release_all_outbox(self, now: float) -> int:
        """Every HELD row becomes READY, due at `now`; how many."""
        return self._run("release_all_outbox", (now,)).rowcount

    def pending_outbox(self) -> list[OutboxRow]:
        """READY rows in order of id."""
        return [_outbox_row(*row) for row in self._run("pending_outbox")]

    def due_outbox(self, now: float, per_app: int) -> list[OutboxKey]:
        """See the port. Work and memory are bounded by `per_app`, however long an app's backlog is."""
        found: list[OutboxKey] = []
        for (app_id,) in self._run("apps_with_ready_rows", {"now": now}).fetchall():
            page: dict[str, Column] = {"app_id": app_id, "now": now, "per_app": per_app}
            found.extend(OutboxKey(*row) for row in self._run("fresh_outbox", page))
            found.extend(OutboxKey(*row) for row in self._run("retries_outbox", page))
        return found

    def next_outbox_at(self, now: float) -> float | None:
        """The earliest attempt that is due after `now`, Unix seconds."""
        (at,) = self._run("next_outbox_at", (now,)).fetchone()
        return None if at is None else float(at)

    def outbox_row(self, row_id: int) -> OutboxRow | None:
        """One row, whatever its hold."""
        row = self._run("outbox_row", (row_id,)).fetchone()
        return None if row is None else _outbox_row(*row)

    def is_untried(self, call_id: CallId, kind: WebhookKind) -> bool:
        """Whether an open row of the call and kind has never been tried to its end."""
        return bool(self._run("is_untried", (call_id, kind.value)).fetchone()[0])

    def outbox_delivered(self, row_id: int, now: float) -> None:
        """The receiver acknowledged; the attempt that did it is counted."""
        self._run("outbox_delivered", {"id": row_id, "now": now})

    def outbox_failed(self, row_id: int, attempts: int, next_at: float | None) -> None:
        """Note a failed attempt; `next_at` `None` gives the row up. A row dropped meanwhile stays dropped."""
        self._run("outbox_failed", {"id": row_id, "attempts": attempts, "next_at": next_at})

    def drop_stale_outbox(self, call_id: CallId) -> None:
        """Rows of the call that were tried already and are not `terminate` are dropped (ruling 9)."""
        self._run("drop_stale_outbox", (call_id,))


def _app(app_id: AppId, name: str, secret: str, default_version: str, require_proof: int) -> App:
    return App(app_id, name, secret, default_version, bool(require_proof))


def _app_subscription(
    app_id: AppId, object_: str, callback_url: str, verify_token: str, fields: str, is_active: int
) -> AppSubscription:
    return AppSubscription(app_id, object_, callback_url, verify_token, names_of(fields), bool(is_active))


def _outbox_row(
    event_id: str,
    app_id: AppId,
    object_: str,
    call_id: CallId | None,
    kind: str,
    body: bytes,
    created_at: float,
    hold: str,
    next_at: float,
    attempts: int,
    row_id: int,
) -> OutboxRow:
    return OutboxRow(
        event_id, app_id, object_, call_id, WebhookKind(kind), body, created_at, Hold(hold), next_at, attempts, row_id
    )
