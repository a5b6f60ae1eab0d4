"""What an operator learns of a call's media: while it lives, after its end, and in the sums."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pagecalls.media.protocol import WorkerCounters
from pagecalls.types import Side
from tests.scenarios.conftest import World
from tests.scenarios.killing import after_kill
from tests.scenarios.talk import Talk, text, track


async def report(world: World, call_id: str) -> dict[str, Any]:
    return await world.admin("GET", f"/_pagecalls/calls/{call_id}")


async def legs(world: World, call_id: str) -> dict[str, dict[str, Any]]:
    return {leg["side"]: leg for leg in (await report(world, call_id))["legs"]}


async def sums(world: World) -> dict[tuple[str, ...], float]:
    """Samples by name and labels."""
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    async with world.http.get(world.base_url + "/metrics", headers=headers) as response:
        text = await response.text()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name.removeprefix("pagecalls_media_"), *labels(sample.labels)): sample.value for sample in samples}


def labels(of: dict[str, str]) -> list[str]:
    return [of[name] for name in ("side", "direction", "worker", "reason") if name in of]


async def speak(world: World, call_id: str, side: Side, packets: int, track: str = "default_audio") -> None:
    leg = (await world.media(call_id)).leg(side)
    assert leg is not None
    for _ in range(packets):
        world.engine.hears(leg.id, track)
    await world.settle()


async def told(world: World, call_id: str, side: Side) -> dict[tuple[str, str], tuple[int, float | None]]:
    """Packets and the first one's time of each track of a leg, by direction."""
    tracks = (await legs(world, call_id))[side.value]["tracks"]
    return {(each["track"], each["direction"]): (each["packets"], each["first_rtp_ms"]) for each in tracks}


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


# --- tracks that stop and come back ---------------------------------------------------------------------------------------


async def test_a_held_call_keeps_what_it_had_carried_and_goes_on(world: World) -> None:
    talk = await Talk.begun(world)
    await speak(world, talk.call_id, Side.BUSINESS, 60)
    await world.advance(5.1)
    (line,) = [each for each in talk.business.peer.transceivers if each.track]
    name = line.track
    for receives, sent in ((False, ""), (True, name)):
        line.receives, line.track = receives, sent
        session = (await talk.business_asks(session=text(talk.business.peer.offer()), **talk.business.next()))["session"]
        talk.business.apply_answer(session)
        if "sdp_renegotiation" in session:
            talk.business.take(session)
        talk.business.version = session["version"]
        await world.settle()
        await world.advance(600)
        assert (await told(world, talk.call_id, Side.BUSINESS))["default_audio", "recv"][0] == 60
    await speak(world, talk.call_id, Side.BUSINESS, 3)
    await world.app.call("terminate", call_id=talk.call_id)
    await world.settle()
    figures = await told(world, talk.call_id, Side.BUSINESS)
    assert figures["default_audio", "recv"][0] == 63
    got = await sums(world)
    assert got["packets_total", "business", "recv"] == 63
    assert got["first_packet_seconds_count", "business"] == 1


async def test_a_camera_that_was_on_is_in_the_report_and_its_time_is_its_own(world: World) -> None:
    talk = await Talk.begun(world)
    await speak(world, talk.call_id, Side.CONSUMER, 5)
    await world.advance(600)
    camera = talk.consumer.peer.add("video")
    await talk.device_offers(track(camera, "default_video"))
    await world.advance(1.1)
    await speak(world, talk.call_id, Side.CONSUMER, 40, "default_video")
    await world.advance(5.1)
    packets, first_ms = (await told(world, talk.call_id, Side.CONSUMER))["default_video", "recv"]
    assert (packets, first_ms is not None and 1_000 < first_ms < 60_000) == (40, True)
    session = await talk.webhook(1)
    talk.business.take(session)
    talk.consumer.peer.transceivers[-1].track = ""
    await talk.device_offers()
    await world.settle()
    assert await talk.outputs(Side.BUSINESS, "default_video") == []
    await world.advance(30)
    await world.app.call("terminate", call_id=talk.call_id)
    await world.settle()
    for side, direction in ((Side.CONSUMER, "recv"), (Side.BUSINESS, "send")):
        assert (await told(world, talk.call_id, side))["default_video", direction][0] == 40
    got = await sums(world)
    assert got["packets_total", "consumer", "recv"] == 45
    assert got["first_packet_seconds_count", "consumer"] == 2
    assert got["first_packet_seconds_sum", "consumer"] < 120


# --- sums of this server ---------------------------------------------------------------------------------------------------


async def test_what_an_earlier_server_has_counted_is_not_counted_again(world: World) -> None:
    call_id = await world.connected(await world.device())
    await speak(world, call_id, Side.BUSINESS, 50)
    await world.advance(5.1)
    async with after_kill(world) as again:
        await speak(again, call_id, Side.BUSINESS, 4)
        await again.advance(5.1)
        assert (await told(again, call_id, Side.BUSINESS))["default_audio", "recv"][0] == 54
        got = await sums(again)
        assert (got["packets_total", "business", "recv"], got["packets_total", "consumer", "send"]) == (4, 4)
        assert got.get(("dtls_seconds_count", "business"), 0) == got.get(("first_packet_seconds_count", "business"), 0) == 0
        await again.app.call("terminate", call_id=call_id)


async def test_what_the_engine_itself_loses_and_refuses(world: World) -> None:
    assert (await sums(world))["unsent_total", "0"] == 0
    world.engine.counts(
        WorkerCounters(worker=0, unsent=3, overflowed=12, strangers=70, limited=5, on_others_paths=1, handshakes=2)
    )
    got = await sums(world)
    assert (got["unsent_total", "0"], got["overflowed_total", "0"]) == (3, 12)
    reasons = ("strangers", "limited", "on_others_paths", "handshakes")
    assert [got["turned_away_total", "0", reason] for reason in reasons] == [70, 5, 1, 2]
    world.engine.counts(WorkerCounters(worker=0, overflowed=None))
    assert ("overflowed_total", "0") not in await sums(world), "the kernel does not tell"
    world.engine.die()
    await world.settle()
    assert ("unsent_total", "0") not in await sums(world)
    world.engine.come_back()
