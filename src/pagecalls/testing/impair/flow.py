"""One peer's two directions: a channel for each, the timer that a channel needs, and the socket towards the engine.

Owns what belongs to one peer address. Which peers there are is the relay's business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from pagecalls.testing.impair.channel import Channel

Address = tuple[str, int]
"""Host and port."""

BATCH = 64
"""Datagrams that are read for one wake-up, so that one busy socket does not starve the others."""
LARGEST = 65_535
"""Octets of a datagram."""

_BUFFER_BYTES = 1 << 20
_SLACK_S = 0.0005  # event loops keep time in milliseconds; what is due sooner than half of one goes now


def host_port(address: Address) -> str:
    """An address as people write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def udp_socket(family: int) -> socket.socket:
    """One that does not block and can hold a burst."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return made


class Pump:
    """A channel, the way out of it, and the one timer between them."""

    def __init__(self, channel: Channel, send: Callable[[bytes], None], loop: asyncio.AbstractEventLoop) -> None:
        self.channel = channel
        self._send = send
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0

    def push(self, datagram: bytes) -> None:
        """A datagram has come."""
        self.channel.push(datagram, self._loop.time())
        self._flush()

    def close(self) -> None:
        """What is under way is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._timer = None
        self._flush()

    def _flush(self) -> None:
        for datagram in self.channel.take(self._loop.time(), _SLACK_S):
            self._send(datagram)
        next_at = self.channel.next_at
        if next_at is None or (self._timer is not None and self._wakes_at <= next_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wakes_at = self._loop.call_at(next_at, self._wake), next_at


class Flow:
    """One peer address: its two directions and its socket towards the engine, which `open_socket` makes, on a source if given."""

    def __init__(
        self,
        open_socket: Callable[[Address | None], socket.socket],
        send_down: Callable[[bytes], None],
        up: Channel,
        down: Channel,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._open_socket = open_socket
        self._socket = open_socket(None)
        self.up = Pump(up, self._send_up, self._loop)
        self.down = Pump(down, send_down, self._loop)
        self.heard_at = self._loop.time()
        self._loop.add_reader(self._socket, self._readable)

    @property
    def source(self) -> Address:
        """Where the engine sees this peer."""
        name = self._socket.getsockname()
        return str(name[0]), int(name[1])

    def change_source(self, source: Address | None) -> None:
        """Another socket takes the place of this one. What the engine sends to the old address is lost."""
        fresh = self._open_socket(source)
        self._drop_socket()
        self._socket = fresh
        self._loop.add_reader(fresh, self._readable)

    def close(self) -> None:
        """Give back the socket and the timers."""
        self.up.close()
        self.down.close()
        self._drop_socket()

    def _drop_socket(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _send_up(self, datagram: bytes) -> None:
        # A full buffer or a port without a listener (ICMP) loses a datagram, as it would on any network.
        with suppress(OSError):
            self._socket.send(datagram)

    def _readable(self) -> None:
        for _ in range(BATCH):
            try:
                datagram = self._socket.recv(LARGEST)
            except OSError:
                return
            self.down.push(datagram)
