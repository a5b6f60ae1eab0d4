from __future__ import annotations

from pagecalls.call.metrics import AudioStats, CallEndCause, CallMetrics
from pagecalls.call.model import Call
from pagecalls.call.states import CallState, EndReason
from pagecalls.media.protocol import LegStats, TrackCounters
from pagecalls.store.base import MetricsRecord
from pagecalls.switchboard.figures import LegFigures
from pagecalls.switchboard.report import CallReport
from pagecalls.types import AppId, CallId, Direction, PageId, Platform, Psid, Side
from tests.unit.control.support import Desk, refused

CALL = Call(
    CallId("c_1"),
    PageId("1001"),
    Psid("2002"),
    Platform.MESSENGER,
    Direction.USER_INITIATED,
    CallState.COMPLETED,
    100.0,
    connected_at=110.0,
    ended_at=113.5,
    end_reason=EndReason.COMPLETED,
)
TRACK = TrackCounters(track="sound", direction="recv", ssrcs=[7], packets=150, bytes=12000, lost=1, jitter_ms=0.5)
STATS = LegStats(call="c_1", leg="l_1", rev=2, ice="connected", dtls="connected", rtt_ms=40.0, tracks=[TRACK])


async def test_a_call_with_its_figures() -> None:
    desk = Desk()
    desk.reports[CALL.id] = CallReport(CALL, (LegFigures(Side.CONSUMER, STATS, 113.5, 4.12345, 3),))
    reply = await desk.ask("GET", "/_pagecalls/calls/c_1")
    assert reply.status == 200
    body = dict(reply.json)
    (leg,) = body.pop("legs")
    assert body == {
        "call_id": "c_1",
        "page_id": "1001",
        "direction": "user_initiated",
        "state": "COMPLETED",
        "end_reason": EndReason.COMPLETED.value,
        "created_at": 100.0,
        "connected_at": 110.0,
        "ended_at": 113.5,
        "duration_s": 4,
        "metrics": None,
    }
    assert (leg["side"], leg["leg"], leg["figures_at"], leg["mos_mean"], leg["rtt_ms"]) == ("consumer", "l_1", 113.5, 4.123, 40.0)
    assert (leg["mos"], leg["tracks"][0]["packets"], leg["tracks"][0]["remote_lost"]) == (None, 150, None)


async def test_a_call_with_its_apps_report() -> None:
    """In seconds beside the engine's own figures, and what the app said word for word under `raw`."""
    desk = Desk()
    stats = AudioStats(jitter_s=0.25, packets_lost=-1, raw='{"jitter":0.25,"packets_lost":"-1","x":[1]}')
    told = CallMetrics(CallEndCause.WEBRTC_ERROR, 113.0, "ice", 111.0, 0.0, stats, '{"frames":9}')
    desk.reports[CALL.id] = CallReport(CALL, (), MetricsRecord(CALL.id, AppId("9001"), 120.5, told))
    metrics = (await desk.ask("GET", "/_pagecalls/calls/c_1")).json["metrics"]
    audio = metrics.pop("audio_stats")
    assert metrics == {
        "app_id": "9001",
        "reported_at": 120.5,
        "end_call_reason": "WEBRTC_ERROR",
        "end_call_subreason": "ice",
        "ended_at": 113.0,
        "first_audio_at": 111.0,
        "first_video_at": 0.0,
        "video_stats": {"frames": 9},
    }
    assert (audio["jitter_s"], audio["packets_lost"], audio["round_trip_time_s"]) == (0.25, -1, None)
    assert audio["raw"] == {"jitter": 0.25, "packets_lost": "-1", "x": [1]}


async def test_a_call_that_is_not_there() -> None:
    desk = Desk()
    for path in ("/_pagecalls/calls/c_2", "/_pagecalls/calls/c_1/legs", "/_pagecalls/calls", "/_pagecalls/calls/"):
        assert refused(await desk.ask("GET", path)) == (404, "not_found")
    assert refused(await desk.ask("POST", "/_pagecalls/calls/c_2")) == (405, "method_not_allowed")
