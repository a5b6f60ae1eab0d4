"""What is reported and asked beside the calls: a call that is over, and open features (messenger-calling 11 and 8.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pagecalls.client import results
from pagecalls.client.members import Json, JsonObject, Members, present
from pagecalls.client.requests import Request
from pagecalls.types import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsRequest(Request[results.Reported]):
    """Report on a call that is over (11), once, within 24 hours.

    `reason` is one of the words of 11.2, in any case and with or without underscores. Times are Unix seconds. `audio_stats` may
    hold `jitter_sec`, `round_trip_time_sec`, `packets_lost` and the other members of 11.1.
    """

    edge: ClassVar[str] = "call_metrics"

    call_id: str
    reason: str
    ended_at: float
    subreason: str | None = None
    first_audio_at: float | None = None
    first_video_at: float | None = None
    audio_stats: Mapping[str, Json] | None = None
    video_stats: Mapping[str, float] | None = None
    platform: Platform | None = None

    @property
    def may_repeat(self) -> bool:
        """No: a second report is refused, which would look as if the first had been."""
        return False

    def parameters(self) -> JsonObject:
        """The members that are there."""
        named: JsonObject = {
            "platform": None if self.platform is None else self.platform.value,
            "call_id": self.call_id,
            "end_call_reason": self.reason,
            "end_call_subreason": self.subreason,
            "call_ended_time": self.ended_at,
            "first_audio_packet_received_time": self.first_audio_at,
            "first_video_packet_received_time": self.first_video_at,
            "audio_stats": None if self.audio_stats is None else dict(self.audio_stats),
            "video_stats": None if self.video_stats is None else dict(self.video_stats),
        }
        return present(named)

    def read(self, body: Members) -> results.Reported:
        """Nothing but success is told."""
        return results.Reported(self.call_id)


CALLING = "messenger_api_calling"
"""The feature that lets a Page take calls by way of this API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRequest(Request[results.Features]):
    """Which features are open to the Page (8.5)?"""

    edge: ClassVar[str] = "business_messaging_feature_status"

    names: Sequence[str] = (CALLING,)

    @property
    def may_repeat(self) -> bool:
        """Yes: it changes nothing."""
        return True

    def parameters(self) -> JsonObject:
        """An object for each name."""
        features: list[Json] = [{"feature": name} for name in self.names]
        return {"features": features}

    def read(self, body: Members) -> results.Features:
        """See `results.features`."""
        return results.features(body)
