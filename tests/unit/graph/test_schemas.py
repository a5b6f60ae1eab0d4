from __future__ import annotations

import msgspec
import pytest

from pagecalls.call.permission import PermissionView
from pagecalls.call.states import Action
from pagecalls.graph.schemas import call_body, permission_body
from pagecalls.switchboard.base import CallReply
from pagecalls.types import CallId

C = CallId("c_1")


def plain(body: msgspec.Struct) -> object:
    return msgspec.json.decode(msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("action", "reply", "body"),
    [
        (Action.REJECT, CallReply(C, version=3), {"success": True, "call_id": "c_1"}),
        (Action.MEDIA_UPDATE, CallReply(C), {"success": True, "call_id": "c_1"}),
        (Action.MEDIA_UPDATE, CallReply(C, version=0), {"success": True, "call_id": "c_1", "version": 0}),
        (
            Action.MEDIA_UPDATE,
            CallReply(C, answer="a", renegotiation="r", version=2),
            {
                "success": True,
                "call_id": "c_1",
                "session": {
                    "sdp_response": {"sdp_type": "answer", "sdp": "a"},
                    "sdp_renegotiation": {"sdp_type": "offer", "sdp": "r"},
                    "version": 2,
                },
                "sdp": "a",
                "sdp_type": "answer",
            },
        ),
    ],
)
def test_call_bodies(action: Action, reply: CallReply, body: object) -> None:
    assert plain(call_body(action, reply)) == body


def test_only_connect_has_an_id() -> None:
    for action in Action:
        members = plain(call_body(action, CallReply(C, answer="a", version=0)))
        assert isinstance(members, dict)
        assert ("id" in members) == (action is Action.CONNECT)


def test_an_expiry_is_shown_with_permission_only() -> None:
    body = permission_body(
        PermissionView(has_permission=False, expires_at=5.5, can_request=False, requests_in_24h=2, can_call=False)
    )
    assert plain(body.permission) == {"status": "no_permission"}
    assert plain(body.actions[0]) == {
        "action_name": "send_call_permission_request",
        "can_perform": False,
        "can_perform_action": False,
        "limits": [{"time_period": "PT24H", "max_allowed": 2, "max_allowed_per_user": 2, "current_usage": 2}],
    }
    held = permission_body(
        PermissionView(has_permission=True, expires_at=5.5, can_request=False, requests_in_24h=0, can_call=True)
    )
    assert plain(held.permission) == {"status": "has_permission", "expiration_time": 5}
