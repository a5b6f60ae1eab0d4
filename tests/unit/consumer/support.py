"""Small doubles of what stands behind the consumer's face, and a client that speaks its protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import uvicorn
from starlette.types import ASGIApp, Message
from websockets.asyncio.client import ClientConnection, connect

from pagecalls.clock import SteppedClock
from pagecalls.consumer.endpoint import build_consumer
from pagecalls.consumer.messages import SUBPROTOCOL
from pagecalls.consumer.sessions import ConsumerOptions
from pagecalls.errors import Unavailable, UnknownObject
from pagecalls.store.base import Consumer, Page
from pagecalls.switchboard.base import (
    CallReply,
    DeviceIdentity,
    DeviceLine,
    MediaUpdateRequest,
    PermissionReply,
    PickUpReply,
    Release,
    StartReply,
)
from pagecalls.switchboard.directory import NewSession
from pagecalls.types import CallId, DeviceId, MessageId, PageId, Platform, Psid, Session, Track

PAGE = Page(PageId("1001"), "Tea House")
ADA = DeviceIdentity(DeviceId("d1"), Psid("2002"), PAGE.id, Platform.MESSENGER, "Ada")
TOKEN = "good-token"
UNREADABLE_TOKEN = "unreadable-token"
OFFER = {"sdp_type": "offer", "sdp": "v=0\r\n"}


def table(cause: Exception) -> Mapping[str, object]:
    """An error table that shows which exception it was given."""
    return {"message": str(cause), "type": type(cause).__name__, "code": 1, "error_subcode": 2, "fbtrace_id": "trace"}


@dataclass
class RecordingDoor:
    """A `ConsumerDoor` that keeps what it is asked and answers with what the test put in."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    lines: list[DeviceLine] = field(default_factory=list)
    gone: list[DeviceLine] = field(default_factory=list)
    fault: Exception | None = None
    connect_fault: Exception | None = None
    updated: CallReply = CallReply(CallId("c_1"))
    released: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def device_connected(self, device: DeviceIdentity, line: DeviceLine) -> None:
        if self.connect_fault is not None:
            raise self.connect_fault
        if self.lines:
            self.lines[-1].close(4001, "replaced")
        self.lines.append(line)
        self.changed.set()

    async def device_gone(self, device: DeviceIdentity, line: DeviceLine) -> None:
        self.gone.append(line)
        self.changed.set()

    async def call_start(
        self, device: DeviceIdentity, page_id: PageId, session: Session, tracks: Sequence[Track], message_id: str | None = None
    ) -> StartReply:
        button = () if message_id is None else (message_id,)
        await self._note("start", page_id, session, tuple(tracks), *button)
        return StartReply(CallId("c_1"), "v=0 answer")

    async def call_accept(
        self, device: DeviceIdentity, call_id: CallId, session: Session, tracks: Sequence[Track]
    ) -> PickUpReply:
        await self._note("accept", call_id, session, tuple(tracks))
        return PickUpReply("v=0 answer", "v=0 offer", 0, self.releases("accept"))

    async def call_decline(self, device: DeviceIdentity, call_id: CallId) -> None:
        await self._note("decline", call_id)

    async def call_hangup(self, device: DeviceIdentity, call_id: CallId) -> None:
        await self._note("hangup", call_id)

    async def call_answer(self, device: DeviceIdentity, call_id: CallId, version: int, session: Session) -> None:
        await self._note("answer", call_id, version, session)

    async def call_dtmf(self, device: DeviceIdentity, call_id: CallId, digits: str) -> None:
        await self._note("dtmf", call_id, digits)

    async def call_stats(self, device: DeviceIdentity, call_id: CallId, stats: object) -> None:
        await self._note("stats", call_id, stats)

    async def call_media_update(self, device: DeviceIdentity, request: MediaUpdateRequest) -> CallReply:
        await self._note("media_update", request)
        return replace(self.updated, release=self.releases("media_update"))

    async def permission_reply(self, device: DeviceIdentity, request_id: str, is_approved: bool) -> PermissionReply:
        await self._note("permission_reply", request_id, is_approved)
        return PermissionReply(1_790_604_800.9 if is_approved else None, self.releases("permission_reply"))

    async def permission_revoke(self, device: DeviceIdentity, page_id: PageId) -> None:
        await self._note("permission_revoke", page_id)

    async def message_send(self, device: DeviceIdentity, page_id: PageId, text: str) -> MessageId:
        await self._note("message_send", page_id, text)
        return MessageId("m_1")

    def releases(self, name: str) -> Release:
        return lambda: self.released.append(name)

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait until `predicate` holds after some change."""
        while not predicate():
            self.changed.clear()
            await self.changed.wait()

    async def _note(self, *what: object) -> None:
        self.asked.append(what)
        self.changed.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault


class OnePageDirectory:
    """A `ConsumerDirectory` with one Page and one good token, which is good for so many looks; each further one meets `fault`."""

    def __init__(self, looks: int | None = None, fault: Exception | None = None) -> None:
        self._looks = looks
        self._fault = fault

    async def device(self, text: str) -> DeviceIdentity | None:
        if text == UNREADABLE_TOKEN:
            raise Unavailable
        if self._looks is not None:
            self._looks -= 1
            if self._looks < 0 and self._fault is not None:
                raise self._fault
        return ADA if text == TOKEN and (self._looks is None or self._looks >= 0) else None

    async def open_session(self, page_id: PageId, platform: Platform, name: str | None, psid: Psid | None) -> NewSession:
        if page_id != PAGE.id:
            raise UnknownObject("post", page_id)
        consumer = Consumer(psid or Psid("3003"), page_id, platform, name or "Consumer")
        return NewSession(consumer, PAGE, "fresh-token", 1_790_000_000.7)


def build(
    door: RecordingDoor, options: ConsumerOptions | None = None, looks: int | None = None, fault: Exception | None = None
) -> ASGIApp:
    """The face over the doubles."""
    return build_consumer(
        door, OnePageDirectory(looks, fault), SteppedClock(1_790_000_000.5), options or ConsumerOptions(dev_mode=True), table
    )


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """The body as JSON."""
        value: dict[str, object] = json.loads(self.body)
        return value


async def call(app: ASGIApp, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """One HTTP request, without a server."""
    lines = {"host": "127.0.0.1"} | {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    shown = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], shown, b"".join(part["body"] for part in sent[1:]))


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[int]:
    """The app on a real server; yields its port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


@contextlib.asynccontextmanager
async def device(port: int, token: str = TOKEN) -> AsyncIterator[ClientConnection]:
    """A connected device."""
    headers = {"Authorization": f"Bearer {token}"}
    uri = f"ws://127.0.0.1:{port}/consumer/v1"
    async with connect(uri, subprotocols=[SUBPROTOCOL], additional_headers=headers) as socket:  # type: ignore[list-item]
        yield socket


async def ask(socket: ClientConnection, method: str, **params: object) -> dict[str, object]:
    """Send a request and read one frame."""
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    return await read(socket)


async def read(socket: ClientConnection) -> dict[str, object]:
    """One frame as JSON."""
    async with asyncio.timeout(5):
        message: dict[str, object] = json.loads(await socket.recv())
        return message
