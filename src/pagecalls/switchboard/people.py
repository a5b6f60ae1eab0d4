"""Consumers as the Page's operator makes, lists and erases them, and their devices' tokens.

A token that was revoked stays until it would have expired, so that a JWT does not come to life again; the socket of its device is
closed. Erasing a person ends their call first and leaves nothing of them in the store but the last word that an app is still
owed; the journal and the figures, bounded and in memory, are not searched for them. Knows no HTTP and no socket.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from pagecalls.clock import Clock
from pagecalls.store.base import Consumer, ConsumerToken, Store, Transaction
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.registers import NoSuch, Taken, known_consumer, known_page
from pagecalls.types import DeviceId, PageId, Platform, Psid

SLICE = 100
"""People that are looked up at a time while a whole Page is erased."""


class Presence(Protocol):
    """The server that runs, as far as a person's end touches it."""

    def alone_with(self, page_id: PageId, psid: Psid) -> AbstractAsyncContextManager[None]:
        """While it is entered nothing else happens between the two; a live call of theirs has been ended before.

        Raises `InUse` where no server runs that could end it.
        """
        ...

    def close_device(self, device_id: DeviceId) -> None:
        """Close the device's socket, if it has one."""
        ...


@dataclass(frozen=True, slots=True)
class NewConsumerToken:
    """A device's token with its text, which is known only now and stays out of `repr`."""

    token: ConsumerToken
    text: str

    def __repr__(self) -> str:
        return f"NewConsumerToken({self.token.handle})"


class People:
    """The operator's service for consumers. Every method is one unit of work, but for `erase_all`."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, presence: Presence) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._presence = presence

    async def consumers(self, page_id: PageId | None, after: tuple[str, str], limit: int) -> list[Consumer]:
        """Up to `limit` of the Page, or of all Pages, after Page and id `after`. Raises `NoSuch` for the Page."""

        def work(tx: Transaction) -> list[Consumer]:
            if page_id is not None:
                known_page(tx, page_id)
            return tx.consumers(page_id, after, limit)

        return await self._store.read(work)

    async def consumer(self, page_id: PageId, psid: Psid) -> tuple[Consumer, list[ConsumerToken]]:
        """The person and their tokens. Raises `NoSuch`."""
        return await self._store.read(lambda tx: (known_consumer(tx, page_id, psid), tx.consumer_tokens(page_id, psid)))

    async def create(self, page_id: PageId, platform: Platform, name: str, psid: Psid | None = None) -> Consumer:
        """Raises `NoSuch` for the Page, `Taken`."""
        consumer = Consumer(psid or self._ids.psid(), page_id, platform, name, self._clock.now())

        def work(tx: Transaction) -> Consumer:
            known_page(tx, page_id)
            if tx.consumer(page_id, consumer.psid) is not None:
                raise Taken(f"consumer of Page {page_id}", consumer.psid)
            tx.put_consumer(consumer)
            return consumer

        return await self._store.write(work)

    async def rename(self, page_id: PageId, psid: Psid, name: str) -> Consumer:
        """Raises `NoSuch`."""

        def work(tx: Transaction) -> Consumer:
            consumer = replace(known_consumer(tx, page_id, psid), name=name)
            tx.put_consumer(consumer)
            return consumer

        return await self._store.write(work)

    async def issue(self, page_id: PageId, psid: Psid, lifetime_s: float) -> NewConsumerToken:
        """A token for one more device of the person. Raises `NoSuch`."""
        now, text, device = self._clock.now(), self._ids.consumer_token(), self._ids.device_id()
        token = ConsumerToken(digest(text), psid, page_id, device, now + lifetime_s, now)

        def work(tx: Transaction) -> NewConsumerToken:
            known_consumer(tx, page_id, psid)
            tx.put_consumer_token(token)
            return NewConsumerToken(token, text)

        return await self._store.write(work)

    async def revoke(self, page_id: PageId, psid: Psid, handle: str | None) -> list[ConsumerToken]:
        """Take one token of the person back, or all, and close the devices' sockets; the tokens taken back. Raises `NoSuch`."""

        def work(tx: Transaction) -> list[ConsumerToken]:
            known_consumer(tx, page_id, psid)
            tokens = [each for each in tx.consumer_tokens(page_id, psid) if handle is None or each.digest.startswith(handle)]
            if handle is not None and not tokens:
                raise NoSuch("token of this consumer", handle)
            gone = [replace(each, is_revoked=True) for each in tokens]
            for each in gone:
                tx.put_consumer_token(each)
            return gone

        gone = await self._store.write(work)
        for each in gone:
            self._presence.close_device(each.device_id)
        return gone

    async def erase(self, page_id: PageId, psid: Psid) -> None:
        """End the person's call, forget them, close their devices' sockets. Raises `NoSuch`, `InUse`."""
        await self._store.read(lambda tx: known_consumer(tx, page_id, psid))
        await self._erase(page_id, psid)

    async def erase_all(self, page_id: PageId) -> None:
        """Erase everybody whom the Page knows, one after another. Raises `InUse`."""
        while people := await self._store.read(lambda tx: tx.consumers(page_id, ("", ""), SLICE)):
            for each in people:
                await self._erase(page_id, each.psid)

    async def _erase(self, page_id: PageId, psid: Psid) -> None:
        def work(tx: Transaction) -> list[ConsumerToken]:
            tokens = tx.consumer_tokens(page_id, psid)
            tx.erase_consumer(page_id, psid)
            return tokens

        async with self._presence.alone_with(page_id, psid):
            for token in await self._store.write(work):
                self._presence.close_device(token.device_id)
