"""Whatever a server or a stranger sends, the client gives a value or an error of its own."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from hypothesis import example, given
from hypothesis import strategies as st

from pagecalls.client.requests import ConnectRequest, MediaUpdateRequest
from pagecalls.types import Track, TrackLabel, TrackStatus
from tests.unit.client.strange import SAMPLES, WIRE, judge

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4))
DESCRIPTIONS = st.fixed_dictionaries({"sdp_type": st.sampled_from(["offer", "ANSWER"]) | JSON, "sdp": st.text() | JSON}) | JSON
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "success": st.booleans() | JSON,
        "call_id": st.text(max_size=9) | JSON,
        "version": st.integers() | JSON,
        "session": st.fixed_dictionaries(
            {}, optional={"sdp_response": DESCRIPTIONS, "sdp_renegotiation": DESCRIPTIONS, "version": st.integers() | JSON}
        )
        | JSON,
        "error": st.fixed_dictionaries(
            {},
            optional={
                "message": st.text() | JSON,
                "code": st.sampled_from([1, 2, 10, 100, 190, 551, 2018394]) | JSON,
                "error_subcode": st.integers(9901000, 9904099) | JSON,
                "error_data": JSON,
                "is_transient": JSON,
            },
        )
        | JSON,
        "permission": st.fixed_dictionaries({"status": st.text() | JSON}) | JSON,
        "actions": st.lists(st.fixed_dictionaries({"action_name": st.text() | JSON, "limits": JSON})) | JSON,
        "data": JSON,
        "call_routing": st.fixed_dictionaries({"ring_target": st.sampled_from(["META", "partners"]) | JSON}) | JSON,
        "call_hours": st.fixed_dictionaries(
            {
                "timezone_id": st.text() | JSON,
                "weekly_operating_hours": st.lists(st.fixed_dictionaries({"day_of_week": JSON})) | JSON,
            }
        )
        | JSON,
        "object": st.sampled_from(["page", "instagram"]) | JSON,
        "entry": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.text() | JSON,
                    "calls": st.lists(
                        st.fixed_dictionaries(
                            {
                                "event": st.sampled_from(["connect", "call_status", "media_update", "terminate"]),
                                "id": st.text() | JSON,
                            },
                            optional={"timestamp": st.integers() | JSON, "session": JSON, "status": JSON, "from": JSON},
                        )
                        | JSON,
                        max_size=3,
                    )
                    | JSON,
                },
                optional={"time": st.integers() | JSON, "call_settings": JSON},
            ),
            max_size=3,
        )
        | JSON,
    },
)


@given(BODIES | JSON)
def test_any_json(body: object) -> None:
    judge(json.dumps(body).encode())


@given(st.binary() | st.sampled_from(SAMPLES).flatmap(lambda sample: st.integers(0, len(sample)).map(lambda end: sample[:end])))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"error":{"code":' + b"9" * 5_000 + b"}}")
def test_any_bytes(body: bytes) -> None:
    judge(body)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
TRACKS = st.lists(st.builds(Track, TEXTS, st.sampled_from(TrackLabel), st.sampled_from(TrackStatus)), min_size=1)


@given(TEXTS, TEXTS, TRACKS)
def test_a_batch_carries_what_a_single_request_does(to: str, sdp: str, tracks: list[Track]) -> None:
    """Two spellings, the same parameters."""
    for request in (
        ConnectRequest(to=to, sdp=sdp, tracks=tracks),
        MediaUpdateRequest(call_id=to, sdp=sdp, tracks=tracks, from_version=0, to_version=1),
    ):
        single = json.loads(WIRE.encode(request).body or b"")
        form = dict(parse_qsl((WIRE.encode_batch([request]).body or b"").decode(), strict_parsing=True))
        (member,) = json.loads(form["batch"])
        spelled = dict(parse_qsl(member["body"], keep_blank_values=True))
        assert spelled.keys() == single.keys()
        for name, value in single.items():
            assert (spelled[name] if isinstance(value, str) else json.loads(spelled[name])) == value
