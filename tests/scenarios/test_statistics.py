"""What an operator learns of a call's media: while it lives, after its end, and in the sums."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pagecalls.types import Side
from tests.scenarios.conftest import World


async def report(world: World, call_id: str) -> dict[str, Any]:
    return await world.admin("GET", f"/_pagecalls/calls/{call_id}")


async def legs(world: World, call_id: str) -> dict[str, dict[str, Any]]:
    return {leg["side"]: leg for leg in (await report(world, call_id))["legs"]}


async def sums(world: World) -> dict[tuple[str, ...], float]:
    """Samples by name, side and direction."""
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    async with world.http.get(world.base_url + "/metrics", headers=headers) as response:
        text = await response.text()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name.removeprefix("pagecalls_media_"), *labels(sample.labels)): sample.value for sample in samples}


def labels(of: dict[str, str]) -> list[str]:
    return [of[name] for name in ("side", "direction") if name in of]


async def speak(world: World, call_id: str, side: Side, packets: int) -> None:
    leg = (await world.media(call_id)).leg(side)
    assert leg is not None
    for _ in range(packets):
        world.engine.hears(leg.id, "default_audio")
    await world.settle()


async def test_a_call_while_it_lives(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    assert (await report(world, call_id))["legs"] == []
    await speak(world, call_id, Side.CONSUMER, 3)
    consumer = (await world.media(call_id)).consumer
    assert consumer is not None
    world.engine.measures(consumer.id, rtt_ms=40.0, mos=4.2, jitter_ms=2.0)
    await world.advance(5.1)
    found = await report(world, call_id)
    assert (found["call_id"], found["state"], found["ended_at"]) == (call_id, "ACTIVE", None)
    both = await legs(world, call_id)
    assert (both["consumer"]["tracks"][0]["packets"], both["consumer"]["rtt_ms"], both["consumer"]["mos_mean"]) == (3, 40.0, 4.2)
    assert both["business"]["tracks"][1]["packets"] == 3
    got = await sums(world)
    assert (got["packets_total", "consumer", "recv"], got["packets_total", "business", "send"]) == (3, 3)
    assert (got["rtt_seconds_sum", "consumer"], got["mos_sum", "consumer"]) == (0.04, 4.2)
    assert (got["up",], got["calls",], got["legs", "business"], got["capacity_calls",]) == (1, 1, 1, 2000)


async def test_a_short_call_leaves_its_exact_figures(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await speak(world, call_id, Side.BUSINESS, 150)
    await device.request("call.hangup", call_id=call_id)
    await world.settle()
    found = await report(world, call_id)
    assert (found["state"], found["end_reason"]) == ("COMPLETED", "completed")
    both = await legs(world, call_id)
    assert both["business"]["tracks"][0]["packets"] == both["consumer"]["tracks"][1]["packets"] == 150
    assert both["business"]["dtls_ms"] == 1.0
    journal = await world.admin("GET", "/_pagecalls/journal?after=0")
    facts = {entry["facts"]["side"]: entry["facts"] for entry in journal["entries"] if entry["kind"] == "stats"}
    assert facts["business"]["recv_default_audio_packets"] == facts["consumer"]["send_default_audio_packets"] == 150
    got = await sums(world)
    assert got["packets_total", "business", "recv"] == 150
    assert (got["dtls_seconds_count", "business"], got["first_packet_seconds_count", "business"]) == (1, 1)
    assert (got["calls",], got["legs", "business"]) == (0, 0)


async def test_a_failed_leg_leaves_its_figures(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await speak(world, call_id, Side.CONSUMER, 7)
    consumer = (await world.media(call_id)).consumer
    assert consumer is not None
    world.engine.peer_fails(consumer.id, "dead")
    await world.settle()
    assert (await report(world, call_id))["state"] == "FAILED"
    both = await legs(world, call_id)
    assert both["consumer"]["tracks"][0]["packets"] == both["business"]["tracks"][1]["packets"] == 7
    assert await world.is_clean()


async def test_a_lost_engine_leaves_what_it_had_told(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await speak(world, call_id, Side.CONSUMER, 7)
    await world.advance(5.1)
    await speak(world, call_id, Side.CONSUMER, 1)
    world.engine.die()
    await world.settle()
    assert (await legs(world, call_id))["consumer"]["tracks"][0]["packets"] == 7
    got = await sums(world)
    assert (got["up",], got["capacity_calls",]) == (0, 0)
    world.engine.come_back()
