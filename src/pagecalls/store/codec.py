"""A call as the columns of its row, and back.

The JSON in `body` is the whole call; the other columns are read by indexes only and are never decoded. Members that a later
version adds have defaults, so older rows stay readable; members that this version does not know are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from pagecalls.call.model import Call
from pagecalls.store.base.calls import CallRecord

# Sets are written in a fixed order, so that equal calls are equal text.
_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Call)
_NAMES = msgspec.json.Decoder(tuple[str, ...])

Column = str | int | float | bytes | None
"""What SQLite holds."""


def columns_of(record: CallRecord) -> dict[str, Column]:
    """The named parameters of `put_call`."""
    call = record.call
    return {
        "id": call.id,
        "page_id": call.page_id,
        "psid": call.psid,
        "state": call.state.value,
        "is_live": int(call.state.is_live),
        "ended_at": call.ended_at,
        "body": _ENCODER.encode(call).decode(),
        "media": record.media,
    }


def record_of(body: str, media: bytes) -> CallRecord:
    """The inverse of `columns_of`. Raises `msgspec.DecodeError` if the row was written by something else."""
    return CallRecord(_DECODER.decode(body), media)


def names_text(names: Iterable[str]) -> str:
    """A list of names as a JSON array, in the order given."""
    return json.dumps(list(names), separators=(",", ":"))


def names_of(text: str) -> tuple[str, ...]:
    """The inverse of `names_text`."""
    return _NAMES.decode(text)
