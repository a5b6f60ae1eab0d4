"""`GET calls/{id}`: one call with its state, its legs and what was counted of them, and its app's report (docs/statistics.md)."""

from __future__ import annotations

import msgspec

from pagecalls.call.metrics import AudioStats
from pagecalls.call.model import Call
from pagecalls.control.base import ControlParts, ControlRequest
from pagecalls.http import Response
from pagecalls.store.base import MetricsRecord
from pagecalls.switchboard.figures import LegFigures
from pagecalls.switchboard.registers import NoSuch
from pagecalls.types import CallId


async def read_call(parts: ControlParts, request: ControlRequest) -> Response:
    """Live or ended. Figures are at most 5 s old while the call lives, and the last ones after its end."""
    call_id = CallId(request.named["id"])
    report = await parts.calls.call_report(call_id)
    if report is None:
        raise NoSuch("call", call_id)
    metrics = None if report.metrics is None else _metrics(report.metrics)
    body = {**_state(report.call), "legs": [_leg(leg) for leg in report.legs], "metrics": metrics}
    return Response(200, msgspec.json.encode(body))


def _state(call: Call) -> dict[str, object]:
    return {
        "call_id": call.id,
        "page_id": call.page_id,
        "direction": call.direction,
        "state": call.state,
        "end_reason": call.end_reason,
        "created_at": call.created_at,
        "connected_at": call.connected_at,
        "ended_at": call.ended_at,
        "duration_s": call.duration_s,
    }


def _leg(leg: LegFigures) -> dict[str, object]:
    mean = None if leg.mos_mean is None else round(leg.mos_mean, 3)
    figures: dict[str, object] = msgspec.to_builtins(leg.stats)
    return {"side": leg.side, "figures_at": leg.at, "mos_mean": mean, **figures}


def _metrics(record: MetricsRecord) -> dict[str, object]:
    """The app's report, normalised, and its figures as they came under `raw`."""
    told = record.metrics
    return {
        "app_id": record.app_id,
        "reported_at": record.reported_at,
        "end_call_reason": told.end_cause,
        "end_call_subreason": told.end_subreason,
        "ended_at": told.ended_at,
        "first_audio_at": told.first_audio_at,
        "first_video_at": told.first_video_at,
        "audio_stats": None if told.audio_stats is None else _audio_stats(told.audio_stats),
        "video_stats": None if told.video_stats is None else msgspec.Raw(told.video_stats.encode()),
    }


def _audio_stats(stats: AudioStats) -> dict[str, object]:
    figures: dict[str, object] = msgspec.to_builtins(stats)
    return {**figures, "raw": msgspec.Raw(stats.raw.encode())}
