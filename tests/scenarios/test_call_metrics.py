"""Reports on calls that took place, by way of the typed client, and what an operator sees of them (messenger-calling 11, 8.5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pagecalls.client import AsyncClient, FeatureRequest, Features, MetricsRequest, Reported, TerminateRequest
from pagecalls.client import errors as e
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.media.fake import FakeEngine

from .conftest import World, a_world
from .page_client import Business


def report(call_id: str, **members: object) -> MetricsRequest:
    return MetricsRequest(call_id=call_id, reason="Hangup_Call", ended_at=1_790_000_000, **members)  # type: ignore[arg-type]


async def missed(world: World) -> str:
    """A call that nobody takes, and that has rung out."""
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)
    await world.advance(61)
    await world.app.expect("terminate", call_id)
    return call_id


async def test_the_owners_report_stands_beside_the_engines_figures(world: World, business: Business) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    with pytest.raises(e.MetricsError) as raised:
        await business.send(report(call_id))
    assert raised.value.fault is e.MetricsFault.IN_PROGRESS
    await business.send(TerminateRequest(call_id=call_id))
    await world.settle()
    path = f"/_pagecalls/calls/{call_id}"
    assert (await world.admin("GET", path))["metrics"] is None

    stats = {"jitter": 0.25, "round_trip_time_ms": 80}
    assert await business.send(report(call_id, audio_stats=stats)) == Reported(call_id)
    seen = (await world.admin("GET", path))["metrics"]
    assert (seen["app_id"], seen["end_call_reason"]) == (world.server.dev.app.id, "HANGUP_CALL")
    assert (seen["audio_stats"]["round_trip_time_s"], seen["audio_stats"]["raw"]) == (0.08, stats)
    entries = (await world.admin("GET", "/_pagecalls/journal?after=0"))["entries"]
    assert [each["facts"]["reason"] for each in entries if each["kind"] == "call_metrics"] == ["HANGUP_CALL"]
    with pytest.raises(e.MetricsError) as raised:
        await business.send(report(call_id))
    assert raised.value.fault is e.MetricsFault.ALREADY_SUBMITTED


async def test_any_app_that_was_told_reports_on_a_call_that_nobody_took(world: World) -> None:
    second = await world.second_app()
    call_id = await missed(world)
    late = await world.second_app()
    body = {"call_id": call_id, "end_call_reason": "NO_ANSWER_TIMEOUT", "call_ended_time": "2026-09-21T14:13:20Z"}
    status, answer = await ask(world, late, body)
    assert (status, answer["error"]["error_subcode"]) == (403, 9901201)
    assert await ask(world, second, body) == (200, {"success": True})
    status, answer = await ask(world, world.app, body)
    assert (status, answer["error"]["error_subcode"]) == (400, 9904003)


async def ask(world: World, app: BusinessApp, body: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
    url = f"{world.base_url}/v26.0/{world.page_id}/call_metrics"
    async with world.http.post(url, json=body, headers={"Authorization": f"Bearer {app.token}"}) as response:
        answer: dict[str, Any] = await response.json()
        return response.status, answer


async def test_a_day_after_the_end(world: World, business: Business) -> None:
    call_id = await missed(world)
    await world.advance(86_400 - 5)
    other = await missed(world)
    await world.advance(10)
    with pytest.raises(e.MetricsError) as raised:
        await business.send(report(call_id))
    assert raised.value.fault is e.MetricsFault.TOO_LATE
    assert await business.send(report(other)) == Reported(other)


async def test_who_was_told_outlives_the_server(tmp_path: Path, app: BusinessApp) -> None:
    """The webhooks of a call may be gone when its report comes; who got them is kept with the call."""
    clock = SystemClock()
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        call_id = await missed(world)
    async with a_world(tmp_path / "data", app, clock, FakeEngine(clock)) as world:
        business = Business(world, AsyncClient)
        assert await business.send(report(call_id)) == Reported(call_id)
        assert (await world.admin("GET", f"/_pagecalls/calls/{call_id}"))["metrics"]["app_id"] == world.server.dev.app.id
        await business.close()


async def test_calling_is_open(business: Business) -> None:
    features = await business.send(FeatureRequest())
    assert isinstance(features, Features)
    assert features.is_enabled("messenger_api_calling")
