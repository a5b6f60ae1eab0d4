"""Consumers, their devices' tokens and their call permissions, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pagecalls.types import DeviceId, PageId, Platform, Psid


@dataclass(frozen=True, slots=True)
class Consumer:
    """A person as one Page knows them."""

    psid: Psid
    page_id: PageId
    platform: Platform
    name: str


@dataclass(frozen=True, slots=True)
class ConsumerToken:
    """A consumer's token by its digest; it is also the identity of one device."""

    digest: str
    psid: Psid
    page_id: PageId
    device_id: DeviceId
    expires_at: float


class ConsumerRows(Protocol):
    """What a unit of work does with consumers."""

    def consumer(self, page_id: PageId, psid: Psid) -> Consumer | None:
        """The person, if the Page knows them."""
        ...

    def put_consumer(self, consumer: Consumer) -> None:
        """Insert or replace."""
        ...

    def consumer_token(self, digest: str) -> ConsumerToken | None:
        """The consumer's token, if it was ever given out."""
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
