"""Webhooks that belong to no call: a person's answer about their permission, a Page's changed settings.

Rows are written held, in the transaction of their cause, and go when the response of the request that caused them is out
(ruling 18). Those of one kind about one Page, or about one person and Page, keep their order. Bytes come from
`webhooks/payloads.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pagecalls.store.base import Hold, OutboxRow, Transaction, WebhookKind, about
from pagecalls.switchboard.base import Release
from pagecalls.switchboard.calls import Calls
from pagecalls.types import PageId, Psid

Render = Callable[[str], bytes]
"""An event id as the exact bytes of the event's webhook."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event for every app that has the field `kind` at both levels. `object_`: the subscription object (ruling 6). `psid`:
    whose it is, if it is a person's."""

    page_id: PageId
    object_: str
    kind: WebhookKind
    render: Render
    psid: Psid | None = None


class Announcements:
    """Writes them into the outbox, and releases them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def write(self, tx: Transaction, announcement: Announcement, now: float) -> list[int]:
        """The ids of the rows, held. Runs on the store's thread."""
        kind, event_id = announcement.kind, self._calls.ids.event_id()
        body = self._calls.notices.rendered(announcement.render, event_id)
        topic = about(kind, announcement.page_id, announcement.psid)
        return tx.add_outbox(
            OutboxRow(event_id, app, announcement.object_, None, kind, body, now, Hold.HELD, now, about=topic)
            for app in tx.subscribers(announcement.page_id, announcement.object_, kind.value)
        )

    def release(self, rows: Sequence[int]) -> Release:
        """What lets committed rows go. The first call counts."""
        left = list(rows)

        def release() -> None:
            if left:
                self._calls.spawn(self._calls.release_rows(tuple(left)))
                left.clear()

        return release
