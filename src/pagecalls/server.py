"""The composition root: the only file that chooses and joins the parts. Its order of start and stop is the server's.

Start: lock the data directory, open the store, take over the engine of an earlier run or start one, take over its calls, start
courier, timers and media events, open the doors. Stop: close readiness, take no new calls and wait for those that live (the
drain), end what is left, let their webhooks leave, close the sockets, stop the engine, close the store. A stop that hands over
waits for no call and ends none, and leaves the engine to the next server.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from pagecalls import __version__, dev, operator_file, token_key
from pagecalls.call.events import ServerStopping
from pagecalls.call.settings import default_settings
from pagecalls.clock import SystemClock
from pagecalls.connections.limits import ConnectionLimits
from pagecalls.connections.serving import ConnectionConfig, SweepingServer
from pagecalls.consumer.endpoint import ConsumerOptions, build_consumer
from pagecalls.consumer.identity.claims import JwtRules
from pagecalls.consumer.identity.devices import JwtOptions, with_jwts
from pagecalls.consumer.identity.keys import KeyFault
from pagecalls.consumer.sessions import ConsumerDirectory
from pagecalls.control.app import build_control
from pagecalls.control.base import ControlParts
from pagecalls.data_dir import DATABASE, sole_user
from pagecalls.errors import InternalFault, PageCallsError
from pagecalls.graph.app import Services, build_graph
from pagecalls.graph.envelope import error_object
from pagecalls.graph.limits import default_limits
from pagecalls.graph.openapi.app import Documents
from pagecalls.graph.options import GraphOptions, TraceIds
from pagecalls.http import HostGuard
from pagecalls.media.launch import EngineSettings
from pagecalls.media.process import EngineProcess
from pagecalls.media.protocol import Candidate, EngineError, HelloOk, MediaEngine
from pagecalls.metrics import Metrics
from pagecalls.office import office
from pagecalls.operator_file import OperatorFile
from pagecalls.settings import CallingDefault, Mode, OnStop, Settings, SettingsError, media_hosts
from pagecalls.store.sqlite import SqliteStore
from pagecalls.switchboard.adoption import adopt
from pagecalls.switchboard.business import Business, DialRules
from pagecalls.switchboard.call_metrics import MetricsDesk
from pagecalls.switchboard.call_settings import PageSettings
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.consumers import Consumers
from pagecalls.switchboard.deliveries import Deliveries
from pagecalls.switchboard.devices import Devices
from pagecalls.switchboard.directory import Directory
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.journal import Journal
from pagecalls.switchboard.media_events import MediaEvents
from pagecalls.switchboard.messages import Messages
from pagecalls.switchboard.oauth import OAuthDesk
from pagecalls.switchboard.permissions import Permissions
from pagecalls.switchboard.presence import LivePresence
from pagecalls.switchboard.report import CallReports
from pagecalls.switchboard.upkeep import Retention, Upkeep
from pagecalls.switchboard.user_tokens import UserTokens
from pagecalls.tls import Hsts, Tls
from pagecalls.webhooks.base import Sender, Trial
from pagecalls.webhooks.outbox import Courier
from pagecalls.webhooks.sender import AiohttpSender
from pagecalls.webhooks.targets import TargetPolicy, networks
from pagecalls.webhooks.trial import try_callback
from pagecalls.webhooks.verification import verify_callback

log = logging.getLogger("pagecalls")

DEV_FILE = "dev.json"
LAST_ANSWER_S = 1.0
LAST_ANSWER_TURNS = 100
"""How long the end of a drain waits for requests that are being served, and how often it looks."""
LAST_WEBHOOKS_S = 3.0
"""How long the stop waits for the webhooks of the calls that it ended; what is left goes out at the next start."""


class OwnEngine(MediaEngine, Protocol):
    """An engine that this server starts and ends, or takes over from an earlier one."""

    async def start(self) -> HelloOk:
        """Have one that runs. Raises `EngineStartError`."""
        ...

    async def stop(self) -> None:
        """End it and its events."""
        ...

    async def hand_over(self) -> None:
        """End its events, and leave it with its calls to the next server."""
        ...


class Verifier:
    """`CallbackVerifier` and `CallbackTester` over a sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def verify(self, url: str, verify_token: str) -> None:
        """Raises `CallbackUnverified`."""
        await verify_callback(self._sender, url, verify_token, _challenge())

    async def try_out(self, url: str, verify_token: str, headers: Mapping[str, str], body: bytes) -> Trial:
        """See `try_callback`."""
        return await try_callback(self._sender, url, verify_token, _challenge(), headers, body)


def _challenge() -> int:
    return secrets.randbelow(2**31 - 1) + 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server answers: HTTP for programs on this machine, and media. `dev`: the development identities, if it has some."""

    base_url: str
    media: dev.DevMedia
    dev: dev.DevFile | None


@dataclass(slots=True)
class Stop:
    """What an orderly stop does with live calls: see `drain_s` and `on_stop` of `Settings`. `hands_over`: it has left them."""

    drain_s: float = 0
    on_stop: OnStop = OnStop.END
    hands_over: bool = False

    async def part_from(self, engine: OwnEngine) -> None:
        """The last word to the engine."""
        if self.hands_over:
            await engine.hand_over()
        else:
            await engine.stop()


class NoDevelopment(Exception):
    """A server in production has no development identities."""


class Server:
    """A running server: what `serve`, the demo and the tests hold in their hands."""

    def __init__(
        self,
        addresses: Addresses,
        calls: Calls,
        courier: Courier,
        upkeep: Upkeep,
        clock: SystemClock,
        stop: Stop,
        tls: Tls | None = None,
    ) -> None:
        self.addresses = addresses
        self.app: ASGIApp = _not_yet
        self.limits = ConnectionLimits()
        self.calls = calls
        self.courier = courier
        self.upkeep = upkeep
        self.clock = clock
        self.is_stopping = False
        self._stop = stop
        self._tls = tls
        self._asked_to_stop = asyncio.Event()
        self._in_a_hurry = asyncio.Event()
        self._ends_calls = False

    @property
    def dev(self) -> dev.DevFile:
        """The development identities. Raises `NoDevelopment` in production."""
        if self.addresses.dev is None:
            raise NoDevelopment
        return self.addresses.dev

    @property
    def is_lasting(self) -> bool:
        """Whether SIGHUP asks for a new reading. Else it is the end of the terminal that the server was started from."""
        return self._tls is not None or self.addresses.dev is None

    async def advance(self, seconds: float) -> None:
        """Move the clock; returns when every deadline due by then is handled and its webhooks are in the outbox (ruling 17)."""
        self.clock.advance(seconds)
        await self.calls.timers.run_due()
        await self.calls.settled()
        await self.upkeep.idle()
        self.courier.wake()

    def ask_to_stop(self, *, ends_calls: bool = False) -> None:
        """`serve` drains and then returns, even if it is called later. Asked again, it does not wait for live calls.

        `ends_calls`: whatever the settings say, live calls are not left to the next server.
        """
        self._ends_calls |= ends_calls
        if self._asked_to_stop.is_set():
            self._in_a_hurry.set()
        self._asked_to_stop.set()

    def reload(self) -> None:
        """Read the certificate again, for the connections to come."""
        if self._tls is None:
            log.warning("there is nothing to read again: the server has no certificate")
        else:
            self._tls.reload(self.clock.now())

    async def serve(self, listener: socket.socket) -> None:
        """Answer on `listener` until `ask_to_stop` and through the drain; then end what is left while devices can be told."""
        http = _QuietServer(
            ConnectionConfig(
                self.limits,
                app=self.app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=1024 * 1024,
                timeout_graceful_shutdown=3,
                ssl_context_factory=(lambda _config, _default: tls.context) if (tls := self._tls) else None,
            )
        )
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        asked = asyncio.create_task(self._asked_to_stop.wait())
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            await self._drain()
        asked.cancel()
        if self._stop.on_stop is OnStop.HAND_OVER and not self._ends_calls and not self.calls.quiet.is_set():
            await self.leave_calls()
        else:
            await self.end_calls()
        http.should_exit = True
        await serving

    async def _drain(self) -> None:
        """Take no new calls; wait until those that live are over, their time is, or somebody is in a hurry."""
        self.calls.is_closed = True
        if self._stop.drain_s <= 0 or self.calls.quiet.is_set():
            return
        log.warning("no new calls are taken; those that live have %.0f s", self._stop.drain_s)
        self.calls.timers.once(self.clock.now() + self._stop.drain_s, self._end_drain)
        waits = [asyncio.create_task(event.wait()) for event in (self.calls.quiet, self._in_a_hurry)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        # Whoever ended the last call still waits for an answer on a socket that is about to be closed.
        await self._last_answers()

    async def _last_answers(self) -> None:
        for _ in range(LAST_ANSWER_TURNS):
            if not self.calls.locks.count:
                break
            await asyncio.sleep(LAST_ANSWER_S / LAST_ANSWER_TURNS)

    async def _end_drain(self) -> None:
        self._in_a_hurry.set()

    async def leave_calls(self) -> None:
        """Take no new calls, and leave those that live to the engine and the next server; their devices come back to it."""
        self.is_stopping = self.calls.is_closed = self._stop.hands_over = True
        log.warning("live calls are left to the next server, which must come within engine_grace_s")
        await self._last_answers()
        self.calls.devices.close_all(1012, "the server restarts")
        await self.calls.settled()

    async def end_calls(self) -> None:
        """Take no new calls, end those that live, let their webhooks leave, and close the devices' sockets."""
        if self.is_stopping:
            return
        self.is_stopping = True
        self.calls.is_closed = True
        await self.calls.end_all(ServerStopping())
        self.calls.devices.close_all(1012, "the server stops")
        await self.calls.settled()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WEBHOOKS_S):
                await self.courier.idle()


class _QuietServer(SweepingServer):
    """uvicorn without its own signal handling: stopping has an order, and `serve_until_stopped` owns it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class Router:
    """Hands each request to the face that owns its path."""

    def __init__(self, graph: ASGIApp, documents: Documents, consumer: ASGIApp, control: ASGIApp) -> None:
        self._graph = graph
        self._documents = documents
        self._consumer = consumer
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path: str = scope.get("path", "")
        if path == "/consumer" or path.startswith("/consumer/"):
            await self._consumer(scope, receive, send)
        elif path in ("/metrics", "/_pagecalls") or path.startswith("/_pagecalls/"):
            await self._control(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif self._documents.owns(path):
            await self._documents(scope, receive, send)
        else:
            await self._graph(scope, receive, send)


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
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.data_dir))
        store = SqliteStore.open(settings.data_dir / DATABASE, may_migrate=settings.auto_migrate)
        stack.push_async_callback(store.close)
        engine = engine or EngineProcess(_engine_settings(settings))
        dev_file = await _development(settings, store, clock.now())

        hello = await engine.start()
        stop = Stop(settings.drain_s, settings.on_stop)
        stack.push_async_callback(stop.part_from, engine)

        sender = AiohttpSender(
            TargetPolicy(allow_loopback=settings.mode is Mode.DEVELOPMENT, allow=networks(settings.webhook_networks))
        )
        stack.push_async_callback(sender.close)
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
        metrics = Metrics(registry, calls, courier.counters, upkeep, tls)
        verifier = Verifier(sender)
        directory = Directory(store, clock, verifier, courier)
        permissions, messages = Permissions(calls, settings.call_rate_per_consumer_24h), Messages(calls)
        rules = DialRules(settings.call_rate_per_consumer_24h, settings.strict_reach)
        limits = default_limits(settings.app_calls_per_hour, settings.page_calls_per_s)
        graph_options = GraphOptions(swap_codes=settings.swap_codes, on_request=metrics.on_request, limits=limits)
        hosts = HostGuard.of(settings.allowed_hosts | {settings.host, *settings.public_ips})
        if tls is not None:
            tls.check_names(hosts.names)
        admin_token = dev_file.admin_token if dev_file else operator_file.admin_token(settings.data_dir, settings.admin_token)
        addresses = _publish(settings, dev_file, admin_token, listener, _media_addresses(hello), tls)
        server = Server(addresses, calls, courier, upkeep, clock, stop, tls)
        services = Services(
            door=Business(calls, rules),
            directory=directory,
            clock=clock,
            settings=PageSettings(calls),
            permissions=permissions,
            messages=messages,
            metrics=MetricsDesk(store, clock, journal),
            oauth=OAuthDesk(store, clock),
            users=UserTokens(store, clock, token_key.load_or_make(settings.data_dir)),
        )
        server.app = Router(
            graph=build_graph(services, graph_options),
            documents=Documents(hosts),
            consumer=build_consumer(
                Consumers(calls, messages, permissions),
                _jwts(settings, directory, clock),
                clock,
                ConsumerOptions(
                    dev_mode=settings.mode is Mode.DEVELOPMENT and settings.consumer_key is None,
                    operator_key=settings.consumer_key,
                    allowed_hosts=hosts.names,
                ),
                lambda error: error_object(_ours(error), TraceIds.draw(secrets.token_bytes).request_id),
            ),
            control=build_control(
                ControlParts(
                    admin_token=admin_token,
                    hosts=hosts,
                    registry=registry,
                    clock=clock,
                    advance=server.advance,
                    unready=lambda: _why_not_ready(server, engine),
                    office=office(store, clock, ids, LivePresence(calls)),
                    permissions=permissions,
                    journal=journal,
                    calls=CallReports(calls),
                    settings=services.settings,
                    deliveries=Deliveries(store, clock, courier, verifier, ids),
                )
            ),
        )
        if settings.hsts:
            server.app = Hsts(server.app)
        server.limits = _connection_limits(settings)
        log.info("pagecalls %s is ready at %s", __version__, addresses.base_url)
        try:
            yield server
        finally:
            await server.end_calls()


def _jwts(settings: Settings, directory: Directory, clock: SystemClock) -> ConsumerDirectory:
    """The consumers' directory, with the operator's own tokens where they are set up. Raises `SettingsError`."""
    options = JwtOptions(
        settings.consumer_jwt_key,
        settings.consumer_jwks,
        settings.consumer_jwks_url,
        JwtRules(settings.consumer_jwt_issuer, settings.consumer_jwt_audience),
    )
    try:
        return with_jwts(directory, options, clock)
    except KeyFault as fault:
        raise SettingsError(str(fault)) from fault


async def _development(settings: Settings, store: SqliteStore, now: float) -> dev.DevFile | None:
    """The development identities, known to the store; `None` in production, which must not begin where they are known."""
    path = settings.data_dir / DEV_FILE
    if settings.mode is Mode.PRODUCTION:
        if path.exists():
            raise SettingsError(
                f"{settings.data_dir} has been used in development mode, and its app, Page and tokens are still there; "
                "give production a data directory of its own"
            )
        return None
    dev_file = dev.load_or_make(path, settings.dev_seed, settings.admin_token)
    return await dev.register(store, dev_file, now, settings.webhook)


def _publish(
    settings: Settings,
    dev_file: dev.DevFile | None,
    admin_token: str,
    listener: socket.socket,
    media: dev.DevMedia,
    tls: Tls | None,
) -> Addresses:
    """Write operator.json and dev.json with the addresses of this start."""
    scheme, port = "https" if tls else "http", listener.getsockname()[1]
    cert = str(settings.tls_cert.absolute()) if settings.tls_cert else None
    operator_file.publish(settings.data_dir, OperatorFile(f"{scheme}://{_url_host(listener)}:{port}", admin_token, cert))
    base_url = f"{scheme}://{_shown_host(listener, settings, tls)}:{port}"
    if dev_file is not None:
        dev_file = dev.publish(settings.data_dir / DEV_FILE, dev_file, base_url, media)
    return Addresses(base_url, media, dev_file)


def _shown_host(listener: socket.socket, settings: Settings, tls: Tls | None) -> str:
    """The host of the address that people are told: one that the certificate covers, if there is one that is surely this host."""
    host = _url_host(listener)
    known = [host.strip("[]"), "localhost", *sorted(settings.allowed_hosts)]
    covered = [] if tls is None else [each for each in known if tls.current.covers(each)]
    return host if not covered or covered[0] == known[0] else covered[0]


async def serve_until_stopped(server: Server, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, and through the drain; a second signal cuts that short. SIGHUP reads the certificate again.

    `on_ready` is called when a signal already means an orderly stop: who is told that the server is there may send one at once.
    """
    loop = asyncio.get_running_loop()
    # Who presses Ctrl-C wants an end; a service manager's SIGTERM may be half of a restart.
    handlers: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGINT: partial(server.ask_to_stop, ends_calls=True),
        signal.SIGTERM: server.ask_to_stop,
    }
    if server.is_lasting:
        handlers[signal.SIGHUP] = server.reload
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        on_ready()
        await server.serve(listener)
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def listen(settings: Settings) -> socket.socket:
    """The HTTP socket. Raises `SettingsError` if the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = "; --port 0 takes any free one" if error.errno == errno.EADDRINUSE else ""
        raise SettingsError(f"port {settings.port} on {settings.host} cannot be had ({why}){hint}") from error
    listener.setblocking(False)
    return listener


def _why_not_ready(server: Server, engine: MediaEngine) -> str | None:
    if server.is_stopping:
        return "stopping"
    if server.calls.is_closed:
        return "draining"
    try:
        _ = engine.hello
    except EngineError:
        return "no media engine"
    return None


def _connection_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        connections=settings.max_connections,
        per_peer=settings.max_connections_per_peer,
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        stall_timeout_s=settings.stall_timeout_s,
    )


def _engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(
        data_dir=settings.data_dir,
        host=media_hosts(settings.host, _has_ipv6_loopback()),
        udp_port=settings.udp_port,
        tcp_port=settings.media_tcp_port,
        workers=settings.workers,
        max_calls=settings.max_calls,
        public_ips=settings.public_ips,
        grace_s=settings.engine_grace_s,
        binary=settings.engine_binary,
    )


def _has_ipv6_loopback() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def _media_addresses(hello: HelloOk) -> dev.DevMedia:
    """All workers' UDP addresses; the TCP port is one for all, and its first address stands for it."""

    def address(candidate: Candidate) -> str:
        return f"[{candidate.ip}]:{candidate.port}" if ":" in candidate.ip else f"{candidate.ip}:{candidate.port}"

    candidates = [each for worker in hello.candidates for each in worker]
    tcp = next((address(each) for each in candidates if each.proto == "tcp"), None)
    return dev.DevMedia([address(each) for each in candidates if each.proto == "udp"], tcp)


def _url_host(listener: socket.socket) -> str:
    host: str = listener.getsockname()[0]
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _ours(error: Exception) -> PageCallsError:
    return error if isinstance(error, PageCallsError) else InternalFault()


async def _not_yet(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the server is not built yet")
