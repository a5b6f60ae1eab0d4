"""The consumer's face on the network: the guard, the two paths, and the WebSocket driver.

The driver lets a device in and moves its frames between the socket, the dispatcher and the line.

One pump reads, one worker serves requests in order, one line writes. Reading goes on while a request is served, up to
`INBOX_FRAMES` behind it; then the socket is left unread. Knows nothing of what a frame
says.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from pagecalls.clock import Clock
from pagecalls.consumer.dispatch import Dispatcher, ErrorTable, forbidden
from pagecalls.consumer.line import CloseCode, Line
from pagecalls.consumer.messages import MAX_MESSAGE_BYTES, SUBPROTOCOL
from pagecalls.consumer.sessions import ConsumerDirectory, ConsumerOptions, Sessions, bearer
from pagecalls.errors import BadToken, InvalidValue, NoToken, OurFault, PageCallsError, TokenFault
from pagecalls.http import HostGuard
from pagecalls.switchboard.base import TOKEN_GONE, ConsumerDoor, DeviceIdentity

__all__ = ["ConsumerOptions", "Endpoint", "build_consumer"]

log = logging.getLogger(__name__)

INBOX_FRAMES = 16

Inbox = asyncio.Queue[str | bytes | None]
"""Frames not served yet; `None` after the last one."""


def build_consumer(
    door: ConsumerDoor, directory: ConsumerDirectory, clock: Clock, options: ConsumerOptions, errors: ErrorTable
) -> ASGIApp:
    """The app for `/consumer/v1` and `/consumer/v1/sessions`; it expects full paths. `errors` is the Graph side's table."""
    app = Starlette(
        routes=[
            WebSocketRoute("/consumer/v1", Endpoint(door, directory, clock, errors).serve),
            Route("/consumer/v1", _upgrade_required, methods=["GET"]),
            Route("/consumer/v1/sessions", Sessions(directory, options, errors).serve, methods=["POST"]),
        ]
    )
    return _Guard(app, HostGuard.of(options.allowed_hosts), errors)


class _Guard:
    """403 for a foreign `Host` or `Origin`, before any path is looked at (consumer-protocol, Identity)."""

    def __init__(self, app: ASGIApp, guard: HostGuard, errors: ErrorTable) -> None:
        self._app = app
        self._guard = guard
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._guard.admits(scope):
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse(forbidden(self._errors, "This Host or Origin is not served here."), 403)
        if scope["type"] == "websocket":
            await _deny(WebSocket(scope, receive, send), refusal)
        else:
            await refusal(scope, receive, send)


class Endpoint:
    """Every device socket of this process."""

    def __init__(self, door: ConsumerDoor, directory: ConsumerDirectory, clock: Clock, errors: ErrorTable) -> None:
        self._door = door
        self._directory = directory
        self._clock = clock
        self._errors = errors

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket from its upgrade to its end."""
        token = bearer(websocket.scope) or websocket.query_params.get("access_token")
        try:
            device = await self._directory.device(token) if token else None
        except OurFault as fault:
            await self._refuse(websocket, 503, fault)
            return
        if device is None or token is None:
            await self._refuse(websocket, 401, BadToken(TokenFault.UNPARSEABLE) if token else NoToken())
        elif SUBPROTOCOL not in websocket.scope.get("subprotocols", []):
            await self._refuse(websocket, 400, InvalidValue("Sec-WebSocket-Protocol", (SUBPROTOCOL,)))
        else:
            await websocket.accept(subprotocol=SUBPROTOCOL)
            await self._converse(websocket, device, token)

    async def _refuse(self, websocket: WebSocket, status: int, cause: PageCallsError) -> None:
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        await _deny(websocket, JSONResponse({"error": dict(self._errors(cause))}, status, headers))

    async def _converse(self, websocket: WebSocket, device: DeviceIdentity, token: str) -> None:
        line = Line(websocket)
        writer = asyncio.create_task(line.pump())
        try:
            if await self._announce(device, line, token):
                await self._exchange(websocket, device, line, writer)
            else:
                await asyncio.wait({writer})
        finally:
            line.abandon()
            await self._door.device_gone(device, line)

    async def _announce(self, device: DeviceIdentity, line: Line, token: str) -> bool:
        """Put the line in service. An older one of the same token is closed by the switchboard, which knows all lines."""
        try:
            await self._door.device_connected(device, line)
            # Whoever takes a token back closes the line that is in service, and this one may have come a moment too late.
            if await self._directory.device(token) is None:
                line.close(TOKEN_GONE, "this token is no longer good")
        except PageCallsError as fault:
            line.close(CloseCode.TRY_LATER, str(fault)[:100])
            return False
        except Exception:
            log.exception("device could not be announced")
            line.close(CloseCode.INTERNAL, "internal error")
            return False
        return True

    async def _exchange(self, websocket: WebSocket, device: DeviceIdentity, line: Line, writer: asyncio.Task[None]) -> None:
        inbox: Inbox = asyncio.Queue(INBOX_FRAMES)
        worker = asyncio.create_task(self._work(inbox, device, line))
        reader = asyncio.create_task(_read(websocket, inbox, line))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            line.abandon()
            await _cancel(reader)
            # What came before the end still counts: a device may hang up and leave at once.
            await inbox.put(None)
            await worker
        finally:
            await _cancel(reader, worker, writer)

    async def _work(self, inbox: Inbox, device: DeviceIdentity, line: Line) -> None:
        dispatcher = Dispatcher(self._door, device, self._clock, self._errors)
        while (frame := await inbox.get()) is not None:
            reply = await dispatcher.serve(frame)
            if reply.frame is None:
                reply.release()
            else:
                line.send(reply.frame, reply.release)


async def _deny(websocket: WebSocket, response: Response) -> None:
    """Refuse the upgrade with an HTTP response, where the server can send one; else with its own 403."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(response)
    else:
        await websocket.close()


async def _read(websocket: WebSocket, inbox: Inbox, line: Line) -> None:
    """Frames into the inbox until the device disconnects."""
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        text: str | None = message.get("text")
        if text is None:
            await inbox.put(b"")
        elif len(text) > MAX_MESSAGE_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_BYTES:
            line.close(CloseCode.TOO_BIG, "message over 1 MiB")
        else:
            await inbox.put(text)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _upgrade_required(request: Request) -> Response:
    """A plain GET of the WebSocket's address (RFC 9110 section 15.5.22)."""
    return Response(status_code=426, headers={"Upgrade": "websocket", "Sec-WebSocket-Protocol": SUBPROTOCOL})
