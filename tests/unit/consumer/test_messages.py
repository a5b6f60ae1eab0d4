"""Every frame that the server sends, letter by letter where the page fixes it."""

from __future__ import annotations

import json

import pytest

from pagecalls.consumer.messages import (
    Accepted,
    AcceptResult,
    Asked,
    ButtonOut,
    Changed,
    Connected,
    EndedOut,
    ErrorCode,
    Incoming,
    Nothing,
    Notification,
    OfferSession,
    PageOut,
    PickUpSession,
    PingResult,
    ReplyResult,
    Result,
    Resumed,
    Ringing,
    SendResult,
    SessionOut,
    StartResult,
    StartSession,
    TrackOut,
    UpdateResult,
    UpdateSession,
    Written,
    answer,
    error_frame,
    notification_frame,
    offer,
    result_frame,
)

ANSWER = {"sdp_type": "answer", "sdp": "a\r\n"}
OFFER = {"sdp_type": "offer", "sdp": "o\r\n"}
NOTIFICATIONS: list[tuple[Notification, str, dict[str, object]]] = [
    (
        Incoming(call_id="c_1", page=PageOut(id="1", name="Tea"), video=False),
        "call.incoming",
        {"call_id": "c_1", "page": {"id": "1", "name": "Tea"}, "video": False},
    ),
    (Ringing(call_id="c_1"), "call.ringing", {"call_id": "c_1"}),
    (
        Accepted(call_id="c_1", session=OfferSession(sdp_renegotiation=SessionOut(sdp_type="offer", sdp="o\r\n"), version=0)),
        "call.accepted",
        {"call_id": "c_1", "session": {"sdp_renegotiation": OFFER, "version": 0}},
    ),
    (Accepted(call_id="c_1"), "call.accepted", {"call_id": "c_1"}),
    (
        Changed(
            call_id="c_1",
            session=OfferSession(sdp_renegotiation=SessionOut(sdp_type="offer", sdp="o\r\n"), version=2),
            tracks=(TrackOut(msid="s t", label="default_video", status="enabled"),),
        ),
        "call.media_update",
        {
            "call_id": "c_1",
            "session": {"sdp_renegotiation": OFFER, "version": 2},
            "tracks": [{"msid": "s t", "label": "default_video", "status": "enabled"}],
        },
    ),
    (Connected(call_id="c_1", connected_at=7), "call.connected", {"call_id": "c_1", "connected_at": 7}),
    (
        EndedOut(call_id="c_1", reason="completed", status="Completed", duration=9),
        "call.ended",
        {"call_id": "c_1", "reason": "completed", "status": "Completed", "duration": 9},
    ),
    (
        EndedOut(call_id="c_1", reason="failed", status="Failed"),
        "call.ended",
        {"call_id": "c_1", "reason": "failed", "status": "Failed"},
    ),
    (Resumed(call_id="c_1", state="ACTIVE"), "call.resumed", {"call_id": "c_1", "state": "ACTIVE"}),
    (
        Asked(request_id="m_1", page=PageOut(id="1", name="Tea"), expires_at=9),
        "permission.request",
        {"request_id": "m_1", "page": {"id": "1", "name": "Tea"}, "expires_at": 9},
    ),
    (Written(message_id="m_1", page_id="1", text="Hello"), "message", {"message_id": "m_1", "page_id": "1", "text": "Hello"}),
    (
        Written(
            message_id="m_1",
            page_id="1",
            buttons=(ButtonOut(type="audio_call", title="Call", expires_at=9), ButtonOut(type="web_url", title="Site")),
        ),
        "message",
        {
            "message_id": "m_1",
            "page_id": "1",
            "buttons": [{"type": "audio_call", "title": "Call", "expires_at": 9}, {"type": "web_url", "title": "Site"}],
        },
    ),
]
RESULTS: list[tuple[Result, dict[str, object]]] = [
    (
        StartResult(call_id="c_1", session=StartSession(sdp_response=answer("a\r\n"))),
        {"call_id": "c_1", "session": {"sdp_response": ANSWER}},
    ),
    (
        AcceptResult(session=PickUpSession(sdp_response=answer("a\r\n"), sdp_renegotiation=offer("o\r\n"), version=0)),
        {"session": {"sdp_response": ANSWER, "sdp_renegotiation": OFFER, "version": 0}},
    ),
    (
        AcceptResult(session=PickUpSession(sdp_response=answer("a\r\n"), sdp_renegotiation=offer(None), version=3)),
        {"session": {"sdp_response": ANSWER, "version": 3}},
    ),
    (
        UpdateResult(
            success=True,
            call_id="c_1",
            session=UpdateSession(sdp_response=answer("a\r\n"), sdp_renegotiation=offer("o\r\n"), version=2),
        ),
        {"success": True, "call_id": "c_1", "session": {"sdp_response": ANSWER, "sdp_renegotiation": OFFER, "version": 2}},
    ),
    (UpdateResult(success=False, call_id="c_1", version=0), {"success": False, "call_id": "c_1", "version": 0}),
    (ReplyResult(expiration_timestamp=9), {"expiration_timestamp": 9}),
    (ReplyResult(), {}),
    (SendResult(message_id="m_1"), {"message_id": "m_1"}),
    (PingResult(time=5), {"time": 5}),
    (Nothing(), {}),
]


@pytest.mark.parametrize(("body", "method", "params"), NOTIFICATIONS)
def test_notification(body: Notification, method: str, params: dict[str, object]) -> None:
    assert json.loads(notification_frame(body)) == {"jsonrpc": "2.0", "method": method, "params": params}


@pytest.mark.parametrize(("result", "shown"), RESULTS)
def test_result(result: Result, shown: dict[str, object]) -> None:
    assert json.loads(result_frame("x", result)) == {"jsonrpc": "2.0", "id": "x", "result": shown}


def test_error_has_the_graph_object_as_data() -> None:
    frame = json.loads(error_frame(None, ErrorCode.REFUSED, "no", {"code": 100, "fbtrace_id": "t"}))
    assert frame == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32000, "message": "no", "data": {"code": 100, "fbtrace_id": "t"}},
    }
