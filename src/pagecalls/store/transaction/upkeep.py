"""What is over, on SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pagecalls.store.base.upkeep import Past, Room
from pagecalls.store.transaction.base import Rows

_FORGET: Mapping[Past, str] = MappingProxyType(
    {
        Past.CALLS: "forget_calls",
        Past.OUTBOX: "forget_outbox",
        Past.CONSUMER_TOKENS: "forget_consumer_tokens",
        Past.TOKENS: "forget_tokens",
        Past.CALL_BUTTONS: "forget_call_buttons",
        Past.MESSAGES: "forget_messages",
        Past.PERMISSION_REQUESTS: "forget_permission_requests",
    }
)


class SqliteUpkeep(Rows):
    """Implements `base.upkeep.UpkeepRows`."""

    def forget(self, past: Past, before: float, limit: int) -> int:
        """Delete at most `limit` rows of that kind that were over before then, oldest first. How many."""
        return self._run(_FORGET[past], {"before": before, "limit": limit}).rowcount

    def settled_outbox(self) -> int:
        """How many webhooks are delivered or dropped."""
        (count,) = self._run("settled_outbox").fetchone()
        return int(count)

    def room(self) -> Room:
        """How much room the database takes now."""
        pages, free, page_bytes = (int(self._run(name).fetchone()[0]) for name in ("page_count", "free_pages", "page_bytes"))
        return Room(pages * page_bytes, free * page_bytes)
