"""An app's own report on a call that is over, as values (messenger-calling 11), and when one may be handed in.

The figures are the app's word and decide nothing; the engine's own stand in `switchboard/figures.py`. How a report is spelled on
the wire is unknown here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from pagecalls.call.model import Call
from pagecalls.errors import MetricsFault, NotOwner, UnusableMetrics
from pagecalls.types import AppId

REPORTS_FOR_S = 24 * 3600.0
"""How long after its end a call takes a report, the last moment included (11.3)."""
LONGEST_SUBREASON = 1024


class CallEndCause(StrEnum):
    """`end_call_reason`: why a call ended as its app saw it (11.2)."""

    CALL_END_ACCEPT_AFTER_HANG_UP = "CALL_END_ACCEPT_AFTER_HANG_UP"
    CALLER_NOT_VISIBLE = "CALLER_NOT_VISIBLE"
    CAMERA_PERMISSION_DENIED = "CAMERA_PERMISSION_DENIED"
    CLIENT_ERROR = "CLIENT_ERROR"
    CLIENT_INTERRUPTED = "CLIENT_INTERRUPTED"
    CONNECTION_DROPPED = "CONNECTION_DROPPED"
    HANGUP_CALL = "HANGUP_CALL"
    IGNORE_CALL = "IGNORE_CALL"
    IN_ANOTHER_CALL = "IN_ANOTHER_CALL"
    INACTIVE_TIMEOUT = "INACTIVE_TIMEOUT"
    INCOMING_TIMEOUT = "INCOMING_TIMEOUT"
    MAX_ALLOWED_PARTICIPANTS_REACHED = "MAX_ALLOWED_PARTICIPANTS_REACHED"
    MICROPHONE_PERMISSION_DENIED = "MICROPHONE_PERMISSION_DENIED"
    NO_ANSWER_TIMEOUT = "NO_ANSWER_TIMEOUT"
    NO_PERMISSION = "NO_PERMISSION"
    REMOVED_BY_PARTICIPANT = "REMOVED_BY_PARTICIPANT"
    RING_MUTED = "RING_MUTED"
    SIGNALING_MESSAGE_FAILED = "SIGNALING_MESSAGE_FAILED"
    UNEXPECTED_END_OF_CALL = "UNEXPECTED_END_OF_CALL"
    UNKNOWN = "UNKNOWN"
    VERSION_UNSUPPORTED = "VERSION_UNSUPPORTED"
    WEBRTC_ERROR = "WEBRTC_ERROR"


def find_cause(text: str) -> CallEndCause | None:
    """The cause behind any of its spellings: case and underscores do not count."""
    wanted = text.replace("_", "").upper()
    return next((cause for cause in CallEndCause if cause.value.replace("_", "") == wanted), None)


@dataclass(frozen=True, slots=True)
class AudioStats:
    """What the app measured of the sound it heard, in seconds and counts; `None` where it said nothing.

    `call_ended_at`: Unix seconds. `raw`: the object as it came, as JSON text, with all its members.
    """

    jitter_s: float | None = None
    round_trip_time_s: float | None = None
    jitter_buffer_delay_s: float | None = None
    total_samples_duration_s: float | None = None
    packets_lost: float | None = None
    packets_received: float | None = None
    concealed_samples: float | None = None
    silent_concealed_samples: float | None = None
    call_ended_at: float | None = None
    raw: str = "{}"


@dataclass(frozen=True, slots=True)
class CallMetrics:
    """One report. Times are Unix seconds of the app's own clock; 0 for a first packet that never came.

    `video_stats`: an object of numbers, as JSON text; nobody says which.
    """

    end_cause: CallEndCause
    ended_at: float
    end_subreason: str | None = None
    first_audio_at: float | None = None
    first_video_at: float | None = None
    audio_stats: AudioStats | None = None
    video_stats: str | None = None


def judge_report(call: Call, app: AppId, told: Collection[AppId], is_reported: bool, now: float) -> None:
    """May `app` report on the call now (11.3)? `told`: the apps that a `connect` of the call went to.

    Raises `NotOwner`, then `UnusableMetrics`, in the order of messenger-calling 1.4.
    """
    if app != call.owner and (call.owner is not None or app not in told):
        raise NotOwner
    if call.ended_at is None:
        raise UnusableMetrics(MetricsFault.IN_PROGRESS)
    if now > call.ended_at + REPORTS_FOR_S:
        raise UnusableMetrics(MetricsFault.TOO_LATE)
    if is_reported:
        raise UnusableMetrics(MetricsFault.ALREADY_SUBMITTED)
