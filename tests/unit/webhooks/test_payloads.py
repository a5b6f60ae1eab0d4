from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagecalls.call.model import Call
from pagecalls.call.settings import CallSettings
from pagecalls.call.states import CallState, EndReason
from pagecalls.types import CallHours, CallId, Day, Direction, OpenHours, PageId, Platform, Psid, RingTarget, SdpType, Session
from pagecalls.webhooks import payloads

NOW = 1_671_644_824.9


def a_call(platform: Platform = Platform.MESSENGER, direction: Direction = Direction.USER_INITIATED) -> Call:
    return Call(CallId("c_abc"), PageId("2001"), Psid("3001"), platform, direction, CallState.RINGING_IN, created_at=NOW)


def ended(reason: EndReason, *, connected_at: float | None, ended_at: float) -> Call:
    return replace(
        a_call(), state=CallState.COMPLETED, end_reason=reason, connected_at=connected_at, ended_at=ended_at, deadlines=()
    )


@pytest.mark.parametrize("direction", list(Direction))
def test_connect_has_the_person_in_from_whoever_called(direction: Direction) -> None:
    assert payloads.connect(a_call(direction=direction), "e1").decode() == (
        '{"object":"page","entry":[{"id":"2001","time":1671644824,"calls":[{"id":"c_abc","to":"2001","from":"3001",'
        f'"event":"connect","timestamp":1671644824,"call_direction":"{direction.value}","event_id":"e1"}}]}}]}}'
    )


def test_call_status() -> None:
    assert payloads.call_status(a_call(), "ringing", "e2", NOW + 1).decode() == (
        '{"object":"page","entry":[{"id":"2001","time":1671644825,"calls":[{"id":"c_abc","event":"call_status",'
        '"timestamp":1671644825,"recipient_id":"3001","call_status":"ringing","event_id":"e2"}]}]}'
    )


def test_media_update() -> None:
    offer = Session(SdpType.OFFER, "v=0\r\ns=- é\r\n")
    assert payloads.media_update(a_call(), 3, offer, "e3", NOW).decode() == (
        '{"object":"page","entry":[{"id":"2001","time":1671644824,"calls":[{"id":"c_abc","event":"media_update",'
        '"timestamp":1671644824,"session":{"version":3,"sdp_renegotiation":{"sdp_type":"offer",'
        '"sdp":"v=0\\r\\ns=- \\u00e9\\r\\n"}},"event_id":"e3"}]}]}'
    )


def test_the_version_can_be_read_from_the_bytes() -> None:
    body = payloads.media_update(a_call(), 3, Session(SdpType.OFFER, "v=0"), "e", NOW)
    assert payloads.version_of(body) == 3


def test_terminate_of_a_connected_call() -> None:
    call = ended(EndReason.COMPLETED, connected_at=NOW + 10, ended_at=NOW + 12.2)
    assert payloads.terminate(call, "e4", NOW + 13).decode() == (
        '{"object":"page","entry":[{"id":"2001","time":1671644837,"calls":[{"id":"c_abc","event":"terminate",'
        '"timestamp":1671644837,"status":"Completed","start_time":1671644834,"end_time":1671644837,"duration":3,'
        '"event_id":"e4"}]}]}'
    )


def test_terminate_of_a_call_that_never_connected_has_no_duration() -> None:
    call = ended(EndReason.FAILED, connected_at=None, ended_at=NOW + 60)
    assert payloads.terminate(call, "e5", NOW + 60).decode() == (
        '{"object":"page","entry":[{"id":"2001","time":1671644884,"calls":[{"id":"c_abc","event":"terminate",'
        '"timestamp":1671644884,"status":"Failed","start_time":1671644824,"end_time":1671644884,"event_id":"e5"}]}]}'
    )


@pytest.mark.parametrize("reason", list(EndReason))
def test_status_is_one_of_two_words(reason: EndReason) -> None:
    body = json.loads(payloads.terminate(ended(reason, connected_at=None, ended_at=NOW + 1), "e", NOW + 1))
    failures = {EndReason.FAILED, EndReason.MEDIA_TIMEOUT, EndReason.CONNECTION_LOST, EndReason.SERVER_ERROR}
    assert body["entry"][0]["calls"][0]["status"] == ("Failed" if reason in failures else "Completed")


@given(st.floats(1e9, 2e9), st.floats(0, 90_000))
def test_start_end_and_duration_fit_together(connected_at: float, length_s: float) -> None:
    call = ended(EndReason.COMPLETED, connected_at=connected_at, ended_at=connected_at + length_s)
    item = json.loads(payloads.terminate(call, "e", connected_at + length_s))["entry"][0]["calls"][0]
    assert item["end_time"] - item["start_time"] == item["duration"] >= max(1, length_s - 1e-3)
    assert item["start_time"] == int(connected_at)


def test_terminate_of_a_live_call_is_our_fault() -> None:
    with pytest.raises(ValueError, match="not ended"):
        payloads.terminate(a_call(), "e", NOW)


@pytest.mark.parametrize(
    ("platform", "name"),
    [(Platform.MESSENGER, "page"), (Platform.INSTAGRAM, "instagram"), (Platform.WHATSAPP, "whatsapp_business_account")],
)
def test_the_object_follows_the_platform(platform: Platform, name: str) -> None:
    assert payloads.object_of(platform) == name
    assert json.loads(payloads.connect(a_call(platform), "e"))["object"] == name


@given(st.text())
def test_bodies_are_compact_ascii_with_lower_case_escapes(text: str) -> None:
    body = payloads.media_update(a_call(), 1, Session(SdpType.OFFER, text), "e", NOW)
    assert body.isascii()
    assert body == json.dumps(json.loads(body), separators=(",", ":")).encode()


def test_slashes_and_markup_are_not_escaped_and_astral_characters_are_pairs() -> None:
    body = payloads.media_update(a_call(), 1, Session(SdpType.OFFER, "a/b<c>%@ \U0001f4de"), "e", NOW)
    assert b'"sdp":"a/b<c>%@ \\ud83d\\udcde"' in body


HOURS = CallHours("Europe/Berlin", (OpenHours(Day.MONDAY, "0900", "1700"), OpenHours(Day.SUNDAY, "0000", "2359")))


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        (None, ""),
        (CallHours("UTC", ()), ',"call_hours":{"timezone_id":"UTC","weekly_operating_hours":[]}'),
        (
            HOURS,
            ',"call_hours":{"timezone_id":"Europe/Berlin","weekly_operating_hours":['
            '{"day_of_week":"MONDAY","open_time":"0900","close_time":"1700"},'
            '{"day_of_week":"SUNDAY","open_time":"0000","close_time":"2359"}]}',
        ),
    ],
)
def test_call_settings_update(hours: CallHours | None, shown: str) -> None:
    """messenger-calling 7.7: the ring target bare, hours only if there are some, nothing of a person."""
    settings = CallSettings(True, False, True, RingTarget.PARTNERS, hours)
    assert payloads.call_settings_update(PageId("2001"), settings, NOW).decode() == (
        '{"object":"page","entry":[{"id":"2001","time":1671644824,"call_settings":{"audio_enabled":true,"icon_enabled":false,'
        f'"video_enabled":true,"call_routing":"PARTNERS"{shown}}}}}]}}'
    )


def test_call_permission_reply() -> None:
    """On the entry itself, with no second copy (12, row 21); seconds are whole."""
    approved = payloads.call_permission_reply(Platform.MESSENGER, PageId("1001"), Psid("2002"), 1672249624.9, 1671644824.9)
    assert approved == (
        b'{"object":"page","entry":[{"id":"1001","time":1671644824,"sender":{"id":"2002"},"recipient":{"id":"1001"},'
        b'"timestamp":1671644824,"call_permission_reply":{"response":"approve","expiration_timestamp":1672249624}}]}'
    )
    rejected = json.loads(payloads.call_permission_reply(Platform.INSTAGRAM, PageId("1001"), Psid("2002"), None, 1.0))
    assert rejected["object"] == "instagram"
    assert rejected["entry"][0]["call_permission_reply"] == {"response": "reject"}


@given(st.text())
def test_four_characters_are_escaped_on_demand_and_mean_the_same(text: str) -> None:
    plain = payloads.media_update(a_call(), 1, Session(SdpType.OFFER, text), "e", 1.0)
    escaped = payloads.with_escaped_slashes(plain)
    assert json.loads(escaped) == json.loads(plain)
    assert not set(b"<%@") & set(escaped)
    assert escaped.count(b"/") == escaped.count(b"\\/")


def test_how_the_four_are_escaped() -> None:
    body = payloads.media_update(a_call(), 1, Session(SdpType.OFFER, "a/b<c%d@e"), "e", 1.0)
    assert b"a\\/b\\u003Cc\\u0025d\\u0040e" in payloads.with_escaped_slashes(body)


def test_the_sample_is_the_end_of_no_call() -> None:
    body = json.loads(payloads.sample("instagram", "e7", 12.9))
    assert (body["object"], body["entry"][0]["id"], body["entry"][0]["time"]) == ("instagram", "0", 12)
    (item,) = body["entry"][0]["calls"]
    assert (item["id"], item["event"], item["event_id"], item["status"]) == ("c_test", "terminate", "e7", "Completed")
