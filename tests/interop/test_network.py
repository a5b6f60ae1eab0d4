"""What the peers' networks allow: TCP only, IPv6 only; and ports that are taken."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcPeer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from pagecalls.demo.serving import NotServing, serving
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Plan, Start, World

pytestmark = pytest.mark.asyncio(loop_scope="package")

CANDIDATE = re.compile(r"(?m)^a=candidate:\S+ 1 (udp|tcp) \d+ (\S+) \d+ typ host.*\r\n")


def only(protocol: str, is_v6: bool | None = None) -> Callable[[str], str]:
    """A description without the other candidates, as a network that lets nothing else through."""

    def keep(found: re.Match[str]) -> str:
        fits = found[1] == protocol and is_v6 in (None, ":" in found[2])
        return found[0] if fits else ""

    def cut(sdp: str) -> str:
        left = CANDIDATE.sub(keep, sdp)
        assert "a=candidate:" in left, sdp
        assert left != sdp
        return left

    return cut


async def test_chromium_on_both_sides_over_tcp(world: World, start: Start, chromium: Chromium) -> None:
    business = await start(chromium.peer(tone_hz=BUSINESS_HZ))
    consumer = await start(chromium.peer(tone_hz=CONSUMER_HZ))
    call = await world.business_calls(business, consumer, Plan(to_business=only("tcp", False), to_consumer=only("tcp", True)))
    await call.check_sound()
    await world.hang_up(call)


async def test_firefox_over_tcp(world: World, start: Start, firefox: Firefox) -> None:
    business = await start(firefox.peer(tone_hz=BUSINESS_HZ))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer, Plan(to_business=only("tcp")))
    await call.check_sound()
    await world.hang_up(call)


async def test_chromium_over_ipv6(world: World, start: Start, chromium: Chromium) -> None:
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ))
    consumer = await start(chromium.peer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer, Plan(to_consumer=only("udp", True)))
    await call.check_sound()
    await world.hang_up(call)


async def test_a_taken_tcp_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotServing, match=f"TCP port {port}.*--media-tcp-port 0"):
            async with serving(tmp_path, "http://127.0.0.1:9/", ["--media-tcp-port", str(port)]):
                raise AssertionError("it started")
