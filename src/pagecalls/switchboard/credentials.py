"""What a token is worth: whose it is, and why it is no longer good (graph-platform 2.2 and 2.4). Over a unit of work; no I/O of
its own."""

from __future__ import annotations

import base64
import hashlib
import hmac

from pagecalls.errors import BadToken, TokenFault
from pagecalls.store.base import App, Token, TokenKind, Transaction
from pagecalls.types import AppId

_APP_TOKEN_PURPOSE = b"client_credentials"
_APP_TOKEN_CHARS = 27


def digest(token: str) -> str:
    """What the store keeps of a token or code: SHA-256 of its UTF-8 text, hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def app_token(app: App) -> str:
    """The token that an app gets for its secret: its id, a bar, and text that only the secret makes.

    It is the same each time and is kept nowhere. A new secret ends it.
    """
    made = hmac.new(app.secret.encode(), _APP_TOKEN_PURPOSE, hashlib.sha256).digest()
    return f"{app.id}|{base64.urlsafe_b64encode(made).decode()[:_APP_TOKEN_CHARS]}"


def find_token(tx: Transaction, text: str) -> Token | None:
    """A stored token, or an app's own: `<app id>|<app secret>`, or what `app_token` makes."""
    return tx.token(digest(text)) or _own_token(tx, text)


def fault_of(tx: Transaction, token: Token, now: float) -> BadToken | None:
    """Why the token is not good now; `None` if it is.

    A token for a Page that was given to a user, or is a system user's, dies when they no longer reach the Page.
    """
    if token.fault is not None:
        return BadToken(token.fault, app_id=token.app_id)
    if token.expires_at is not None and token.expires_at <= now:
        return BadToken(TokenFault.EXPIRED, token.expires_at, now)
    user_id, page_id = token.user_id, token.page_id
    if user_id is None or page_id is None:
        return None
    return None if tx.user_page(user_id, page_id) is not None else BadToken(TokenFault.ROLE_MISSING)


def unknown(text: str) -> BadToken:
    """The error for a text that is no token. No token has blanks or control characters: a header put together wrongly does."""
    is_whole = text.isprintable() and " " not in text
    return BadToken(TokenFault.UNPARSEABLE) if is_whole else BadToken(TokenFault.MALFORMED, text=text)


def _own_token(tx: Transaction, text: str) -> Token | None:
    app_id, separator, _ = text.partition("|")
    app = tx.app(AppId(app_id)) if separator else None
    if app is None or not app.secret:
        return None
    given = text.encode("utf-8", "surrogatepass")
    own = (f"{app.id}|{app.secret}", app_token(app))
    if not any(hmac.compare_digest(each.encode(), given) for each in own):
        return None
    return Token(digest(text), TokenKind.APP, app.id, None, frozenset())
