"""Frames to messages and back."""

from __future__ import annotations

import json

import pytest

from pagecalls.media.frames import HEADER, BadFrame, Refusal, Reply, check_length, decode, encode
from pagecalls.media.protocol import Exit, LegBye, LegDtmf


def test_a_command_is_length_number_and_body() -> None:
    frame = encode(7, LegDtmf(leg="l", track="t", digits="1"))
    (length,) = HEADER.unpack(frame[:4])
    assert length == len(frame) - 4
    assert json.loads(frame[4:]) == {
        "id": 7,
        "op": "leg.dtmf",
        "leg": "l",
        "track": "t",
        "digits": "1",
        "tone_ms": 500,
        "gap_ms": 100,
    }


def test_a_command_without_members() -> None:
    assert json.loads(encode(1, Exit())[4:]) == {"id": 1, "op": "exit"}


def test_a_command_that_is_too_long() -> None:
    with pytest.raises(BadFrame):
        encode(1, LegDtmf(leg="l", track="t", digits="1" * 1024 * 1024))


@pytest.mark.parametrize(("length", "is_good"), [(0, False), (1, True), (1024 * 1024, True), (1024 * 1024 + 1, False)])
def test_length(length: int, is_good: bool) -> None:
    if is_good:
        check_length(length)
    else:
        with pytest.raises(BadFrame):
            check_length(length)


def test_replies() -> None:
    assert decode(b'{"id":3,"ok":{"rev":1}}') == Reply(3, b'{"rev":1}', None)
    assert decode(b'{"id":3,"err":{"code":"full","message":"m"}}') == Reply(3, None, Refusal("full", "m"))


def test_events() -> None:
    assert decode(b'{"ev":"leg.bye","seq":4,"node":"n","call":"c","leg":"l"}') == LegBye(seq=4, call="c", leg="l")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"id":1}',
        b'{"id":1,"ok":{},"err":{"code":"x"}}',
        b'{"ok":{}}',
        b'{"id":"1","ok":{}}',
        b'{"ev":"leg.flew","seq":1}',
        b'{"ev":"leg.bye","seq":1}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_frame(body: bytes) -> None:
    with pytest.raises(BadFrame):
        decode(body)
