"""What a user's token reads: the user, the Pages that they reach, and a Page token for each (graph-platform 1 and 2.2).

The text of a Page token for a user is made from a key of this server and a seed that stands beside its digest, so it is the same
at every reading, and one that was taken back, forgotten or ran out never comes again. Tasks are told and decide nothing; scopes
are those of the user's token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pagecalls.clock import Clock
from pagecalls.store.base import Page, PageTask, Store, Token, TokenKind, Transaction, User, UserPage
from pagecalls.switchboard.credentials import digest
from pagecalls.types import PageId, UserId

LASTING_FROM_S = 24 * 3600.0
"""A user's token that was made for longer than this gives Page tokens without an end; a shorter one gives them its own end."""
SEED_BYTES = 16


@dataclass(frozen=True, slots=True)
class ReachedPage:
    """A Page with the user's tasks on it, and the app's token for it."""

    page: Page
    tasks: tuple[PageTask, ...]
    access_token: str = field(repr=False)


class UserTokens:
    """What the token of a user reads. `key` makes Page tokens of seeds; it is kept apart from the store. `draw` makes so many
    bytes of chance into text."""

    def __init__(self, store: Store, clock: Clock, key: bytes, draw: Callable[[int], str] = secrets.token_urlsafe) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._draw = draw

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
        found = await self._store.read(lambda tx: self._made(tx, token))
        if any(page_id not in found for page_id in pages):
            found = await self._store.write(lambda tx: self._make(tx, token, pages, now))
        return [found[page_id] for page_id in pages]

    def _made(self, tx: Transaction, token: Token) -> dict[PageId, str]:
        """The Page tokens that the user has in the app, with the rights and the end that `token` gives, by Page."""
        found: dict[PageId, str] = {}
        if token.user_id is not None:
            for each in tx.made_tokens(token.user_id, token.app_id, _end(token)):
                text = self._text(each.seed or "")
                # Another digest: it was made with another key.
                is_good = each.fault is None and hmac.compare_digest(digest(text), each.digest)
                if is_good and each.page_id is not None and each.scopes == token.scopes:
                    found[each.page_id] = text
        return found

    def _make(self, tx: Transaction, token: Token, pages: Sequence[PageId], now: float) -> dict[PageId, str]:
        """The same, with those that are missing."""
        found = self._made(tx, token)
        for page_id in pages:
            if page_id not in found:
                seed = self._draw(SEED_BYTES)
                text = found[page_id] = self._text(seed)
                whose = (token.app_id, page_id, token.scopes, _end(token))
                tx.put_token(Token(digest(text), TokenKind.PAGE, *whose, user_id=token.user_id, issued_at=now, seed=seed))
        return found

    def _text(self, seed: str) -> str:
        made = hmac.new(self._key, seed.encode(), hashlib.sha256).digest()
        return "EAA" + base64.urlsafe_b64encode(made).decode().rstrip("=")


def _end(token: Token) -> float | None:
    """When a Page token ends that a user's token gives."""
    is_lasting = token.expires_at is None or token.expires_at - token.issued_at > LASTING_FROM_S
    return None if is_lasting else token.expires_at
