"""Consumers, their tokens and permissions on SQLite."""

from __future__ import annotations

from pagecalls.store.base.consumers import Consumer, ConsumerToken
from pagecalls.store.base.outbox import WebhookKind, about
from pagecalls.store.codec import Column
from pagecalls.store.transaction.base import Rows
from pagecalls.types import DeviceId, PageId, Platform, Psid


class SqliteConsumers(Rows):
    """Implements `base.consumers.ConsumerRows`."""

    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        """The person, if the Page knows them."""
        row = self._run("consumer", (page_id, psid)).fetchone()
        return None if row is None else _consumer(*row)

    def consumers(self, page_id: PageId | None, after: tuple[str, str], limit: int) -> list[Consumer]:
        """Up to `limit` people after the Page and id `after`."""
        after_page, after_psid = after
        if page_id is None:
            everybody: dict[str, Column] = {"after_page": after_page, "after_psid": after_psid, "limit": limit}
            return [_consumer(*row) for row in self._run("consumers", everybody)]
        if after_page > page_id:
            return []
        of_page: dict[str, Column] = {
            "page_id": page_id,
            "after_psid": after_psid if after_page == page_id else "",
            "limit": limit,
        }
        return [_consumer(*row) for row in self._run("consumers_of_page", of_page)]

    def put_consumer(self, consumer: Consumer) -> None:
        """Insert or replace."""
        who = (consumer.psid, consumer.page_id, consumer.platform.value, consumer.name)
        self._run("put_consumer", (*who, consumer.created_at))

    def erase_consumer(self, page_id: PageId, psid: Psid) -> None:
        """Delete the person and all that is kept of them; tables that are not named here go with the person's row."""
        pair = (page_id, psid)
        self._run("erase_call_webhooks", pair)
        self._run("erase_other_webhooks", (about(WebhookKind.CALL_PERMISSION_REPLY, page_id, psid),))
        for name in ("erase_calls", "erase_permission", "erase_consumer_tokens", "erase_consumer"):
            self._run(name, pair)

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        """The consumer's token, if it was ever given out."""
        row = self._run("consumer_token", (digest,)).fetchone()
        return None if row is None else _consumer_token(*row)

    def consumer_tokens(self, page_id: PageId, psid: Psid) -> list[ConsumerToken]:
        """Every token of the person, oldest first."""
        return [_consumer_token(*row) for row in self._run("consumer_tokens", (page_id, psid))]

    def put_consumer_token(self, token: ConsumerToken) -> None:
        """Insert or replace."""
        owner = (token.digest, token.psid, token.page_id, token.device_id)
        self._run("put_consumer_token", (*owner, token.expires_at, token.issued_at, int(token.is_revoked)))

    def permission(self, page_id: PageId, psid: Psid) -> float | None:
        """When the call permission expires, Unix seconds."""
        row = self._run("permission", (page_id, psid)).fetchone()
        return None if row is None else float(row[0])

    def put_permission(self, page_id: PageId, psid: Psid, expires_at: float) -> None:
        """Insert or replace."""
        self._run("put_permission", (page_id, psid, expires_at))

    def delete_permission(self, page_id: PageId, psid: Psid) -> bool:
        """Take the permission away; whether there was one."""
        return self._run("delete_permission", (page_id, psid)).rowcount > 0

    def last_contact(self, page_id: PageId, psid: Psid) -> float | None:
        """When the consumer last wrote, tapped or called, Unix seconds."""
        row = self._run("last_contact", (page_id, psid)).fetchone()
        return None if row is None or row[0] is None else float(row[0])

    def note_contact(self, page_id: PageId, psid: Psid, now: float) -> None:
        """The consumer did so at `now`."""
        self._run("note_contact", (now, page_id, psid))


def _consumer(psid: Psid, page_id: PageId, platform: str, name: str, created_at: float) -> Consumer:
    return Consumer(psid, page_id, Platform(platform), name, created_at)


def _consumer_token(
    digest: str, psid: Psid, page_id: PageId, device_id: DeviceId, expires_at: float, issued_at: float, is_revoked: int
) -> ConsumerToken:
    return ConsumerToken(digest, psid, page_id, device_id, expires_at, issued_at, bool(is_revoked))
