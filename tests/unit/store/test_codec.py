from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagecalls.call.model import AcceptedWith, Call, Deadline, EndedBy
from pagecalls.call.states import Action, CallState, DeadlineKind, EndReason
from pagecalls.call.versions import Advance, Applied, Counter
from pagecalls.store.base import CallRecord
from pagecalls.store.codec import columns_of, names_of, names_text, record_of
from pagecalls.types import AppId, CallId, DeviceId, Direction, PageId, Platform, Psid, Side

times = st.floats(0, 4e9)
# Few characters, but those that need care in JSON: a call has many texts, and all of Unicode takes long to draw.
texts = st.text(alphabet='ab"\\\\/\n\x7f\u00e9\u2603\U0001f600', max_size=8)
devices = st.frozensets(texts.map(DeviceId), max_size=4)

advances = st.builds(Advance, st.integers(0, 99), st.integers(0, 99))
counters = st.builds(Counter, st.integers(0, 99), st.none() | st.builds(Applied, advances, texts))

calls = st.builds(
    Call,
    id=texts.map(CallId),
    page_id=texts.map(PageId),
    psid=texts.map(Psid),
    platform=st.sampled_from(Platform),
    direction=st.sampled_from(Direction),
    state=st.sampled_from(CallState),
    created_at=times,
    is_routed=st.booleans(),
    owner=st.none() | texts.map(AppId),
    device=st.none() | texts.map(DeviceId),
    ringing=devices,
    away=devices,
    up=st.frozensets(st.sampled_from(Side)),
    deadlines=st.lists(
        st.builds(Deadline, st.sampled_from(DeadlineKind), times, st.none() | texts.map(DeviceId)), max_size=3
    ).map(tuple),
    business=counters,
    consumer=counters,
    accepted=st.none() | st.builds(AcceptedWith, texts, times),
    connected_at=st.none() | times,
    ended_at=st.none() | times,
    end_reason=st.none() | st.sampled_from(EndReason),
    ended_by=st.none() | st.builds(EndedBy, texts.map(AppId), st.sampled_from(Action), times),
)


def plain() -> Call:
    return Call(
        CallId("c_1"),
        PageId("2"),
        Psid("3"),
        Platform.MESSENGER,
        Direction.USER_INITIATED,
        CallState.RINGING_IN,
        created_at=100.5,
        deadlines=(Deadline(DeadlineKind.RING_IN, 160.5), Deadline(DeadlineKind.DEVICE_AWAY, 130.25, DeviceId("d"))),
    )


@given(calls, st.binary(max_size=20))
def test_a_record_survives_the_round_trip(call: Call, media: bytes) -> None:
    columns = columns_of(CallRecord(call, media))
    body, stored = columns["body"], columns["media"]
    assert isinstance(body, str)
    assert isinstance(stored, bytes)
    assert record_of(body, stored) == CallRecord(call, media)


def test_columns_repeat_what_is_searched_for() -> None:
    columns = columns_of(CallRecord(plain()))
    columns.pop("body")
    assert columns == {
        "id": "c_1",
        "page_id": "2",
        "psid": "3",
        "state": "RINGING_IN",
        "is_live": 1,
        "ended_at": None,
        "media": b"{}",
    }


@pytest.mark.parametrize("state", list(CallState))
def test_a_call_is_live_until_it_has_ended(state: CallState) -> None:
    call = Call(CallId("c"), PageId("2"), Psid("3"), Platform.MESSENGER, Direction.USER_INITIATED, state, created_at=1.0)
    assert columns_of(CallRecord(call))["is_live"] == int(state not in (CallState.COMPLETED, CallState.FAILED))


def test_an_older_row_gets_defaults_and_a_newer_member_is_skipped() -> None:
    body = json.loads(str(columns_of(CallRecord(plain()))["body"]))
    del body["consumer"]
    body["from_the_future"] = {"x": 1}
    assert record_of(json.dumps(body), b"{}").call == plain()


def test_a_row_of_something_else_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        record_of('{"id": "c_1"}', b"{}")


@given(st.lists(texts))
def test_names_keep_their_order(names: list[str]) -> None:
    assert names_of(names_text(names)) == tuple(names)
