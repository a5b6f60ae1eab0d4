"""Keypad digits of the consumer, as the business gets them: packets where a peer shows them, tones where a browser plays them
(messenger-calling 10)."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcOptions, AiortcPeer
from pagecalls.demo.peers.aiortc_wire import EventPacket
from pagecalls.demo.peers.base import Peer
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from tests.interop.world import BUSINESS_HZ, CONSUMER_HZ, Applied, Plan, Start, World, check_tone, until

pytestmark = pytest.mark.asyncio(loop_scope="package")

DIGITS = "4#99"
SOUND_HZ = 48000
TONE_S = 0.5
GAP_S = 0.1
PACKET_S = 0.02


async def until_heard(peer: Peer, digits: str) -> None:
    """Wait for these digits, whole, and for no other."""

    async def heard() -> bool:
        found = await peer.heard_digits()
        return len(found) >= len(digits) and found[-1].duration_s >= TONE_S * 0.9

    await until(heard)
    assert "".join(await peer.digits()) == digits


@pytest.mark.parametrize("clock_hz", [48000, 8000])
async def test_packets_of_a_digit(world: World, start: Start, clock_hz: int) -> None:
    """A business that reports nothing keeps both copies: their event packets are equal."""
    options = AiortcOptions(event_clock_hz=clock_hz, sends_reports=False)
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ, options=options))
    consumer = await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    await world.device.request("call.dtmf", call_id=call.id, digits=DIGITS)
    await until_heard(business, DIGITS)
    check_tone((await call.hear())[0], CONSUMER_HZ)

    packets = business.tap.event_packets
    ssrc_a, ssrc_b = sorted({packet.ssrc for packet in packets})
    copies = [[without_ssrc(packet) for packet in packets if packet.ssrc == ssrc] for ssrc in (ssrc_a, ssrc_b)]
    assert copies[0] == copies[1]
    for ssrc in (ssrc_a, ssrc_b):
        stream = business.tap.streams[ssrc]
        assert len(stream.payload_types) == 2, "digits and sound share the stream"
        assert stream.lost == 0, "and its numbers"
    check_packets([packet for packet in packets if packet.ssrc == ssrc_a], clock_hz)
    await world.hang_up(call)


def without_ssrc(packet: EventPacket) -> tuple[int, int, bool, str, bool, int]:
    return packet.sequence, packet.timestamp, packet.is_marked, packet.digit, packet.is_end, packet.duration


def check_packets(packets: list[EventPacket], clock_hz: int) -> None:
    """One stream's packets of `DIGITS`: 500 ms long in steps of 20 ms, the end three times, the next 600 ms later.

    Durations count in the clock of the event, timestamps in that of the sound (decision 16). A step may come twice: event packets
    take the place of sound packets, and those may come in a burst. Likewise the next digit begins with a packet of sound, whose
    timestamp is older by one step where the sender was late.
    """
    starts = list(dict.fromkeys(packet.timestamp for packet in packets))
    tones = [[packet for packet in packets if packet.timestamp == start] for start in starts]
    assert [tone[0].digit for tone in tones] == list(DIGITS)
    step, count = round(clock_hz * PACKET_S), round(TONE_S / PACKET_S)
    for tone in tones:
        durations = [packet.duration for packet in tone]
        assert durations == sorted(durations)
        assert sorted(set(durations)) == [step * n for n in range(1, count + 1)]
        assert [packet.is_end for packet in tone] == [False] * (len(tone) - 3) + [True] * 3
        assert [packet.is_marked for packet in tone] == [True] + [False] * (len(tone) - 1)
        assert {packet.volume for packet in tone} == {10}
        assert tone[-3].at - tone[0].at == pytest.approx(TONE_S, abs=0.1)
    for earlier, later in pairwise(tones):
        assert (later[0].timestamp - earlier[0].timestamp) % 2**32 >= round(SOUND_HZ * (TONE_S + GAP_S - PACKET_S))
        assert later[0].at - earlier[0].at >= TONE_S + GAP_S - PACKET_S


async def test_a_browser_plays_the_digits(world: World, start: Start, chromium: Chromium) -> None:
    """On the 48 kHz clock, which Chromium offers beside 8 kHz."""
    business, consumer = await start(chromium.peer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    await world.device.request("call.dtmf", call_id=call.id, digits=DIGITS)
    await until_heard(business, DIGITS)
    heard = await business.heard_digits()
    assert [digit.duration_s for digit in heard] == pytest.approx([TONE_S] * len(DIGITS), abs=0.11)
    assert all(later.at - earlier.at >= TONE_S + GAP_S - 0.06 for earlier, later in pairwise(heard))
    check_tone((await call.hear())[0], CONSUMER_HZ)
    await world.hang_up(call)


async def test_a_browser_that_knows_only_8_khz(world: World, start: Start, firefox: Firefox) -> None:
    """Firefox offers telephone-event at 8 kHz alone. It plays the digits because their timestamps are the sound's own, but in
    pieces, because their durations are not: so the digits differ, and pieces of one count as one."""
    business, consumer = await start(firefox.peer(tone_hz=BUSINESS_HZ)), await start(AiortcPeer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer)
    await call.hear(window_s=0.3)
    await world.device.request("call.dtmf", call_id=call.id, digits="4#92")

    async def heard() -> str:
        return "".join(digit for digit, _ in groupby(await business.digits()))

    async def whole() -> bool:
        return len(await heard()) == 4

    await until(whole)
    await call.check_sound()
    assert await heard() == "4#92"
    await world.hang_up(call)


@pytest.mark.parametrize("clock_hz", [48000, 8000])
async def test_digits_that_a_browser_sends_itself(world: World, start: Start, chromium: Chromium, clock_hz: int) -> None:
    """Passed on where both legs have the same clock, made anew where not."""
    business = await start(AiortcPeer(tone_hz=BUSINESS_HZ, options=AiortcOptions(event_clock_hz=clock_hz)))
    consumer = await start(chromium.peer(tone_hz=CONSUMER_HZ))
    call = await world.consumer_calls(business, consumer, Plan(consumer=Applied.NEVER))
    await call.hear(window_s=0.3)
    await consumer.send_digits_inband(DIGITS)
    await until_heard(business, DIGITS)
    assert [digit.duration_s for digit in await business.heard_digits()] == pytest.approx([TONE_S] * len(DIGITS), abs=0.05)
    check_tone((await call.hear())[0], CONSUMER_HZ)
    await world.hang_up(call)
