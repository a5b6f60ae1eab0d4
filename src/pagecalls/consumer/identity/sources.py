"""Where keys come from: one that is fixed, or a set that is read again when it has grown old or a token names an unknown key.

A stranger can name any key, so a set is asked for at most once in a while, whatever comes in; everybody who needs it shares that
one request. While it cannot be had the last one goes on to count, for a day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import aiohttp

from pagecalls.clock import Clock
from pagecalls.consumer.identity.keys import Key, KeyFault, read_jwks

log = logging.getLogger(__name__)

FRESH_S = 3600.0
"""How long a set counts as it is."""
STALE_S = 24 * 3600.0
"""How long it counts while no newer one can be had."""
REST_S = 30.0
"""Between two requests for a set."""
FETCH_TIMEOUT_S = 5.0
MAX_BYTES = 256 * 1024


class KeySource(Protocol):
    """Finds the key that a token names."""

    async def key(self, kid: str | None) -> Key | None:
        """The key; `None` if there is none that the token can mean."""
        ...


class FixedKey:
    """One key for all tokens, whatever they name."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def key(self, kid: str | None) -> Key | None:
        """That key."""
        return self._key


Load = Callable[[], Awaitable[bytes]]
"""Gets the text of a set. Raises `OSError`, `TimeoutError`, `aiohttp.ClientError` or `KeyFault`."""


class KeySet:
    """A JWKS that `load` gets. Times are the injected clock's."""

    def __init__(self, load: Load, clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._loaded_at: float | None = None
        self._asked_at: float | None = None
        self._loading: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> Key | None:
        """The key of that name; without a name, the only key of the set."""
        now = self._clock.now()
        if self._loaded_at is None or now - self._loaded_at > STALE_S:
            self._keys = ()
        found = self._find(kid)
        if found is None:
            await self._refresh(now)
            return self._find(kid)
        if self._loaded_at is not None and now - self._loaded_at > FRESH_S:
            self._begin(now)  # the token need not wait for it
        return found

    def _find(self, kid: str | None) -> Key | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.kid == kid), None)

    async def _refresh(self, now: float) -> None:
        self._begin(now)
        if self._loading is not None:
            # Somebody who stops waiting does not take it from the others.
            await asyncio.wait({self._loading})

    def _begin(self, now: float) -> None:
        is_rested = self._asked_at is None or now - self._asked_at >= REST_S
        if self._loading is None and is_rested:
            self._asked_at = now
            self._loading = asyncio.create_task(self._reload(), name="consumer-keys")

    async def _reload(self) -> None:
        try:
            self._keys = read_jwks(await self._load())
            self._loaded_at = self._clock.now()
        except (OSError, TimeoutError, aiohttp.ClientError, KeyFault) as error:
            log.warning("the keys for consumers' tokens could not be had: %s", str(error) or type(error).__name__)
        except Exception:
            log.exception("the keys for consumers' tokens could not be had")
        finally:
            self._loading = None


def from_file(path: Path) -> Load:
    """Reads a file, beside the event loop."""

    def read() -> bytes:
        with path.open("rb") as file:
            return _bounded(file.read(MAX_BYTES + 1))

    async def load() -> bytes:
        return await asyncio.to_thread(read)

    return load


def from_url(url: str) -> Load:
    """Asks a server: no redirects, no proxy, a bounded time and size."""

    async def load() -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            if response.status != 200:
                raise KeyFault(f"{url} answered with HTTP {response.status}")
            content = b""
            while len(content) <= MAX_BYTES and (chunk := await response.content.read(MAX_BYTES + 1 - len(content))):
                content += chunk
            return _bounded(content)

    return load


def _bounded(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise KeyFault(f"the set of keys is larger than {MAX_BYTES // 1024} KiB")
    return content
