"""The sample frames that both sides keep: each is decoded and encoded again without a difference.

`crates/pagecalls-media/tests/protocol_samples.rs` does the same with the same file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pagecalls.media.protocol import AnyCommand, AnyEvent, Record, type_of_reply

SAMPLES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "protocol.json").read_text())
TAG_OF_COMMAND = {kind.__struct_config__.tag: kind for kind in type_of_reply}


def again(sample: object, kind: Any) -> object:
    """The sample after a trip through our types, as plain JSON values."""
    return json.loads(msgspec.json.encode(msgspec.json.decode(json.dumps(sample), type=kind)))


@pytest.mark.parametrize("sample", SAMPLES["commands"], ids=lambda sample: sample["op"])
def test_command(sample: dict[str, Any]) -> None:
    body = {name: value for name, value in sample.items() if name != "id"}
    assert again(body, AnyCommand) == body


@pytest.mark.parametrize("op", SAMPLES["replies"])
def test_reply(op: str) -> None:
    reply: type[Record] = type_of_reply[TAG_OF_COMMAND[op]]
    assert again(SAMPLES["replies"][op], reply) == SAMPLES["replies"][op]


@pytest.mark.parametrize("sample", SAMPLES["events"], ids=lambda sample: sample["ev"])
def test_event(sample: dict[str, Any]) -> None:
    assert again(sample, AnyEvent) == sample


def test_nothing_is_left_out() -> None:
    commands = {sample["op"] for sample in SAMPLES["commands"]}
    events = {sample["ev"] for sample in SAMPLES["events"]}
    assert commands == set(SAMPLES["replies"]) == set(TAG_OF_COMMAND)
    assert events == {kind.__struct_config__.tag for kind in AnyEvent.__args__}
