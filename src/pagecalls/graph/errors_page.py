"""Writes `docs/errors.md` from the table in `envelope.py`, so that the page cannot say anything else than the server does.

Run `python -m pagecalls.graph.errors_page docs/errors.md` after a change to the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pagecalls import errors
from pagecalls.errors import (
    CodeFault,
    ConnectionFault,
    EndedHow,
    MetricsFault,
    PageCallsError,
    SettingFault,
    TokenFault,
    UseCase,
)
from pagecalls.graph.envelope import find_row

_HEAD = """# Errors

Written by `pagecalls.graph.errors_page` from the table in `graph/envelope.py`; do not edit by hand.

An error is an object under `error`; on Page edges its members stand bare beside `error` as well, with equal values. `type` is
`OAuthException` unless the last column says otherwise. Codes 2018389 to 2018396 stand in `code`; with the setting that swaps
them they move to `error_subcode`, under `code` 100. Subcodes that start with 99 are this server's own. A repeat of the same
request may succeed where "again" is marked (`is_transient`).

| Name | HTTP | code | subcode | again | message | |
| --- | --- | --- | --- | --- | --- | --- |
"""


_DAY = "call_hours[weekly_operating_hours][0]"
_SETTINGS = {
    SettingFault.ZONE: "call_hours[timezone_id]",
    SettingFault.TIME: f"{_DAY}[open_time]",
    SettingFault.CLOSES_TOO_EARLY: f"{_DAY}[close_time]",
    SettingFault.DAY_TWICE: f"{_DAY}[day_of_week]",
    SettingFault.DAY: f"{_DAY}[day_of_week]",
    SettingFault.RING_TARGET: "call_routing[ring_target]",
    SettingFault.NOT_SUBSCRIBED: "call_routing[ring_target]",
    SettingFault.NOTHING_GIVEN: "messenger_call_settings",
}


def examples() -> Iterator[PageCallsError]:
    """One error for every row, in the order of the catalogue."""
    yield errors.NoToken()
    yield errors.CurrentUserUnknown()
    yield from (errors.BadToken(fault, 1_790_000_000, 1_790_000_060, "Bearer EAA", "123") for fault in TokenFault)
    yield errors.WrongProof(missing=False)
    yield errors.MissingScope("pages_messaging")
    yield errors.PageTokenRequired()
    yield errors.AppTokenRequired()
    yield errors.WrongPage()
    yield errors.WrongClientSecret()
    yield errors.UninspectableToken()
    yield errors.UnknownObject("post", "123")
    yield errors.UnknownAlias("shop")
    yield errors.UnknownPath("/123/calls")
    yield errors.UnknownApp()
    yield errors.BodyTooLarge()
    yield errors.UnreadableBody("application/json")
    yield errors.MissingParameter("action")
    yield errors.InvalidValue("action", ("accept", "connect", "media_update", "reject", "terminate"), "foo")
    yield errors.UnknownField("colour", "Page")
    yield errors.MalformedFields("a name", 3)
    yield errors.UnusableBatch("batch[1]", 'it depends on "first", which failed')
    yield errors.CallbackUnverified(
        "Callback verification failed with the following errors: HTTP Status Code = 403; HTTP Message = Forbidden"
    )
    yield from (errors.UnusableSetting(_SETTINGS[fault], fault) for fault in SettingFault)
    yield from (errors.UnusableTemplate("message[attachment][payload]", fault) for fault in errors.TemplateFault)
    yield from (errors.UnusableMetrics(fault) for fault in MetricsFault)
    yield errors.MissingOAuthParameter("client_id")
    yield from (errors.UnusableCode(fault) for fault in CodeFault)
    yield errors.AppRateReached()
    yield errors.UserRateReached()
    yield errors.PageRateReached()
    yield from (errors.UseCaseRateReached(use_case) for use_case in UseCase)
    yield errors.InternalFault()
    yield errors.Unavailable()
    yield from _call_examples()


def _call_examples() -> Iterator[PageCallsError]:
    yield errors.CallingNotAllowed()
    yield errors.CallingOff()
    yield errors.BusinessCallingOff()
    yield errors.NotOffered("calling_disabled")
    yield errors.NoLinkedNumber()
    yield errors.UnknownCall()
    yield from (errors.UnusableConnection(fault) for fault in ConnectionFault)
    yield errors.MalformedSdp(3, "no type letter")
    yield errors.NotInCall()
    yield errors.NotOwner()
    yield errors.AlreadyTaken()
    yield errors.NotRouted()
    yield errors.CallFailed()
    yield from (errors.CallEnded(how) for how in EndedHow)
    yield errors.AlreadyConnected()
    yield errors.WrongState("accept", "DIALING")
    yield errors.NoPermission()
    yield errors.NoSuchConsumer()
    yield errors.ConsumerUnavailable()
    yield errors.ConsumerBusy(None)
    yield errors.CallRateReached()
    yield errors.MediaConflict(3)
    yield errors.OutsideWindow()
    yield errors.PermissionHeld(1_790_604_800)
    yield errors.RequestRateReached()
    yield from (errors.RequestClosed(how) for how in errors.ClosedHow)
    yield errors.NoLiveButton()


def render() -> str:
    """The page."""
    return _HEAD + "".join(_line(error) for error in examples())


def _line(error: PageCallsError) -> str:
    row = find_row(error)
    subcode = "" if row.subcode is None else str(row.subcode)
    notes = "" if row.type == "OAuthException" else row.type.value
    text = str(error).replace("|", "\\|")
    return f"| {row.name} | {row.http} | {row.code} | {subcode} | {'again' if row.is_transient else ''} | {text} | {notes} |\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
