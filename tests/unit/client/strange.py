"""What the client must hold whatever arrives: an answer of the right kind or an error of its own tree. For property tests and
for fuzzing."""

from __future__ import annotations

import json

from pagecalls.client import webhooks
from pagecalls.client.errors import ClientError, GraphError, NotExecuted, UnreadableReply
from pagecalls.client.reports import FeatureRequest, MetricsRequest
from pagecalls.client.requests import (
    AcceptRequest,
    AnyRequest,
    CallSettingsRequest,
    ConnectRequest,
    MediaUpdateRequest,
    MessageRequest,
    PermissionRequest,
    SetCallSettingsRequest,
    TerminateRequest,
)
from pagecalls.client.settings import CallSettings
from pagecalls.client.tokens import AccountsRequest, AppProof, AppTokenRequest, InspectRequest, UserRequest
from pagecalls.client.wire import HttpReply, Wire
from pagecalls.types import Session

REQUESTS: tuple[AnyRequest, ...] = (
    ConnectRequest(to="2002", sdp="v=0"),
    AcceptRequest(call_id="c_1", sdp="v=0"),
    TerminateRequest(call_id="c_1"),
    MediaUpdateRequest(call_id="c_1", sdp="v=0", from_version=0, to_version=1),
    PermissionRequest(psid="2002"),
    CallSettingsRequest(),
    SetCallSettingsRequest(audio_enabled=True),
    MessageRequest(to="2002", content="Hello"),
    MetricsRequest(call_id="c_1", reason="HANGUP_CALL", ended_at=1.0),
    FeatureRequest(),
    AppTokenRequest(app=AppProof(app_id="9001", app_secret="s")),
    InspectRequest(token="EAA"),
    UserRequest(),
    AccountsRequest(),
)
STATUSES = (200, 400, 403, 413, 500, 503)
WIRE = Wire("EAApage", "1001", None, "v26.0", "http://127.0.0.1:8080")

_DESCRIPTION = {"sdp_type": "answer", "sdp": "v=0\r\n"}
_ERROR = {
    "message": "(#100) Conflicting media status.",
    "type": "OAuthException",
    "code": 100,
    "error_subcode": 9901208,
    "is_transient": True,
    "error_data": {"current_version": 3},
    "fbtrace_id": "Aabc",
}
_SESSION = {"sdp_response": _DESCRIPTION, "sdp_renegotiation": _DESCRIPTION, "version": 1}
_PERMISSION = {
    "permission": {"status": "HAS_PERMISSION", "expiration_time": 1745343479},
    "actions": [{"action_name": "start_call", "can_perform": True, "limits": [{"time_period": "PT24H", "max_allowed": 2}]}],
}
_SETTINGS = {
    "audio_enabled": True,
    "call_routing": {"ring_target": "PARTNERS"},
    "call_hours": {
        "timezone_id": "UTC",
        "weekly_operating_hours": [{"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}],
    },
}
_ITEM = {"id": "c_1", "timestamp": 1671644824, "event_id": "e_1"}
_EVENTS = [
    {**_ITEM, "event": "connect", "to": "1001", "from": "2002", "call_direction": "user_initiated"},
    {**_ITEM, "event": "call_status", "recipient_id": "2002", "call_status": "ringing"},
    {**_ITEM, "event": "media_update", "session": {"version": 3, "sdp_renegotiation": {"sdp_type": "offer", "sdp": "v=0"}}},
    {**_ITEM, "event": "terminate", "status": "Completed", "start_time": 10, "end_time": 14, "duration": 4},
]
_REPLY = {"sender": {"id": "2002"}, "call_permission_reply": {"response": "approve", "expiration_timestamp": 1672249624}}
_SENT = {"recipient_id": "2002", "message_id": "m_1", "recipient": {"id": "2002", "message_id": "m_1"}}
_GOOD = {"success": True, "call_id": "c_1", "id": "c_1", "session": _SESSION, "version": 2, "sdp": "v=0", "sdp_type": "answer"}
SAMPLES: tuple[bytes, ...] = tuple(
    json.dumps(each).encode()
    for each in (
        _GOOD,
        {"success": False, "call_id": "c_1", "version": 4},
        {"error": _ERROR, **_ERROR},
        {"data": [_PERMISSION], **_PERMISSION},
        {"data": [_SETTINGS], **_SETTINGS},
        {"object": "page", "entry": [{"id": "1001", "time": 1, "calls": _EVENTS}]},
        {"object": "page", "entry": [{"id": "1001", "time": 1, "call_settings": {**_SETTINGS, "call_routing": "META"}}]},
        {"object": "page", "entry": [{"id": "1001", "time": 1, "timestamp": 1, **_REPLY}]},
        _SENT,
        {"data": [{"feature": "messenger_api_calling", "status": "ENABLED"}]},
        {"access_token": "EAA", "token_type": "bearer", "expires_in": 5183999},
        {"data": {"app_id": "9001", "type": "PAGE", "profile_id": "1001", "scopes": ["a"], "is_valid": False, "error": _ERROR}},
        {
            "data": [{"id": "1001", "name": "Tea House", "access_token": "EAA", "tasks": ["MANAGE"]}],
            "paging": {"next": "http://x/", "cursors": {"after": "MTAwMQ"}},
        },
        [
            {"code": 200, "body": json.dumps(_GOOD)},
            {"code": 400, "body": json.dumps({"error": _ERROR})},
            *[None] * (len(REQUESTS) - 2),
        ],
    )
)
"""One of each kind, for a fuzzer to start from."""


def judge(body: bytes) -> None:
    """Read it as everything that it might be. Raises `AssertionError`, or whatever the client should not have raised."""
    for request in REQUESTS:
        for status in STATUSES:
            judge_reply(request, HttpReply(status, body))
    judge_batch(body)
    judge_webhook(body)


def judge_reply(request: AnyRequest, reply: HttpReply) -> None:
    try:
        result = WIRE.decode(request, reply)
    except (GraphError, UnreadableReply) as error:
        if not str(error):
            raise AssertionError("an error without a word") from error
        return
    if reply.status != 200:
        raise AssertionError(f"a result from HTTP {reply.status}")
    answer = getattr(result, "answer", None)
    if answer is not None and not isinstance(answer, Session):
        raise AssertionError("an answer that is none")


def judge_batch(body: bytes) -> None:
    try:
        results = WIRE.decode_batch(REQUESTS, HttpReply(200, body))
    except (GraphError, UnreadableReply):
        return
    if len(results) != len(REQUESTS):
        raise AssertionError("not one for each member")
    for each in results:
        if isinstance(each, ClientError) and not isinstance(each, GraphError | UnreadableReply | NotExecuted):
            raise AssertionError("an error of another kind")


def judge_webhook(body: bytes) -> None:
    try:
        events = webhooks.parse(body)
    except webhooks.BadEvent as error:
        str(error)
        return
    for event in events:
        match event:
            case webhooks.CallSettingsUpdate():
                subject: object = event.settings
            case webhooks.PermissionReply():
                subject = event.psid
            case _:
                subject = event.call_id
        facts: tuple[object, ...] = (subject, event.page_id, event.timestamp)
        if [type(each) for each in facts] not in ([str, str, int], [CallSettings, str, int]):
            raise AssertionError("an event whose members are of other kinds")
