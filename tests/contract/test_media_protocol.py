"""The written list of commands and events is the same on both sides: the engine prints its half, this compares ours."""

from __future__ import annotations

import json
import os
import subprocess

import msgspec
import pytest

from pagecalls.media import protocol
from pagecalls.media.launch import find_binary
from pagecalls.media.protocol import AnyCommand, AnyEvent, Record

VALUES: list[type[Record]] = [
    protocol.Candidate,
    protocol.Codec,
    protocol.Extensions,
    protocol.Fingerprint,
    protocol.LegStats,
    protocol.Output,
    protocol.OutputRef,
    protocol.RecvTrack,
    protocol.Remote,
    protocol.Route,
    protocol.SendTrack,
    protocol.Timers,
    protocol.TrackCounters,
    protocol.TrackRef,
    protocol.WorkerCounters,
]

Section = dict[str, list[str]]


@pytest.fixture(scope="module")
def theirs() -> dict[str, Section]:
    """The engine's list: section, name, members."""
    printed = subprocess.run([find_binary(None, os.environ), "--protocol"], check=True, capture_output=True, timeout=10)
    sections: dict[str, Section] = json.loads(printed.stdout)
    return sections


def members(kind: type[Record]) -> list[str]:
    return sorted(field.encode_name for field in msgspec.structs.fields(kind))


def tag(kind: type[Record]) -> str:
    return str(kind.__struct_config__.tag)


def in_order(section: Section) -> Section:
    return {name: sorted(listed) for name, listed in section.items()}


def test_commands(theirs: dict[str, Section]) -> None:
    assert in_order(theirs["commands"]) == {tag(kind): members(kind) for kind in AnyCommand.__args__}


def test_replies(theirs: dict[str, Section]) -> None:
    assert in_order(theirs["replies"]) == {tag(kind): members(reply) for kind, reply in protocol.type_of_reply.items()}


def test_events(theirs: dict[str, Section]) -> None:
    assert in_order(theirs["events"]) == {tag(kind): members(kind) for kind in AnyEvent.__args__}


def test_values(theirs: dict[str, Section]) -> None:
    assert in_order(theirs["values"]) == {kind.__name__: members(kind) for kind in VALUES}
