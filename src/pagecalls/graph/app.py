"""The Graph face as an ASGI app: one request through the steps of graph-platform 4.1, one answer with all its headers.

Path and version, body size, token, proof, rate, node, verb, rights, body, then the edge's handler. Whatever is raised on the way
becomes the envelope of `envelope.py`. What is no `PageCallsError` is our fault: it goes to the log with the trace id and shows
the client nothing. The requests of a batch take the same way, each with an exchange of its own.
"""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from pagecalls.call.states import Action
from pagecalls.errors import InvalidValue, PageCallsError, UnknownObject, UnknownPath, UnusableBatch, UseCase
from pagecalls.graph import auth
from pagecalls.graph.batch import run_batch
from pagecalls.graph.decoding import parse_query
from pagecalls.graph.limits import Meter, Spender
from pagecalls.graph.options import GraphOptions, TraceIds
from pagecalls.graph.params import Params
from pagecalls.graph.rendering import Presentation, Rendering
from pagecalls.graph.request import Address, Incoming, Request, incoming, overridden, parse_address, read_request
from pagecalls.graph.routes import (
    APP_EDGES,
    CRASH_REPORTS,
    FIXED_PATHS,
    PAGE_EDGES,
    USER_EDGES,
    AppRoute,
    OpenRoute,
    PageRoute,
    TokenRoute,
    UserRoute,
    Verbs,
    use_case,
)
from pagecalls.graph.schemas import SUCCESS
from pagecalls.graph.selection import Shape, fields_of, select_answer
from pagecalls.graph.versions import Version, default_version
from pagecalls.graph.visit import Answer, AppVisit, OpenVisit, PageVisit, Services, TokenVisit, UserVisit
from pagecalls.http import ClientGone, Json, JsonObject, Response, parse_json
from pagecalls.store.base import Page, TokenKind
from pagecalls.switchboard.base import Caller
from pagecalls.types import AppId, PageId

__all__ = ["GraphApp", "GraphOptions", "Services", "build_graph"]

MAX_IDS = 50
_NO_VERBS: Verbs = {}
_ENDINGS = frozenset({Action.REJECT.value, Action.TERMINATE.value})
"""What ends a call is never refused for its rate: a call must not go on because too much was asked before."""


def build_graph(services: Services, options: GraphOptions) -> ASGIApp:
    """The Graph face. Serves every path that it is given; who comes first on a shared port is the composition root's business."""
    return GraphApp(services, options)


class GraphApp:
    """See `build_graph`."""

    def __init__(self, services: Services, options: GraphOptions) -> None:
        self._services = services
        self._options = options
        self._meter = Meter(options.limits, services.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. Other kinds of connection are closed."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        exchange = self._exchange(incoming(scope, receive))
        try:
            response = await exchange.respond()
        except ClientGone:
            return
        try:
            await response(scope, receive, send)
        finally:
            self._note(exchange, response, started)

    async def serve(self, member: Incoming, refused: PageCallsError | None) -> Response:
        """One request of a batch; `refused` is why it is not even tried."""
        started = time.perf_counter()
        exchange = self._exchange(member)
        response = exchange.refuse(refused) if refused is not None else await exchange.respond()
        self._note(exchange, response, started)
        return response

    def _exchange(self, arrived: Incoming) -> _Exchange:
        return _Exchange(self, self._services, self._options, self._meter, arrived)

    def _note(self, exchange: _Exchange, response: Response, started: float) -> None:
        self._options.on_request(exchange.edge, exchange.action, response.status, time.perf_counter() - started)


class _Exchange:
    """One request on its way. `edge`, `action` and the rendering's facts fill in as they become known."""

    def __init__(self, app: GraphApp, services: Services, options: GraphOptions, meter: Meter, arrived: Incoming) -> None:
        self._app = app
        self._services = services
        self._options = options
        self._meter = meter
        self._arrived = arrived
        self._rendering = Rendering(options, TraceIds.draw(options.random_bytes))
        self.edge = "unknown"
        self.action = ""

    async def respond(self) -> Response:
        """The answer, whatever happens. Raises only `ClientGone`."""
        if self._arrived.method == "OPTIONS":
            return self._rendering.preflight()
        try:
            answer, is_reading = await self._answer()
            return self._rendering.success(answer, is_reading, self._arrived.if_none_match)
        except PageCallsError as error:
            return self._rendering.failure(error)
        except ClientGone:
            raise
        except Exception:
            return self._rendering.unexpected()

    def refuse(self, error: PageCallsError) -> Response:
        """The answer to a request that was not tried."""
        self._rendering.version = self._arrived.default_version or self._rendering.version
        return self._rendering.failure(error)

    # --- the steps ----------------------------------------------------------------------------------------------------

    async def _answer(self) -> tuple[Answer, bool]:
        """The answer, and whether it is to a reading request."""
        query = parse_query(self._arrived.query_string)
        self._rendering.presentation = Presentation.of(query)
        address = self._find_address()
        if address.edge == CRASH_REPORTS and not address.rest and self._arrived.method == "POST":
            self.edge = CRASH_REPORTS
            return Answer(SUCCESS), False
        verbs = self._find_edge(address)
        request = await self._read(address, query)
        if request.method == "POST" and not address.edge and request.params.has("batch"):
            return await self._batch(request), False
        if not address.node and not (request.readable().has("ids") and request.method == "GET"):
            raise UnknownPath("/")
        is_reading = request.method == "GET"
        if any(isinstance(route, OpenRoute) for route in verbs.values()):
            return await self._openly(request, verbs), is_reading
        identity = await self._as_named(request, await self._identify(request))
        self._spend(request, identity)
        return await self._with_token(request, identity, verbs), is_reading

    async def _with_token(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        address = request.address
        if not address.node:
            return await self._several(request, identity)
        if (address.node, address.edge) in FIXED_PATHS:
            return await self._on_token(request, identity, verbs)
        if self._rendering.is_page_edge:
            return await self._on_page(request, identity, verbs)
        if address.edge in USER_EDGES:
            return await self._on_user(request, identity, verbs)
        return await self._on_app(request, identity, verbs)

    def _find_address(self) -> Address:
        self._rendering.version = self._arrived.default_version or self._rendering.version
        address = parse_address(self._arrived.path)
        self._rendering.is_version_named = (address.version or self._arrived.default_version) is not None
        if address.version is not None:
            self._rendering.version = address.version
        return address

    def _find_edge(self, address: Address) -> Verbs:
        fixed = FIXED_PATHS.get((address.node, address.edge))
        verbs = fixed or PAGE_EDGES.get(address.edge)
        if verbs is None:
            verbs = APP_EDGES.get(address.edge) or USER_EDGES.get(address.edge)
            self._rendering.is_page_edge = verbs is None
        if verbs is None:
            raise UnknownPath("/" + "/".join((address.edge, *address.rest)))
        if address.rest:
            raise UnknownPath("/" + "/".join(address.rest))
        self.edge = address.edge or "node"
        if fixed is not None:
            self._rendering.is_page_edge = False
            self.edge = address.edge or address.node
        return verbs

    async def _read(self, address: Address, query: JsonObject) -> Request:
        request = await read_request(self._arrived, address, query)
        if request.params.has("method"):
            request = overridden(request, auth.find_credentials(request) is not None)
        self._rendering.presentation = Presentation.of(request.params.values)
        self.action = _action(request) if address.edge == "calls" else ""
        return request

    async def _identify(self, request: Request) -> auth.Identity:
        identity = await auth.identify(self._services.directory, request, self._services.clock.now())
        if not self._rendering.is_version_named:
            self._rendering.version = default_version(identity.app.default_version)
        return identity

    async def _as_named(self, request: Request, identity: auth.Identity) -> auth.Identity:
        """A system user's token is one of the Page that the path names, if they have a task on it; limits are the Page's then."""
        token, node = identity.token, request.address.node
        if token.kind is not TokenKind.SYSTEM_USER or token.page_id is not None or not self._rendering.is_page_edge:
            return identity
        page = await self._services.directory.page(PageId(node))
        return identity if page is None else await auth.on_page(self._services.users, identity, page)

    def _spend(self, request: Request, identity: auth.Identity) -> None:
        """Count the request against the limits of whoever asks. Raises `RateError`."""
        token = identity.token
        is_page = token.kind in (TokenKind.PAGE, TokenKind.SYSTEM_USER)
        platform = request.params.values.get("platform")
        node = request.address.node
        is_users = not request.address.edge and auth.is_users_node(identity, node)
        spender = Spender(
            app_id=identity.app.id,
            page_id=token.page_id if is_page else None,
            use_case=use_case(request.address.edge, platform if isinstance(platform, str) else None),
            user=token.digest if token.kind in (TokenKind.USER, TokenKind.SYSTEM_USER) else None,
            node=(node or None) if self._rendering.is_page_edge and not is_users else None,
        )
        self._count(spender)

    def _spend_openly(self, app_id: AppId) -> None:
        self._count(Spender(app_id, page_id=None, use_case=UseCase.PAGES))

    def _count(self, spender: Spender) -> None:
        self._rendering.usage, refused = self._meter.spend(spender, may_refuse=self.action not in _ENDINGS)
        if refused is not None:
            raise refused

    async def _on_page(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        if not request.address.edge and auth.is_users_node(identity, request.address.node):
            return await self._on_user(request, identity, USER_EDGES[""])
        page = await auth.find_page(self._services.directory, identity, request.method, request.address.node)
        identity = await auth.on_page(self._services.users, identity, page)
        route = verbs.get(request.method)
        if not isinstance(route, PageRoute):
            raise UnknownObject(request.method, request.address.node)
        if route.admits_app and identity.token.kind is TokenKind.APP:
            caller = Caller(identity.app.id, page.id)
        elif route.admits_users:
            caller = await auth.page_reader(self._services.users, identity, page)
        else:
            caller = auth.page_caller(identity, page, *route.scopes)
        answer = await route.handler(self._page_visit(identity, caller, page, request.readable(), self._arrived.url))
        return _cut(answer, request.params, route.shape) if request.method == "GET" else answer

    async def _on_app(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        auth.app_caller(identity, request.method, request.address.node)
        route = verbs.get(request.method)
        if not isinstance(route, AppRoute):
            raise UnknownObject(request.method, request.address.node)
        answer = await route.handler(AppVisit(self._services, identity, request.readable(), self._arrived.url))
        return _cut(answer, request.params, route.shape) if request.method == "GET" else answer

    async def _on_user(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        node, edge = request.address.node, request.address.edge
        if edge and auth.is_own_page(identity, node):
            raise UnknownPath(f"/{edge}")
        user = await auth.find_user(self._services.users, identity, request.method, node)
        route = verbs.get(request.method)
        if not isinstance(route, UserRoute):
            raise UnknownObject(request.method, node)
        node_url = f"{self._arrived.origin}/{self._rendering.version.served}/{user.id}"
        return await route.handler(UserVisit(self._services, identity, user, request.readable(), self._arrived.url, node_url))

    async def _on_token(self, request: Request, identity: auth.Identity, verbs: Verbs) -> Answer:
        route = verbs.get(request.method)
        if not isinstance(route, TokenRoute):
            raise UnknownObject(request.method, request.address.node)
        return await route.handler(TokenVisit(self._services, identity, request.readable()))

    async def _openly(self, request: Request, verbs: Verbs) -> Answer:
        """A path that needs no token and looks at none."""
        route = verbs.get(request.method)
        if not isinstance(route, OpenRoute):
            raise UnknownObject(request.method, request.address.node)
        return await route.handler(OpenVisit(self._services, request.readable(), self._spend_openly))

    async def _several(self, request: Request, identity: auth.Identity) -> Answer:
        """`/?ids=a,b`: each node under its id; if one cannot be read, none is (graph-platform 3.3)."""
        ids = tuple(dict.fromkeys(request.params.words("ids") or ()))
        if not ids or len(ids) > MAX_IDS:
            raise InvalidValue("ids")
        found: JsonObject = {}
        for node in ids:
            one = replace(request, address=replace(request.address, node=node))
            found[node] = _plain((await self._on_page(one, identity, PAGE_EDGES[""])).body)
        return Answer(found)

    def _page_visit(self, identity: auth.Identity, caller: Caller, page: Page, params: Params, url: str) -> PageVisit:
        async def read_edge(edge: str, params: Params) -> Json | None:
            route = PAGE_EDGES.get(edge, _NO_VERBS).get("GET")
            if not isinstance(route, PageRoute):
                return None
            url = f"{self._arrived.origin}/{self._rendering.version.served}/{page.id}/{edge}"
            visit = self._page_visit(identity, auth.page_caller(identity, page, *route.scopes), page, params, url)
            return _plain(_cut(await route.handler(visit), params, route.shape).body)

        return PageVisit(self._services, identity, caller, page, params, url, read_edge)

    async def _batch(self, request: Request) -> Answer:
        """Several requests in one; the one around them only says who asks, and is not counted (graph-platform 6)."""
        self.edge = "batch"
        if self._arrived.is_member:
            raise UnusableBatch("batch", "a batch cannot hold another one")
        await self._identify(request)
        credentials = auth.find_credentials(request)
        around = replace(self._arrived, credentials=credentials, default_version=self._batch_version())
        return await run_batch(self._app.serve, around, request, self._options)

    def _batch_version(self) -> Version | None:
        return self._rendering.version if self._rendering.is_version_named else None


def _cut(answer: Answer, params: Params, shape: Shape | None) -> Answer:
    """The answer with only what `fields` asks for, on an edge that can be cut."""
    fields = fields_of(params) if shape is not None else ()
    if shape is None or not fields:
        return answer
    body = _plain(answer.body)
    return Answer(select_answer(body, fields, shape), answer.release) if isinstance(body, dict) else answer


def _plain(body: Json | msgspec.Struct) -> Json:
    return parse_json(msgspec.json.encode(body))


def _action(request: Request) -> str:
    """The action's name for the metrics; whether it is a legal one is found out later."""
    try:
        action = request.params.choice("action", Action)
    except InvalidValue:
        return ""
    return action.value if action else ""
