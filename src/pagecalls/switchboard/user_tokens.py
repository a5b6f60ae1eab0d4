"""What a user's token reads: the user, the Pages that they reach, and a Page token for each (graph-platform 1 and 2.2).

A Page token for a user is made from a key of this server and from whom it is for, so it is the same at every reading, and its
digest is stored once. Tasks are told and decide nothing; scopes are those of the user's token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pagecalls.clock import Clock
from pagecalls.store.base import Page, PageTask, Store, Token, TokenKind, Transaction, User, UserPage
from pagecalls.switchboard.credentials import digest
from pagecalls.types import PageId, UserId

LASTING_FROM_S = 24 * 3600.0
"""A user's token that was made for longer than this gives Page tokens without an end; a shorter one gives them its own end."""


@dataclass(frozen=True, slots=True)
class ReachedPage:
    """A Page with the user's tasks on it, and the app's token for it."""

    page: Page
    tasks: tuple[PageTask, ...]
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A Page token by its text, as it would be stored."""

    text: str = field(repr=False)
    token: Token


class UserTokens:
    """What the token of a user reads. `key` makes Page tokens; it is kept apart from the store, which holds digests only."""

    def __init__(self, store: Store, clock: Clock, key: bytes) -> None:
        self._store = store
        self._clock = clock
        self._key = key

    async def user(self, user_id: UserId) -> User | None:
        """The user, if there is one."""
        return await self._store.read(lambda tx: tx.user(user_id))

    async def reaches(self, token: Token, page_id: PageId) -> bool:
        """Whether the token's user has a task on the Page."""
        user_id = token.user_id
        return user_id is not None and await self._store.read(lambda tx: tx.user_page(user_id, page_id)) is not None

    async def reached(self, token: Token) -> list[ReachedPage]:
        """Every Page of the token's user, in order of id, with a Page token for the token's app."""
        user_id = token.user_id
        if user_id is None:
            return []

        def found(tx: Transaction) -> list[tuple[UserPage, Page]]:
            pairs = [(each, tx.page(each.page_id)) for each in tx.user_pages(user_id)]
            return [(each, page) for each, page in pairs if page is not None]

        pairs = await self._store.read(found)
        texts = await self._page_tokens(token, [page.id for _, page in pairs])
        return [ReachedPage(page, each.tasks, text) for (each, page), text in zip(pairs, texts, strict=True)]

    async def page_token(self, token: Token, page_id: PageId) -> str:
        """The Page token for the token's user and app. The user must reach the Page."""
        (text,) = await self._page_tokens(token, [page_id])
        return text

    async def _page_tokens(self, token: Token, pages: Sequence[PageId]) -> list[str]:
        """What is stored already is only read."""
        now = self._clock.now()
        wanted = await self._store.read(lambda tx: [self._usable(tx, token, page_id, now) for page_id in pages])
        fresh = [each for each, is_stored in wanted if not is_stored]
        if fresh:
            await self._store.write(lambda tx: _put(tx, fresh))
        return [each.text for each, _ in wanted]

    def _usable(self, tx: Transaction, token: Token, page_id: PageId, now: float) -> tuple[_Wanted, bool]:
        """The first of the tokens that could be made that nobody took back, and whether it is stored."""
        number = 0
        while True:
            wanted = self._made(token, page_id, number, now)
            stored = tx.token(wanted.token.digest)
            if stored is None or stored.fault is None:
                return wanted, stored is not None
            number += 1

    def _made(self, token: Token, page_id: PageId, number: int, now: float) -> _Wanted:
        is_lasting = token.expires_at is None or token.expires_at - token.issued_at > LASTING_FROM_S
        expires_at = None if is_lasting else token.expires_at
        whom = (token.app_id, token.user_id or "", page_id, ",".join(sorted(token.scopes)), repr(expires_at), str(number))
        made = hmac.new(self._key, "\n".join(whom).encode(), hashlib.sha256).digest()
        text = "EAA" + base64.urlsafe_b64encode(made).decode().rstrip("=")
        stored = Token(
            digest(text),
            TokenKind.PAGE,
            token.app_id,
            page_id,
            token.scopes,
            expires_at,
            user_id=token.user_id,
            issued_at=now,
        )
        return _Wanted(text, stored)


def _put(tx: Transaction, wanted: Iterable[_Wanted]) -> None:
    for each in wanted:
        if tx.token(each.token.digest) is None:
            tx.put_token(each.token)
