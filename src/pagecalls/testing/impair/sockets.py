"""The relay: one address for all peers, and a flow for each of them, on the running event loop.

Peers send to the relay's one address. Each peer address gets a flow of its own, with a socket of its own towards the engine, as
a NAT would give it. Owns the listening socket, the flows and their seeds; what happens to a datagram is the channel's business.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from pagecalls.testing.impair.candidates import redirect_candidates
from pagecalls.testing.impair.channel import Channel, Draw, Traced
from pagecalls.testing.impair.figures import Figures
from pagecalls.testing.impair.flow import BATCH, LARGEST, Address, Flow, host_port, udp_socket
from pagecalls.testing.impair.impairment import CLEAR, Impairment
from pagecalls.testing.impair.packets import Kind

MAX_FLOWS = 512
"""Of more peer addresses than this the one that has been silent longest loses its flow. Each takes a descriptor."""


class Direction(Enum):
    """`UP` is from a peer to the engine, `DOWN` from the engine to a peer."""

    UP = "up"
    DOWN = "down"


Trace = Callable[[Direction, Traced], None]
"""Sees every decision."""
Leaves = Callable[[Direction, bytes, float], None]
"""Sees every datagram as it leaves, and when on the event loop's clock; one that is doubled twice."""


@dataclass(slots=True)
class Relay:
    """A running relay; made by `relay`."""

    address: Address
    """Where peers send to."""
    _to: tuple[object, ...]
    _socket: socket.socket
    _seed: int
    _trace: Trace | None
    _leaves: Leaves | None
    _rules: dict[Direction, Impairment]
    _max_flows: int
    _flows: dict[tuple[object, ...], Flow] = field(default_factory=dict)
    _past: dict[Direction, Figures] = field(default_factory=lambda: {each: Figures() for each in Direction})
    _opened: dict[tuple[Direction, Kind], int] = field(default_factory=dict)
    _dark_until: dict[Direction, float] = field(default_factory=lambda: dict.fromkeys(Direction, 0.0))

    # --- what a test does ---------------------------------------------------------------------------------------------

    def through(self, sdp: str) -> str:
        """The description as a peer behind this relay must see it; see `redirect_candidates`."""
        return redirect_candidates(sdp, self.address)

    def set(self, *, up: Impairment | None = None, down: Impairment | None = None) -> None:
        """From now on the directions do this; `None` leaves one as it is. Datagrams under way keep their times."""
        for direction, impairment in ((Direction.UP, up), (Direction.DOWN, down)):
            if impairment is not None:
                self._rules[direction] = impairment
                for channel in self._channels(direction):
                    channel.impairment = impairment

    def blackhole(self, seconds: float, *, up: bool = True, down: bool = True) -> None:
        """Swallow everything that comes within this time, of every kind."""
        until = asyncio.get_running_loop().time() + seconds
        for direction, is_meant in ((Direction.UP, up), (Direction.DOWN, down)):
            if is_meant:
                self._dark_until[direction] = until
                for channel in self._channels(direction):
                    channel.blackhole(until)

    def change_source(self, host: str | None = None) -> list[Address]:
        """Let every flow reach the engine from a new port, on `host` if one is given: what a NAT does when it forgets, or a phone
        that changes its network. Returns the new sources. Raises `OSError` for a host that is not this machine's."""
        for flow in self._flows.values():
            flow.change_source((host, 0) if host is not None else None)
        return self.sources

    # --- what a test asks ---------------------------------------------------------------------------------------------

    @property
    def up(self) -> Figures:
        """What has been done so far to what peers sent. A copy."""
        return self._figures(Direction.UP)

    @property
    def down(self) -> Figures:
        """What has been done so far to what the engine sent. A copy."""
        return self._figures(Direction.DOWN)

    @property
    def sources(self) -> list[Address]:
        """The addresses that the engine sees, one a flow."""
        return [flow.source for flow in self._flows.values()]

    @property
    def peers(self) -> list[Address]:
        """The addresses that have sent something to the relay, one a flow."""
        return [(str(peer[0]), int(str(peer[1]))) for peer in self._flows]

    # --- sockets ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen."""
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Give everything back; the figures stay."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        for peer in list(self._flows):
            self._close_flow(peer)

    def _open_upstream(self, source: Address | None) -> socket.socket:
        """A socket towards the engine."""
        upstream = udp_socket(self._socket.family)
        try:
            if source is not None:
                upstream.bind(source)
            upstream.connect(self._to)
        except OSError:
            upstream.close()
            raise
        return upstream

    def _send_down(self, datagram: bytes, peer: tuple[object, ...]) -> None:
        """To a peer."""
        with suppress(OSError):
            self._socket.sendto(datagram, peer)

    def _readable(self) -> None:
        for _ in range(BATCH):
            try:
                datagram, peer = self._socket.recvfrom(LARGEST)
            except OSError:
                return
            flow = self._flows.get(peer) or self._open_flow(peer)
            flow.heard_at = asyncio.get_running_loop().time()
            flow.up.push(datagram)

    def _open_flow(self, peer: tuple[object, ...]) -> Flow:
        if len(self._flows) >= self._max_flows:
            self._close_flow(min(self._flows, key=lambda each: self._flows[each].heard_at))
        up, down = self._channel(Direction.UP), self._channel(Direction.DOWN)
        flow = self._flows[peer] = Flow(self._open_upstream, lambda datagram: self._send_down(datagram, peer), up, down)
        return flow

    def _close_flow(self, peer: tuple[object, ...]) -> None:
        flow = self._flows.pop(peer)
        flow.close()
        self._past[Direction.UP].add(flow.up.channel.figures)
        self._past[Direction.DOWN].add(flow.down.channel.figures)

    def _channel(self, direction: Direction) -> Channel:
        trace = partial(self._trace, direction) if self._trace is not None else None
        leaves = partial(self._leaves, direction) if self._leaves is not None else None
        channel = Channel(lambda kind: self._draw(direction, kind), self._rules[direction], trace, leaves)
        channel.blackhole(self._dark_until[direction])
        return channel

    def _draw(self, direction: Direction, kind: Kind) -> Draw:
        """Chance for the next flow that brings this kind: the first one to bring RTP always meets the same, on however many
        addresses its peer made checks before."""
        place = self._opened.get((direction, kind), 0)
        self._opened[direction, kind] = place + 1
        return random.Random(f"{self._seed}/{direction.value}/{kind.name}/{place}").random

    def _channels(self, direction: Direction) -> Iterator[Channel]:
        for flow in self._flows.values():
            yield (flow.up if direction is Direction.UP else flow.down).channel

    def _figures(self, direction: Direction) -> Figures:
        total = Figures()
        total.add(self._past[direction])
        for channel in self._channels(direction):
            total.add(channel.figures)
        return total


@asynccontextmanager
async def relay(
    to: Address,
    *,
    up: Impairment = CLEAR,
    down: Impairment = CLEAR,
    seed: int = 0,
    listen: Address | None = None,
    trace: Trace | None = None,
    leaves: Leaves | None = None,
    max_flows: int = MAX_FLOWS,
) -> AsyncIterator[Relay]:
    """A relay in front of the engine at `to`, on the running event loop, until the block ends.

    `up` is done to what peers send, `down` to what the engine sends. It listens on `listen`, or on a free port of the address
    from which this machine reaches `to`. The same `seed` gives every flow the same chance again. Raises `OSError` for an address
    that does not resolve or cannot be used.
    """
    family, target = await _resolve(to)
    wanted = listen or (_own_host(family, target), 0)
    _, own = await _resolve(wanted, family)
    with udp_socket(family) as listening:
        with _naming(wanted):
            listening.bind(own)
        name = listening.getsockname()
        rules = {Direction.UP: up, Direction.DOWN: down}
        link = Relay((str(name[0]), int(name[1])), target, listening, seed, trace, leaves, rules, max_flows)
        link.start()
        try:
            yield link
        finally:
            link.close()


async def _resolve(address: Address, family: int = socket.AF_UNSPEC) -> tuple[int, tuple[object, ...]]:
    loop = asyncio.get_running_loop()
    with _naming(address):
        found = await loop.getaddrinfo(address[0], address[1], family=family, type=socket.SOCK_DGRAM)
    return found[0][0], found[0][4]


@contextmanager
def _naming(address: Address) -> Iterator[None]:
    """An error says which address it is about."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{host_port(address)}: {error.strerror}") from error


def _own_host(family: int, target: tuple[object, ...]) -> str:
    """The address from which this machine reaches the target; asking sends nothing."""
    with udp_socket(family) as probe:
        probe.connect(target)
        return str(probe.getsockname()[0])
