"""The limits, who counts as one peer, and what both protocols have in common: a seat, and the time when it is enough."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import resource
from collections import Counter
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config

OTHER_DESCRIPTORS = 1_000
"""For what else the process holds open: the store, the engine, webhooks under way."""
LINGER_S = 2.0
"""How long a connection that is closed is given: to read a refusal while its body still comes, or to take what is unsent."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`per_peer` `None`: no limit. Peers on this machine are not counted apart, since a proxy speaks for everybody.

    `head_timeout_s`: from the first byte to the end of the head, from connecting to the first byte, and for a TLS handshake;
    `body_timeout_s`: for a whole body; `idle_timeout_s`: between requests; `stall_timeout_s`: how long a peer may leave unread
    what waits for it.
    Clients keep idle connections for 15 s and more; a request that meets one just closing is lost, so we keep them for longer.
    """

    connections: int = 10_000
    per_peer: int | None = 1_000
    head_bytes: int = 65_536
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 75.0
    stall_timeout_s: float = 30.0


class LimitedConfig(Config):
    """uvicorn's configuration with these limits; `peers` counts the connections of each peer."""

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:
        self.limits = limits
        self.peers: Counter[str] = Counter()
        super().__init__(**options)


class Watch:
    """What both protocols have: a seat among the connections of a peer, and the time when it is enough."""

    def __init__(self, config: Config) -> None:
        if not isinstance(config, LimitedConfig):
            raise TypeError("these protocols need a LimitedConfig")
        self.limits = config.limits
        self.deadline = math.inf
        self._peers = config.peers
        self._peer = ""
        self._stalled_at = math.inf
        self._closing_at = math.inf

    def enter(self, address: object) -> bool:
        """Take the seat, once; whether the peer at this address may have one more."""
        if not self._peer:
            self._peer = peer_key(address)
            if not self._peer:
                return True
            self._peers[self._peer] += 1
        return self.limits.per_peer is None or self._peers[self._peer] <= self.limits.per_peer

    def leave(self) -> None:
        """Give the seat back; once."""
        peer, self._peer = self._peer, ""
        if peer:
            self._peers[peer] -= 1
            if self._peers[peer] <= 0:
                del self._peers[peer]

    def stall(self, now: float) -> None:
        """The peer has left more unread than is sent ahead."""
        self._stalled_at = now

    def flow(self) -> None:
        """It reads again."""
        self._stalled_at = math.inf

    def must_abort(self, transport: asyncio.Transport, now: float) -> bool:
        """Whether nothing is to be expected of the peer any more: it reads nothing, or what is closed does not end."""
        if transport.is_closing():
            self._closing_at = min(self._closing_at, now)
            return now >= self._closing_at + LINGER_S
        return now >= self._stalled_at + self.limits.stall_timeout_s


def make_room(connections: int) -> int:
    """Raise this process's limit of descriptors, as far as it may, so that so many connections fit; the limit then.

    The usual soft limit of 1,024 is for programs that use select(2); beyond it the system refuses connections, not we.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def peer_key(address: object) -> str:
    """Who counts as one peer: an IPv4 address, or the /64 network of an IPv6 one; empty for this machine and for no address."""
    try:
        found = ipaddress.ip_address(str(address[0]).partition("%")[0]) if isinstance(address, tuple | list) and address else None
    except ValueError:
        found = None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found is None or found.is_loopback:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((found, 64), strict=False).network_address)
    return str(found)
