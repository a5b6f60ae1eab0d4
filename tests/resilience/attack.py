"""An attack on the media port at a steady pace: strangers with sockets of their own, and forgers with the peers' addresses.

The pace gives way where the engine is not given the processor: a batch waits while the kernel's queue before the engine is more
than a quarter full. What is measured is what hostile datagrams do to calls, and not what a machine does that has too little
processor: a queue that runs over loses packets whatever the program behind it is.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
from dataclasses import dataclass

from tests.load_peers import LoadPeer
from tests.resilience.hostile import REPLAYED, Attacker, Kind, Overheard
from tests.resilience.processes import UdpQueue

STRANGERS = 16
BATCH = 50
TICK_S = 0.01
"""A batch of strangers and one of forgers each tick: 10,000 datagrams a second, twice what 50 calls send themselves."""
FORGED_AT_ONCE = 10
QUARTER_BYTES = 1024 * 1024
"""Of the engine's receive buffer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All datagrams of an attack. `forged` are grouped by the peer whose address they bear."""

    strange: tuple[bytes, ...]
    forged: tuple[tuple[LoadPeer, tuple[bytes, ...]], ...]


@dataclass(frozen=True, slots=True)
class Waged:
    """What an attack was: all of it was sent."""

    datagrams: int
    seconds: float
    longest_queue_bytes: int


def plan(seed: int, victims: dict[str, tuple[LoadPeer, Overheard]], count: int) -> Plan:
    """Half from strangers, half forged; every kind about equally often."""
    chance = random.Random(seed)
    attackers = {name: (peer, Attacker(chance, overheard)) for name, (peer, overheard) in sorted(victims.items())}
    kinds, strange_kinds = list(Kind), [kind for kind in Kind if kind not in REPLAYED]
    # A stranger may repeat all but a check: without a known address the rest is nothing.
    strange_kinds += [Kind.DTLS_REPLAYED, Kind.SRTP_REPLAYED]
    names = list(attackers)
    strange = [attackers[chance.choice(names)][1].make(chance.choice(strange_kinds)) for _ in range(count // 2)]
    forged = []
    for _ in range(count // 2 // FORGED_AT_ONCE):
        peer, attacker = attackers[chance.choice(names)]
        forged.append((peer, tuple(attacker.make(chance.choice(kinds)) for _ in range(FORGED_AT_ONCE))))
    return Plan(tuple(strange), tuple(forged))


async def wage(attack: Plan, target: tuple[str, int]) -> Waged:
    """Send it all."""
    loop = asyncio.get_running_loop()
    began, longest = loop.time(), 0
    sockets = [_stranger() for _ in range(STRANGERS)]
    try:
        senders = itertools.cycle(sockets)
        for number in range(0, len(attack.strange), BATCH):
            longest = max(longest, await _until_read(target[1]))
            for datagram in attack.strange[number : number + BATCH]:
                await _send(next(senders), datagram, target)
            first = number // FORGED_AT_ONCE
            for peer, datagrams in attack.forged[first : first + BATCH // FORGED_AT_ONCE]:
                await peer.inject(datagrams)
            await asyncio.sleep(max(0.0, began + (number // BATCH + 1) * TICK_S - loop.time()))
    finally:
        for each in sockets:
            each.close()
    sent = len(attack.strange) + sum(len(datagrams) for _, datagrams in attack.forged)
    return Waged(sent, loop.time() - began, longest)


async def _until_read(port: int) -> int:
    """Wait until the kernel's queue is short; returns how long it was."""
    longest = 0
    while (waiting := UdpQueue.of(port).waiting_bytes) > QUARTER_BYTES:
        longest = max(longest, waiting)
        await asyncio.sleep(TICK_S)
    return max(longest, waiting)


def _stranger() -> socket.socket:
    each = socket.socket(type=socket.SOCK_DGRAM)
    each.setblocking(False)
    each.bind(("127.0.0.1", 0))
    return each


async def _send(sender: socket.socket, datagram: bytes, target: tuple[str, int]) -> None:
    """Sooner or later: what its own buffer has no room for waits until the engine has read some."""
    while True:
        try:
            sender.sendto(datagram, target)
        except BlockingIOError:
            await asyncio.sleep(TICK_S)
        else:
            return
