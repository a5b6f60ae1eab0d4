"""Events as they come: what the server itself writes, and what others may."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pagecalls.call.settings import CallSettings
from pagecalls.client import webhooks
from pagecalls.client.settings import CallSettings as ClientSettings
from pagecalls.client.webhooks import (
    BadEvent,
    BadSignature,
    CallSettingsUpdate,
    CallStatus,
    CallStatusKind,
    Connect,
    MediaUpdate,
    Outcome,
    PermissionAnswer,
    PermissionReply,
    Terminate,
)
from pagecalls.types import CallHours, Day, Direction, OpenHours, PageId, Platform, Psid, RingTarget, SdpType, Session
from pagecalls.webhooks import payloads
from pagecalls.webhooks.signing import headers

SECRET = "desk-secret"
COMMON: dict[str, Any] = {
    "call_id": "c_1",
    "page_id": "1001",
    "platform": Platform.MESSENGER,
    "timestamp": 1671644824,
    "event_id": "e_1",
}
ITEM = {"id": "c_1", "timestamp": 1671644824, "event_id": "e_1"}
RINGS = {**ITEM, "event": "connect", "to": "1001", "from": "2002", "call_direction": "user_initiated"}
OFFER = Session(SdpType.OFFER, "v=0\r\noffer\r\n")


def body(*items: object, kind: str = "page", **entry: Any) -> bytes:
    return json.dumps({"object": kind, "entry": [{"id": "1001", "time": 1671644824, "calls": [*items], **entry}]}).encode()


@pytest.mark.parametrize(
    ("item", "event"),
    [
        (RINGS, Connect(**COMMON, psid="2002", direction=Direction.USER_INITIATED)),
        (
            {**ITEM, "event": "call_status", "recipient_id": "2002", "call_status": "ringing"},
            CallStatus(**COMMON, psid="2002", status=CallStatusKind.RINGING),
        ),
        (
            {
                **ITEM,
                "event": "media_update",
                "session": {"version": 3, "sdp_renegotiation": {"sdp_type": "offer", "sdp": OFFER.sdp}},
            },
            MediaUpdate(**COMMON, version=3, offer=OFFER),
        ),
        (
            {**ITEM, "event": "terminate", "status": "Completed", "start_time": 10, "end_time": 14, "duration": 4},
            Terminate(**COMMON, outcome=Outcome.COMPLETED, started_at=10, ended_at=14, duration_s=4),
        ),
        (
            {**ITEM, "event": "terminate", "status": "FAILED"},
            Terminate(**COMMON, outcome=Outcome.FAILED, started_at=None, ended_at=None, duration_s=None),
        ),
    ],
)
def test_the_four_events(item: object, event: object) -> None:
    assert webhooks.parse(body(item)) == (event,)


WEEK = (OpenHours(Day.MONDAY, "0900", "1700"), OpenHours(Day.SUNDAY, "0000", "2359"))


@pytest.mark.parametrize(
    ("told", "settings"),
    [
        (CallSettings(True, False, True, RingTarget.PARTNERS), ClientSettings(True, False, True, RingTarget.PARTNERS, None)),
        (
            CallSettings(False, True, False, RingTarget.META, CallHours("UTC", WEEK)),
            ClientSettings(False, True, False, RingTarget.META, CallHours("UTC", WEEK)),
        ),
    ],
)
def test_settings_that_were_changed(told: CallSettings, settings: ClientSettings) -> None:
    """As this server writes it."""
    raw = payloads.call_settings_update(PageId("1001"), told, 1671644824.5)
    assert webhooks.parse(raw) == (CallSettingsUpdate(page_id="1001", timestamp=1671644824, settings=settings),)


def reply(expires_at: float | None, platform: Platform = Platform.MESSENGER) -> bytes:
    """As the server writes it."""
    return payloads.call_permission_reply(platform, PageId("1001"), Psid("2002"), expires_at, 1671644824.9)


def test_an_answer_to_a_permission_request() -> None:
    facts: dict[str, Any] = {"page_id": "1001", "timestamp": 1671644824, "psid": "2002"}
    assert webhooks.parse(reply(1672249624.5)) == (
        PermissionReply(**facts, platform=Platform.MESSENGER, answer=PermissionAnswer.APPROVE, expires_at=1672249624),
    )
    assert webhooks.parse(reply(None, Platform.INSTAGRAM)) == (
        PermissionReply(**facts, platform=Platform.INSTAGRAM, answer=PermissionAnswer.REJECT, expires_at=None),
    )


def test_an_event_that_was_signed_is_received() -> None:
    raw = body(RINGS)
    (event,) = webhooks.receive(SECRET, raw, headers(SECRET, raw)[webhooks.SIGNATURE_HEADER])
    assert isinstance(event, Connect)


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha1=00", "ä", "sha256=" + "0" * 64])
def test_one_that_was_not_is_not(signature: str | None) -> None:
    with pytest.raises(BadSignature):
        webhooks.receive(SECRET, body(RINGS), signature)


def test_the_signature_is_of_these_bytes_and_this_secret() -> None:
    raw = body(RINGS)
    signature = headers(SECRET, raw)[webhooks.SIGNATURE_HEADER]
    for secret, octets in ((SECRET, raw + b" "), ("shop-secret", raw)):
        with pytest.raises(BadSignature):
            webhooks.verify(secret, octets, signature)


def test_strangers_are_left_alone() -> None:
    """Members, kinds of events and whole bodies that this client knows nothing of."""
    plain = webhooks.parse(body(RINGS))
    assert webhooks.parse(body({**RINGS, "colour": [1]}, {**ITEM, "event": "new_kind"}, messaging=[{}])) == plain
    assert webhooks.parse(b'{"object":"page","entry":[{"id":"1","messaging":[{}]}]}') == ()
    assert webhooks.parse(b'{"object":"whatsapp_business_account","entry":[]}') == ()


def test_instagram_and_servers_without_event_ids() -> None:
    item = {name: value for name, value in RINGS.items() if name != "event_id"}
    (event,) = webhooks.parse(body(item, kind="instagram"))
    assert isinstance(event, Connect)
    assert (event.platform, event.event_id) == (Platform.INSTAGRAM, None)


def test_several_events_keep_their_order() -> None:
    first, second = webhooks.parse(body({**RINGS, "event_id": "e_1"}, {**RINGS, "event_id": "e_2"}))
    assert isinstance(first, Connect)
    assert second == replace(first, event_id="e_2")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"object":"page","entry":{}}',
        b'{"object":"page","entry":[[]]}',
        body([]),
        body({"event": "connect"}),
        body({**RINGS, "call_direction": "sideways"}),
        body({**RINGS, "timestamp": "now"}),
        body({**RINGS, "timestamp": True}),
        body({**ITEM, "event": "media_update", "session": {"version": 1}}),
        body(call_settings={"call_routing": {"ring_target": "META"}}),
        body(call_settings={"call_routing": "ELSEWHERE"}),
        body(call_settings={"call_hours": {"timezone_id": "UTC", "weekly_operating_hours": [{"day_of_week": "MONTAG"}]}}),
        body(call_settings=[]),
        reply(1.0).replace(b"approve", b"maybe"),
        reply(1.0).replace(b'"sender"', b'"from"'),
        b'{"object":"page","entry":[{"call_permission_reply":[]}]}',
        body({**ITEM, "event": "media_update", "session": {"sdp_renegotiation": {"sdp_type": "offer", "sdp": "v=0"}}}),
    ],
)
def test_what_breaks_the_contract(raw: bytes) -> None:
    with pytest.raises(BadEvent):
        webhooks.parse(raw)


def test_the_handshake_of_a_subscription() -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "vt"}
    assert webhooks.challenge(query, "vt") == "1158201444"
    for wrong in ({**query, "hub.verify_token": "ä"}, {**query, "hub.mode": "unsubscribe"}, {}):
        with pytest.raises(BadSignature):
            webhooks.challenge(wrong, "vt")
