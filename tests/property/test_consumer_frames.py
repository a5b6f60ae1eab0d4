"""Whatever a device sends, `decode` gives a request or a refusal, and either can be answered."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from pagecalls.consumer import protocol
from pagecalls.consumer.messages import ErrorCode, Method, Nothing, error_frame, result_frame
from pagecalls.consumer.protocol import Refused, Request

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4))
NAMES = st.sampled_from([*Method]) | st.text(max_size=12)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "call_id": st.text(max_size=140) | JSON,
        "page_id": st.from_regex(r"[0-9]{1,5}", fullmatch=True) | JSON,
        "session": st.fixed_dictionaries({"sdp_type": st.sampled_from(["offer", "answer"]) | JSON, "sdp": st.text() | JSON})
        | JSON,
        "tracks": st.lists(st.fixed_dictionaries({"msid": st.text() | JSON, "label": st.just("default_audio") | JSON})) | JSON,
        "version": st.integers() | JSON,
        "from_version": st.integers() | JSON,
        "to_version": st.integers() | JSON,
        "digits": st.text(alphabet="0123456789*#ABCD,E") | JSON,
        "stats": JSON,
        "request_id": st.text(max_size=140) | JSON,
        "response": st.sampled_from(["approve", "reject"]) | JSON,
        "text": st.text(max_size=30) | st.just("x" * 2001) | JSON,
        "message_id": st.text(max_size=140) | JSON,
    },
)
MESSAGES = st.fixed_dictionaries({"jsonrpc": st.just("2.0")}, optional={"id": JSON, "method": NAMES, "params": PARAMS | JSON})


def answered(text: str) -> Request | Refused:
    """Decode, and build the reply that the result would get."""
    result = protocol.decode(text)
    if isinstance(result, Refused):
        reply = json.loads(error_frame(result.id, result.code, result.message, {"message": str(result.cause)}))
        assert reply["error"]["code"] in set(ErrorCode)
    else:
        reply = json.loads(result_frame(result.id, Nothing()))
    assert reply["id"] == result.id
    return result


@given(st.text())
@example("\ud800")
@example('"\\ud800"')
@example("[" * 50_000)
@example('{"a":' * 50_000)
@example("9" * 10_000)
@example('{"jsonrpc":"2.0","id":' + "9" * 10_000 + ',"method":"ping"}')
@example('{"jsonrpc":"2.0","id":1e400,"method":"ping"}')
@example('{"jsonrpc":"2.0","id":1,"method":"call.hangup","params":{"call_id":' + "[" * 900 + "]" * 900 + "}}")
def test_any_text(text: str) -> None:
    answered(text)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    assert isinstance(protocol.decode(data), Request | Refused)


@given(JSON)
def test_any_json(value: object) -> None:
    answered(json.dumps(value))


@given(MESSAGES)
def test_nearly_right_messages(message: dict[str, object]) -> None:
    result = answered(json.dumps(message))
    if isinstance(result, Request):
        assert message.get("id") == result.id
        assert result.wants_reply == ("id" in message)
        assert isinstance(result.params, protocol.PARAMS_OF[result.method])
