"""What a device may send, and what each fault earns."""

from __future__ import annotations

import json

import pytest

from pagecalls.consumer import protocol
from pagecalls.consumer.messages import (
    AcceptParams,
    DtmfParams,
    ErrorCode,
    MediaUpdateParams,
    Method,
    PingParams,
    ReplyParams,
    SessionIn,
    StartParams,
    StatsParams,
    TrackIn,
)
from pagecalls.consumer.protocol import Refused, Request
from pagecalls.errors import ConnectionFault, InvalidValue, MissingParameter, UnknownPath, UnusableConnection
from pagecalls.types import SdpType, Session, Track, TrackLabel, TrackStatus

OFFER = {"sdp_type": "offer", "sdp": "v=0\r\n"}
START = {"page_id": "1001", "session": OFFER}


def frame(method: object, params: object = None, **more: object) -> str:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, **more}
    return json.dumps(message if params is None else message | {"params": params})


def accepted(text: str) -> Request:
    request = protocol.decode(text)
    assert isinstance(request, Request), request
    return request


def refused(text: str) -> Refused:
    fault = protocol.decode(text)
    assert isinstance(fault, Refused), fault
    return fault


def test_words_are_taken_in_any_case() -> None:
    """As on the Graph side, whose errors show them in upper case (messenger-calling 1.1)."""
    assert protocol.is_approval(ReplyParams(request_id="m_1", response="APPROVE"))
    assert protocol.offer_of(SessionIn(sdp_type="Offer", sdp="v=0")).sdp_type is SdpType.OFFER
    assert protocol.answer_of(SessionIn(sdp_type="ANSWER", sdp="v=0")).sdp_type is SdpType.ANSWER
    (track,) = protocol.tracks_of([TrackIn(msid="s t", label="DEFAULT_VIDEO", status="Disabled")])
    assert (track.label, track.status) == (TrackLabel.DEFAULT_VIDEO, TrackStatus.DISABLED)
    update = accepted(frame("call.media_update", {"call_id": "c_1", "session": {"sdp_type": "ANSWER", "sdp": "v=0"}}))
    assert isinstance(update.params, MediaUpdateParams)
    asked = protocol.update_of(update.params).session
    assert asked is not None
    assert asked.sdp_type is SdpType.ANSWER


def test_a_request_is_typed() -> None:
    request = accepted(frame("call.start", START | {"tracks": [{"msid": "s t", "label": "default_audio"}]}))
    assert request == Request(
        1,
        True,
        Method.CALL_START,
        StartParams(
            page_id="1001",
            session=SessionIn(sdp_type="offer", sdp="v=0\r\n"),
            tracks=[TrackIn(msid="s t", label="default_audio")],
        ),
    )


@pytest.mark.parametrize("request_id", ["seven", 7, -1, 7.5, None])
def test_ids_of_every_legal_kind_come_back(request_id: object) -> None:
    request = accepted(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "ping"}))
    assert request.id == request_id
    assert request.wants_reply


def test_without_id_nobody_wants_a_reply() -> None:
    request = accepted('{"jsonrpc":"2.0","method":"ping"}')
    assert not request.wants_reply
    assert request.params == PingParams()


@pytest.mark.parametrize("method", Method)
def test_every_method_has_a_legal_form(method: Method) -> None:
    params = START | {"call_id": "c", "digits": "1,A#*", "version": 1, "from_version": 0, "to_version": 1, "stats": {"x": [1]}}
    params |= {"request_id": "m_1", "response": "reject", "text": "Hello", "message_id": "m_2"}
    if method is Method.CALL_ANSWER:
        params |= {"session": OFFER | {"sdp_type": "answer"}}
    assert accepted(frame(method.value, params)).method is method


@pytest.mark.parametrize("method", ["call.fly", "message", ""])
def test_methods_that_are_not_served(method: str) -> None:
    fault = refused(frame(method, {}))
    assert (fault.code, fault.id, type(fault.cause)) == (ErrorCode.UNKNOWN_METHOD, 1, UnknownPath)


@pytest.mark.parametrize(("response", "is_approval"), [("approve", True), ("reject", False)])
def test_an_answer_to_a_request(response: str, is_approval: bool) -> None:
    params = accepted(frame("permission.reply", {"request_id": "m_1", "response": response})).params
    assert isinstance(params, ReplyParams)
    assert (params.request_id, protocol.is_approval(params)) == ("m_1", is_approval)


@pytest.mark.parametrize(
    "text", ["", "{", "call", "[" * 100_000, '{"a":"\\ud800"}', "\ud800", '{"jsonrpc":"2.0"}x', "1" * 5000 + "x"]
)
def test_what_is_not_json(text: str) -> None:
    fault = refused(text)
    assert (fault.code, fault.id, fault.wants_reply) == (ErrorCode.UNREADABLE, None, True)


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        ("[]", None),
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', None),
        ("null", None),
        ('"ping"', None),
        ('{"id":1,"method":"ping"}', 1),
        ('{"jsonrpc":"1.0","id":1,"method":"ping"}', 1),
        ('{"jsonrpc":"2.0","id":1}', 1),
        ('{"jsonrpc":"2.0","id":1,"method":5}', 1),
        ('{"jsonrpc":"2.0","id":true,"method":"ping"}', None),
        ('{"jsonrpc":"2.0","id":{},"method":"ping"}', None),
        ('{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}', None),
        (json.dumps({"jsonrpc": "2.0", "id": "x" * 257, "method": "ping"}), None),
    ],
)
def test_what_is_no_request(text: str, request_id: object) -> None:
    fault = refused(text)
    assert (fault.code, fault.id, fault.wants_reply) == (ErrorCode.INVALID_REQUEST, request_id, True)


@pytest.mark.parametrize(
    ("method", "params", "parameter"),
    [
        ("call.start", {"session": OFFER}, "page_id"),
        ("call.accept", {"session": OFFER}, "call_id"),
        ("call.dtmf", {"call_id": "c"}, "digits"),
        ("call.stats", {"call_id": "c"}, "stats"),
        ("call.media_update", {"call_id": "c"}, "session"),
        ("call.hangup", None, "call_id"),
        ("permission.reply", {"response": "approve"}, "request_id"),
        ("permission.reply", {"request_id": "m_1"}, "response"),
        ("permission.revoke", {}, "page_id"),
        ("message.send", {"page_id": "1"}, "text"),
        ("message.send", {"text": "Hello"}, "page_id"),
    ],
)
def test_a_missing_parameter_is_named(method: str, params: object, parameter: str) -> None:
    fault = refused(frame(method, params))
    assert fault.code is ErrorCode.INVALID_PARAMS
    assert isinstance(fault.cause, MissingParameter)
    assert fault.cause.parameter == parameter


@pytest.mark.parametrize(
    ("method", "params", "parameter"),
    [
        ("call.hangup", ["c_1"], "params"),
        ("call.hangup", {"call_id": 5}, "call_id"),
        ("call.hangup", {"call_id": ""}, "call_id"),
        ("call.hangup", {"call_id": "x" * 129}, "call_id"),
        ("call.start", START | {"page_id": "me"}, "page_id"),
        ("call.start", START | {"page_id": "1001\n"}, "page_id"),
        ("call.start", START | {"session": "v=0"}, "session"),
        ("call.start", START | {"tracks": [{"msid": "m"}]}, "tracks"),
        ("call.start", START | {"tracks": [{"msid": "m", "label": "voice"}]}, "tracks[0].label"),
        ("call.start", START | {"tracks": [{"msid": "m", "label": "default_audio", "status": "on"}]}, "tracks[0].status"),
        ("call.start", START | {"message_id": ""}, "message_id"),
        ("call.start", START | {"message_id": 5}, "message_id"),
        ("permission.reply", {"request_id": "m_1", "response": "maybe"}, "response"),
        ("permission.reply", {"request_id": "m_1", "response": True}, "response"),
        ("permission.reply", {"request_id": "", "response": "approve"}, "request_id"),
        ("permission.revoke", {"page_id": "me"}, "page_id"),
        ("message.send", {"page_id": "1", "text": ""}, "text"),
        ("message.send", {"page_id": "1", "text": "x" * 2001}, "text"),
        ("message.send", {"page_id": "x", "text": "Hello"}, "page_id"),
        ("call.dtmf", {"call_id": "c", "digits": ""}, "digits"),
        ("call.dtmf", {"call_id": "c", "digits": "12E"}, "digits"),
        ("call.dtmf", {"call_id": "c", "digits": "12\n"}, "digits"),
        ("call.answer", {"call_id": "c", "version": -1, "session": OFFER}, "version"),
        ("call.media_update", {"call_id": "c", "session": OFFER, "from_version": 0}, "to_version"),
        ("call.media_update", {"call_id": "c", "session": OFFER, "to_version": 1}, "from_version"),
        ("call.media_update", {"call_id": "c", "session": OFFER, "from_version": -1, "to_version": 0}, "from_version"),
        ("call.media_update", {"call_id": "c", "session": OFFER, "from_version": "0", "to_version": 1}, "from_version"),
        ("call.media_update", {"call_id": "c", "tracks": [{"msid": "m", "label": "voice"}]}, "tracks[0].label"),
    ],
)
def test_a_bad_parameter_is_named(method: str, params: object, parameter: str) -> None:
    fault = refused(frame(method, params))
    assert fault.code is ErrorCode.INVALID_PARAMS
    assert isinstance(fault.cause, InvalidValue)
    assert fault.cause.parameter == parameter


@pytest.mark.parametrize("session", [None, {}, {"sdp_type": "offer"}])
def test_a_call_needs_a_description(session: object) -> None:
    fault = refused(frame("call.start", {"page_id": "1", "session": session}))
    assert isinstance(fault.cause, UnusableConnection)
    assert fault.cause.fault is ConnectionFault.SESSION_ABSENT


@pytest.mark.parametrize(
    ("method", "sdp_type"),
    [("call.start", "answer"), ("call.accept", "pranswer"), ("call.answer", "offer"), ("call.media_update", "rollback")],
)
def test_the_description_must_be_of_the_right_type(method: str, sdp_type: str) -> None:
    params = {"page_id": "1", "call_id": "c", "version": 0, "session": {"sdp_type": sdp_type, "sdp": "v=0"}}
    fault = refused(frame(method, params))
    assert isinstance(fault.cause, UnusableConnection)
    assert fault.cause.fault is ConnectionFault.WRONG_SDP_TYPE


def test_a_faulty_notification_earns_no_reply() -> None:
    assert not refused('{"jsonrpc":"2.0","method":"call.hangup","params":{}}').wants_reply


def test_members_that_we_do_not_know_are_ignored() -> None:
    assert accepted(frame("call.dtmf", {"call_id": "c", "digits": "1", "volume": 3})).params == DtmfParams(
        call_id="c", digits="1"
    )


def test_stats_may_have_any_shape() -> None:
    assert accepted(frame("call.stats", {"call_id": "c", "stats": [1, {"a": None}]})).params == StatsParams(
        call_id="c", stats=[1, {"a": None}]
    )


def test_descriptions_and_tracks_become_our_own_words() -> None:
    params = accepted(
        frame(
            "call.accept",
            {"call_id": "c", "session": OFFER, "tracks": [{"msid": "s t", "label": "screen_video", "status": "disabled"}]},
        )
    ).params
    assert isinstance(params, AcceptParams)
    assert protocol.offer_of(params.session) == Session(SdpType.OFFER, "v=0\r\n")
    assert protocol.tracks_of(params.tracks) == (Track("s t", TrackLabel.SCREEN_VIDEO, TrackStatus.DISABLED),)
