"""`GET /{page_id}/messenger_call_permissions` (messenger-calling 8.1)."""

from __future__ import annotations

from pagecalls.graph.schemas import permission_body
from pagecalls.graph.selection import Shape
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.types import Psid

_LIMIT = Shape("Limit", dict.fromkeys(("time_period", "max_allowed", "max_allowed_per_user", "current_usage")))
_ACTION = Shape("PermittedAction", {**dict.fromkeys(("action_name", "can_perform", "can_perform_action")), "limits": _LIMIT})
CALL_PERMISSION = Shape(
    "MessengerCallPermission",
    {"permission": Shape("Permission", {"status": None, "expiration_time": None}), "actions": _ACTION},
)


async def read_permission(visit: PageVisit) -> Answer:
    """May this Page call the person?"""
    psid = Psid(visit.params.required_text("psid"))
    return Answer(permission_body(await visit.services.permissions.read(visit.page.id, psid)))
