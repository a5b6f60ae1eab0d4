"""One request to one reply."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from pagecalls.call.states import EndReason
from pagecalls.call.versions import Advance
from pagecalls.clock import SteppedClock
from pagecalls.consumer.dispatch import Dispatcher
from pagecalls.errors import (
    CallingOff,
    ConsumerBusy,
    InvalidValue,
    MalformedSdp,
    NotOffered,
    Unavailable,
    UnknownCall,
)
from pagecalls.switchboard.base import CallReply, MediaUpdateRequest
from pagecalls.types import CallId, PageId, SdpType, Session, Track, TrackLabel, TrackStatus
from tests.unit.consumer.support import ADA, OFFER, RecordingDoor, table

ANSWER = {"sdp_type": "answer", "sdp": "v=0 answer"}


def dispatcher(door: RecordingDoor) -> Dispatcher:
    return Dispatcher(door, ADA, SteppedClock(1_790_000_000.25), table)


async def reply(door: RecordingDoor, method: str, **params: object) -> Mapping[str, object]:
    """The members of the reply but the two that every reply has."""
    answered = await dispatcher(door).serve(json.dumps({"jsonrpc": "2.0", "id": "q", "method": method, "params": params}))
    assert answered.frame is not None
    message: dict[str, object] = json.loads(answered.frame)
    assert (message.pop("jsonrpc"), message.pop("id")) == ("2.0", "q")
    return message


async def error(door: RecordingDoor, method: str, **params: object) -> Mapping[str, object]:
    message = (await reply(door, method, **params))["error"]
    assert isinstance(message, dict)
    return message


async def test_start() -> None:
    door = RecordingDoor()
    tracks = [{"msid": "s t", "label": "default_audio"}]
    assert await reply(door, "call.start", page_id="1001", session=OFFER, tracks=tracks) == {
        "result": {"call_id": "c_1", "session": {"sdp_response": ANSWER}}
    }
    session = Session(SdpType.OFFER, "v=0\r\n")
    assert door.asked == [("start", PageId("1001"), session, (Track("s t", TrackLabel.DEFAULT_AUDIO),))]


async def test_accept_hands_its_release_on() -> None:
    door = RecordingDoor()
    text = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "call.accept", "params": {"call_id": "c_1", "session": OFFER}},
    )
    answered = await dispatcher(door).serve(text)
    assert json.loads(answered.frame or "")["result"] == {
        "session": {"sdp_response": ANSWER, "sdp_renegotiation": {"sdp_type": "offer", "sdp": "v=0 offer"}, "version": 0}
    }
    assert door.released == []
    answered.release()
    assert door.released == ["accept"]


@pytest.mark.parametrize(
    ("method", "params", "asked"),
    [
        ("call.decline", {}, ("decline", CallId("c_1"))),
        ("call.hangup", {}, ("hangup", CallId("c_1"))),
        ("call.dtmf", {"digits": "1#"}, ("dtmf", CallId("c_1"), "1#")),
        ("call.stats", {"stats": {"rtt": 3}}, ("stats", CallId("c_1"), {"rtt": 3})),
        (
            "call.answer",
            {"version": 4, "session": ANSWER},
            ("answer", CallId("c_1"), 4, Session(SdpType.ANSWER, "v=0 answer")),
        ),
    ],
)
async def test_actions_with_an_empty_result(method: str, params: dict[str, object], asked: tuple[object, ...]) -> None:
    door = RecordingDoor()
    assert await reply(door, method, call_id="c_1", **params) == {"result": {}}
    assert door.asked == [asked]


async def test_a_call_by_a_button() -> None:
    door = RecordingDoor()
    await reply(door, "call.start", page_id="1001", session=OFFER, message_id="m_1")
    assert door.asked[0][-1] == "m_1"


@pytest.mark.parametrize(
    ("method", "params", "asked", "result"),
    [
        (
            "permission.reply",
            {"request_id": "m_1", "response": "approve"},
            ("permission_reply", "m_1", True),
            {"expiration_timestamp": 1_790_604_800},
        ),
        ("permission.reply", {"request_id": "m_1", "response": "reject"}, ("permission_reply", "m_1", False), {}),
        ("permission.revoke", {"page_id": "1001"}, ("permission_revoke", PageId("1001")), {}),
        ("message.send", {"page_id": "1001", "text": "Hello"}, ("message_send", PageId("1001"), "Hello"), {"message_id": "m_1"}),
    ],
)
async def test_permission_and_messages(
    method: str, params: dict[str, object], asked: tuple[object, ...], result: dict[str, object]
) -> None:
    door = RecordingDoor()
    assert await reply(door, method, **params) == {"result": result}
    assert door.asked == [asked]


async def test_the_webhook_of_an_answer_waits_for_the_reply() -> None:
    door = RecordingDoor()
    params = {"request_id": "m_1", "response": "approve"}
    answered = await dispatcher(door).serve(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "permission.reply", "params": params})
    )
    assert door.released == []
    answered.release()
    assert door.released == ["permission_reply"]


async def test_ping_tells_the_time_in_milliseconds() -> None:
    assert await reply(RecordingDoor(), "ping") == {"result": {"time": 1_790_000_000_250}}


ANSWERED = {"sdp_type": "answer", "sdp": "a"}
OFFERED = {"sdp_type": "offer", "sdp": "o"}


@pytest.mark.parametrize(
    ("updated", "result"),
    [
        (CallReply(CallId("c_1"), "a", None, 2), {"success": True, "session": {"sdp_response": ANSWERED, "version": 2}}),
        (
            CallReply(CallId("c_1"), "a", "o", 3),
            {"success": True, "session": {"sdp_response": ANSWERED, "sdp_renegotiation": OFFERED, "version": 3}},
        ),
        (CallReply(CallId("c_1"), version=4), {"success": True, "version": 4}),
        (CallReply(CallId("c_1"), version=5, is_collision=True), {"success": False, "version": 5}),
    ],
)
async def test_media_update_is_answered_as_on_the_graph_side(updated: CallReply, result: dict[str, object]) -> None:
    door = RecordingDoor(updated=updated)
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "call.media_update", "params": {"call_id": "c_1", "session": OFFER}})
    answered = await dispatcher(door).serve(text)
    assert json.loads(answered.frame or "")["result"] == {"call_id": "c_1", **result}
    assert door.released == []
    answered.release()
    assert door.released == ["media_update"]


async def test_what_media_update_asks() -> None:
    door = RecordingDoor()
    track = {"msid": "s t", "label": "default_video", "status": "disabled"}
    for params in (
        {"session": OFFER, "tracks": [track], "from_version": 0, "to_version": 1},
        {"tracks": [track]},
        {"session": OFFER | {"sdp_type": "answer"}},
        {"session": {"sdp_type": "offer"}},
    ):
        await reply(door, "call.media_update", call_id="c_1", **params)
    tracks = (Track("s t", TrackLabel.DEFAULT_VIDEO, TrackStatus.DISABLED),)
    call_id = CallId("c_1")
    assert [asked[1] for asked in door.asked] == [
        MediaUpdateRequest(call_id, Session(SdpType.OFFER, "v=0\r\n"), tracks, advance=Advance(0, 1)),
        MediaUpdateRequest(call_id, None, tracks),
        MediaUpdateRequest(call_id, Session(SdpType.ANSWER, "v=0\r\n")),
        MediaUpdateRequest(call_id, None),
    ]


@pytest.mark.parametrize("cause", [UnknownCall(), MalformedSdp(3, "no"), Unavailable()])
async def test_a_refusal_carries_the_graph_object(cause: Exception) -> None:
    fault = await error(RecordingDoor(fault=cause), "call.hangup", call_id="c_1")
    assert fault == {"code": -32000, "message": str(cause), "data": table(cause)}


async def test_a_bad_parameter_that_the_door_finds() -> None:
    fault = await error(RecordingDoor(fault=InvalidValue("digits")), "call.dtmf", call_id="c_1", digits="1")
    assert fault["code"] == -32602


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (NotOffered(EndReason.OUTSIDE_CALL_HOURS.value), "outside_call_hours"),
        (ConsumerBusy(None), "busy"),
        (CallingOff(), "calling_disabled"),
    ],
)
async def test_a_call_that_the_page_does_not_take_says_why(cause: Exception, reason: str) -> None:
    fault = await error(RecordingDoor(fault=cause), "call.start", page_id="1001", session=OFFER)
    assert fault["code"] == -32000
    assert fault["data"] == {**table(cause), "reason": reason}


async def test_other_refusals_of_a_start_have_no_reason() -> None:
    fault = await error(RecordingDoor(fault=MalformedSdp(1, "no")), "call.start", page_id="1001", session=OFFER)
    assert fault["data"] == table(MalformedSdp(1, "no"))


async def test_our_own_fault_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    fault = await error(RecordingDoor(fault=KeyError("secret")), "call.hangup", call_id="c_1")
    assert fault["code"] == -32603
    assert "secret" not in json.dumps(fault)
    assert "call.hangup failed" in caplog.text


async def test_a_notification_is_done_and_not_answered() -> None:
    door = RecordingDoor()
    answered = await dispatcher(door).serve('{"jsonrpc":"2.0","method":"call.hangup","params":{"call_id":"c_1"}}')
    assert answered.frame is None
    assert door.asked == [("hangup", CallId("c_1"))]


async def test_a_failing_notification_is_not_answered() -> None:
    answered = await dispatcher(RecordingDoor(fault=UnknownCall())).serve(
        '{"jsonrpc":"2.0","method":"call.hangup","params":{"call_id":"c_1"}}'
    )
    assert answered.frame is None


async def test_a_binary_frame_is_unreadable() -> None:
    answered = await dispatcher(RecordingDoor()).serve(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert json.loads(answered.frame or "")["error"]["code"] == -32700
