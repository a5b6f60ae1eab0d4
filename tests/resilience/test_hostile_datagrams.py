"""A hundred thousand hostile datagrams during fifty calls: the calls do not notice (issue B)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import aiohttp

from pagecalls.demo.business import BusinessApp
from pagecalls.demo.serving import Served
from tests.interop.world import until
from tests.load_calls import LoadCall, LoadCalls, load_calls
from tests.load_peers import LoadPeer, LoadPeers, load_peers
from tests.resilience.attack import plan, wage
from tests.resilience.figures import Figures
from tests.resilience.hearing import Sound, Stream, caught_up, check_none_missing, check_sound, ended
from tests.resilience.hostile import LONGEST, Kind, Overheard
from tests.resilience.processes import Footprint, ServerProcess, UdpQueue, a_server
from tests.resilience.waiting import watched

SEED = 20_260_729
CALLS = 50
STREAMS = 4 * CALLS
"""Both ways, and each peer receives two copies of what the other sends."""
DATAGRAMS = 100_000
OVERHEARD = 60
"""Datagrams of each peer that the attacker knows, from its first check on."""
BEFORE_S = 3.0
AFTER_S = 2.0
TEST_WITHIN_S = 240.0
CONNECTING_AT_ONCE = 10

UNREAD = 0.01
"""Share of the datagrams that the kernel may drop before the engine has read them. A call's packet that it drops is missing."""
LEAST_SHARE = 0.5
"""Hostile datagrams for each packet that the peers send meanwhile; at the pace that is meant there are two."""
GROWTH_KIB = 8 * 1024


async def test_calls_do_not_notice_a_hundred_thousand_hostile_datagrams(tmp_path: Path, figures: Figures) -> None:
    app = BusinessApp()
    await app.start()
    try:
        async with (
            asyncio.timeout(TEST_WITHIN_S),
            a_server(tmp_path / "data", app.url) as server,
            load_peers() as load,
            load_calls(use(server, app), app, load) as making,
        ):
            await attacked(server, app, load, making, figures)
    finally:
        await app.close()


def use(server: ServerProcess, app: BusinessApp) -> Served:
    """Let the business know the server."""
    dev = server.dev
    app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret, dev.verify_token)
    return Served(dev, server.pid)


async def attacked(server: ServerProcess, app: BusinessApp, load: LoadPeers, making: LoadCalls, figures: Figures) -> None:
    """The attack in the middle, and before and after it the same calls."""
    calls, victims = await overheard_calls(load, making)
    pairs = [(call.business, call.consumer) for call in calls]
    attack = plan(SEED, victims, DATAGRAMS)
    address, port = next(place for place in server.dev.media.udp if "[" not in place).split(":")
    engine = server.engine
    assert engine is not None
    await load.mark()
    await asyncio.sleep(BEFORE_S)
    before = await caught_up(load, pairs)
    held, dropped = Footprint.of(engine), UdpQueue.of(int(port)).dropped
    async with watched((engine, load.process.pid)) as waiting:
        await load.mark()
        waged = await wage(attack, (address, int(port)))
        during = await caught_up(load, pairs)
        await asyncio.sleep(AFTER_S)
        to_the_end = await caught_up(load, pairs)
    counted = await ended(load, pairs)
    holds, dropped = Footprint.of(engine), UdpQueue.of(int(port)).dropped - dropped
    quiet, loud = Sound.of(before), Sound.of(during)
    figures.note(
        "hostile datagrams",
        datagrams=waged.datagrams,
        per_s=int(waged.datagrams / waged.seconds),
        longest_queue_kib=waged.longest_queue_bytes // 1024,
        dropped_by_the_kernel=dropped,
        streams=len(counted),
        packets=Sound.of(counted).packets,
        missing=sum(stream.missing for stream in counted),
        missing_of_a_stream=max(stream.missing for stream in counted),
        p99_ms_before=quiet.p99_ms,
        p99_ms_before_median=quiet.median_p99_ms,
        p99_ms=loud.p99_ms,
        p99_ms_median=loud.median_p99_ms,
        late_ms_before=quiet.late_ms,
        late_ms=loud.late_ms,
        gap_ms_before=quiet.gap_ms,
        gap_ms=loud.gap_ms,
        without_processor_ms=waiting.total_ms(),
        engine_kib_more=holds.rss_kib - held.rss_kib,
    )
    stats = await load.stats()
    assert {each.state for each in stats.values()} == {"up"}
    assert [peer.name for peer in load.peers.values() if {fact["event"] for fact in peer.facts} != {"up"}] == []
    assert [each.item for each in app.received if each.event == "terminate"] == []
    # It was there, and not too thin: the engine read it, and the peers' own checks, sent again, were answered again.
    assert waged.datagrams == DATAGRAMS
    assert dropped <= UNREAD * DATAGRAMS
    assert waged.datagrams >= LEAST_SHARE * sum({stream.speaker: stream.sent for stream in during}.values())
    assert sum(each.checks_answered for each in stats.values()) > DATAGRAMS / 4 / len(Kind)
    # Nothing of what was forged or repeated came through to a peer.
    assert sum(each.unreadable + each.replayed for each in stats.values()) == 0
    # Each copy of each stream is the one from before, and has all that was sent, up to the last packet.
    assert copies(before) == copies(counted)
    assert len(counted) == STREAMS
    check_sound(during, waiting)
    check_sound(to_the_end, waiting)
    check_none_missing(counted)
    assert server.engine == engine
    assert holds.descriptors == held.descriptors
    assert holds.rss_kib - held.rss_kib < GROWTH_KIB
    await still_works(server, app, making, calls)
    assert server.faults == []


def copies(streams: Sequence[Stream]) -> set[tuple[str, int]]:
    """Who receives which source."""
    return {(stream.listener, stream.source.ssrc) for stream in streams}


async def overheard_calls(load: LoadPeers, making: LoadCalls) -> tuple[list[LoadCall], dict[str, tuple[LoadPeer, Overheard]]]:
    """Calls with sound both ways, and what an attacker has seen of each peer."""
    limit = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def one(name: str) -> LoadCall:
        async with limit:
            call = await making.make(name, room=OVERHEARD)
        await call.send()
        return call

    calls = list(await asyncio.gather(*(one(f"call-{number:02}") for number in range(CALLS))))
    victims = {}
    for peer in [peer for call in calls for peer in (call.business, call.consumer)]:
        victims[peer.name] = (peer, Overheard.of(await whole_tap(peer)))
    return calls, victims


async def whole_tap(peer: LoadPeer) -> list[bytes]:
    """What was kept, once there are checks, records and packets in it."""
    kept: list[bytes] = []
    while len(kept) < OVERHEARD:
        kept += await peer.tap(OVERHEARD - len(kept))
        await asyncio.sleep(0.02)
    await peer.tap(0)
    return kept


async def still_works(server: ServerProcess, app: BusinessApp, making: LoadCalls, calls: list[LoadCall]) -> None:
    """Another call has sound, and all end as they should."""
    one_more = await making.make("one-more")
    await one_more.send()
    await until(lambda: have_heard(one_more))
    for call in [*calls, one_more]:
        await call.hang_up()
        assert (await app.expect("terminate", call.id)).item["status"] == "Completed"
    async with aiohttp.ClientSession() as http, http.get(f"{server.dev.base_url}/_pagecalls/health") as response:
        assert response.status == 200


async def have_heard(call: LoadCall) -> bool:
    """A second of sound on both sides."""
    stats = [await peer.stats() for peer in (call.business, call.consumer)]
    return min(each.packets_heard for each in stats) >= 50


def test_an_attack_is_that_of_its_seed_and_strangers_have_nothing_authentic() -> None:
    material = Overheard((bytes(range(100)),), (b"\x16\xfe\xfd" + bytes(97),), (b"\x90\x6f" + bytes(range(98)),))
    victims = {name: (cast("LoadPeer", None), material) for name in ("one", "two")}
    attack = plan(7, victims, 4_000)
    assert attack == plan(7, victims, 4_000)
    assert attack != plan(8, victims, 4_000)
    assert len(attack.strange) + sum(len(datagrams) for _, datagrams in attack.forged) == 4_000
    whole = {each[:-8] for each in material.checks}
    assert not any(each[:-8] in whole for each in attack.strange)
    for first in (range(4), range(4, 20), range(20, 64), range(64, 128), range(128, 192), range(192, 256)):
        assert any(each[0] in first for each in attack.strange if each)
    assert b"" in attack.strange
    assert max(map(len, attack.strange)) == LONGEST
