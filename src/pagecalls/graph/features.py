"""`POST /{page_id}/business_messaging_feature_status`: is calling open to the Page (messenger-calling 8.5)?

Eligibility is one flag of the Page, set by the operator. A feature that nobody here knows is off.
"""

from __future__ import annotations

from enum import StrEnum

from pagecalls.errors import MissingParameter
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.http import Json


class Feature(StrEnum):
    """What may be asked about."""

    CALLING = "messenger_api_calling"


class FeatureStatus(StrEnum):
    """In upper case, as one client compares it to the letter (messenger-calling 12, 15)."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


async def read_features(visit: PageVisit) -> Answer:
    """One entry for each feature that was asked about, in order."""
    asked = visit.params.objects("features")
    if not asked:
        raise MissingParameter("features")
    names = [each.required_text("feature") for each in asked]
    entries: list[Json] = [{"feature": name, "status": _status(name, visit.page.is_calling_eligible).value} for name in names]
    return Answer({"data": entries})


def _status(name: str, is_calling_eligible: bool) -> FeatureStatus:
    is_on = name.lower() == Feature.CALLING and is_calling_eligible
    return FeatureStatus.ENABLED if is_on else FeatureStatus.DISABLED
