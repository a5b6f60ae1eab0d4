"""A consumer's device: JSON-RPC over the WebSocket of consumer-protocol, with notifications kept in order."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

SUBPROTOCOL = "pagecalls.consumer.v1"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notification:
    """One message from the server, and when it came (`loop.time()`)."""

    method: str
    params: Json
    at: float


class DeviceRefused(Exception):
    """The server answered a request with an error; `code` is JSON-RPC's, `data` the Graph-like object."""

    def __init__(self, code: int, message: str, data: Json) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.data = data

    def __str__(self) -> str:
        return f"{self.code}: {self.data.get('message')}"


class ConsumerDevice:
    """One connected device."""

    def __init__(
        self, on_notification: Callable[[Notification], None] = lambda _: None, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: whom to trust; `None`: whom this machine trusts."""
        self.received: list[Notification] = []
        self._on_notification = on_notification
        self._tls = tls
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._news = asyncio.Condition()
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def connect(self, base_url: str, token: str) -> None:
        """Open the WebSocket with the consumer's token."""
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(
            base_url + "/consumer/v1",
            protocols=[SUBPROTOCOL],
            headers={"Authorization": f"Bearer {token}"},
            max_msg_size=1024 * 1024,
            ssl=self._tls or True,
        )
        self._reader = asyncio.create_task(self._read(self._socket))

    async def close(self) -> None:
        """Drop the socket."""
        if self._socket is not None:
            await self._socket.close()
        if self._http is not None:
            await self._http.close()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def gone(self) -> int | None:
        """The close code, once the socket is closed from whichever side."""
        if self._reader is None or self._socket is None:
            raise RuntimeError("connect() comes first")
        await self._reader
        return self._socket.close_code

    async def request(self, method: str, timeout_s: float = 10.0, **params: Any) -> Json:
        """One request and its result. Raises `DeviceRefused`, `ConnectionError` when the socket is gone, `TimeoutError`."""
        if self._socket is None:
            raise RuntimeError("connect() comes first")
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        frame = msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        try:
            await self._socket.send_str(frame.decode())
        except BaseException:
            # The reader may have failed it already; nobody will ask why.
            self._waiting.pop(number, None)
            _ = answer.cancel() or answer.exception()
            raise
        return await asyncio.wait_for(answer, timeout_s)

    async def expect(
        self,
        method: str,
        timeout_s: float = 10.0,
        *,
        where: Callable[[Notification], bool] = lambda _: True,
        **params: Any,
    ) -> Notification:
        """The first notification of that method with those members for which `where` holds, now or later.

        Raises `TimeoutError` with what came.
        """

        def found() -> Notification | None:
            for notification in self.received:
                same = all(notification.params.get(key) == value for key, value in params.items())
                if notification.method == method and same and where(notification):
                    return notification
            return None

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), timeout_s)
            except TimeoutError:
                came = [notification.method for notification in self.received]
                raise TimeoutError(f"no {method} {params or ''} within {timeout_s} s; these came: {came}") from None
        match = found()
        if match is None:
            raise TimeoutError(method)
        return match

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame: Json = msgspec.json.decode(message.data)
            if "method" in frame:
                notification = Notification(frame["method"], frame.get("params", {}), asyncio.get_running_loop().time())
                async with self._news:
                    self.received.append(notification)
                    self._news.notify_all()
                self._on_notification(notification)
                continue
            waiting = self._waiting.pop(frame["id"], None) if frame.get("id") is not None else None
            if waiting is None or waiting.done():
                continue
            if "error" in frame:
                error = frame["error"]
                waiting.set_exception(DeviceRefused(error["code"], error["message"], error.get("data", {})))
            else:
                waiting.set_result(frame["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the socket is closed"))
        self._waiting.clear()
