"""The Graph face as an ASGI app: one request through the steps of graph-platform 4.1, one answer with all its headers.

Path and version, body size, token, proof, node, verb, rights, body, then the edge's handler. Whatever is raised on the way
becomes the envelope of `envelope.py`. What is no `PageCallsError` is our fault: it goes to the log with the trace id and shows
the client nothing.
"""

from __future__ import annotations

import hashlib
import logging
import time

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from pagecalls.call.states import Action
from pagecalls.clock import Clock
from pagecalls.errors import InternalFault, InvalidValue, PageCallsError, UnknownObject, UnknownPath
from pagecalls.graph import auth
from pagecalls.graph.envelope import error_body, error_headers, error_object, find_row
from pagecalls.graph.options import GraphOptions, TraceIds
from pagecalls.graph.request import Address, Request, parse_address, read_request
from pagecalls.graph.routes import APP_EDGES, CRASH_REPORTS, PAGE_EDGES, AppRoute, PageRoute, Verbs
from pagecalls.graph.schemas import SUCCESS
from pagecalls.graph.versions import LATEST, Version, default_version
from pagecalls.graph.visit import Answer, AppVisit, PageVisit, Services
from pagecalls.http import ClientGone, Response, header, nothing
from pagecalls.store.base import TokenKind
from pagecalls.switchboard.base import BusinessDoor, Caller, Release
from pagecalls.switchboard.directory import Directory

__all__ = ["GraphApp", "GraphOptions", "build_graph"]

log = logging.getLogger(__name__)

_FIXED_HEADERS = {
    "access-control-allow-origin": "*",
    "cache-control": "private, no-cache, no-store, must-revalidate",
    "pragma": "no-cache",
    "expires": "Sat, 01 Jan 2000 00:00:00 GMT",
    "vary": "Origin",
}
_PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type",
    "access-control-max-age": "86400",
}


def build_graph(door: BusinessDoor, directory: Directory, clock: Clock, options: GraphOptions) -> ASGIApp:
    """The Graph face. Serves every path that it is given; who comes first on a shared port is the composition root's business."""
    return GraphApp(Services(door, directory, clock), options)


class GraphApp:
    """See `build_graph`."""

    def __init__(self, services: Services, options: GraphOptions) -> None:
        self._services = services
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. Other kinds of connection are closed."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        exchange = _Exchange(self._services, self._options, scope, receive)
        try:
            response = await exchange.respond()
        except ClientGone:
            return
        try:
            await response(scope, receive, send)
        finally:
            self._options.on_request(exchange.edge, exchange.action, response.status, time.perf_counter() - started)


class _Exchange:
    """One request on its way. `edge`, `action`, `version` and `is_page_edge` fill in as they become known."""

    def __init__(self, services: Services, options: GraphOptions, scope: Scope, receive: Receive) -> None:
        self._services = services
        self._options = options
        self._scope = scope
        self._receive = receive
        self._ids = TraceIds.draw(options.random_bytes)
        self._is_page_edge = True
        self._version = Version(LATEST)
        self.edge = "unknown"
        self.action = ""

    async def respond(self) -> Response:
        """The answer, whatever happens. Raises only `ClientGone`."""
        if self._scope["method"] == "OPTIONS":
            return Response(200, b"", {**self._headers(), **_PREFLIGHT_HEADERS})
        try:
            return self._success(await self._answer())
        except PageCallsError as error:
            return self._failure(error)
        except ClientGone:
            raise
        except Exception:
            return self._unexpected()

    # --- the steps ----------------------------------------------------------------------------------------------------

    async def _answer(self) -> Answer:
        address = parse_address(self._scope)
        if address.version is not None:
            self._version = address.version
        if address.edge == CRASH_REPORTS and not address.rest and self._scope["method"] == "POST":
            self.edge = CRASH_REPORTS
            return Answer(SUCCESS)
        verbs = self._find_edge(address)
        request = await read_request(self._scope, self._receive, address)
        self.action = _action(request) if address.edge == "calls" else ""
        identity = await auth.identify(self._services.directory, request, self._services.clock.now())
        if address.version is None:
            self._version = default_version(identity.app.default_version)
        if self._is_page_edge:
            return await self._on_page(request, identity, verbs)
        return await self._on_app(request, identity, verbs)

    def _find_edge(self, address: Address) -> Verbs:
        verbs = PAGE_EDGES.get(address.edge)
        if verbs is None:
            verbs = APP_EDGES.get(address.edge)
            self._is_page_edge = verbs is None
        if verbs is None:
            raise UnknownPath("/" + "/".join((address.edge, *address.rest)))
        if address.rest:
            raise UnknownPath("/" + "/".join(address.rest))
        self.edge = address.edge or "node"
        return verbs

    async def _on_page(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        page = await auth.find_page(self._services.directory, identity, request.method, request.address.node)
        route = verbs.get(request.method)
        if not isinstance(route, PageRoute):
            raise UnknownObject(request.method, request.address.node)
        if route.admits_app and identity.token.kind is TokenKind.APP:
            caller = Caller(identity.app.id, page.id)
        else:
            caller = auth.page_caller(identity, page, route.scope)
        return await route.handler(PageVisit(self._services, identity, caller, page, request.readable()))

    async def _on_app(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        auth.app_caller(identity, request.method, request.address.node)
        route = verbs.get(request.method)
        if not isinstance(route, AppRoute):
            raise UnknownObject(request.method, request.address.node)
        return await route.handler(AppVisit(self._services, identity, request.readable()))

    # --- the answers --------------------------------------------------------------------------------------------------

    def _success(self, answer: Answer) -> Response:
        try:
            content = msgspec.json.encode(answer.body)
        except Exception:
            return self._unexpected(answer.release)
        if self._scope["method"] != "GET":
            return Response(200, content, self._headers(), answer.release)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {**self._headers(), "etag": etag}
        asked = header(self._scope, "if-none-match") or ""
        if etag in (part.strip().removeprefix("W/") for part in asked.split(",")):
            return Response(304, b"", headers, answer.release)
        return Response(200, content, headers, answer.release)

    def _unexpected(self, release: Release = nothing) -> Response:
        """In an `except` block: the fault to the log, E_INTERNAL to the client."""
        log.exception("unexpected fault, fbtrace_id %s", self._ids.request_id, extra={"fbtrace_id": self._ids.request_id})
        return self._failure(InternalFault(), release)

    def _failure(self, error: PageCallsError, release: Release = nothing) -> Response:
        swap = self._options.swap_codes
        members = error_object(error, self._ids.request_id, swap)
        headers = {**self._headers(), **error_headers(error, swap)}
        return Response(find_row(error, swap).http, error_body(members, self._is_page_edge), headers, release)

    def _headers(self) -> dict[str, str]:
        return {
            **_FIXED_HEADERS,
            **self._version.headers,
            "x-fb-request-id": self._ids.request_id,
            "x-fb-trace-id": self._ids.trace_id,
            "x-fb-rev": str(self._options.rev),
        }


def _action(request: Request) -> str:
    """The action's name for the metrics; whether it is a legal one is found out later."""
    try:
        action = request.params.choice("action", Action)
    except InvalidValue:
        return ""
    return action.value if action else ""
