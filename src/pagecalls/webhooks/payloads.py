"""A fact about a call, or about a Page, as the exact bytes of its webhook (messenger-calling 7, graph-platform 7.5 and 7.6).

Bodies are compact ASCII JSON: receivers that parse and serialise again still match the signature. One event, one entry and one
call item per body, because popular clients read only the first. Pure; wire names live here and nowhere else in the folder.
"""

from __future__ import annotations

import json
from typing import assert_never

from pagecalls.call.model import Call
from pagecalls.call.settings import CallSettings
from pagecalls.types import PageId, Platform, Psid, Session

Item = dict[str, object]
"""One entry of `calls[]`, or another object of a body."""


def object_of(platform: Platform) -> str:
    """The subscription object that events of this platform go out under (ruling 6)."""
    match platform:
        case Platform.MESSENGER:
            return "page"
        case Platform.INSTAGRAM:
            return "instagram"
        case Platform.WHATSAPP:
            return "whatsapp_business_account"
        case _:
            assert_never(platform)


def connect(call: Call, event_id: str) -> bytes:
    """`connect` (7.2). The consumer stands in `from` and the Page in `to`, whoever called; the time is the call's start."""
    started = int(call.created_at)
    item: Item = {
        "id": call.id,
        "to": call.page_id,
        "from": call.psid,
        "event": "connect",
        "timestamp": started,
        "call_direction": call.direction.value,
        "event_id": event_id,
    }
    return _body(call, item, started)


def call_status(call: Call, status: str, event_id: str, now: float) -> bytes:
    """`call_status` (7.3). `status` is `ringing` or `accepted`."""
    item: Item = {
        "id": call.id,
        "event": "call_status",
        "timestamp": int(now),
        "recipient_id": call.psid,
        "call_status": status,
        "event_id": event_id,
    }
    return _body(call, item, int(now))


def media_update(call: Call, version: int, session: Session, event_id: str, now: float) -> bytes:
    """`media_update` (7.4). `session` is the server's offer that the owner is to apply as `version`."""
    item: Item = {
        "id": call.id,
        "event": "media_update",
        "timestamp": int(now),
        "session": {
            "version": version,
            "sdp_renegotiation": {"sdp_type": session.sdp_type.value, "sdp": session.sdp},
        },
        "event_id": event_id,
    }
    return _body(call, item, int(now))


def version_of(body: bytes) -> int:
    """The version in a body that `media_update` made."""
    version: int = json.loads(body)["entry"][0]["calls"][0]["session"]["version"]
    return version


def terminate(call: Call, event_id: str, now: float) -> bytes:
    """`terminate` (7.5). Raises `ValueError` for a call that has not ended.

    For a connected call `end_time - start_time == duration`, so the end is counted from the start (3.1).
    """
    if call.end_reason is None or call.ended_at is None:
        raise ValueError(f"the call has not ended: {call.state}")
    item: Item = {
        "id": call.id,
        "event": "terminate",
        "timestamp": int(now),
        "status": "Failed" if call.end_reason.is_failure else "Completed",
    }
    if call.connected_at is None or call.duration_s is None:
        item |= {"start_time": int(call.created_at), "end_time": int(call.ended_at)}
    else:
        start = int(call.connected_at)
        item |= {"start_time": start, "end_time": start + call.duration_s, "duration": call.duration_s}
    item["event_id"] = event_id
    return _body(call, item, int(now))


def call_permission_reply(platform: Platform, page_id: PageId, psid: Psid, expires_at: float | None, now: float) -> bytes:
    """`call_permission_reply` (7.6), on the entry itself and nowhere else (12, row 21). `expires_at` `None`: rejected."""
    reply: Item = {"response": "reject"}
    if expires_at is not None:
        reply = {"response": "approve", "expiration_timestamp": int(expires_at)}
    entry: Item = {
        "id": page_id,
        "time": int(now),
        "sender": {"id": psid},
        "recipient": {"id": page_id},
        "timestamp": int(now),
        "call_permission_reply": reply,
    }
    return _json({"object": object_of(platform), "entry": [entry]})


def call_settings_update(page_id: PageId, settings: CallSettings, now: float) -> bytes:
    """`call_settings_update` (7.7): all that holds now. The ring target stands bare here, and nowhere else."""
    item: Item = {
        "audio_enabled": settings.audio_enabled,
        "icon_enabled": settings.icon_enabled,
        "video_enabled": settings.video_enabled,
        "call_routing": settings.ring_target,
    }
    if settings.call_hours is not None:
        hours = [
            {"day_of_week": each.day_of_week, "open_time": each.open_time, "close_time": each.close_time}
            for each in settings.call_hours.weekly
        ]
        item["call_hours"] = {"timezone_id": settings.call_hours.timezone_id, "weekly_operating_hours": hours}
    return _json({"object": "page", "entry": [{"id": page_id, "time": int(now), "call_settings": item}]})


def sample(object_: str, event_id: str, now: float) -> bytes:
    """An event that nobody need act on, to try a callback: the end of a call of Page 0 that never was."""
    moment = int(now)
    item: Item = {
        "id": "c_test",
        "event": "terminate",
        "timestamp": moment,
        "status": "Completed",
        "start_time": moment,
        "end_time": moment,
        "event_id": event_id,
    }
    return _json({"object": object_, "entry": [{"id": "0", "time": moment, "calls": [item]}]})


def with_escaped_slashes(body: bytes) -> bytes:
    """The same JSON with `/`, `<`, `%` and `@` escaped, as an older platform wrote it (graph-platform 7.6). They stand in texts
    only, so their bytes can be replaced wherever they are."""
    for plain, escaped in ((b"/", b"\\/"), (b"<", b"\\u003C"), (b"%", b"\\u0025"), (b"@", b"\\u0040")):
        body = body.replace(plain, escaped)
    return body


def _body(call: Call, item: Item, time: int) -> bytes:
    return _json({"object": object_of(call.platform), "entry": [{"id": call.page_id, "time": time, "calls": [item]}]})


def _json(envelope: Item) -> bytes:
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=True).encode("ascii")
