"""A peer that applies an appended, send-only line hears a copied stream once; one that does not apply it does, too.

aiortc stands in for a server that answers for good and never sees the answer to its offer: its own offer plays the
first answer's part, the appended line and the copy of its packets are made here (messenger-calling 6.5 and 6.6).
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_asyncio
from aiortc.rtp import RtpPacket, is_rtcp

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.browser_page import BrowserPeer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox

pytestmark = pytest.mark.asyncio(loop_scope="package")

SSRC_B = 1379106125


def with_appended_line(description: str) -> str:
    """The renegotiation offer: line 0 `recvonly`, the same line again as `sendonly` with its own mid and SSRC."""
    session, line = re.split(r"(?m)^(?=m=)", description)
    session = session.replace("a=group:BUNDLE 0", "a=group:BUNDLE 0 1")
    line = line.replace("a=setup:actpass", "a=setup:passive")
    appended = line.replace("a=mid:0", "a=mid:1").replace("a=sendrecv", "a=sendonly")
    appended = re.sub(r"(?m)^a=ssrc:\d+", f"a=ssrc:{SSRC_B}", appended)
    appended = re.sub(r"(?m)^(a=msid:\S+) \S+", r"\1 appended", appended)
    return session + line.replace("a=sendrecv", "a=recvonly") + appended


def send_copies(peer: AiortcPeer) -> None:
    """Every packet goes out a second time: only SSRC and MID differ."""
    transport: Any = peer._transport
    send, extensions = transport._send_rtp, transport._rtp_header_extensions_map

    async def send_twice(data: bytes) -> None:
        await send(data)
        if not is_rtcp(data):
            packet = RtpPacket.parse(data, extensions)
            packet.ssrc, packet.extensions.mid = SSRC_B, "1"
            await send(packet.serialize(extensions))

    transport._send_rtp = send_twice


@pytest_asyncio.fixture(loop_scope="package")
async def server() -> Any:
    peer = AiortcPeer(tone_hz=880)
    await peer.start()
    yield peer
    await peer.close()


@pytest_asyncio.fixture(loop_scope="package")
async def page(browser: Chromium | Firefox) -> Any:
    peer = browser.peer(tone_hz=440)
    await peer.start()
    yield peer
    await peer.close()


async def first_exchange(server: AiortcPeer, page: BrowserPeer) -> str:
    """Connect the two; returns the server's description."""
    description = await server.offer()
    await server.apply_answer(await page.apply_renegotiation(description))
    return description


async def test_an_applied_offer_moves_the_sound_to_its_line(server: AiortcPeer, page: BrowserPeer) -> None:
    description = await first_exchange(server, page)
    before = await page.hear()
    assert before.is_tone(880)
    assert [track.mid for track in before.audible] == ["0"]

    answer = await page.apply_renegotiation(with_appended_line(description))
    assert "a=setup:active" in answer
    assert re.findall(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)", answer)[-2:] == ["sendonly", "recvonly"]
    send_copies(server)

    after = await page.hear()
    assert after.is_tone(880), after
    assert [track.mid for track in after.audible] == ["1"]
    assert (await server.hear()).is_tone(440), "the own sound goes on"


async def test_an_offer_applied_before_the_copy_begins_or_with_the_answer(server: AiortcPeer, page: BrowserPeer) -> None:
    description = await server.offer()
    answer = await page.apply_renegotiation(description)
    await page.apply_renegotiation(with_appended_line(description))  # before ICE and DTLS are up
    send_copies(server)
    await server.apply_answer(answer)
    heard = await page.hear()
    assert heard.is_tone(880), heard


async def test_an_offer_never_applied_leaves_one_sound(server: AiortcPeer, page: BrowserPeer) -> None:
    await first_exchange(server, page)
    send_copies(server)
    heard = await page.hear()
    assert heard.is_tone(880), heard
    assert [track.mid for track in heard.audible] == ["0"]


async def test_aiortc_merges_the_copies(page: BrowserPeer, server: AiortcPeer) -> None:
    """Both copies end in one receiver there; equal numbers make duplicates of them, which are played once."""
    client = AiortcPeer(tone_hz=440)
    await client.start()
    try:
        description = await server.offer()
        await server.apply_answer(await client.apply_renegotiation(description))
        send_copies(server)
        assert (await client.hear()).is_tone(880)
        assert {stream.ssrc for stream in (await client.stats()).inbound} >= {SSRC_B}
        answer = await client.apply_renegotiation(with_appended_line(description))
        assert "a=mid:1" in answer
        assert (await client.hear()).is_tone(880)
    finally:
        await client.close()
