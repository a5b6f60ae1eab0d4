"""The foreign peers against each other, without our server: they send, they measure, and they refuse what is wrong.

What the server's tests conclude from these peers is only worth as much as what is proven here.
"""

from __future__ import annotations

import asyncio

import pytest

from pagecalls.demo.peers.aiortc_peer import AiortcOptions, AiortcPeer, Certificate
from pagecalls.demo.peers.base import DtlsState, NotSupported, Peer, PeerRefused
from pagecalls.demo.peers.chromium import Chromium
from pagecalls.demo.peers.firefox import Firefox
from pagecalls.demo.peers.listening import Heard
from tests.interop.world import Start

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def connect(offerer: Peer, answerer: Peer, *, gather: bool = True) -> None:
    answer = await answerer.apply_renegotiation(await offerer.offer(gather=gather))
    await offerer.apply_answer(answer)


async def both_hear(first: Peer, second: Peer) -> tuple[Heard, Heard]:
    return await asyncio.gather(first.hear(), second.hear())


@pytest.mark.parametrize("browser_offers", [True, False])
async def test_both_hear_the_others_tone_once(browser: Chromium | Firefox, start: Start, browser_offers: bool) -> None:
    page, python = await start(browser.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880))
    await connect(*((page, python) if browser_offers else (python, page)))
    at_page, at_python = await both_hear(page, python)
    assert at_page.is_tone(880), at_page
    assert at_python.is_tone(440), at_python
    for heard in (at_page, at_python):
        assert heard.level_dbfs == pytest.approx(-12, abs=1.5)
        assert heard.audible[0].sound.continuity >= 0.8
        assert [track.mid for track in heard.audible] == ["0"]


async def test_stats_say_what_happened(browser: Chromium | Firefox, start: Start) -> None:
    page, python = await start(browser.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880))
    await connect(page, python)
    heard = await both_hear(page, python)
    # Browsers refresh their counters about once a second.
    await both_hear(page, python)
    peers: tuple[Peer, Peer] = (page, python)
    for peer, what in zip(peers, heard, strict=True):
        stats = await peer.stats()
        assert stats.ice.is_up
        assert stats.dtls is DtlsState.CONNECTED
        assert stats.packets_sent >= 50
        assert stats.packets_received >= 50
        assert stats.packets_lost == 0
        assert [stream.mid for stream in stats.inbound] == ["0"]
        assert stats.selected_pair is not None
        assert stats.ice_connected_at is not None
        assert stats.connected_at is not None
        assert what.first_audio_at is not None
        assert stats.ice_connected_at <= stats.connected_at
        assert what.first_audio_at - stats.connected_at < 1.0
    energy = (await page.stats()).inbound[0].audio_energy
    assert energy is not None
    assert energy > 0.01


async def test_names_are_what_people_say(chromium: Chromium, firefox: Firefox) -> None:
    for name, brand in ((chromium.name, "Chrom"), (firefox.name, "Firefox "), (AiortcPeer(tone_hz=440).name, "aiortc ")):
        assert name.startswith(brand)
        assert name[-1].isdigit()


@pytest.mark.parametrize("browser_offers", [True, False])
async def test_an_offer_without_candidates_is_enough(browser: Chromium | Firefox, start: Start, browser_offers: bool) -> None:
    page, python = await start(browser.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880))
    offerer = page if browser_offers else python
    assert "a=candidate" in await offerer.offer()
    assert "a=candidate" not in await offerer.offer(gather=False)
    await connect(*((page, python) if browser_offers else (python, page)), gather=False)
    at_page, at_python = await both_hear(page, python)
    assert at_page.is_tone(880)
    assert at_python.is_tone(440)
    assert "a=candidate" not in await offerer.offer(gather=False)


@pytest.mark.parametrize(
    "options",
    [
        AiortcOptions(certificate=Certificate.RSA),
        AiortcOptions(certificate=Certificate.RSA, setup_active=True),
        AiortcOptions(loopback_only=False),
    ],
    ids=["rsa", "rsa-active", "every-address"],
)
async def test_the_options_of_aiortc_work(chromium: Chromium, start: Start, options: AiortcOptions) -> None:
    page, python = await start(chromium.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880, options=options))
    offer = await python.offer()
    assert ("a=setup:active" in offer) is options.setup_active
    await python.apply_answer(await page.apply_renegotiation(offer))
    at_page, at_python = await both_hear(page, python)
    assert at_page.is_tone(880)
    assert at_python.is_tone(440)


async def test_an_rsa_certificate_serves_an_rsa_handshake(start: Start) -> None:
    options = AiortcOptions(certificate=Certificate.RSA)
    first, second = await start(AiortcPeer(tone_hz=440, options=options)), await start(AiortcPeer(tone_hz=880, options=options))
    await connect(first, second)
    at_first, at_second = await both_hear(first, second)
    assert at_first.is_tone(880)
    assert at_second.is_tone(440)


async def test_mute_is_silence_and_the_tone_comes_back(browser: Chromium | Firefox, start: Start) -> None:
    page, python = await start(browser.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880))
    await connect(page, python)
    await both_hear(page, python)
    for sender, receiver, tone_hz in ((page, python, 440), (python, page, 880)):
        await sender.mute(True)
        async with asyncio.timeout(5):  # what was still on its way is played out
            while (await receiver.hear(window_s=0.3, timeout_s=0.3)).audible:
                pass
        silent = await receiver.hear(window_s=0.5, timeout_s=0.5)
        assert silent.audible == (), silent
        await sender.mute(False)
        loud = await receiver.hear(window_s=0.5)
        assert loud.is_tone(tone_hz), loud


async def test_digits_of_a_browser_are_read_from_its_packets(browser: Chromium | Firefox, start: Start) -> None:
    page = await start(browser.peer(tone_hz=440))
    python = await start(AiortcPeer(tone_hz=880, options=AiortcOptions(event_clock_hz=8000)))
    await connect(python, page)
    await both_hear(page, python)
    await page.send_digits_inband("15#99")
    await until(python, "15#99")
    events = list(python.tap.events.values())
    assert [event.marked for event in events] == [1] * 5
    assert all(event.ended >= 1 for event in events[:-1])
    assert [digit.duration_s for digit in await python.heard_digits()][:-1] == pytest.approx([0.5] * 4, abs=0.15)


async def test_digits_are_found_in_the_tones_that_chromium_plays(chromium: Chromium, start: Start) -> None:
    sender, receiver = await start(chromium.peer(tone_hz=440)), await start(chromium.peer(tone_hz=880))
    await connect(sender, receiver)
    await both_hear(sender, receiver)
    await sender.send_digits_inband("15#99")
    await until(receiver, "15#99")
    assert await sender.digits() == []


async def until(peer: Peer, digits: str) -> None:
    """Wait for these digits, and let what would be one too many arrive."""
    async with asyncio.timeout(15):
        while "".join(await peer.digits()) != digits:
            await peer.hear(window_s=0.2, timeout_s=0.2)
    await peer.hear(window_s=1.0, timeout_s=1.0)
    assert "".join(await peer.digits()) == digits


async def test_digits_need_a_sender_and_a_negotiated_event(browser: Chromium | Firefox, start: Start) -> None:
    page, python = await start(browser.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880))
    await connect(python, page)
    for peer in (page, python):
        with pytest.raises(NotSupported):
            await peer.send_digits_inband("1")


async def test_what_is_no_description_is_refused(browser: Chromium | Firefox, start: Start) -> None:
    for peer in (await start(browser.peer(tone_hz=440)), await start(AiortcPeer(tone_hz=880))):
        await peer.offer()
        with pytest.raises(PeerRefused):
            await peer.apply_answer("no description")
        with pytest.raises(PeerRefused):
            await peer.apply_renegotiation("v=0\r\n")


async def test_an_active_offer_wants_a_passive_answer(start: Start) -> None:
    active = await start(AiortcPeer(tone_hz=440, options=AiortcOptions(setup_active=True)))
    other = await start(AiortcPeer(tone_hz=880))
    answer = await other.apply_renegotiation(await active.offer())
    assert "a=setup:passive" in answer
    with pytest.raises(PeerRefused, match="passive"):
        await active.apply_answer(answer.replace("a=setup:passive", "a=setup:active"))
