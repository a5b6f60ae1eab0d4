"""`POST /{page_id}/call_metrics`: an app's report on a call that is over (messenger-calling 11).

Knows every spelling of the report: times in four forms, reasons in any case of letters and with or without underscores, figures
in seconds or milliseconds. Who may report when is the switchboard's business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from pagecalls.call.metrics import LONGEST_SUBREASON, AudioStats, CallEndCause, CallMetrics, find_cause
from pagecalls.errors import InvalidValue, MetricsFault, MissingParameter, NoLinkedNumber, UnusableMetrics
from pagecalls.graph.params import Params
from pagecalls.graph.schemas import SUCCESS
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.http import Json, JsonObject
from pagecalls.types import CallId, Platform

MILLISECONDS_FROM = 1e11
"""A number of time above this counts milliseconds (11.1); as seconds it would be in the year 5138."""
_LATEST_S = 253_402_300_799.0
"""The last second of the year 9999, which ISO 8601 can write."""
_LONGEST_STATS_BYTES = 64 * 1024
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_SHOWN = 80

_SECONDS: Mapping[str, tuple[str, str]] = {
    "jitter_s": ("jitter_sec", "jitter"),
    "round_trip_time_s": ("round_trip_time_sec", "round_trip_time_ms"),
    "jitter_buffer_delay_s": ("jitter_buffer_delay_sec", "jitter_buffer_delay_ms"),
    "total_samples_duration_s": ("total_samples_duration_sec", "total_samples_duration_ms"),
}
"""Members of `audio_stats` in seconds, each under its two names; the first wins. A name with `_ms` counts milliseconds."""
_COUNTS = ("packets_lost", "packets_received", "concealed_samples", "silent_concealed_samples")


async def submit_metrics(visit: PageVisit) -> Answer:
    """Take the report. For `whatsapp` the number that is linked to the Page would answer; none is yet (ruling 6)."""
    params = visit.params
    platform = params.values.get("platform")
    if isinstance(platform, str) and platform.lower() == Platform.WHATSAPP:
        raise NoLinkedNumber
    call_id = CallId(params.required_text("call_id"))
    chosen = params.choice("platform", Platform)
    await visit.services.metrics.submit(visit.caller, call_id, chosen, read_metrics(params))
    return Answer(SUCCESS)


def read_metrics(params: Params) -> CallMetrics:
    """The report itself. Raises `MissingParameter`, `InvalidValue`, `UnusableMetrics`."""
    for name in ("end_call_reason", "call_ended_time"):
        if not params.has(name):
            raise MissingParameter(params.name(name))
    ended_at = _time(params, "call_ended_time")
    return CallMetrics(
        end_cause=_cause(params.values["end_call_reason"]),
        ended_at=ended_at if ended_at is not None else 0.0,
        end_subreason=params.text("end_call_subreason", LONGEST_SUBREASON),
        first_audio_at=_time(params, "first_audio_packet_received_time"),
        first_video_at=_time(params, "first_video_packet_received_time"),
        audio_stats=_audio_stats(params),
        video_stats=_video_stats(params),
    )


def read_time(value: Json) -> float | None:
    """Unix seconds of a time in seconds, milliseconds, text of either, or ISO 8601 (UTC unless it says else); `None` if it is no
    time."""
    number = read_number(value)
    if number is None and isinstance(value, str):
        number = _iso_time(value.strip())
    elif number is not None and number > MILLISECONDS_FROM:
        number /= 1000
    return number if number is not None and 0 <= number <= _LATEST_S else None


def read_number(value: Json) -> float | None:
    """A finite number, as JSON or decimal text; `None` if it is none."""
    if isinstance(value, str):
        value = value.strip()
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _iso_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _time(params: Params, key: str) -> float | None:
    value = params.values.get(key)
    if value is None or value == "":
        return None
    moment = read_time(value)
    if moment is None:
        raise InvalidValue(params.name(key))
    return moment


def _cause(value: Json) -> CallEndCause:
    cause = find_cause(value) if isinstance(value, str) else None
    if cause is None:
        raise UnusableMetrics(MetricsFault.BAD_REASON, value[:_SHOWN] if isinstance(value, str) else "")
    return cause


def _stats(params: Params, key: str) -> JsonObject | None:
    try:
        found = params.object(key)
    except InvalidValue:
        raise UnusableMetrics(MetricsFault.BAD_STATS, key) from None
    return None if found is None else dict(found.values)


def _audio_stats(params: Params) -> AudioStats | None:
    stats = _stats(params, "audio_stats")
    if stats is None:
        return None
    raw = _raw(stats, "audio_stats")
    figures = {member: _seconds(stats, names) for member, names in _SECONDS.items()}
    counts = {name: _figure(stats, name, may_be_negative=name == "packets_lost") for name in _COUNTS}
    ended = stats.get("call_ended_time")
    ended_at = None if ended is None else read_time(ended)
    if ended is not None and ended_at is None:
        raise UnusableMetrics(MetricsFault.BAD_STATS, "audio_stats[call_ended_time]")
    return AudioStats(**figures, **counts, call_ended_at=ended_at, raw=raw)


def _seconds(stats: JsonObject, names: tuple[str, str]) -> float | None:
    """Every spelling is looked at, also one that another spelling beats."""
    found = [_figure(stats, name) for name in names]
    scaled = [
        figure / 1000 if figure is not None and name.endswith("_ms") else figure
        for figure, name in zip(found, names, strict=True)
    ]
    return next((figure for figure in scaled if figure is not None), None)


def _figure(stats: JsonObject, name: str, may_be_negative: bool = False) -> float | None:
    value = stats.get(name)
    if value is None:
        return None
    number = read_number(value)
    if number is None or (number < 0 and not may_be_negative):
        raise UnusableMetrics(MetricsFault.BAD_STATS, f"audio_stats[{name}]")
    return number


def _video_stats(params: Params) -> str | None:
    stats = _stats(params, "video_stats")
    if stats is None:
        return None
    for name, value in stats.items():
        if read_number(value) is None:
            raise UnusableMetrics(MetricsFault.BAD_STATS, f"video_stats[{name[:_SHOWN]}]")
    return _raw(stats, "video_stats")


def _raw(stats: JsonObject, key: str) -> str:
    text = msgspec.json.encode(stats)
    if len(text) > _LONGEST_STATS_BYTES:
        raise UnusableMetrics(MetricsFault.BAD_STATS, f"{key} is longer than {_LONGEST_STATS_BYTES} bytes")
    return text.decode()
