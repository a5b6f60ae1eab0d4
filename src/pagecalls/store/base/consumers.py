"""Consumers, their devices' tokens and their call permissions, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pagecalls.store.base.accounts import HANDLE_CHARS
from pagecalls.types import DeviceId, PageId, Platform, Psid


@dataclass(frozen=True, slots=True)
class Consumer:
    """A person as one Page knows them."""

    psid: Psid
    page_id: PageId
    platform: Platform
    name: str
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ConsumerToken:
    """A consumer's token by its digest; it is also the identity of one device. `issued_at`, `expires_at`: Unix seconds."""

    digest: str
    psid: Psid
    page_id: PageId
    device_id: DeviceId
    expires_at: float
    issued_at: float = 0.0
    is_revoked: bool = False

    @property
    def handle(self) -> str:
        """Its public name."""
        return self.digest[:HANDLE_CHARS]


class ConsumerRows(Protocol):
    """What a unit of work does with consumers."""

    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        """The person, if the Page knows them."""
        ...

    def consumers(self, page_id: PageId | None, after: tuple[str, str], limit: int) -> list[Consumer]:
        """Up to `limit` people of the Page, or of all, whose Page and id stand after `after` as texts, in that order."""
        ...

    def put_consumer(self, consumer: Consumer) -> None:
        """Insert or replace."""
        ...

    def erase_consumer(self, page_id: PageId, psid: Psid) -> None:
        """Delete the person and all that is kept of them: tokens, permission, messages, calls and the calls' webhooks.

        A `terminate` that is still owed stays until it is delivered; so does any webhook without a call that is still owed. Their
        calls must be over.
        """
        ...

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        """The consumer's token, if it was ever given out."""
        ...

    def consumer_tokens(self, page_id: PageId, psid: Psid) -> list[ConsumerToken]:
        """Every token of the person, oldest first."""
        ...

    def put_consumer_token(self, token: ConsumerToken) -> None:
        """Insert or replace."""
        ...

    def permission(self, page_id: PageId, psid: Psid) -> float | None:
        """When the call permission expires, Unix seconds; `None` if there never was one."""
        ...

    def put_permission(self, page_id: PageId, psid: Psid, expires_at: float) -> None:
        """Insert or replace."""
        ...

    def delete_permission(self, page_id: PageId, psid: Psid) -> bool:
        """Take the permission away; whether there was one, expired or not."""
        ...

    def last_contact(self, page_id: PageId, psid: Psid) -> float | None:
        """When the consumer last wrote, tapped or called, Unix seconds; `None` if never (messenger-calling 8.4)."""
        ...

    def note_contact(self, page_id: PageId, psid: Psid, now: float) -> None:
        """The consumer did so at `now`. Nothing happens for one that is not known."""
        ...
