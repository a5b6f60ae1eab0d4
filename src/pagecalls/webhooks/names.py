"""Looking up the names of receivers, each on a thread of its own.

The system's look-up blocks, for half a minute if a name server is silent, and an event loop lends its look-ups a handful of
threads: a few receivers with dead name servers would hold up the names of all others. Here many can wait at once, and what waits
for an answer when the program ends is left behind. Judges no address; `targets.py` does, when a socket is made.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUPS = 64
"""Names that are looked up at the same time. aiohttp asks for one and the same name once."""

AddrInfo = tuple[int, int, int, str, tuple[str | int, ...] | tuple[int, bytes]]
Lookup = Callable[[str, int, int], list[AddrInfo]]


def system_lookup(host: str, port: int, family: int) -> list[AddrInfo]:
    """The addresses of a name as the system has them. Blocks. Raises `socket.gaierror`."""
    return list(socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG))


class ThreadedNames(AbstractResolver):
    """Implements aiohttp's resolver."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._free = asyncio.Semaphore(LOOKUPS)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises `OSError`, and `RuntimeError` if the machine has no thread left. A caller that gives up leaves the thread to
        itself, and its place is taken until that has ended."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[AddrInfo]] = loop.create_future()

        def settle(found: list[AddrInfo] | Exception) -> None:
            self._free.release()
            if answer.done():
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def work() -> None:
            found: list[AddrInfo] | Exception
            try:
                found = self._lookup(host, port, family)
            except Exception as error:
                found = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, found)

        try:
            threading.Thread(target=work, name=f"look-up of {host[:80]}", daemon=True).start()
        except RuntimeError:
            self._free.release()
            raise
        return [_result(host, info) for info in await answer]

    async def close(self) -> None:
        """Nothing is held."""


def _result(host: str, info: AddrInfo) -> ResolveResult:
    family, _, protocol, _, address = info
    return ResolveResult(
        hostname=host,
        host=str(address[0]),
        port=int(address[1]),
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
