"""Fuzz entry of the Graph face's parsers: any bytes give parameters, fields and a batch, or a typed `CallerError`.

The first byte chooses the parser, the second the content type. Without a fuzzer, `python -m tests.fuzz.fuzz_graph --seconds 60`
mutates the samples below; a failure prints the seed that brings it back, and leaves its input in the working directory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import msgspec

from pagecalls.call.hours import is_open
from pagecalls.call.messages import AUDIO_CALL
from pagecalls.call.metrics import CallMetrics
from pagecalls.errors import CallerError, PeerError
from pagecalls.graph.batch_plan import read_members, waits
from pagecalls.graph.calls import accept_request, connect_request, end_request, media_update_request
from pagecalls.graph.decoding import file_names, parse_body, parse_query
from pagecalls.graph.messages import send_request
from pagecalls.graph.metrics import read_metrics
from pagecalls.graph.params import Params
from pagecalls.graph.references import Room
from pagecalls.graph.rendering import Presentation
from pagecalls.graph.request import parse_address
from pagecalls.graph.selection import fields_of, parse_fields
from pagecalls.graph.settings import settings_change
from pagecalls.http import MAX_BODY_BYTES, Json
from pagecalls.switchboard.zones import wall_clock
from pagecalls.types import CallHours
from tests.fuzz.mutation import fuzz

BOUNDARY = "b0"
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    f"multipart/form-data; boundary={BOUNDARY}",
    "text/plain",
    "",
)
RESULTS: Mapping[str, Json] = {"a": {"id": "1", "data": [{"id": 2}, {"id": "3&x=y"}], "text": "x" * 1_000}, "b": None}

_TRACK = {"msid": "s t", "label": "default_audio", "status": "enabled"}
_CALL = {"action": "accept", "call_id": "c_1", "session": {"sdp": "v=0", "sdp_type": "offer"}, "tracks": [_TRACK]}
_DAYS = [
    {"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"},
    {"day_of_week": "SUNDAY", "open_time": "0000", "close_time": "2359"},
]
_SETTINGS = {
    "audio_enabled": False,
    "call_routing": {"ring_target": "PARTNERS"},
    "call_hours": {"timezone_id": "Europe/Berlin", "weekly_operating_hours": _DAYS},
}
_METRICS = {
    "call_id": "c_1",
    "end_call_reason": "Hangup_Call",
    "call_ended_time": 1790000000123,
    "first_audio_packet_received_time": "20260921T141320Z",
    "audio_stats": {"jitter_sec": 0.5, "packets_lost": -1, "round_trip_time_ms": "80", "call_ended_time": 1e11},
    "video_stats": {"frames": 900},
}
_BATCH = [
    {"method": "POST", "relative_url": "1/calls", "body": "action=terminate&call_id=c_1", "name": "a"},
    {"relative_url": "?ids={result=a:$.data.*.id}&fields=id", "depends_on": "a", "headers": [{"name": "x", "value": "y"}]},
    {"relative_url": "{result=a:$['id']}/calls", "body": {"call_id": "%7Bresult%3Da%3A%24.text%7D"}, "name": "b"},
    {"relative_url": "me", "body": "to={result=b:$[0]}", "omit_response_on_success": "false", "attached_files": "f,g"},
]
_BUTTONS = [{"type": "audio_call", "title": "Call", "expires_in_days": "3"}, {"type": "web_url", "title": "Site", "url": "x"}]
_MESSAGES = [
    {"attachment": {"type": "template", "payload": payload}}
    for payload in (
        {"template_type": "calling_optin"},
        {"template_type": "call_prompt", "ttl_days": 7},
        {"template_type": "button", "text": "?", "buttons": _BUTTONS},
        {"template_type": "generic", "elements": json.dumps([{"title": "Tea", "buttons": _BUTTONS}])},
    )
]
_TO = {"recipient": {"id": "2002"}, "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
_PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="batch"\r\n\r\n{json.dumps(_BATCH)}\r\n'
_FILE = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f.png"\r\n\r\n!\r\n--{BOUNDARY}--\r\n'
SAMPLES = (
    b"\x00\x00" + json.dumps(_CALL).encode(),
    b"\x00\x00" + json.dumps({"batch": _BATCH, "include_headers": False, "pretty": 1}).encode(),
    b"\x00\x00" + json.dumps(_SETTINGS).encode(),
    b"\x00\x01call_hours[timezone_id]=UTC&call_hours[weekly_operating_hours][0][day_of_week]=SUNDAY&icon_enabled=1&ring_target=meta",
    b"\x00\x01session[sdp]=v%3D0&session[sdp_type]=offer&tracks[0][msid]=x&tracks[1][label]=y&from_version=1&tracks[]=z",
    b"\x00\x02" + (_PART + _FILE).encode(),
    b"\x00\x03" + json.dumps({"batch": json.dumps(_BATCH)}).encode(),
    b"\x00\x00" + json.dumps(_METRICS).encode(),
    b"\x00\x01call_ended_time=2026-09-21T14:13:20.5%2B02:00&end_call_reason=webrtcerror&audio_stats=%7B%22jitter%22:%22.5%22%7D",
    b"\x01id,name,subscribed_apps.limit(5).after(QV_-){id,fields{name}},x{y{z}}",
    b"\x02/v26.0/me%2Fx//calls/",
    *(b"\x00\x00" + json.dumps({**_TO, "message": message}).encode() for message in (*_MESSAGES, {"text": "Hello"})),
    b"\x00\x01recipient[id]=2002&message[attachment][type]=template&message[attachment][payload][template_type]=call_prompt",
)


def one_input(data: bytes) -> None:
    """Judge one input. Raises whatever is not a `CallerError`."""
    kind, rest = data[:1], data[1:]
    try:
        match kind:
            case b"\x01":
                parse_fields(rest.decode("utf-8", "replace"))
            case b"\x02":
                parse_address(rest.decode("latin-1"))
            case _:
                judge(TYPES[rest[0] % len(TYPES)] if rest else "", rest[1:])
    except CallerError as error:
        str(error)


def judge(content_type: str, body: bytes) -> None:
    """Everything that a body could be taken for."""
    parse_query(body)
    params = Params(parse_body(content_type, body))
    Presentation.of(params.values)
    file_names(content_type, body)
    for read in READERS:
        try:
            read(params)
        except (CallerError, PeerError) as error:
            str(error)


def judge_settings(params: Params) -> None:
    """A change that is one: days once each, hours that can be asked whether they are open."""
    change = settings_change(params)
    if change.is_empty:
        raise AssertionError("nothing changes")
    hours = change.call_hours
    if isinstance(hours, CallHours):
        days = [each.day_of_week for each in hours.weekly]
        if len(days) != len(set(days)) or any(not is_open(hours, each.day_of_week, each.open_time) for each in hours.weekly):
            raise AssertionError("hours that make no sense")
        wall_clock(1_790_000_000, hours.timezone_id)


def judge_message(params: Params) -> None:
    """A message whose call buttons have a title and an end; what other buttons do is unknown here."""
    request = send_request(params)
    for button in request.draft.buttons:
        calls = button.type == AUDIO_CALL
        if (calls and not button.title) or calls != (button.days is not None):
            raise AssertionError("a button that cannot be shown")
    if request.draft.template is None and not request.draft.text:
        raise AssertionError("an empty message")


def judge_metrics(params: Params) -> None:
    """A report whose figures are finite, whose times are times, and which can be written down and read again."""
    metrics = read_metrics(params)
    times = [metrics.ended_at, metrics.first_audio_at, metrics.first_video_at]
    figures = [] if metrics.audio_stats is None else [*msgspec.to_builtins(metrics.audio_stats).values()][:-1]
    if not all(each is None or 0 <= each < 1e12 for each in times):
        raise AssertionError("a time that is none")
    if not all(each is None or math.isfinite(each) for each in figures):
        raise AssertionError("a figure that is none")
    if msgspec.json.decode(msgspec.json.encode(metrics), type=CallMetrics) != metrics:
        raise AssertionError("a report that is not what was stored")


def judge_batch(params: Params) -> None:
    """A batch whose order can be kept and whose references can be filled."""
    members = read_members(params)
    needed = waits(members)
    done: set[int] = set()
    while ready := {member.index for member in members if needed[member.index] <= done} - done:
        done |= ready
    if len(done) < len(members):
        raise AssertionError("some requests wait for ever")
    for member in members:
        try:
            filled = member.filled(RESULTS, Room(MAX_BODY_BYTES))
        except CallerError as error:
            str(error)
        else:
            msgspec.json.encode([filled.path, filled.query, filled.body])


READERS = (
    connect_request,
    accept_request,
    end_request,
    media_update_request,
    judge_settings,
    judge_message,
    judge_metrics,
    fields_of,
    judge_batch,
)
"""All that parameters could be meant for."""


if __name__ == "__main__":
    fuzz("graph", one_input, SAMPLES)
