"""`GET /{page_id}/messenger_call_permissions` for the documents (messenger-calling 8.1)."""

from __future__ import annotations

from pagecalls.graph.openapi.contract import Kind, Member, Schema
from pagecalls.graph.openapi.edge import Edge

_STATE = Member(
    "permission",
    Kind.OBJECT,
    "What the person has allowed.",
    is_required=True,
    members=(
        Member("status", Kind.STRING, "`HAS_PERMISSION` or `NO_PERMISSION`; beside `data` in lower case.", is_required=True),
        Member("expiration_time", Kind.INTEGER, "Unix seconds; only with permission."),
    ),
)
_LIMITS = Member(
    "limits",
    Kind.ARRAY,
    "How often it may be done.",
    members=(
        Member("time_period", Kind.STRING, "An ISO 8601 duration.", is_required=True),
        Member("max_allowed", Kind.INTEGER, "So often within it.", is_required=True),
        Member("current_usage", Kind.INTEGER, "So often it was done already."),
    ),
)
_ACTIONS = Member(
    "actions",
    Kind.ARRAY,
    "What the Page may do towards the person now.",
    is_required=True,
    members=(
        Member("action_name", Kind.STRING, "`send_call_permission_request` or `start_call`.", is_required=True),
        Member("can_perform", Kind.BOOLEAN, "Whether it would be let through.", is_required=True),
        _LIMITS,
    ),
)
PERMISSION = Schema(
    "PageCallPermission",
    "May the Page call the person, and may it ask?",
    (Member("data", Kind.ARRAY, "One entry.", is_required=True, members=(_STATE, _ACTIONS)), _STATE, _ACTIONS),
)

EDGES = (
    Edge(
        path="/{page_id}/messenger_call_permissions",
        method="GET",
        operation_id="getPageMessengerCallPermissions",
        summary="May the Page call this person?",
        text="A permission lasts 7 days from the last approval, connected call or call that the Page missed.",
        query=(Member("psid", Kind.STRING, "The person's page-scoped id.", is_required=True),),
        answer=PERMISSION,
        answer_text="What is allowed now. The members of the entry stand beside `data` as well.",
    ),
)
