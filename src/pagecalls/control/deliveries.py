"""The delivery log of webhooks: `GET deliveries`, `GET deliveries/{id}`, `POST deliveries/replay`, `POST deliveries/test`, and
`GET alerts` (docs/webhooks.md)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused, decode
from pagecalls.control.lists import Name, choice_of, limit_of
from pagecalls.http import Response
from pagecalls.store.base import Attempt, Hold, OutboxRow, WebhookKind
from pagecalls.switchboard.base import Outcome
from pagecalls.switchboard.deliveries import REPLAY_LIMIT, Alert, DeliveryFilter
from pagecalls.switchboard.registers import NoSuch
from pagecalls.types import AppId, CallId

SHOWN_CHARACTERS = 500
"""Of what a receiver says to a test."""

_LARGEST_ID = 2**53

Moment = Annotated[float, Meta(ge=0)]


class ReplayRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST deliveries/replay`: `ids` alone, or a call or an app with what else narrows it down."""

    ids: Annotated[list[int], Meta(max_length=REPLAY_LIMIT)] | None = None
    app_id: Name | None = None
    call_id: Name | None = None
    kind: WebhookKind | None = None
    state: Hold | None = None
    since: Moment | None = None
    until: Moment | None = None

    @property
    def filter(self) -> DeliveryFilter:
        """What is asked for beside `ids`."""
        app_id = None if self.app_id is None else AppId(self.app_id)
        call_id = None if self.call_id is None else CallId(self.call_id)
        return DeliveryFilter(app_id, call_id, self.kind, self.state, self.since, self.until)


class TrialRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST deliveries/test`."""

    app_id: Name
    object: Name = "page"


async def list_deliveries(parts: ControlParts, request: ControlRequest) -> Response:
    """Events, the newest first. A page that is not full may have a `next` too: a search looks at so many rows at a time."""
    query = request.query
    wanted = DeliveryFilter(
        AppId(query["app_id"]) if "app_id" in query else None,
        CallId(query["call_id"]) if "call_id" in query else None,
        choice_of(query, "kind", WebhookKind),
        choice_of(query, "state", Hold),
        _number(request, "since"),
        _number(request, "until"),
    )
    page = await parts.deliveries.page(wanted, _after(request), limit_of(query))
    following = None if page.next_before is None else str(page.next_before)
    return _json({"data": [_entry(row) for row in page.rows], "next": following})


async def read_delivery(parts: ControlParts, request: ControlRequest) -> Response:
    """One event: its bytes, the headers that it has if it is sent now, and every attempt that was made."""
    named = request.named["id"]
    is_id = named.isascii() and named.isdigit() and len(named) < 16
    report = await parts.deliveries.delivery(int(named)) if is_id else None
    if report is None:
        raise NoSuch("delivery", named)
    return _json(
        {
            **_entry(report.row),
            "callback_url": report.callback_url,
            "headers": report.headers,
            "body": report.row.body.decode("ascii", "replace"),
            "log": [_attempt(each) for each in report.attempts],
        }
    )


async def replay_deliveries(parts: ControlParts, request: ControlRequest) -> Response:
    """Send events once more. `left`: how many more fit; ask again when these are through."""
    asked = decode(request.body, ReplayRequest)
    if asked.ids is not None and asked.filter != DeliveryFilter():
        raise Refused(Refusal.BAD_REQUEST, "Either ids, or what is to be looked for.")
    if asked.ids is None and asked.app_id is None and asked.call_id is None:
        raise Refused(Refusal.BAD_REQUEST, "One of ids, call_id and app_id is needed.")
    if asked.ids is not None:
        done = await parts.deliveries.replay_ids([each for each in asked.ids if 0 < each <= _LARGEST_ID])
    else:
        done = await parts.deliveries.replay(asked.filter)
    skipped = [{"id": row_id, "reason": skip.value} for row_id, skip in done.skipped.items()]
    return _json({"replayed": done.ids, "skipped": skipped, "left": done.left})


async def try_callback(parts: ControlParts, request: ControlRequest) -> Response:
    """One verification and one signed sample event to the app's callback, and what came back."""
    asked = decode(request.body, TrialRequest)
    trial = await parts.deliveries.try_out(AppId(asked.app_id), asked.object)
    if trial is None:
        raise Refused(Refusal.NOT_FOUND, f"App {asked.app_id} has no subscription to {asked.object}.")
    return _json(
        {
            "callback_url": trial.url,
            "verification": {"success": trial.unverified is None, "reason": trial.unverified, **_outcome(trial.verification)},
            "event": {
                "success": trial.event.ok,
                **_outcome(trial.event),
                "headers": trial.headers,
                "body": trial.body.decode("ascii", "replace"),
            },
        }
    )


async def list_alerts(parts: ControlParts, _request: ControlRequest) -> Response:
    """Receivers that have taken nothing for so long that somebody should look."""
    return _json({"data": [_alert(each) for each in await parts.deliveries.alerts()], "next": None})


def _entry(row: OutboxRow) -> dict[str, object]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "app_id": row.app_id,
        "object": row.object,
        "call_id": row.call_id,
        "kind": row.kind,
        "state": row.hold,
        "reason": row.drop_reason,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "settled_at": row.settled_at,
        "next_at": row.next_at if row.hold is Hold.READY else None,
        "replay_at": row.replay_at,
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "attempt": attempt.number,
        "at": attempt.at,
        "status": attempt.status,
        "failure": attempt.failure,
        "error": attempt.error or None,
        "latency_s": round(attempt.latency_s, 4),
        "answer": attempt.answer,
    }


def _outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "status": outcome.status,
        "failure": outcome.failure,
        "error": outcome.error or None,
        "latency_s": round(outcome.latency_s, 4),
        "answer": outcome.shown(SHOWN_CHARACTERS),
    }


def _alert(alert: Alert) -> dict[str, object]:
    receiver = alert.receiver
    return {
        "app_id": receiver.app_id,
        "object": receiver.object,
        "callback_url": alert.callback_url,
        "failing_since": receiver.failing_since,
        "failures": receiver.failures,
        "last": receiver.last,
        "alerted_at": receiver.alerted_at,
        "disabled_at": receiver.disabled_at,
    }


def _json(body: object) -> Response:
    return Response(200, msgspec.json.encode(body))


def _after(request: ControlRequest) -> int | None:
    text = request.query.get("after")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
        raise Refused(Refusal.BAD_REQUEST, "after must be the next of a page before.")
    return int(text)


def _number(request: ControlRequest, name: str) -> float | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < _LARGEST_ID:
        raise Refused(Refusal.BAD_REQUEST, f"{name} must be a time in Unix seconds.")
    return value
