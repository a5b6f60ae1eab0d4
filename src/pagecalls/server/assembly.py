"""Builds a server of its parts in the order of its start, and closes them in the opposite order.

Start: lock the data directory, open the store, take over the engine of an earlier run or start one, take over its calls, start
courier, timers and media events, open the doors. How a server that stands is stopped is `lifetime.py`'s.
"""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import CollectorRegistry

from pagecalls import __version__, dev, operator_file
from pagecalls.call.settings import default_settings
from pagecalls.clock import SystemClock
from pagecalls.data_dir import DATABASE, sole_user
from pagecalls.http import HostGuard
from pagecalls.media.process import EngineProcess
from pagecalls.metrics import Metrics
from pagecalls.server.addresses import media_addresses, publish
from pagecalls.server.faces import ServerParts, build_faces
from pagecalls.server.lifetime import LAST_WEBHOOKS_S, OwnEngine, Server, Stop, why_not_ready
from pagecalls.server.options import connection_limits, consumer_keys, engine_settings
from pagecalls.server.verifier import Verifier
from pagecalls.settings import CallingDefault, Mode, Settings, SettingsError
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.adoption import adopt
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.media_events import MediaEvents
from pagecalls.switchboard.upkeep import Retention, Upkeep
from pagecalls.tls import Tls
from pagecalls.webhooks.outbox import Courier
from pagecalls.webhooks.sender import AiohttpSender
from pagecalls.webhooks.targets import TargetPolicy, networks

log = logging.getLogger("pagecalls")

VISITS_PER_HOST = 64
"""Connections to one host and port for verifications and trials at the same time."""


@asynccontextmanager
async def running(
    settings: Settings, listener: socket.socket, engine: OwnEngine | None = None, clock: SystemClock | None = None
) -> AsyncIterator[Server]:
    """A server that is ready to `serve`, and its orderly end. Raises `SettingsError`, `EngineStartError`.

    `engine`: another engine than the process of our own, such as the fake one in tests, which shares `clock`.
    """
    settings.check()
    clock = clock or SystemClock()
    tls = Tls(settings.tls_cert, settings.tls_key, clock.now()) if settings.tls_cert and settings.tls_key else None
    keys = consumer_keys(settings, clock)
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.data_dir))
        store = SqliteStore.open(settings.data_dir / DATABASE, may_migrate=settings.auto_migrate)
        stack.push_async_callback(store.close)
        engine = engine or EngineProcess(engine_settings(settings))
        dev_file = await _development(settings, store, clock.now())

        hello = await engine.start()
        stop = Stop(settings.drain_s, settings.on_stop)
        stack.push_async_callback(stop.part_from, engine)

        policy = TargetPolicy(allow_loopback=settings.mode is Mode.DEVELOPMENT, allow=networks(settings.webhook_networks))
        # Two of them: an app that has addresses verified that never answer takes no look-up or connection from owed webhooks.
        sender, visitor = AiohttpSender(policy), AiohttpSender(policy, per_host=VISITS_PER_HOST)
        stack.push_async_callback(sender.close)
        stack.push_async_callback(visitor.close)
        devices, journal, ids = Devices(), Journal(clock), Ids(secrets.SystemRandom())
        calls = Calls(store, engine, clock, ids, journal, devices)
        calls.default_settings = default_settings(is_calling_on=settings.calling_default is CallingDefault.ON)
        media_events = MediaEvents(calls)
        courier = Courier(
            store,
            sender,
            clock,
            on_attempt=media_events.on_attempt,
            on_outcome=media_events.on_outcome,
            on_news=lambda news: journal.note(news.turn.value, None, **news.facts),
        )
        calls.courier = courier
        calls.notices.escape_slashes = settings.escape_slashes
        await courier.recover(clock.now())
        await adopt(calls, media_events)
        stack.push_async_callback(courier.stop, LAST_WEBHOOKS_S)
        courier.start()
        calls.timers.start()
        stack.push_async_callback(calls.timers.stop)
        upkeep = Upkeep(calls, Retention.of(settings.retention_days, settings.retention_rows))
        await upkeep.start()
        stack.push_async_callback(upkeep.stop)
        media_events.start()
        stack.push_async_callback(media_events.stop)

        registry = CollectorRegistry()
        # After the adoption, so that what an earlier server has summed up is not summed up again.
        metrics = Metrics(registry, calls, courier.counters, upkeep, tls)
        hosts = HostGuard.of(settings.allowed_hosts | {settings.host, *settings.public_ips})
        if tls is not None:
            tls.check_names(hosts.names)
        admin_token = dev_file.admin_token if dev_file else operator_file.admin_token(settings.data_dir, settings.admin_token)
        addresses = publish(settings, dev_file, admin_token, listener, media_addresses(hello), tls)
        server = Server(addresses, calls, courier, upkeep, clock, stop, tls)
        server.app = build_faces(
            ServerParts(
                settings=settings,
                calls=calls,
                courier=courier,
                verifier=Verifier(visitor),
                registry=registry,
                metrics=metrics,
                hosts=hosts,
                admin_token=admin_token,
                keys=keys,
                advance=server.advance,
                unready=lambda: why_not_ready(server, engine),
            )
        )
        server.limits = connection_limits(settings)
        log.info("pagecalls %s is ready at %s", __version__, addresses.base_url)
        stop.is_up = True
        try:
            yield server
        finally:
            await server.end_calls()


async def _development(settings: Settings, store: SqliteStore, now: float) -> dev.DevFile | None:
    """The development identities, known to the store; `None` in production. Neither mode begins where the other was."""
    path = settings.data_dir / dev.DEV_FILE
    if settings.mode is Mode.PRODUCTION:
        if path.exists():
            raise SettingsError(
                f"{settings.data_dir} has been used in development mode, and its app, Page and tokens are still there; "
                "give production a data directory of its own"
            )
        return None
    if not path.exists() and (settings.data_dir / operator_file.OPERATOR_FILE).exists():
        raise SettingsError(
            f"{settings.data_dir} has been used in production, where nobody may be let in by ready-made tokens; "
            "give development a data directory of its own"
        )
    dev_file = dev.load_or_make(path, settings.dev_seed, settings.admin_token)
    return await dev.register(store, dev_file, now, settings.webhook)
