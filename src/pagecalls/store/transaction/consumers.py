"""Consumers, their tokens and permissions on SQLite."""

from __future__ import annotations

from pagecalls.store.base.consumers import Consumer, ConsumerToken
from pagecalls.store.transaction.base import Rows
from pagecalls.types import PageId, Platform, Psid


class SqliteConsumers(Rows):
    """Implements `base.consumers.ConsumerRows`."""

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
