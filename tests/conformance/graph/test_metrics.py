"""`POST call_metrics`: an app's report on a call that is over (messenger-calling 11)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from pagecalls.call.metrics import AudioStats, CallEndCause, CallMetrics
from pagecalls.call.model import Call
from pagecalls.call.states import CallState
from pagecalls.store.base import CallRecord, MetricsRecord, Transaction
from pagecalls.types import AppId, CallId, Direction, Platform
from tests.conformance.graph.world import (
    APP,
    BARE_TOKEN,
    OTHER_APP,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    PSID,
    USER_TOKEN,
    World,
    error_of,
    facts,
)

PATH = f"/v26.0/{PAGE.id}/call_metrics"
ENDED_AT = 1_790_000_000.0
OWNED, MISSED, LIVE = CallId("c_owned"), CallId("c_missed"), CallId("c_live")
REPORT: dict[str, Any] = {"call_id": OWNED, "end_call_reason": "Hangup_Call", "call_ended_time": 1_790_000_000}


def a_call(call_id: CallId, owner: AppId | None, state: CallState = CallState.COMPLETED) -> Call:
    ended_at = None if state.is_live else ENDED_AT
    call = Call(call_id, PAGE.id, PSID, Platform.MESSENGER, Direction.USER_INITIATED, state, ENDED_AT - 60, owner=owner)
    return replace(call, ended_at=ended_at)


def fill(tx: Transaction) -> None:
    tx.put_call(CallRecord(a_call(OWNED, APP.id)))
    tx.put_call(CallRecord(a_call(MISSED, None)))
    tx.put_call(CallRecord(a_call(LIVE, APP.id, CallState.ACTIVE)))
    tx.note_told(OWNED, (APP.id, OTHER_APP.id))
    tx.note_told(MISSED, (APP.id,))


@pytest.fixture(autouse=True)
async def calls(world: World) -> None:
    await world.store.write(fill)


async def stored(world: World, call_id: CallId = OWNED) -> MetricsRecord:
    record = await world.store.read(lambda tx: tx.call_metrics(call_id))
    assert record is not None
    return record


async def test_a_report_is_taken_once(world: World) -> None:
    reply = await world.post(PATH, REPORT)
    assert (reply.status, reply.json) == (200, {"success": True})
    metrics = CallMetrics(CallEndCause.HANGUP_CALL, 1_790_000_000.0)
    assert await stored(world) == MetricsRecord(OWNED, APP.id, world.clock.now(), metrics)
    again = await world.post(PATH, {**REPORT, "end_call_reason": "UNKNOWN"})
    assert facts(again) == (400, 100, 9904003)
    assert (await stored(world)).metrics == metrics


async def test_of_many_at_once_one_is_taken(world: World) -> None:
    replies = await asyncio.gather(*(world.post(PATH, REPORT) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [200] + [400] * 19


async def test_every_member(world: World) -> None:
    audio = {
        "jitter_sec": 0.02,
        "round_trip_time_ms": 80,
        "jitter_buffer_delay_sec": 1.5,
        "total_samples_duration_ms": "60000",
        "packets_lost": -2,
        "packets_received": 3000,
        "concealed_samples": 480,
        "silent_concealed_samples": 0,
        "call_ended_time": 1_790_000_000_123,
        "colour": {"deep": ["blue"]},
    }
    video = {"frames_decoded": 900, "qp": -1.5}
    whole = {
        **REPORT,
        "platform": "MESSENGER",
        "end_call_subreason": "s" * 1024,
        "first_audio_packet_received_time": 0,
        "first_video_packet_received_time": "2026-09-21T14:13:21Z",
        "audio_stats": audio,
        "video_stats": video,
    }
    assert (await world.post(PATH, whole)).json == {"success": True}
    metrics = (await stored(world)).metrics
    assert metrics == CallMetrics(
        CallEndCause.HANGUP_CALL,
        ended_at=1_790_000_000.0,
        end_subreason="s" * 1024,
        first_audio_at=0.0,
        first_video_at=1_790_000_001.0,
        audio_stats=AudioStats(0.02, 0.08, 1.5, 60.0, -2, 3000, 480, 0, 1_790_000_000.123, metrics.audio_stats.raw),  # type: ignore[union-attr]
        video_stats=metrics.video_stats,
    )
    assert metrics.audio_stats is not None
    assert metrics.video_stats is not None
    assert json.loads(metrics.audio_stats.raw) == audio
    assert json.loads(metrics.video_stats) == video


@pytest.mark.parametrize(
    ("given", "member", "seconds"),
    [
        ({"jitter": 0.5}, "jitter_s", 0.5),
        ({"jitter_sec": 0.5}, "jitter_s", 0.5),
        ({"jitter_sec": 0.25, "jitter": 0.5}, "jitter_s", 0.25),
        ({"round_trip_time_ms": 500}, "round_trip_time_s", 0.5),
        ({"round_trip_time_sec": 0.5}, "round_trip_time_s", 0.5),
        ({"jitter_buffer_delay_ms": 500}, "jitter_buffer_delay_s", 0.5),
        ({"jitter_buffer_delay_sec": 0.5}, "jitter_buffer_delay_s", 0.5),
        ({"total_samples_duration_ms": 500}, "total_samples_duration_s", 0.5),
        ({"total_samples_duration_sec": 0.5}, "total_samples_duration_s", 0.5),
    ],
)
async def test_each_spelling_of_a_figure_becomes_seconds(
    world: World, given: dict[str, float], member: str, seconds: float
) -> None:
    assert (await world.post(PATH, {**REPORT, "audio_stats": given})).status == 200
    stats = (await stored(world)).metrics.audio_stats
    assert stats is not None
    assert getattr(stats, member) == seconds
    assert json.loads(stats.raw) == given


async def test_as_a_form(world: World) -> None:
    """Objects are JSON text then, and so they may be inside JSON (1.1)."""
    form = {**REPORT, "audio_stats": '{"packets_lost":"3"}', "video_stats": '{"frames":1}', "access_token": PAGE_TOKEN}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await world.ask("POST", PATH, headers, urlencode(form).encode())).json == {"success": True}
    metrics = (await stored(world)).metrics
    assert metrics.audio_stats is not None
    assert (metrics.audio_stats.packets_lost, metrics.video_stats) == (3, '{"frames":1}')


@pytest.mark.parametrize("reason", ["Hangup_Call", "HANGUP_CALL", "HangupCall", "hangup_call", "__HANG_UPCALL"])
async def test_reasons_without_case_and_underscores(world: World, reason: str) -> None:
    assert (await world.post(PATH, {**REPORT, "end_call_reason": reason})).status == 200
    assert (await stored(world)).metrics.end_cause is CallEndCause.HANGUP_CALL


@pytest.mark.parametrize("cause", CallEndCause)
async def test_every_reason(world: World, cause: CallEndCause) -> None:
    assert (await world.post(PATH, {**REPORT, "end_call_reason": cause.value.title()})).status == 200
    assert (await stored(world)).metrics.end_cause is cause


@pytest.mark.parametrize("reason", ["Hangup", "HANGUP CALL", "0", 7, ["UNKNOWN"], {"a": 1}, True])
async def test_a_bad_reason(world: World, reason: object) -> None:
    assert facts(await world.post(PATH, {**REPORT, "end_call_reason": reason})) == (400, 100, 9904004)


@pytest.mark.parametrize(
    "given",
    [
        1_790_000_000,
        1_790_000_000.0,
        "1790000000",
        1_790_000_000_000,
        "1790000000000",
        "2026-09-21T14:13:20Z",
        "2026-09-21T14:13:20+0000",
        "2026-09-21 14:13:20",
        "2026-09-21T16:13:20.000+02:00",
        "20260921T141320Z",
    ],
)
async def test_times_in_each_form(world: World, given: object) -> None:
    assert (await world.post(PATH, {**REPORT, "call_ended_time": given})).status == 200
    assert (await stored(world)).metrics.ended_at == 1_790_000_000.0


@pytest.mark.parametrize("given", [-1, "yesterday", "2026-13-01", [], {}, True, 1e300, 10**15, "1e9", "9" * 40])
@pytest.mark.parametrize("name", ["call_ended_time", "first_audio_packet_received_time", "first_video_packet_received_time"])
async def test_what_is_no_time(world: World, name: str, given: object) -> None:
    reply = await world.post(PATH, {**REPORT, name: given})
    assert facts(reply) == (400, 100, 9905011)
    assert name in error_of(reply)["message"]


@pytest.mark.parametrize("name", ["call_id", "end_call_reason", "call_ended_time"])
@pytest.mark.parametrize("absent", [None, ""])
async def test_what_is_needed(world: World, name: str, absent: object) -> None:
    reply = await world.post(PATH, {**REPORT, name: absent})
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == f"(#100) The parameter {name} is required."


async def test_a_subreason_that_is_too_long(world: World) -> None:
    assert facts(await world.post(PATH, {**REPORT, "end_call_subreason": "s" * 1025})) == (400, 100, 9905011)


@pytest.mark.parametrize(
    "stats",
    [
        {"audio_stats": "no JSON"},
        {"audio_stats": [1]},
        {"audio_stats": 7},
        {"audio_stats": {"jitter": -0.1}},
        {"audio_stats": {"jitter": "fast"}},
        {"audio_stats": {"jitter_sec": 1, "jitter": "fast"}},
        {"audio_stats": {"packets_received": True}},
        {"audio_stats": {"packets_received": [1]}},
        {"audio_stats": {"round_trip_time_ms": -1}},
        {"audio_stats": {"call_ended_time": "late"}},
        {"audio_stats": {"x": "y" * 70_000}},
        {"video_stats": "[]"},
        {"video_stats": {"frames": "many"}},
        {"video_stats": {"frames": None}},
        {"video_stats": {"frames": {"deep": 1}}},
    ],
)
async def test_bad_stats(world: World, stats: dict[str, object]) -> None:
    assert facts(await world.post(PATH, {**REPORT, **stats})) == (400, 100, 9904005)


async def test_a_number_beyond_every_float(world: World) -> None:
    body = json.dumps({**REPORT, "audio_stats": {"packets_lost": 1}}).replace(
        '"packets_lost": 1', '"packets_lost": 1' + "0" * 400
    )
    headers = {"content-type": "application/json", "authorization": f"Bearer {PAGE_TOKEN}"}
    assert (await world.ask("POST", PATH, headers, body.encode())).status == 400


async def test_empty_stats_are_stats(world: World) -> None:
    assert (await world.post(PATH, {**REPORT, "audio_stats": {}, "video_stats": "{}"})).status == 200
    assert (await stored(world)).metrics.audio_stats == AudioStats()


async def test_a_call_that_is_not_over(world: World) -> None:
    assert facts(await world.post(PATH, {**REPORT, "call_id": LIVE})) == (400, 100, 9904001)


@pytest.mark.parametrize(("late_s", "status"), [(0, 200), (86_400, 200), (86_400.5, 400)])
async def test_within_24_hours_inclusive(world: World, late_s: float, status: int) -> None:
    world.clock.advance(ENDED_AT + late_s - world.clock.now())
    reply = await world.post(PATH, REPORT)
    assert reply.status == status
    if status == 400:
        assert facts(reply) == (400, 100, 9904002)


async def test_an_unanswered_call_belongs_to_those_that_were_told(world: World) -> None:
    assert (await world.post(PATH, {**REPORT, "call_id": MISSED})).status == 200
    assert (await stored(world, MISSED)).app_id == APP.id


async def test_others_are_no_owners(world: World) -> None:
    """Being told of a call that another app answered is not enough, nor is being subscribed only now."""

    def work(tx: Transaction) -> None:
        tx.put_call(CallRecord(a_call(OWNED, OTHER_APP.id)))
        tx.put_call(CallRecord(a_call(CallId("c_untold"), None)))

    await world.store.write(work)
    for call_id in (OWNED, "c_untold"):
        assert facts(await world.post(PATH, {**REPORT, "call_id": call_id})) == (403, 2018394, 9901201)


async def test_the_call_is_looked_up(world: World) -> None:
    assert facts(await world.post(PATH, {**REPORT, "call_id": "c_nobody"})) == (400, 2018390, 9901001)
    call = replace(a_call(CallId("c_far"), APP.id), page_id=OTHER_PAGE.id)

    def work(tx: Transaction) -> None:
        tx.put_page(replace(OTHER_PAGE, is_calling_eligible=True))
        consumer = tx.consumer(PAGE.id, PSID)
        assert consumer is not None
        tx.put_consumer(replace(consumer, page_id=OTHER_PAGE.id))
        tx.put_call(CallRecord(call))

    await world.store.write(work)
    assert facts(await world.post(PATH, {**REPORT, "call_id": "c_far"})) == (403, 2018393, None)


async def test_platforms(world: World) -> None:
    assert facts(await world.post(PATH, {**REPORT, "platform": "instagram"})) == (400, 100, 9905011)
    reply = await world.post(PATH, {**REPORT, "platform": "WhatsApp"})
    assert facts(reply) == (400, 100, 9905011)
    assert "WhatsApp number" in error_of(reply)["message"]
    assert (await world.post(PATH, {**REPORT, "platform": "Messenger"})).status == 200


async def test_who_may_report(world: World) -> None:
    assert facts(await world.post(PATH, REPORT, BARE_TOKEN)) == (403, 200, 9905003)
    assert facts(await world.post(PATH, REPORT, USER_TOKEN)) == (403, 210, None)
    assert facts(await world.post(PATH, REPORT, OTHER_PAGE_TOKEN)) == (403, 200, 9905004)
    closed = f"/v26.0/{OTHER_PAGE.id}/call_metrics"
    assert facts(await world.post(closed, REPORT, OTHER_PAGE_TOKEN)) == (403, 2018389, None)
    assert facts(await world.get(PATH)) == (400, 100, 33)


async def test_the_order_of_the_checks(world: World) -> None:
    """Each request is wrong in every later way too (messenger-calling 1.4)."""
    late = {**REPORT, "call_id": OWNED, "end_call_reason": "x", "audio_stats": 1, "platform": "instagram"}
    world.clock.advance(ENDED_AT + 90_000 - world.clock.now())

    async def told(body: object, page: str = PAGE.id, token: str = PAGE_TOKEN) -> tuple[int, int, int | None]:
        return facts(await world.post(f"/v26.0/{page}/call_metrics", body, token))

    assert await told(late, OTHER_PAGE.id, OTHER_PAGE_TOKEN) == (400, 100, 9904004)
    assert await told({**late, "end_call_reason": "UNKNOWN"}, OTHER_PAGE.id, OTHER_PAGE_TOKEN) == (400, 100, 9904005)
    usable = {**late, "end_call_reason": "UNKNOWN", "audio_stats": {}}
    assert await told(usable, OTHER_PAGE.id, OTHER_PAGE_TOKEN) == (403, 2018389, None)
    assert await told({**usable, "call_id": "c_nobody"}) == (400, 2018390, 9901001)
    assert await told(usable) == (400, 100, 9905011)
    del usable["platform"]
    assert await told(usable) == (400, 100, 9904002)


async def test_the_journal_hears_of_it(world: World) -> None:
    await world.post(PATH, {**REPORT, "audio_stats": {"jitter": 0.5, "packets_lost": 4}})
    (entry,) = [each for each in await world.journal.after(0, 0) if each["kind"] == "call_metrics"]
    assert (entry["call_id"], entry["facts"]["reason"], entry["facts"]["app_id"]) == (OWNED, "HANGUP_CALL", APP.id)
    assert (entry["facts"]["jitter_s"], entry["facts"]["packets_lost"]) == (0.5, 4)
