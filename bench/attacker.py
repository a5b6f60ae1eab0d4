"""A process that attacks a server in one way until it is ended: what `bench_attack.py` starts beside its measurements.

`python -m bench.attacker KIND HOST PORT TOKEN`. Prints a line when the attack is under way.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Awaitable, Callable, Mapping

from pagecalls.consumer.messages import SUBPROTOCOL

HEAD = "POST /v26.0/me/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CONNECTIONS = 500


async def opened(host: str, port: int, first: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which `first` was sent."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(first.encode())
    await writer.drain()
    return reader, writer


async def idle(host: str, port: int, _: str) -> None:
    """A thousand connections that say nothing, made again when they are closed."""

    async def one() -> None:
        while True:
            reader, writer = await opened(host, port)
            await reader.read()
            writer.close()

    await many(one, 1000)


async def slow_bodies(host: str, port: int, _: str) -> None:
    """Five hundred requests whose bodies come at ten bytes a second."""

    async def one() -> None:
        while True:
            _, writer = await opened(host, port, f"{HEAD}Content-Length: 1000000\r\n\r\n")
            try:
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.1)
            except ConnectionError:
                continue

    await many(one, CONNECTIONS)


async def large_bodies(host: str, port: int, _: str) -> None:
    """Bodies without end, one after the other, as fast as they are taken."""
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    async def one() -> None:
        while True:
            _, writer = await opened(host, port, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    writer.write(chunk)
                    await writer.drain()
            except ConnectionError:
                continue

    await many(one, 4)


async def deaf(host: str, port: int, _: str) -> None:
    """Clients that ask for a large document again and again, and read nothing."""
    request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def one() -> None:
        while True:
            _, writer = await opened(host, port)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            try:
                while True:
                    writer.write(request.encode())
                    await writer.drain()
                    await asyncio.sleep(0.01)
            except ConnectionError:
                continue

    await many(one, 20)


async def pings(host: str, port: int, token: str) -> None:
    """One device that sends WebSocket pings as fast as they are taken."""
    await flood(host, port, token, b"\x89\x80\0\0\0\0")


async def requests(host: str, port: int, token: str) -> None:
    """One device that sends requests as fast as they are taken."""
    text = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    await flood(host, port, token, b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text)


async def flood(host: str, port: int, token: str, frame: bytes) -> None:
    """The same frame without end, with its answers read."""
    key = base64.b64encode(bytes(16)).decode()
    reader, writer = await opened(
        host,
        port,
        "GET /consumer/v1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n",
    )
    await reader.readuntil(b"\r\n\r\n")
    print("under way", flush=True)

    async def read() -> None:
        while await reader.read(65_536):
            pass

    reading = asyncio.create_task(read())
    while not reading.done():
        writer.write(frame * 5000)
        await writer.drain()


async def many(one: Callable[[], Awaitable[None]], count: int) -> None:
    """So many at once, for ever."""
    tasks = [asyncio.ensure_future(one()) for _ in range(count)]
    await asyncio.sleep(0.5)
    print("under way", flush=True)
    await asyncio.gather(*tasks)


ATTACKS: Mapping[str, Callable[[str, int, str], Awaitable[None]]] = {
    "1,000 idle connections": idle,
    "500 slow bodies": slow_bodies,
    "4 bodies without end": large_bodies,
    "20 clients that do not read": deaf,
    "a flood of WebSocket pings": pings,
    "a flood of requests of a device": requests,
}


async def run(kind: str, host: str, port: int, token: str) -> None:
    """Attack until this process is ended."""
    await ATTACKS[kind](host, port, token)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
