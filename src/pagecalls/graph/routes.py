"""Every edge in one screen: node kind, verb, permission, handler (messenger-calling 1, graph-platform 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from pagecalls.errors import UseCase
from pagecalls.graph import calls, features, messages, metrics, oauth, pages, permissions, settings, subscriptions, users
from pagecalls.graph.auth import Scope
from pagecalls.graph.permissions import CALL_PERMISSION
from pagecalls.graph.selection import Shape
from pagecalls.graph.settings import MESSENGER_CALL_SETTINGS
from pagecalls.graph.subscriptions import SUBSCRIBED_APP, SUBSCRIPTION
from pagecalls.graph.visit import AppHandler, OpenHandler, PageHandler, TokenHandler, UserHandler

CRASH_REPORTS = "instruments"
"""Where the platform's SDK sends its crash reports, without a token; swallowed (graph-platform 9.1)."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One verb of a Page edge. `or_scope`: will do as well as `scope`. `admits_app`: so will an app's own token. `admits_users`:
    so will that of a user who reaches the Page.

    `shape`: what entries of the answer hold, for an edge that `fields` cuts down. The Page's own node knows its fields itself.
    """

    handler: PageHandler
    scope: Scope | None
    admits_app: bool = False
    admits_users: bool = False
    shape: Shape | None = None
    or_scope: Scope | None = None

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Of these the token needs one, if there are any."""
        return tuple(scope for scope in (self.scope, self.or_scope) if scope is not None)


@dataclass(frozen=True, slots=True)
class AppRoute:
    """One verb of an app's edge; its own token is needed. `shape` as in `PageRoute`."""

    handler: AppHandler
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class UserRoute:
    """One verb of a user's node or edge; their own token is needed. The handlers know their fields themselves."""

    handler: UserHandler


@dataclass(frozen=True, slots=True)
class TokenRoute:
    """One verb of a path that names no node; any token will do."""

    handler: TokenHandler


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """One verb of a path that names no node; no token is looked at."""

    handler: OpenHandler


Route: TypeAlias = PageRoute | AppRoute | UserRoute | TokenRoute | OpenRoute
Verbs: TypeAlias = Mapping[str, Route]

PAGE_EDGES: Mapping[str, Verbs] = MappingProxyType(
    {
        "": {"GET": PageRoute(pages.read_page, None, admits_users=True)},
        "calls": {"POST": PageRoute(calls.act, Scope.MESSAGING)},
        "messages": {"POST": PageRoute(messages.send_message, Scope.MESSAGING)},
        "messenger_call_permissions": {"GET": PageRoute(permissions.read_permission, Scope.MESSAGING, shape=CALL_PERMISSION)},
        "messenger_call_settings": {
            "GET": PageRoute(
                settings.read_settings, Scope.MESSAGING, or_scope=Scope.MANAGE_METADATA, shape=MESSENGER_CALL_SETTINGS
            ),
            "POST": PageRoute(settings.change_settings, Scope.MESSAGING, or_scope=Scope.MANAGE_METADATA),
        },
        "call_metrics": {"POST": PageRoute(metrics.submit_metrics, Scope.MESSAGING)},
        "business_messaging_feature_status": {"POST": PageRoute(features.read_features, Scope.MESSAGING)},
        "subscribed_apps": {
            "POST": PageRoute(subscriptions.subscribe_page, Scope.MANAGE_METADATA),
            "GET": PageRoute(subscriptions.read_subscribed_apps, Scope.MANAGE_METADATA, shape=SUBSCRIBED_APP),
            "DELETE": PageRoute(subscriptions.unsubscribe_page, Scope.MANAGE_METADATA, admits_app=True),
        },
    }
)

APP_EDGES: Mapping[str, Verbs] = MappingProxyType(
    {
        "subscriptions": {
            "POST": AppRoute(subscriptions.subscribe_app),
            "GET": AppRoute(subscriptions.read_app_subscriptions, shape=SUBSCRIPTION),
            "DELETE": AppRoute(subscriptions.unsubscribe_app),
        },
    }
)

USER_EDGES: Mapping[str, Verbs] = MappingProxyType(
    {
        "": {"GET": UserRoute(users.read_user)},
        users.ACCOUNTS: {"GET": UserRoute(users.read_accounts)},
    }
)

FIXED_PATHS: Mapping[tuple[str, str], Verbs] = MappingProxyType(
    {
        ("oauth", "access_token"): {"GET": OpenRoute(oauth.issue_token), "POST": OpenRoute(oauth.issue_token)},
        ("debug_token", ""): {"GET": TokenRoute(oauth.inspect_token)},
    }
)
"""Paths whose words name no node and no edge of one."""

_MESSENGER_EDGES = frozenset(
    {
        "business_messaging_feature_status",
        "call_metrics",
        "calls",
        "messages",
        "messenger_call_permissions",
        "messenger_call_settings",
    }
)


def use_case(edge: str, platform: str | None) -> UseCase:
    """What a Page token's request on `edge` counts as (graph-platform 8). `platform` as the client wrote it."""
    if edge not in _MESSENGER_EDGES:
        return UseCase.PAGES
    return UseCase.INSTAGRAM if (platform or "").lower() == "instagram" else UseCase.MESSENGER
