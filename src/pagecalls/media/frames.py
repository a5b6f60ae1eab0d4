"""The engine's frames: bytes to typed messages and back (`protocol.py` has the list).

Pure: no socket, no order of messages. A frame that is not what the protocol allows raises `BadFrame`; the connection is then of
no more use, as nobody knows what was missed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import msgspec

from pagecalls.media.protocol import MAX_FRAME_BYTES, AnyEvent, Command

HEADER = struct.Struct(">I")


class BadFrame(Exception):
    """A frame that is too long, or not what the protocol allows."""


class Refusal(msgspec.Struct, frozen=True):
    """The `err` of a reply."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the command `id`: the body's JSON, or why not."""

    id: int
    ok: bytes | None
    err: Refusal | None


class _Head(msgspec.Struct, frozen=True):
    """What tells replies and events apart. An empty `ok` is an absent one, as no JSON value is empty."""

    id: int | None = None
    ok: msgspec.Raw = msgspec.Raw()
    err: Refusal | None = None
    ev: str | None = None


_head = msgspec.json.Decoder(_Head)
_event = msgspec.json.Decoder(AnyEvent)


def encode(command_id: int, command: Command) -> bytes:
    """A command's whole frame, length first. Raises `BadFrame` if it is too long."""
    body = msgspec.json.encode(command)
    # `body` starts with {"op": as every command has its tag, so the number can be put before it without decoding.
    body = b'{"id":%d,' % command_id + body[1:]
    check_length(len(body))
    return HEADER.pack(len(body)) + body


def check_length(length: int) -> None:
    """Raises `BadFrame` for a length that no frame has."""
    if not 0 < length <= MAX_FRAME_BYTES:
        raise BadFrame(f"a frame of {length} bytes")


def decode(body: bytes) -> Reply | AnyEvent:
    """A frame's body from the engine. Raises `BadFrame`."""
    try:
        head = _head.decode(body)
        if head.ev is not None:
            event: AnyEvent = _event.decode(body)
            return event
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadFrame(str(error)) from error
    ok = bytes(head.ok) or None
    if head.id is None or (ok is None) == (head.err is None):
        raise BadFrame("neither a reply nor an event")
    return Reply(head.id, ok, head.err)
