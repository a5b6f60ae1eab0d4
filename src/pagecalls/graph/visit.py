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
from pagecalls.store.base import Page
from pagecalls.switchboard.base import BusinessDoor, Caller, Release
from pagecalls.switchboard.call_settings import PageSettings
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.messages import Messages
from pagecalls.switchboard.permissions import Permissions


@dataclass(frozen=True, slots=True)
class Services:
    """The switchboard's doors, and the time."""

    door: BusinessDoor
    directory: Directory
    settings: PageSettings
    clock: Clock
    permissions: Permissions
    messages: Messages


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


PageHandler: TypeAlias = Callable[[PageVisit], Awaitable[Answer]]
AppHandler: TypeAlias = Callable[[AppVisit], Awaitable[Answer]]
