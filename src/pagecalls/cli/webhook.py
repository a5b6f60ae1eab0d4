"""`pagecalls webhook`: what was sent to apps and what came back, sending it once more, and trying a callback out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from pagecalls.cli.look import or_dash, second
from pagecalls.cli.output import Column, Desk, Duration, given, operator_command, yes_option
from pagecalls.store.base import Hold, WebhookKind

AT_A_TIME = 200
KIND = click.Choice([kind.value for kind in WebhookKind])


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


COLUMNS = (
    Column("ID", "id"),
    Column("Time", "created_at", shown=second),
    Column("Event", "kind"),
    Column("App", "app_id", is_extra=True),
    Column("Call", "call_id", is_extra=True, shown=or_dash),
    Column("State", "state_now", is_flexible=True),
    Column("Attempts", "attempts"),
)
ATTEMPTS = (
    Column("No.", "attempt"),
    Column("Time", "at", shown=second),
    Column("Result", "result"),
    Column("Took", "latency_s", shown=_latency),
    Column("Answer", "answer", is_flexible=True),
)
ALERTS = (
    Column("App", "app_id"),
    Column("Object", "object"),
    Column("Failing since", "failing_since", shown=second),
    Column("Failures", "failures"),
    Column("Last", "last", is_flexible=True),
    Column("Switched off", "disabled_at", is_extra=True, shown=second),
    Column("Callback", "callback_url", is_flexible=True, is_extra=True, shown=or_dash),
)


def narrowing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which events are meant."""
    ago = Duration(may_be_never=False)
    for option in (
        click.option("--until", "until_s", type=ago, default=None, help="Older than this, such as 10m."),
        click.option("--since", "since_s", type=ago, default=None, help="Not older than this, such as 2h or 7d."),
        click.option("--state", type=click.Choice([hold.value for hold in Hold]), default=None, help="Where they stand."),
        click.option("--kind", type=KIND, default=None, metavar="EVENT", help=f"One of {', '.join(WebhookKind)}."),
        click.option("--call", "call_id", default=None, metavar="ID", help="Of this call."),
        click.option("--app", "app_id", default=None, metavar="ID", help="To this app."),
    ):
        command = option(command)
    return command


@click.group()
def webhook() -> None:
    """Webhooks: what was sent and what came back. ID is what `list` shows."""


@webhook.command("list")
@narrowing
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@operator_command
def list_(
    desk: Desk,
    app_id: str | None,
    call_id: str | None,
    kind: str | None,
    state: str | None,
    since_s: float | None,
    until_s: float | None,
    limit: int,
) -> None:
    """List events, the newest first."""
    wanted = given(app_id=app_id, call_id=call_id, kind=kind, state=state, **_span(desk, since_s, until_s))
    query = {name: str(value) for name, value in wanted.items()}
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None and len(found) < limit:
        page = {"limit": str(min(AT_A_TIME, limit - len(found))), **({"after": after} if after else {})}
        reply = desk.ask("GET", "/deliveries", {**query, **page})
        found += reply["data"]
        after = reply["next"]
    if not desk.as_json:
        found = [{**each, "state_now": _state(each)} for each in found]
    desk.table(COLUMNS, found, "There are no such events.")


@webhook.command()
@click.argument("row_id", metavar="ID")
@operator_command
def show(desk: Desk, row_id: str) -> None:
    """Show one event: its bytes, its headers, and every attempt."""
    one = desk.ask("GET", f"/deliveries/{row_id}")
    lines: list[tuple[str, object]] = [
        ("Event", f"{one['kind']} ({one['event_id']})"),
        ("App", one["app_id"]),
        ("Call", or_dash(one["call_id"])),
        ("Time", second(one["created_at"])),
        ("State", _state(one)),
        ("Callback", or_dash(one["callback_url"])),
        *((name, value) for name, value in (one["headers"] or {}).items() if name.startswith("X-Hub")),
        ("Body", one["body"]),
    ]
    desk.facts(one, lines)
    if not desk.as_json:
        desk.table(ATTEMPTS, [{**each, "result": _result(each)} for each in one["log"]], "It was never sent.")


@webhook.command()
@click.argument("row_ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@narrowing
@yes_option
@operator_command
def replay(
    desk: Desk,
    row_ids: tuple[int, ...],
    app_id: str | None,
    call_id: str | None,
    kind: str | None,
    state: str | None,
    since_s: float | None,
    until_s: float | None,
    is_sure: bool,
) -> None:
    """Send events once more, the same bytes: these, or those of a call, or of an app in a span of time."""
    wanted = given(app_id=app_id, call_id=call_id, kind=kind, state=state, **_span(desk, since_s, until_s))
    if bool(row_ids) == bool(wanted):
        raise click.UsageError("Name events by their ids, or by --call or --app and what narrows these down.")
    if not row_ids and not (app_id or call_id):
        raise click.UsageError("--call or --app is needed.")
    if not row_ids and call_id is None:
        desk.confirm(f"Send events of app {app_id} once more?", is_sure)
    reply = desk.ask("POST", "/deliveries/replay", body={"ids": list(row_ids)} if row_ids else wanted)
    count = len(reply["replayed"])
    lines = [f"{count} {'event is' if count == 1 else 'events are'} sent once more."]
    lines += [f"{each['id']} is not: {_REASONS[each['reason']]}." for each in reply["skipped"]]
    if reply["left"]:
        lines.append(f"{reply['left']} more fit; run this again when these are through, with a span that leaves them out.")
    desk.done(reply, "\n".join(lines))


@webhook.command()
@click.argument("app_id", metavar="APP")
@click.option("--object", "object_", default="page", show_default=True, metavar="NAME", help="Which subscription's callback.")
@operator_command
def test(desk: Desk, app_id: str, object_: str) -> None:
    """Send an app's callback one verification and one signed sample event, and show what came back.

    Exit status 1 if it did not take both.
    """
    reply = desk.ask("POST", "/deliveries/test", body={"app_id": app_id, "object": object_})
    verification, event = reply["verification"], reply["event"]
    lines: list[tuple[str, object]] = [
        ("Callback", reply["callback_url"]),
        ("Verification", f"{_result(verification)} in {_latency(verification['latency_s'])}"),
        ("  answer", verification["answer"]),
        ("  verdict", "the challenge came back" if verification["success"] else verification["reason"]),
        ("Event", f"{_result(event)} in {_latency(event['latency_s'])}"),
        ("  answer", event["answer"]),
        ("  verdict", "taken" if event["success"] else "not taken"),
    ]
    desk.facts(reply, lines)
    if not (verification["success"] and event["success"]):
        sys.exit(1)


@webhook.command()
@operator_command
def alerts(desk: Desk) -> None:
    """List apps that have taken nothing for a quarter of an hour."""
    desk.table(ALERTS, desk.entries("/alerts", {}), "Every receiver takes what it is sent.")


_REASONS = {
    "unknown": "there is no such event",
    "owed": "it, or an earlier event of its call, is still owed",
    "no_subscription": "its app has no active subscription",
}


def _span(desk: Desk, since_s: float | None, until_s: float | None) -> dict[str, float]:
    """Moments from durations, by the server's clock."""
    if since_s is None and until_s is None:
        return {}
    now = float(desk.ask("GET", "/clock")["now"])
    return {name: now - ago for name, ago in (("since", since_s), ("until", until_s)) if ago is not None}


def _state(entry: dict[str, Any]) -> str:
    """Where an event stands, in words."""
    if entry["replay_at"] is not None:
        return f"{entry['state']}, goes once more"
    if entry["state"] == Hold.READY.value and entry["attempts"]:
        return f"owed, next attempt {second(entry['next_at'])}"
    words = {Hold.HELD.value: "waits for a response", Hold.READY.value: "owed"}
    state = words.get(entry["state"], entry["state"])
    return f"{state}: {entry['reason']}" if entry["reason"] else str(state)


def _result(outcome: dict[str, Any]) -> str:
    return str(outcome["status"]) if outcome["status"] is not None else f"{outcome['failure']}: {outcome['error']}"
