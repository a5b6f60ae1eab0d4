"""Which service stands behind which face. Opens nothing and starts nothing: that is done when the faces are built."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from pagecalls import token_key
from pagecalls.consumer.endpoint import ConsumerOptions, build_consumer
from pagecalls.consumer.identity.devices import with_jwts
from pagecalls.consumer.identity.sources import KeySource
from pagecalls.control.app import build_control
from pagecalls.control.base import ControlParts
from pagecalls.errors import InternalFault, PageCallsError
from pagecalls.graph.app import Services, build_graph
from pagecalls.graph.envelope import error_object
from pagecalls.graph.limits import default_limits
from pagecalls.graph.openapi.app import Documents
from pagecalls.graph.options import GraphOptions, TraceIds
from pagecalls.http import HostGuard
from pagecalls.metrics import Metrics
from pagecalls.office import office
from pagecalls.server.options import consumer_rules
from pagecalls.server.router import Router
from pagecalls.server.verifier import Verifier
from pagecalls.settings import Mode, Settings
from pagecalls.switchboard.business import Business, DialRules
from pagecalls.switchboard.call_metrics import MetricsDesk
from pagecalls.switchboard.call_settings import PageSettings
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.consumers import Consumers
from pagecalls.switchboard.deliveries import Deliveries
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.messages import Messages
from pagecalls.switchboard.permissions import Permissions
from pagecalls.switchboard.presence import LivePresence
from pagecalls.switchboard.report import CallReports
from pagecalls.switchboard.user_tokens import UserTokens
from pagecalls.tls import Hsts
from pagecalls.webhooks.outbox import Courier


@dataclass(frozen=True, slots=True)
class ServerParts:
    """The parts that run behind the faces. `advance` and `unready` as in `ControlParts`; `keys` as in `with_jwts`."""

    settings: Settings
    calls: Calls
    courier: Courier
    verifier: Verifier
    registry: CollectorRegistry
    metrics: Metrics
    hosts: HostGuard
    admin_token: str = field(repr=False)
    keys: KeySource | None
    advance: Callable[[float], Awaitable[None]]
    unready: Callable[[], str | None]


def build_faces(parts: ServerParts) -> ASGIApp:
    """All of them, each below its paths."""
    settings, calls = parts.settings, parts.calls
    store, clock, ids = calls.store, calls.clock, calls.ids
    desks = office(store, clock, ids, LivePresence(calls))
    services = Services(
        door=Business(calls, DialRules(settings.call_rate_per_consumer_24h, settings.strict_reach)),
        directory=Directory(store, clock, ids, parts.verifier, parts.courier),
        clock=clock,
        settings=PageSettings(calls),
        permissions=Permissions(calls, settings.call_rate_per_consumer_24h),
        messages=Messages(calls),
        metrics=MetricsDesk(store, clock, calls.journal),
        oauth=desks.oauth,
        users=UserTokens(store, clock, token_key.load_or_make(settings.data_dir)),
    )
    limits = default_limits(settings.app_calls_per_hour, settings.page_calls_per_s)
    options = GraphOptions(swap_codes=settings.swap_codes, on_request=parts.metrics.on_request, limits=limits)
    control = ControlParts(
        admin_token=parts.admin_token,
        hosts=parts.hosts,
        registry=parts.registry,
        clock=clock,
        advance=parts.advance,
        unready=parts.unready,
        office=desks,
        permissions=services.permissions,
        journal=calls.journal,
        calls=CallReports(calls),
        settings=services.settings,
        deliveries=Deliveries(store, clock, parts.courier, parts.verifier, ids),
    )
    router = Router(
        graph=build_graph(services, options),
        documents=Documents(parts.hosts),
        consumer=_consumer(parts, services),
        control=build_control(control),
    )
    return Hsts(router) if settings.hsts else router


def _consumer(parts: ServerParts, services: Services) -> ASGIApp:
    settings = parts.settings
    return build_consumer(
        Consumers(parts.calls, services.messages, services.permissions),
        with_jwts(services.directory, parts.keys, consumer_rules(settings), services.clock),
        services.clock,
        ConsumerOptions(
            dev_mode=settings.mode is Mode.DEVELOPMENT and settings.consumer_key is None,
            operator_key=settings.consumer_key,
            allowed_hosts=parts.hosts.names,
        ),
        lambda error: error_object(_ours(error), TraceIds.draw(secrets.token_bytes).request_id),
    )


def _ours(error: Exception) -> PageCallsError:
    return error if isinstance(error, PageCallsError) else InternalFault()
