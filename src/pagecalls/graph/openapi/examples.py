"""A request for each action, ready to be sent, and answers as they come back. Ids are those of development mode.

The offer is whole and legal, so `connect` really starts a call with it; but nobody stands behind its credentials: no media comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pagecalls.call.states import Action
from pagecalls.errors import NoPermission, UnknownCall
from pagecalls.graph.envelope import error_body, error_object
from pagecalls.http import Json, JsonObject

PSID = "1618033988749894"
CALL_ID = "c_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
TRACE_ID = "A0123456789abcdefghijkl"
_FINGERPRINT = ":".join(f"{byte:02X}" for byte in range(32))

OFFER = "".join(
    f"{line}\r\n"
    for line in (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendrecv",
        "a=msid:page microphone",
        "a=rtcp-mux",
        "a=setup:actpass",
        "a=ice-ufrag:page",
        "a=ice-pwd:thisPasswordIsAnExample0",
        f"a=fingerprint:sha-256 {_FINGERPRINT}",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=rtpmap:111 opus/48000/2",
    )
)

_SESSION: JsonObject = {"sdp_type": "offer", "sdp": OFFER}
_MUTE: Json = [{"msid": "page microphone", "label": "default_audio", "status": "disabled"}]


@dataclass(frozen=True, slots=True)
class Example:
    """A body, and what it is good for."""

    text: str
    body: JsonObject


REQUESTS: Mapping[Action, Example] = MappingProxyType(
    {
        Action.CONNECT: Example("Call a person", {"platform": "messenger", "action": "connect", "to": PSID, "session": _SESSION}),
        Action.ACCEPT: Example(
            "Take a call that rings", {"platform": "messenger", "action": "accept", "call_id": CALL_ID, "session": _SESSION}
        ),
        Action.MEDIA_UPDATE: Example(
            "Mute the microphone",
            {"action": "media_update", "call_id": CALL_ID, "tracks": _MUTE, "from_version": 0, "to_version": 1},
        ),
        Action.REJECT: Example("Refuse a call that rings", {"action": "reject", "call_id": CALL_ID}),
        Action.TERMINATE: Example("Hang up", {"action": "terminate", "call_id": CALL_ID}),
    }
)

ANSWERS: Mapping[int, JsonObject] = MappingProxyType(
    {
        200: {"success": True, "call_id": CALL_ID},
        400: error_body(error_object(UnknownCall(), TRACE_ID), True),
        403: error_body(error_object(NoPermission(), TRACE_ID), True),
    }
)
"""By status."""
