"""Tokens for secrets, codes and other tokens, and what a token is (graph-platform 2.5 and 2.6).

An app proves itself with its secret. A code comes from the operator and stands for the consent of a user; it gives a token that
is good for two hours, and that one is exchanged for one that is good for sixty days.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from pagecalls.clock import Clock
from pagecalls.errors import (
    BadToken,
    CodeFault,
    InvalidValue,
    UninspectableToken,
    UnknownApp,
    UnusableCode,
    WrongClientSecret,
)
from pagecalls.store.base import App, OAuthCode, Store, Token, TokenKind, Transaction
from pagecalls.switchboard.credentials import app_token, digest, fault_of, find_token, unknown
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.registers import known_app, known_page, known_user
from pagecalls.switchboard.user_pages import reach
from pagecalls.types import AppId, PageId, UserId

SHORT_TOKEN_S = 2 * 3600.0
LONG_TOKEN_S = 5_183_999.0
"""Sixty days less a second, as the platform counts them."""
CODE_S = 600.0
USED_CODES_S = 24 * 3600.0
"""How long a code is kept after its time, so that a second use is still told from a code that never was."""
_USERS = (TokenKind.USER, TokenKind.SYSTEM_USER)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token's text, known only now. `expires_in_s` `None`: it never expires."""

    access_token: str
    expires_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code's text, known only now. `expires_at`: Unix seconds."""

    code: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """For whom a code is made. `page_id`: a Page that the user is to reach from now on, if they do not yet.

    `redirect_uri` as in `OAuthCode`; `lifetime_s` from now.
    """

    app_id: AppId
    user_id: UserId
    scopes: frozenset[str]
    page_id: PageId | None = None
    redirect_uri: str | None = None
    lifetime_s: float = CODE_S


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a token: `token` and `app` if it ever was one, `fault` if it is none now."""

    token: Token | None = None
    app: App | None = None
    fault: BadToken | None = None


class OAuthDesk:
    """Gives tokens out."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def client(self, client_id: str, client_secret: str) -> App:
        """The app that proves itself. Raises `UnknownApp`, `WrongClientSecret`."""
        app = await self._store.read(lambda tx: tx.app(AppId(client_id)))
        if app is None:
            raise UnknownApp
        if not app.secret or not hmac.compare_digest(app.secret.encode(), client_secret.encode("utf-8", "surrogatepass")):
            raise WrongClientSecret
        return app

    def app_token(self, app: App) -> Issued:
        """`client_credentials`: always the same, until the secret changes."""
        return Issued(app_token(app))

    async def redeem(self, app: App, code: str, redirect_uri: str | None) -> Issued:
        """A user's token for a code, once. Raises `UnusableCode`; a wrong `redirect_uri` does not use the code up."""
        text, now = self._ids.access_token(), self._clock.now()

        def work(tx: Transaction) -> None:
            found = tx.oauth_code(digest(code))
            if found is None or found.app_id != app.id:
                raise UnusableCode(CodeFault.UNKNOWN)
            if found.is_used:
                raise UnusableCode(CodeFault.USED)
            if found.expires_at <= now:
                raise UnusableCode(CodeFault.EXPIRED)
            if found.redirect_uri is not None and found.redirect_uri != redirect_uri:
                raise UnusableCode(CodeFault.OTHER_REDIRECT)
            tx.put_oauth_code(replace(found, is_used=True))
            token = Token(digest(text), TokenKind.USER, app.id, None, found.scopes, now + SHORT_TOKEN_S)
            tx.put_token(replace(token, user_id=found.user_id, issued_at=now))

        await self._store.write(work)
        return Issued(text, SHORT_TOKEN_S)

    async def exchange(self, app: App, old: str) -> Issued:
        """`fb_exchange_token`: a token of the same user and app that lasts.

        Raises `BadToken`, and `InvalidValue` for what is no token of a user, or one of another app.
        """
        text, now = self._ids.access_token(), self._clock.now()

        def work(tx: Transaction) -> None:
            token = find_token(tx, old)
            if token is None:
                raise unknown(old)
            if (fault := fault_of(tx, token, now)) is not None:
                raise fault
            if token.app_id != app.id or token.kind not in _USERS:
                raise InvalidValue("fb_exchange_token")
            tx.put_token(replace(token, digest=digest(text), expires_at=now + LONG_TOKEN_S, issued_at=now))

        await self._store.write(work)
        return Issued(text, LONG_TOKEN_S)

    async def inspect(self, asker: Token, asker_text: str, text: str) -> Inspection:
        """What is known of `text`. A token may be asked about by its app, and by itself; a text that is no token, by any app.

        Raises `UninspectableToken`.
        """
        now = self._clock.now()

        def work(tx: Transaction) -> Inspection:
            token = find_token(tx, text)
            is_own = hmac.compare_digest(asker_text.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass"))
            if not is_own and (asker.kind is not TokenKind.APP or (token is not None and token.app_id != asker.app_id)):
                raise UninspectableToken
            if token is None:
                return Inspection(fault=unknown(text))
            return Inspection(token, tx.app(token.app_id), fault_of(tx, token, now))

        return await self._store.read(work)

    async def make_code(self, asked: CodeRequest) -> NewCode:
        """A code, as if the user had just agreed. Raises `NoSuch`."""
        text, now = self._ids.oauth_code(), self._clock.now()
        expires_at = now + asked.lifetime_s

        def work(tx: Transaction) -> None:
            known_app(tx, asked.app_id)
            known_user(tx, asked.user_id)
            if asked.page_id is not None:
                reach(tx, asked.user_id, known_page(tx, asked.page_id).id)
            tx.forget_oauth_codes(now - USED_CODES_S)
            made = OAuthCode(digest(text), asked.app_id, asked.user_id, asked.scopes, asked.redirect_uri, expires_at)
            tx.put_oauth_code(made)

        await self._store.write(work)
        return NewCode(text, expires_at)
