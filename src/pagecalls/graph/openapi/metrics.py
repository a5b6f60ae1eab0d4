"""`POST /{page_id}/call_metrics` and `POST /{page_id}/business_messaging_feature_status` for the documents (messenger-calling 11
and 8.5)."""

from __future__ import annotations

from pagecalls.call.metrics import LONGEST_SUBREASON, CallEndCause
from pagecalls.graph.features import Feature, FeatureStatus
from pagecalls.graph.openapi.contract import Kind, Member, Schema
from pagecalls.graph.openapi.edge import Edge
from pagecalls.types import Platform

_TIME = "Seconds or milliseconds since 1970, text of either, or ISO 8601."


def _seconds(name: str, what: str) -> tuple[Member, ...]:
    return (
        Member(f"{name}_sec", Kind.ANY, f"{what}, in seconds."),
        Member(f"{name}_ms", Kind.ANY, f"{what}, in milliseconds."),
    )


_AUDIO_STATS = Member(
    "audio_stats",
    Kind.OBJECT,
    "What the app measured of the sound it heard. Numbers from 0, or their text; `packets_lost` may be negative. More members "
    "are kept as they are.",
    members=(
        Member("jitter_sec", Kind.ANY, "Jitter, in seconds."),
        Member("jitter", Kind.ANY, "The same."),
        *_seconds("round_trip_time", "Round trip time"),
        *_seconds("jitter_buffer_delay", "Delay in the jitter buffer"),
        *_seconds("total_samples_duration", "How much was played"),
        Member("packets_lost", Kind.ANY, "A count."),
        Member("packets_received", Kind.ANY, "A count."),
        Member("concealed_samples", Kind.ANY, "A count."),
        Member("silent_concealed_samples", Kind.ANY, "A count."),
        Member("call_ended_time", Kind.ANY, _TIME),
    ),
)

REPORT = Schema(
    "PageCallMetrics",
    "An app's report on a call that is over.",
    (
        Member("call_id", Kind.STRING, "The call.", is_required=True),
        Member(
            "end_call_reason",
            Kind.STRING,
            "Why it ended, as the app saw it. Case and underscores do not count.",
            is_required=True,
            choices=tuple(cause.value for cause in CallEndCause),
        ),
        Member("end_call_subreason", Kind.STRING, f"More, in {LONGEST_SUBREASON} characters."),
        Member("call_ended_time", Kind.ANY, f"When it ended. {_TIME}", is_required=True),
        Member("first_audio_packet_received_time", Kind.ANY, f"{_TIME} 0 for never."),
        Member("first_video_packet_received_time", Kind.ANY, f"{_TIME} 0 for never."),
        _AUDIO_STATS,
        Member("video_stats", Kind.OBJECT, "Numbers under any names."),
        Member(
            "platform", Kind.STRING, "Left out, it is that of the call.", choices=tuple(sorted(each.value for each in Platform))
        ),
    ),
)
TAKEN = Schema(
    "PageCallMetricsTaken",
    "Nothing but success.",
    (Member("success", Kind.BOOLEAN, "It was taken.", is_required=True),),
)

FEATURES = Schema(
    "PageFeatureQuestion",
    "Which features?",
    (
        Member(
            "features",
            Kind.ARRAY,
            "At least one.",
            is_required=True,
            members=(Member("feature", Kind.STRING, f"Such as `{Feature.CALLING.value}`.", is_required=True),),
        ),
    ),
)
STATUSES = Schema(
    "PageFeatureStatus",
    "An entry for each feature, in the order of asking.",
    (
        Member(
            "data",
            Kind.ARRAY,
            "The entries.",
            is_required=True,
            members=(
                Member("feature", Kind.STRING, "As it was asked about.", is_required=True),
                Member(
                    "status",
                    Kind.STRING,
                    "An unknown feature is disabled.",
                    is_required=True,
                    choices=tuple(status.value for status in FeatureStatus),
                ),
            ),
        ),
    ),
)

EDGES = (
    Edge(
        path="/{page_id}/call_metrics",
        method="POST",
        operation_id="postPageCallMetrics",
        summary="Report on a call that is over",
        text=(
            "Once for each call, within 24 hours of its end: by the app that owned it, or, if nobody took it, by any app that "
            "got its `connect`."
        ),
        body=REPORT,
        examples=(
            {
                "call_id": "c_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "end_call_reason": "HANGUP_CALL",
                "call_ended_time": 1790000000,
                "audio_stats": {"round_trip_time_ms": 42, "packets_lost": 3, "packets_received": 2950},
            },
        ),
        answer=TAKEN,
        answer_text="The report was taken.",
    ),
    Edge(
        path="/{page_id}/business_messaging_feature_status",
        method="POST",
        operation_id="postPageFeatureStatus",
        summary="Is calling open to this Page?",
        text="The operator sets it for each Page.",
        body=FEATURES,
        examples=({"features": [{"feature": Feature.CALLING.value}]},),
        answer=STATUSES,
        answer_text="What is open.",
    ),
)
