"""The errors of the calls edge, one row for each, out of the table that the Graph face itself answers from."""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.errors import (
    AppTokenRequired,
    CallbackUnverified,
    MalformedFields,
    NoLiveButton,
    NotOffered,
    OutsideWindow,
    PermissionHeld,
    RequestClosed,
    RequestRateReached,
    UnknownField,
    UnusableBatch,
    UnusableTemplate,
)
from pagecalls.graph.envelope import find_row
from pagecalls.graph.errors_page import examples

ELSEWHERE = (
    AppTokenRequired,
    CallbackUnverified,
    MalformedFields,
    NoLiveButton,
    NotOffered,
    OutsideWindow,
    PermissionHeld,
    RequestClosed,
    RequestRateReached,
    UnknownField,
    UnusableBatch,
    UnusableTemplate,
)
"""Errors of other edges, of batches, and of the consumer's side."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What the client sees."""

    name: str
    http: int
    code: int
    subcode: int | None
    is_transient: bool
    message: str


def error_rows() -> list[ErrorRow]:
    """In order of status, then as the catalogue has them."""
    rows = []
    for error in examples():
        if not isinstance(error, ELSEWHERE):
            row = find_row(error)
            rows.append(ErrorRow(row.name, row.http, row.code, row.subcode, row.is_transient, str(error)))
    return sorted(rows, key=lambda row: row.http)
