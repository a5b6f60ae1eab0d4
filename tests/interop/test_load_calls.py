"""Ten calls at once over the whole server, with light peers: every packet arrives, and everybody is told of the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.world import a_server, until
from tests.load_calls import LoadCall, load_calls
from tests.load_peers import LoadError, LoadPeers, load_peers

pytestmark = pytest.mark.asyncio(loop_scope="package")

CALLS = 10
PACKETS = 50


async def test_ten_calls_carry_sound_both_ways_and_end(tmp_path: Path) -> None:
    async with a_server(tmp_path / "data") as (served, app), load_peers() as load, load_calls(served, app, load) as making:
        calls = await asyncio.gather(*(making.make(f"call-{number}") for number in range(CALLS)))
        for call in calls:
            await call.send()
        await until(lambda: all_heard(load, calls))
        await load.mark()
        await until(lambda: all_heard(load, calls))
        for call in calls:
            for peer in (call.business, call.consumer):
                await peer.send(on=False)
        await until(lambda: nothing_missing(load, calls))
        for call in calls:
            await call.hang_up()
        for call in calls:
            assert (await app.expect("terminate", call.id)).item["status"] == "Completed"
            for peer in (call.business, call.consumer):
                await peer.until("bye")
                await peer.until("closed")


async def all_heard(load: LoadPeers, calls: list[LoadCall]) -> bool:
    """Every peer has heard much of the other side of its call, and of nobody else."""
    stats = await load.stats()
    for call in calls:
        for peer, other in ((call.business, call.consumer), (call.consumer, call.business)):
            heard = stats[peer.name].heard
            assert {source.sender for source in heard} <= {other.name}
            if not heard or min(source.packets for source in heard) < PACKETS:
                return False
    return True


async def nothing_missing(load: LoadPeers, calls: list[LoadCall]) -> bool:
    """Every source, each copy of a track, has all that was sent since the mark, up to the last packet."""
    stats = await load.stats()
    for call in calls:
        for peer, other in ((call.business, call.consumer), (call.consumer, call.business)):
            sent = stats[other.name].packets_sent
            for source in stats[peer.name].heard:
                assert source.lost == 0, (peer.name, source)
                assert source.latency_us is not None
            if {sent} != {source.packets for source in stats[peer.name].heard}:
                return False
    return True


async def test_a_peer_with_a_new_address_is_followed(tmp_path: Path) -> None:
    """As behind a NAT that forgot the old address. A mark begins new counts, and gaps are told."""
    async with a_server(tmp_path / "data") as (served, app), load_peers() as load, load_calls(served, app, load) as making:
        call = await making.make("call")
        await call.send()
        await until(lambda: all_heard(load, [call]))
        before = call.business.address
        assert await call.business.move() != before
        await load.mark()
        await until(lambda: all_heard(load, [call]))
        for source in (await call.business.stats()).heard:
            assert source.packets < 20 * PACKETS
            assert 0 < source.longest_gap_ms < 5000
        assert (await call.business.stats()).checks_answered > 1


async def test_a_peer_vanishes_or_says_goodbye(tmp_path: Path) -> None:
    async with a_server(tmp_path / "data") as (served, app), load_peers() as load, load_calls(served, app, load) as making:
        call = await making.make("call")
        await call.send()
        await until(lambda: all_heard(load, [call]))
        await call.consumer.drop()
        stats = await call.consumer.stats()
        assert (stats.state, [stream.on for stream in stats.sent]) == ("dropped", [False])
        assert [fact["event"] for fact in call.consumer.facts] == ["up"]
        await call.business.close()
        assert (await call.business.stats()).state == "closed"
        assert (await app.expect("terminate", call.id)).item["status"] == "Completed", "the business's close_notify was read"


async def test_another_certificate_is_refused(tmp_path: Path) -> None:
    async with a_server(tmp_path / "data") as (served, app), load_peers() as load, load_calls(served, app, load) as making:
        peer = await load.peer("ann")
        answer = await making.ring(peer)
        fingerprint = next(line for line in answer.splitlines() if line.startswith("a=fingerprint:sha-256 "))
        other = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
        with pytest.raises(LoadError, match="another certificate"):
            await peer.apply_answer(answer.replace(fingerprint, other))


async def test_what_goes_wrong_with_one_peer_is_told_of_that_peer() -> None:
    async with load_peers() as load:
        peer = await load.peer("one")
        with pytest.raises(LoadError, match="already"):
            await load.peer("one")
        with pytest.raises(LoadError, match="no peer"):
            await load.order("send", peer="nobody", on=True, stream={"ssrc": 1})
        with pytest.raises(LoadError, match="nowhere"):
            await peer.order("connect", to=[], ufrag="abcd", pwd="x" * 24)
        await peer.order("connect", to=["127.0.0.1:9"], ufrag="abcd", pwd="x" * 24, within_ms=200)
        assert "no answer" in (await peer.until("failed"))["why"]
        assert (await peer.stats()).state == "failed"
        assert (await (await load.peer("two")).stats()).state == "new"
