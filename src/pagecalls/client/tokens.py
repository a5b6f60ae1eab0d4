"""Requests about tokens and users, which name no Page: `/oauth/access_token`, `/debug_token`, `/me` (graph-platform 2.5 and 2.6).

An app proves itself by its id and secret here, whatever token the client has; the secret goes in the body.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pagecalls.client import grants
from pagecalls.client.members import JsonObject, Members, present
from pagecalls.client.requests import Reading, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AppProof:
    """An app's id and secret."""

    app_id: str
    app_secret: str = field(repr=False)

    def members(self, **more: str | None) -> JsonObject:
        """Parameters of `/oauth/access_token`."""
        return present({"client_id": self.app_id, "client_secret": self.app_secret, **more})


class TokenRequest(Request[grants.IssuedToken]):
    """What all that give a token share."""

    __slots__ = ()

    def path(self, page: str) -> str:
        """No Page's."""
        return "oauth/access_token"

    @property
    def may_repeat(self) -> bool:
        """Yes, but for a code."""
        return True

    def read(self, body: Members) -> grants.IssuedToken:
        """See `grants.issued_token`."""
        return grants.issued_token(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTokenRequest(TokenRequest):
    """The app's own token."""

    app: AppProof

    def parameters(self) -> JsonObject:
        """`client_credentials`."""
        return self.app.members(grant_type="client_credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest(TokenRequest):
    """A user's token for a code. `redirect_uri`: the one that the code was made for, if it was made for one."""

    app: AppProof
    code: str = field(repr=False)
    redirect_uri: str | None = None

    @property
    def may_repeat(self) -> bool:
        """No: a code is good once."""
        return False

    def parameters(self) -> JsonObject:
        """A code's."""
        return self.app.members(code=self.code, redirect_uri=self.redirect_uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest(TokenRequest):
    """A token that lasts for a user's token that soon ends."""

    app: AppProof
    token: str = field(repr=False)

    def parameters(self) -> JsonObject:
        """`fb_exchange_token`."""
        return self.app.members(grant_type="fb_exchange_token", fb_exchange_token=self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectRequest(Reading[grants.TokenFacts]):
    """What is this token? Asked with a token of its app, or with itself."""

    token: str = field(repr=False)

    def path(self, page: str) -> str:
        """No Page's."""
        return "debug_token"

    def parameters(self) -> JsonObject:
        """The query."""
        return {"input_token": self.token}

    def read(self, body: Members) -> grants.TokenFacts:
        """See `grants.token_facts`."""
        return grants.token_facts(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRequest(Reading[grants.User]):
    """Whom does the client's token stand for? For a user's token."""

    def path(self, page: str) -> str:
        """The token's own node."""
        return "me"

    def parameters(self) -> JsonObject:
        """The query."""
        return {"fields": "id,name"}

    def read(self, body: Members) -> grants.User:
        """See `grants.user`."""
        return grants.user(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsRequest(Reading[grants.Accounts]):
    """Which Pages does the user reach? `after` as in the result before; `limit`: at most 100."""

    after: str | None = None
    limit: int | None = None

    def path(self, page: str) -> str:
        """Below the token's own node."""
        return "me/accounts"

    def parameters(self) -> JsonObject:
        """The query."""
        limit = None if self.limit is None else str(self.limit)
        return present({"fields": "access_token,name,tasks", "after": self.after, "limit": limit})

    def read(self, body: Members) -> grants.Accounts:
        """See `grants.accounts`."""
        return grants.accounts(body)
