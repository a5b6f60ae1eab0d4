"""Requests as they go out and answers as they are read, without a socket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from pagecalls.client import errors as e
from pagecalls.client.requests import (
    AcceptRequest,
    AnyRequest,
    CallSettingsRequest,
    ConnectRequest,
    MediaUpdateRequest,
    PermissionRequest,
    RejectRequest,
    SetCallSettingsRequest,
    TerminateRequest,
)
from pagecalls.client.results import Accepted, Connected, Ended, Limit, MediaUpdated, Permission, PermittedAction, SettingsStored
from pagecalls.client.settings import ALWAYS_OPEN, CallSettings
from pagecalls.client.wire import BATCH_LIMIT, HttpReply, Origin, Wire, proof
from pagecalls.types import CallHours, Day, OpenHours, Platform, RingTarget, SdpType, Session, Track, TrackLabel, TrackStatus

SDP = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
ANSWER, OFFER = Session(SdpType.ANSWER, "v=0\r\nanswer\r\n"), Session(SdpType.OFFER, "v=0\r\noffer\r\n")
SESSION = {"sdp_response": {"sdp_type": "answer", "sdp": ANSWER.sdp}, "version": 0}
FOLDED = {**SESSION, "sdp_renegotiation": {"sdp_type": "offer", "sdp": OFFER.sdp}}
CAMERA = Track("s t", TrackLabel.DEFAULT_VIDEO, TrackStatus.DISABLED)
HANG_UP = TerminateRequest(call_id="c_1")


def wire(**changes: Any) -> Wire:
    given: dict[str, Any] = {
        "token": "EAApage",
        "page_id": "1001",
        "app_secret": None,
        "version": "v26.0",
        "base_url": "https://graph.facebook.com",
    }
    return Wire(**{**given, **changes})


def reply(body: object, status: int = 200) -> HttpReply:
    return HttpReply(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def sent(request: AnyRequest) -> Any:
    body = wire().encode(request).body
    assert body is not None
    return json.loads(body)


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_json_with_the_token_in_the_header() -> None:
    request = wire().encode(HANG_UP)
    assert (request.verb, request.target) == ("POST", "/v26.0/1001/calls")
    assert request.headers["Authorization"] == "Bearer EAApage"
    assert request.headers["Content-Type"] == "application/json"
    assert "EAApage" not in repr(request)


@pytest.mark.parametrize(
    ("request_", "members"),
    [
        (
            ConnectRequest(to="2002", sdp=SDP, tracks=[CAMERA], platform=Platform.INSTAGRAM),
            {
                "platform": "instagram",
                "action": "connect",
                "to": "2002",
                "session": {"sdp_type": "offer", "sdp": SDP},
                "tracks": [{"msid": "s t", "label": "default_video", "status": "disabled"}],
            },
        ),
        (
            AcceptRequest(call_id="c_1", sdp=SDP),
            {"call_id": "c_1", "action": "accept", "session": {"sdp_type": "offer", "sdp": SDP}},
        ),
        (
            RejectRequest(call_id="c_1", platform=Platform.MESSENGER),
            {"platform": "messenger", "call_id": "c_1", "action": "reject"},
        ),
        (HANG_UP, {"call_id": "c_1", "action": "terminate"}),
        (
            MediaUpdateRequest(call_id="c_1", sdp=SDP, from_version=0, to_version=1),
            {
                "call_id": "c_1",
                "action": "media_update",
                "session": {"sdp_type": "offer", "sdp": SDP},
                "from_version": 0,
                "to_version": 1,
            },
        ),
        (
            MediaUpdateRequest(call_id="c_1", tracks=[CAMERA]),
            {
                "call_id": "c_1",
                "action": "media_update",
                "tracks": [{"msid": "s t", "label": "default_video", "status": "disabled"}],
            },
        ),
        (
            MediaUpdateRequest(call_id="c_1", enabled_tracks=["s t"]),
            {"call_id": "c_1", "action": "media_update", "enabled_tracks": ["s t"]},
        ),
        (
            MediaUpdateRequest(call_id="c_1", sdp=SDP, sdp_type=SdpType.ANSWER),
            {"call_id": "c_1", "action": "media_update", "session": {"sdp_type": "answer", "sdp": SDP}},
        ),
    ],
)
def test_the_five_actions(request_: AnyRequest, members: dict[str, Any]) -> None:
    assert sent(request_) == members


def test_an_update_is_one_of_its_four_forms() -> None:
    with pytest.raises(ValueError, match="is needed"):
        MediaUpdateRequest(call_id="c_1")
    with pytest.raises(ValueError, match="go together"):
        MediaUpdateRequest(call_id="c_1", sdp=SDP, from_version=1)


def test_a_permission_is_read_with_a_query() -> None:
    request = wire(app_secret="s").encode(PermissionRequest(psid="2 2&"))
    parts = urlsplit(request.target)
    assert (request.verb, request.body, parts.path) == ("GET", None, "/v26.0/1001/messenger_call_permissions")
    assert dict(parse_qsl(parts.query)) == {"psid": "2 2&", "appsecret_proof": proof("s", "EAApage")}


HOURS = CallHours("Asia/Tokyo", (OpenHours(Day.FRIDAY, "0900", "1700"),))
WRITTEN_HOURS = {
    "timezone_id": "Asia/Tokyo",
    "weekly_operating_hours": [{"day_of_week": "FRIDAY", "open_time": "0900", "close_time": "1700"}],
}


@pytest.mark.parametrize(
    ("request_", "members"),
    [
        (SetCallSettingsRequest(audio_enabled=False), {"audio_enabled": False}),
        (
            SetCallSettingsRequest(icon_enabled=True, video_enabled=False, ring_target=RingTarget.META, call_hours=HOURS),
            {
                "icon_enabled": True,
                "video_enabled": False,
                "call_routing": {"ring_target": "META"},
                "call_hours": WRITTEN_HOURS,
            },
        ),
        (
            SetCallSettingsRequest(call_hours=CallHours("UTC", ())),
            {"call_hours": {"timezone_id": "UTC", "weekly_operating_hours": []}},
        ),
        (SetCallSettingsRequest(call_hours=ALWAYS_OPEN), {"call_hours": None}),
    ],
)
def test_a_change_of_settings(request_: AnyRequest, members: dict[str, Any]) -> None:
    """What is not given is not named; hours that go are named `null`."""
    assert sent(request_) == members
    assert urlsplit(wire().encode(request_).target).path == "/v26.0/1001/messenger_call_settings"


def test_a_change_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SetCallSettingsRequest()


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        (
            {"audio_enabled": True, "icon_enabled": False, "video_enabled": True, "call_routing": {"ring_target": "PARTNERS"}},
            CallSettings(True, False, True, RingTarget.PARTNERS, None),
        ),
        ({"video_enabled": "false", "call_hours": WRITTEN_HOURS}, CallSettings(None, None, False, None, HOURS)),
        ({}, CallSettings(None, None, None, None, None)),
    ],
)
def test_settings_that_are_read(body: dict[str, object], settings: CallSettings) -> None:
    """Bare, or in `data`."""
    request = CallSettingsRequest()
    assert wire().encode(request).target == "/v26.0/1001/messenger_call_settings"
    assert wire().decode(request, reply(body)) == wire().decode(request, reply({"data": [body]})) == settings


def test_the_proof_is_that_of_the_platform() -> None:
    """RFC 4231, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert proof("Jefe", "what do ya want for nothing?") == expected
    assert urlsplit(wire(app_secret="s").encode(HANG_UP).target).query == f"appsecret_proof={proof('s', 'EAApage')}"


def test_host_prefix_version_and_page_are_free() -> None:
    elsewhere = wire(base_url="http://[::1]:8080/graph/", version=None, page_id="me")
    assert elsewhere.origin == Origin(False, "::1", 8080, "/graph")
    assert elsewhere.origin.url == "http://[::1]:8080"
    assert elsewhere.encode(HANG_UP).target == "/graph/me/calls"
    assert wire(page_id="a/b?").encode(HANG_UP).target == "/v26.0/a%2Fb%3F/calls"
    assert wire().origin == Origin(True, "graph.facebook.com", 443, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "a b"},
        {"token": "a\r\nX: y"},
        {"token": "ä"},
        {"version": "26.0"},
        {"version": "v26.0/x"},
        {"base_url": "graph.facebook.com"},
        {"base_url": "ftp://host"},
        {"base_url": "https://host/?q"},
    ],
)
def test_what_cannot_be_is_refused_at_once(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        wire(**wrong)


def test_what_may_be_sent_twice() -> None:
    """Where the contract stores the answer, or nothing changes; see docs/client.md."""
    once: list[AnyRequest] = [
        ConnectRequest(to="2", sdp=SDP),
        MediaUpdateRequest(call_id="c_1", sdp=SDP),
        MediaUpdateRequest(call_id="c_1", tracks=[CAMERA]),
    ]
    twice: list[AnyRequest] = [
        AcceptRequest(call_id="c_1", sdp=SDP),
        RejectRequest(call_id="c_1"),
        HANG_UP,
        MediaUpdateRequest(call_id="c_1", sdp=SDP, from_version=0, to_version=1),
        MediaUpdateRequest(call_id="c_1", sdp=SDP, sdp_type=SdpType.ANSWER),
        PermissionRequest(psid="2"),
        CallSettingsRequest(),
        SetCallSettingsRequest(icon_enabled=False),
    ]
    assert [wire().encode(request).may_repeat for request in once] == [False] * 3
    assert [wire().encode(request).may_repeat for request in twice] == [True] * 8
    assert wire().encode_batch(twice).may_repeat
    assert not wire().encode_batch([*twice, once[0]]).may_repeat


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "body", "result"),
    [
        (
            ConnectRequest(to="2", sdp=SDP),
            {"success": True, "call_id": "c_1", "id": "c_1", "session": SESSION},
            Connected("c_1", ANSWER),
        ),
        (
            AcceptRequest(call_id="c_1", sdp=SDP),
            {"success": True, "call_id": "c_1", "session": FOLDED},
            Accepted("c_1", ANSWER, OFFER),
        ),
        (RejectRequest(call_id="c_1"), {"success": True, "call_id": "c_1"}, Ended("c_1")),
        (HANG_UP, {"success": True}, Ended("c_1")),
        (
            MediaUpdateRequest(call_id="c_1", sdp=SDP, from_version=0, to_version=1),
            {"success": True, "call_id": "c_1", "session": {**FOLDED, "version": 2}},
            MediaUpdated("c_1", ANSWER, OFFER, 2),
        ),
        (
            MediaUpdateRequest(call_id="c_1", tracks=[CAMERA]),
            {"success": True, "call_id": "c_1", "version": 7},
            MediaUpdated("c_1", version=7),
        ),
        (MediaUpdateRequest(call_id="c_1", enabled_tracks=[]), {"success": True}, MediaUpdated("c_1")),
        (SetCallSettingsRequest(icon_enabled=False), {"success": True, "result": "success"}, SettingsStored()),
        (SetCallSettingsRequest(icon_enabled=False), {"result": "success"}, SettingsStored()),
    ],
)
def test_success(request_: AnyRequest, body: object, result: object) -> None:
    assert wire().decode(request_, reply(body)) == result


@pytest.mark.parametrize(
    "body",
    [
        {"id": "c_1", "session": {"sdp_response": ANSWER.sdp}},
        {"call_id": "c_1", "session": {"sdp_response": json.dumps({"sdp_type": "ANSWER", "sdp": ANSWER.sdp})}},
        {"call_id": "c_1", "session": json.dumps(SESSION)},
        {"call_id": "c_1", "sdp": ANSWER.sdp, "sdp_type": "answer"},
    ],
)
def test_spellings_of_the_platforms_own_pages(body: object) -> None:
    """messenger-calling 12, rows 5 to 7."""
    assert wire().decode(ConnectRequest(to="2", sdp=SDP), reply(body)) == Connected("c_1", ANSWER)


def test_a_version_that_is_not_told_is_counted() -> None:
    """A folded offer counts as well (messenger-calling 4.1)."""
    request = MediaUpdateRequest(call_id="c_1", sdp=SDP, from_version=3, to_version=4)
    untold = {name: value for name, value in SESSION.items() if name != "version"}
    folded = {name: value for name, value in FOLDED.items() if name != "version"}
    assert wire().decode(request, reply({"session": untold})).version == 4
    assert wire().decode(request, reply({"session": folded})).version == 5


@pytest.mark.parametrize(
    "body",
    [
        {
            "data": [
                {
                    "permission": {"status": "HAS_PERMISSION", "expiration_time": 1745343479},
                    "actions": [
                        {
                            "action_name": "send_call_permission_request",
                            "can_perform": False,
                            "limits": [{"time_period": "PT24H", "max_allowed": 2, "current_usage": 1}],
                        },
                        {"action_name": "start_call", "can_perform": True},
                    ],
                }
            ]
        },
        {
            "permission": {"status": "has_permission", "expiration_time": "1745343479"},
            "actions": [
                {
                    "action_name": "send_call_permission_request",
                    "can_perform_action": False,
                    "limits": [{"time_period": "PT24H", "max_allowed_per_user": 2, "current_usage": 1}],
                },
                {"action_name": "start_call", "can_perform_action": True},
            ],
        },
    ],
)
def test_a_permission_in_both_spellings(body: object) -> None:
    held = wire().decode(PermissionRequest(psid="2"), reply(body))
    request = PermittedAction("send_call_permission_request", False, (Limit("PT24H", 2, 1),))
    assert held == Permission(True, 1745343479, (request, PermittedAction("start_call", True)))
    assert (held.may_call, held.may_request) == (True, False)


def test_no_permission() -> None:
    none = wire().decode(PermissionRequest(psid="2"), reply({"permission": {"status": "NO_PERMISSION"}}))
    assert (none.is_held, none.may_call, none.expires_at) == (False, False, None)


# --- refusals ---------------------------------------------------------------------------------------------------------

NO_CALL = {
    "message": "(#2018390) No such call on this Page.",
    "type": "OAuthException",
    "code": 2018390,
    "error_subcode": 9901001,
    "is_transient": False,
    "error_data": {},
    "error_user_title": "Call unavailable",
    "error_user_msg": "This call can no longer be reached.",
    "fbtrace_id": "Aabc",
}


@pytest.mark.parametrize("body", [{"error": NO_CALL, **NO_CALL}, {"error": NO_CALL}, NO_CALL])
def test_an_error_wrapped_or_bare(body: object) -> None:
    with pytest.raises(e.UnknownCall) as raised:
        wire().decode(HANG_UP, reply(body, 400))
    error = raised.value
    assert (error.http_status, error.code, error.subcode, error.type) == (400, 2018390, 9901001, "OAuthException")
    assert (error.message, error.is_transient, error.fbtrace_id) == (NO_CALL["message"], False, "Aabc")
    assert (error.user_title, error.user_message) == ("Call unavailable", "This call can no longer be reached.")


def test_an_error_in_a_good_answer_is_one() -> None:
    with pytest.raises(e.UnknownCall):
        wire().decode(HANG_UP, reply({"error": NO_CALL}, 200))


@pytest.mark.parametrize("data", ['{"call_id": "c_9"}', {"call_id": "c_9"}])
def test_error_data_is_an_object_or_its_text(data: object) -> None:
    with pytest.raises(e.ConsumerBusy) as raised:
        wire().decode(HANG_UP, reply({"error": {"message": "", "code": 551, "error_subcode": 9901206, "error_data": data}}, 400))
    assert raised.value.call_id == "c_9"


@pytest.mark.parametrize("data", ["", "text", [1], 7])
def test_error_data_that_says_nothing_is_left_out(data: object) -> None:
    with pytest.raises(e.NoToken) as raised:
        wire().decode(HANG_UP, reply({"error": {"message": "", "code": 104, "error_data": data}}, 400))
    assert raised.value.error_data == {}


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        ({"code": 4}, True),
        ({"code": 100}, False),
        ({"code": 100, "is_transient": True}, True),
        ({"code": 1, "is_transient": False}, False),
    ],
)
def test_transient_by_flag_or_else_by_code(error: object, wanted: bool) -> None:
    with pytest.raises(e.GraphError) as raised:
        wire().decode(HANG_UP, reply({"error": error}, 400))
    assert raised.value.is_transient is wanted


def test_a_collision() -> None:
    """messenger-calling 4.3."""
    update = MediaUpdateRequest(call_id="c_1", sdp=SDP, from_version=0, to_version=1)
    with pytest.raises(e.Collision) as raised:
        wire().decode(update, reply({"success": False, "call_id": "c_1", "version": 1}))
    assert (raised.value.current_version, raised.value.http_status, raised.value.code) == (1, 200, None)
    with pytest.raises(e.StaleVersionError):
        wire().decode(update, reply({"success": False}))


def test_an_offer_without_an_answer_is_a_collision() -> None:
    """How the platform's guide tells of one: 200 without SDP. Other forms have no SDP by nature."""
    with pytest.raises(e.Collision) as raised:
        wire().decode(MediaUpdateRequest(call_id="c_1", sdp=SDP), reply({"success": True, "call_id": "c_1"}))
    assert raised.value.current_version is None
    delivered = MediaUpdateRequest(call_id="c_1", sdp=SDP, sdp_type=SdpType.ANSWER)
    assert wire().decode(delivered, reply({"success": True, "version": 3})) == MediaUpdated("c_1", version=3)


def test_success_false_elsewhere() -> None:
    with pytest.raises(e.NotProcessed):
        wire().decode(HANG_UP, reply({"success": False}))


def test_a_result_that_is_a_failure() -> None:
    """What the reference prints for settings that were not stored."""
    with pytest.raises(e.NotProcessed):
        wire().decode(SetCallSettingsRequest(icon_enabled=False), reply({"result": "failure"}))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>502</html>", 502),
        (b"", 200),
        (b"[]", 200),
        (b'"text"', 200),
        (b"\xff", 200),
        (b"[" * 100_000, 200),
        (b"{}", 302),
        (b'{"success":true}', 500),
        (b'{"error":"text"}', 400),
        (b'{"error":{"code":"x"}}', 400),
        (b'{"session":{"sdp_response":{"sdp_type":"answer","sdp":"v=0"}}}', 200),
        (b'{"call_id":"c_1"}', 200),
        (b'{"call_id":"c_1","session":{"sdp_response":{"sdp_type":"pranswer","sdp":"v=0"}}}', 200),
        (b'{"call_id":"c_1","session":[]}', 200),
    ],
)
def test_what_is_no_answer_of_the_api(body: bytes, status: int) -> None:
    with pytest.raises(e.UnreadableReply) as raised:
        wire().decode(ConnectRequest(to="2", sdp=SDP), reply(body, status))
    assert raised.value.http_status == status
    assert len(raised.value.excerpt) <= 200


# --- batch ------------------------------------------------------------------------------------------------------------

TWO: list[AnyRequest] = [HANG_UP, PermissionRequest(psid="2002")]


def test_a_batch_is_a_form_of_forms() -> None:
    """graph-platform 6."""
    request = wire(app_secret="s").encode_batch(
        [*TWO, MediaUpdateRequest(call_id="c_2", tracks=[CAMERA], from_version=0, to_version=1)]
    )
    assert (request.verb, request.target) == ("POST", f"/v26.0/?appsecret_proof={proof('s', 'EAApage')}")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs((request.body or b"").decode())
    assert form["include_headers"] == ["false"]
    first, second, third = json.loads(form["batch"][0])
    assert first["method"] == "POST"
    assert first["relative_url"] == "1001/calls"
    assert dict(parse_qsl(first["body"])) == {"call_id": "c_1", "action": "terminate"}
    assert second == {"method": "GET", "relative_url": "1001/messenger_call_permissions?psid=2002"}
    members = dict(parse_qsl(third["body"]))
    assert json.loads(members["tracks"]) == [{"msid": "s t", "label": "default_video", "status": "disabled"}]
    assert members["from_version"] == "0"


def test_a_batch_gives_results_and_errors_in_order() -> None:
    members = [
        {"code": 200, "body": json.dumps({"success": True, "call_id": "c_1"})},
        {"code": 400, "body": json.dumps({"error": NO_CALL})},
        None,
        {"code": 200, "body": "<html>"},
        {"body": "{}"},
    ]
    results = wire().decode_batch([HANG_UP] * 5, reply(members))
    assert results[0] == Ended("c_1")
    assert [type(each) for each in results[1:]] == [e.UnknownCall, e.NotExecuted, e.UnreadableReply, e.UnreadableReply]


def test_a_batch_that_fails_as_a_whole() -> None:
    with pytest.raises(e.NoToken):
        wire().decode_batch(TWO, reply({"error": {"message": "", "code": 104}}, 400))
    for body in ([None], {"success": True}, b"<html>"):
        with pytest.raises(e.UnreadableReply):
            wire().decode_batch(TWO, reply(body))


def test_a_batch_has_a_limit() -> None:
    wire().encode_batch([HANG_UP] * BATCH_LIMIT)
    with pytest.raises(ValueError, match="at most 50"):
        wire().encode_batch([HANG_UP] * (BATCH_LIMIT + 1))
