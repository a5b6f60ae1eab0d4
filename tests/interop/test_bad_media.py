"""Hostile datagrams on the media port during a call: the call does not notice them."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from typing import Any

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Start, World, check_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")

ROUNDS = 60
PAUSE_S = 0.02
SEED = 20_26
CLOSE_NOTIFY, HANDSHAKE_FAILURE = (1, 0), (2, 40)
"""Level and description of alerts that anybody could write, as nothing protects them."""


def stun(chance: random.Random, *, kind: int = 0x0001, username: bytes = b"nobody:at-all", cookie: int = 0x2112A442) -> bytes:
    """A STUN message with a USERNAME, a wrong MESSAGE-INTEGRITY and no FINGERPRINT (RFC 8489)."""
    padded = username + bytes(-len(username) % 4)
    attributes = struct.pack("!HH", 0x0006, len(username)) + padded + struct.pack("!HH", 0x0008, 20) + chance.randbytes(20)
    return struct.pack("!HHI", kind, len(attributes), cookie) + chance.randbytes(12) + attributes


def dtls(chance: random.Random, content_type: int, version: int = 0xFEFD, body: bytes | None = None) -> bytes:
    """A record that claims to be `content_type` (RFC 6347 4.1), with noise inside unless there is a body."""
    body = chance.randbytes(chance.randint(1, 200)) if body is None else body
    return struct.pack("!BHHIHH", content_type, version, chance.randint(0, 1), 0, chance.randint(0, 9), len(body)) + body


def rtp(chance: random.Random, payload_type: int, ssrc: int) -> bytes:
    """A packet of RTP or RTCP shape with noise where the protected payload and its tag would be."""
    head = struct.pack("!BBHII", 0x80 | chance.choice([0, 0x10, 0x20]), payload_type, chance.getrandbits(16), 0, ssrc)
    return head + chance.randbytes(chance.randint(0, 200))


def hostile(chance: random.Random, ssrc: int, usernames: list[bytes]) -> list[bytes]:
    """One of each kind."""
    return [
        b"",
        chance.randbytes(1),
        chance.randbytes(chance.randint(2, 1400)),
        bytes([chance.randint(0, 3)]) + chance.randbytes(30),
        stun(chance),
        *(stun(chance, username=username) for username in usernames),
        *(stun(chance, kind=kind, username=usernames[0]) for kind in (0x0101, 0x0111, 0x0003)),
        stun(chance, cookie=chance.getrandbits(32)),
        stun(chance)[: chance.randint(1, 40)],
        *(dtls(chance, kind) for kind in (20, 21, 22, 23, 24, 63)),
        dtls(chance, 22, version=0x0303),
        *(dtls(chance, 21, body=bytes(alert)) for alert in (CLOSE_NOTIFY, HANDSHAKE_FAILURE)),
        dtls(chance, 22, body=b"\x01" + bytes(11) + chance.randbytes(60)),
        *(rtp(chance, payload_type, ssrc) for payload_type in (96, 111, 0xE0, 200, 201, 203, 205, 206)),
    ]


@pytest.mark.parametrize("from_peer", [False, True], ids=["stranger", "own-address"])
async def test_noise_does_not_disturb_a_call(world: World, start: Start, from_peer: bool) -> None:
    """From a stranger, and from the very address that the business's media comes from."""
    business, consumer = await start(AiortcPeer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    sent = await noise_from_peer(business) if from_peer else await noise_from_stranger(world, business)
    assert sent > ROUNDS * 20
    for heard, frequency_hz in zip(await call.hear(), (CONSUMER_HZ, BUSINESS_HZ), strict=True):
        check_tone(heard, frequency_hz)
    for peer in (business, consumer):
        stats = await peer.stats()
        assert stats.packets_received > 150
        assert stats.packets_lost <= 2, stats
    assert await world.journal(call.id, "leg_failed") == []
    assert len(await world.journal(call.id, "dtls")) == 2, "one handshake a leg"
    await world.hang_up(call)


async def noise_from_stranger(world: World, business: AiortcPeer) -> int:
    host, _, port = world.dev.media.udp[0].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.connect((host, int(port)))
        return await send_noise(business, stranger.send)


async def noise_from_peer(business: AiortcPeer) -> int:
    """Through the socket of its selected pair, past DTLS and SRTP."""
    ice: Any = business._transport.transport._connection
    pair = ice._nominated[1]

    def send(datagram: bytes) -> None:
        pair.protocol.transport.sendto(datagram, pair.remote_addr)

    return await send_noise(business, send)


async def send_noise(business: AiortcPeer, send: Any) -> int:
    """Everything of `hostile`, `ROUNDS` times over; returns how many datagrams that were."""
    chance = random.Random(SEED)
    ice: Any = business._transport.transport._connection
    names = [f"{ice.remote_username}:{ice.local_username}".encode(), f"{ice.remote_username}:x".encode(), b"x" * 600]
    ssrc = business._open.getSenders()[0]._ssrc
    sent = 0
    for _ in range(ROUNDS):
        for datagram in hostile(chance, ssrc, names):
            send(datagram)
            sent += 1
        await asyncio.sleep(PAUSE_S)
    return sent
