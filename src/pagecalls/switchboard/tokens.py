"""Access tokens as their operator gives them out and takes them back (graph-platform 2.2, 2.4).

A text is shown once and kept as its digest; lists and later requests name a token by the first characters of that. A token that
was taken back stays, with the reason, so that whoever uses it is told why. Knows no HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pagecalls.clock import Clock
from pagecalls.errors import TokenFault
from pagecalls.store.base import Store, Token, TokenFilter, TokenKind, Transaction
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.directory import PAGE_SCOPES
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.registers import NoSuch, Unfit, known_app, known_page, known_user
from pagecalls.switchboard.user_pages import reach
from pagecalls.types import AppId, PageId, UserId

REASONS = tuple(fault for fault in TokenFault if fault not in (TokenFault.UNPARSEABLE, TokenFault.MALFORMED, TokenFault.EXPIRED))
"""Why a token can have been taken back."""


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """A token to be made. `scopes` `None`: all that a Page's calls need, for kinds that act on a Page. `lifetime_s` `None`: for
    ever."""

    kind: TokenKind
    app_id: AppId
    page_id: PageId | None = None
    user_id: UserId | None = None
    scopes: frozenset[str] | None = None
    lifetime_s: float | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with its text, which is known only now and stays out of `repr`."""

    token: Token
    text: str

    def __repr__(self) -> str:
        return f"NewToken({self.token.handle})"


class AccessTokens:
    """The operator's service for access tokens. Every method is one unit of work."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def tokens(self, which: TokenFilter, after: str, limit: int) -> list[Token]:
        """Up to `limit` of `which` after the digest `after`."""
        return await self._store.read(lambda tx: tx.tokens(which, after, limit))

    async def token(self, handle: str) -> Token:
        """Raises `NoSuch`."""
        return await self._store.read(lambda tx: _known_token(tx, handle))

    async def issue(self, order: TokenOrder) -> NewToken:
        """Raises `NoSuch` for the app, Page or user, `Unfit` if they do not go with the kind."""
        _check(order)
        now = self._clock.now()
        text = self._ids.app_token(order.app_id) if order.kind is TokenKind.APP else self._ids.access_token()
        scopes = order.scopes if order.scopes is not None else frozenset() if order.kind is TokenKind.APP else PAGE_SCOPES
        expires_at = None if order.lifetime_s is None else now + order.lifetime_s
        owner = (order.kind, order.app_id, order.page_id, scopes)
        token = Token(digest(text), *owner, expires_at, user_id=order.user_id, issued_at=now)

        def work(tx: Transaction) -> NewToken:
            known_app(tx, order.app_id)
            if order.page_id is not None:
                known_page(tx, order.page_id)
            if order.user_id is not None:
                known_user(tx, order.user_id)
            if order.page_id is not None and order.user_id is not None:
                reach(tx, order.user_id, order.page_id)  # a user's Page token is good for as long as they reach the Page
            tx.put_token(token)
            return NewToken(token, text)

        return await self._store.write(work)

    async def change(self, handle: str, scopes: frozenset[str] | None, lifetime_s: float | None) -> Token:
        """Other scopes, or an end in `lifetime_s` from now; `None` leaves each as it is. Raises `NoSuch`."""
        now = self._clock.now()

        def work(tx: Transaction) -> Token:
            token = _known_token(tx, handle)
            token = token if scopes is None else replace(token, scopes=scopes)
            token = token if lifetime_s is None else replace(token, expires_at=now + lifetime_s)
            tx.put_token(token)
            return token

        return await self._store.write(work)

    async def rotate(self, handle: str) -> NewToken:
        """A new text with the rights and the end of the old one, which is revoked. Raises `NoSuch`, `Unfit`."""
        now = self._clock.now()
        fresh = self._ids.access_token()

        def work(tx: Transaction) -> NewToken:
            old = _known_token(tx, handle)
            if old.fault is not None:
                raise Unfit(f"Token {old.handle} was taken back ({old.fault}); make a new one instead.")
            text = self._ids.app_token(old.app_id) if old.kind is TokenKind.APP else fresh
            token = replace(old, digest=digest(text), issued_at=now, seed=None)
            tx.put_token(token)
            tx.put_token(replace(old, fault=TokenFault.REVOKED))
            return NewToken(token, text)

        return await self._store.write(work)

    async def revoke(self, handle: str, why: TokenFault) -> Token:
        """Take it back; `why` is one of `REASONS`, and a later one replaces an earlier. Raises `NoSuch`."""

        def work(tx: Transaction) -> Token:
            token = replace(_known_token(tx, handle), fault=why)
            tx.put_token(token)
            return token

        return await self._store.write(work)

    async def delete(self, handle: str) -> None:
        """Forget it: whoever uses it is told that it cannot be read. Raises `NoSuch`."""
        await self._store.write(lambda tx: tx.delete_token(_known_token(tx, handle).digest))


def _check(order: TokenOrder) -> None:
    """What a kind needs, and what it cannot have. Raises `Unfit`."""
    match order.kind:
        case TokenKind.PAGE:
            if order.page_id is None:
                raise Unfit("A Page token needs a Page: page_id.")
        case TokenKind.USER:
            if order.user_id is None:
                raise Unfit("A user token needs a user: user_id.")
            if order.page_id is not None:
                raise Unfit("A user token is for no single Page; make a Page token instead.")
        case TokenKind.SYSTEM_USER:
            pass
        case TokenKind.APP:
            if order.page_id is not None or order.user_id is not None or order.scopes:
                raise Unfit("An app token is for the app itself: it has no Page, no user and no scopes.")


def _known_token(tx: Transaction, handle: str) -> Token:
    if (token := tx.token_by_handle(handle)) is None:
        raise NoSuch("token", handle)
    return token
