"""Tokens, users and the Pages that they reach, as values, and how they are read from a body (graph-platform 1, 2.5 and 2.6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pagecalls.client.members import Members


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token. `expires_in_s` `None`: it has no end."""

    access_token: str = field(repr=False)
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token is. `kind` is `PAGE`, `USER`, `SYSTEM_USER` or `APP`; empty for a text that never was a token.

    Times are Unix seconds, `None` for never. `fault`: why it is not valid.
    """

    is_valid: bool
    kind: str = ""
    app_id: str | None = None
    page_id: str | None = None
    user_id: str | None = None
    scopes: tuple[str, ...] = ()
    issued_at: int | None = None
    expires_at: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """Whom a user's token stands for."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Account:
    """A Page that a user reaches, with the app's token for it."""

    id: str
    name: str
    access_token: str = field(repr=False)
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accounts:
    """Some of a user's Pages. `after`: where to go on, `None` at the end."""

    pages: tuple[Account, ...]
    after: str | None = None


def issued_token(body: Members) -> IssuedToken:
    """Raises `WrongShape`."""
    return IssuedToken(body.required_text("access_token"), body.number("expires_in"))


def token_facts(body: Members) -> TokenFacts:
    """Raises `WrongShape`."""
    data = body.required_object("data")
    error = data.object("error")
    return TokenFacts(
        data.flag("is_valid") is True,
        data.text("type") or "",
        data.text("app_id"),
        data.text("profile_id"),
        data.text("user_id"),
        data.texts("scopes"),
        data.number("issued_at"),
        data.number("expires_at") or None,
        error.text("message") if error is not None else None,
    )


def user(body: Members) -> User:
    """Raises `WrongShape`."""
    return User(body.required_text("id"), body.text("name") or "")


def accounts(body: Members) -> Accounts:
    """A page of a collection; there is a next one where it says both how and where (graph-platform 3.4). Raises `WrongShape`."""
    pages = tuple(_account(each) for each in body.objects("data"))
    paging = body.object("paging")
    cursors = paging.object("cursors") if paging is not None and "next" in paging else None
    return Accounts(pages, cursors.text("after") if cursors is not None else None)


def _account(members: Members) -> Account:
    name, token = members.text("name") or "", members.required_text("access_token")
    return Account(members.required_text("id"), name, token, members.texts("tasks"))
