"""`GET calls/{id}`: one call with its state, its legs and what was counted of them (docs/statistics.md)."""

from __future__ import annotations

import msgspec

from pagecalls.call.model import Call
from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused
from pagecalls.http import Response
from pagecalls.switchboard.figures import LegFigures
from pagecalls.types import CallId


async def read_call(parts: ControlParts, request: ControlRequest) -> Response:
    """Live or ended. Figures are at most 5 s old while the call lives, and the last ones after its end."""
    call_id = CallId(request.named["id"])
    report = await parts.calls.call_report(call_id)
    if report is None:
        raise Refused(Refusal.NOT_FOUND, f"There is no call {call_id}.")
    body = {**_state(report.call), "legs": [_leg(leg) for leg in report.legs]}
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
