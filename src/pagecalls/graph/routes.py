"""Every edge in one screen: node kind, verb, permission, handler (messenger-calling 1, graph-platform 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from pagecalls.graph import calls, pages, permissions, subscriptions
from pagecalls.graph.auth import Scope
from pagecalls.graph.visit import AppHandler, PageHandler

CRASH_REPORTS = "instruments"
"""Where the platform's SDK sends its crash reports, without a token; swallowed (graph-platform 9.1)."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One verb of a Page edge. `admits_app`: an app's own token will do as well as a Page's."""

    handler: PageHandler
    scope: Scope | None
    admits_app: bool = False


@dataclass(frozen=True, slots=True)
class AppRoute:
    """One verb of an app's edge; its own token is needed."""

    handler: AppHandler


Route: TypeAlias = PageRoute | AppRoute
Verbs: TypeAlias = Mapping[str, Route]

PAGE_EDGES: Mapping[str, Verbs] = MappingProxyType(
    {
        "": {"GET": PageRoute(pages.read_page, None)},
        "calls": {"POST": PageRoute(calls.act, Scope.MESSAGING)},
        "messenger_call_permissions": {"GET": PageRoute(permissions.read_permission, Scope.MESSAGING)},
        "subscribed_apps": {
            "POST": PageRoute(subscriptions.subscribe_page, Scope.MANAGE_METADATA),
            "GET": PageRoute(subscriptions.read_subscribed_apps, Scope.MANAGE_METADATA),
            "DELETE": PageRoute(subscriptions.unsubscribe_page, Scope.MANAGE_METADATA, admits_app=True),
        },
    }
)

APP_EDGES: Mapping[str, Verbs] = MappingProxyType(
    {
        "subscriptions": {
            "POST": AppRoute(subscriptions.subscribe_app),
            "GET": AppRoute(subscriptions.read_app_subscriptions),
            "DELETE": AppRoute(subscriptions.unsubscribe_app),
        },
    }
)
