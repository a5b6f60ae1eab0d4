"""What an edge's handler is handed: who asks, for what, with which parameters, and whom to ask in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from pagecalls.clock import Clock
from pagecalls.graph.auth import Identity
from pagecalls.graph.params import Params
from pagecalls.http import Json, nothing
from pagecalls.store.base import Page, User
from pagecalls.switchboard.base import BusinessDoor, Caller, Release
from pagecalls.switchboard.call_metrics import MetricsDesk
from pagecalls.switchboard.call_settings import PageSettings
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.messages import Messages
from pagecalls.switchboard.oauth import OAuthDesk
from pagecalls.switchboard.permissions import Permissions
from pagecalls.switchboard.user_tokens import UserTokens
from pagecalls.types import AppId


@dataclass(frozen=True, slots=True)
class Services:
    """The switchboard's doors, and the time."""

    door: BusinessDoor
    directory: Directory
    settings: PageSettings
    clock: Clock
    permissions: Permissions
    messages: Messages
    metrics: MetricsDesk
    oauth: OAuthDesk
    users: UserTokens


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. `release` as in `CallReply`."""

    body: Json | msgspec.Struct
    release: Release = nothing


ReadEdge: TypeAlias = "Callable[[str, Params], Awaitable[Json | None]]"
"""What GET of an edge of the same Page would answer to these parameters; `None` if there is no such edge to read. Raises what
that edge raises."""


@dataclass(frozen=True, slots=True)
class PageVisit:
    """A request on a Page edge, from an app that may make it. `url`: the address that the client used, for paging links."""

    services: Services
    identity: Identity
    caller: Caller
    page: Page
    params: Params
    url: str
    read_edge: ReadEdge


@dataclass(frozen=True, slots=True)
class AppVisit:
    """A request on an app's own node, with the app's own token. `url` as in `PageVisit`."""

    services: Services
    identity: Identity
    params: Params
    url: str


@dataclass(frozen=True, slots=True)
class UserVisit:
    """A request on a user's node, with that user's own token. `url` as in `PageVisit`; `node_url`: the node's own address."""

    services: Services
    identity: Identity
    user: User
    params: Params
    url: str
    node_url: str


@dataclass(frozen=True, slots=True)
class TokenVisit:
    """A request that is about no node, with any token."""

    services: Services
    identity: Identity
    params: Params


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """A request that needs no token. `spend` counts it for an app, once that has proved itself; raises `RateError`."""

    services: Services
    params: Params
    spend: Callable[[AppId], None]


PageHandler: TypeAlias = Callable[[PageVisit], Awaitable[Answer]]
AppHandler: TypeAlias = Callable[[AppVisit], Awaitable[Answer]]
UserHandler: TypeAlias = Callable[[UserVisit], Awaitable[Answer]]
TokenHandler: TypeAlias = Callable[[TokenVisit], Awaitable[Answer]]
OpenHandler: TypeAlias = Callable[[OpenVisit], Awaitable[Answer]]
