"""`pagecalls token`: access tokens. A text is shown once; a handle names it from then on, or the text on standard input."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from pagecalls.cli.look import day, end, minute, or_dash
from pagecalls.cli.output import Column, Desk, Duration, given, operator_command, something, yes_option
from pagecalls.store.base import TokenKind
from pagecalls.store.base.accounts import HANDLE_CHARS
from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.tokens import REASONS

COLUMNS = (
    Column("Handle", "handle"),
    Column("Kind", "kind"),
    Column("App", "app_id"),
    Column("For", "target", shown=or_dash),
    Column("State", "state_now", is_flexible=True),
)
ONCE = "The token is shown this once; `pagecalls token rotate` makes another."
KIND = click.Choice([kind.value for kind in TokenKind])
REASON = click.Choice([why.value for why in REASONS])
WHY = f"One of {', '.join(REASON.choices)}."


class HandleParam(click.ParamType[str]):
    """A token's handle, or `-` for its text on standard input, which leaves no trace in a shell's history."""

    name = "HANDLE|-"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The handle."""
        if value == "-":
            text = sys.stdin.read().strip()
            return digest(text)[:HANDLE_CHARS] if text else self.fail("there is no token on standard input", param, ctx)
        if re.fullmatch(r"[0-9a-fA-F]{8,64}", value) is None:
            self.fail("a handle is hexadecimal; with - in its place a token's text is read from standard input", param, ctx)
        return value.lower()


handle_argument = click.argument("handle", type=HandleParam(), metavar="HANDLE|-")
scope_option = click.option("--scope", "scopes", multiple=True, metavar="NAME", help="A permission; repeatable.")


@click.group()
def token() -> None:
    """Access tokens of every kind. HANDLE is what `list` shows; - reads the token's text from standard input."""


@token.command()
@click.option("--kind", type=KIND, default="page", show_default=True, help="What the token stands for.")
@click.option("--app", "app_id", required=True, metavar="ID", help="The app that uses it.")
@click.option("--page", "page_id", default=None, metavar="ID", help="The Page that it is for.")
@click.option("--user", "user_id", default=None, metavar="ID", help="The user that it stands for.")
@scope_option
@click.option("--no-scopes", is_flag=True, help="No permission at all.")
@click.option("--expires-in", type=Duration(may_be_never=True), default="never", show_default=True, help="Such as 12h or 60d.")
@operator_command
def create(
    desk: Desk,
    kind: str,
    app_id: str,
    page_id: str | None,
    user_id: str | None,
    scopes: tuple[str, ...],
    no_scopes: bool,
    expires_in: float | None,
) -> None:
    """Make a token. Without --scope it has all permissions that a Page's calls need."""
    asked = list(scopes) if scopes or no_scopes else None
    body = given(kind=kind, app_id=app_id, page_id=page_id, user_id=user_id, scopes=asked, lifetime_s=expires_in)
    made = desk.ask("POST", "/tokens", body=body)["token"]
    desk.facts(made, [("Token", made["access_token"]), *_lines(made)], "The token was made.", ONCE)


@token.command("list")
@click.option("--app", "app_id", default=None, metavar="ID", help="Of this app only.")
@click.option("--page", "page_id", default=None, metavar="ID", help="For this Page only.")
@click.option("--user", "user_id", default=None, metavar="ID", help="Of this user only.")
@click.option("--kind", type=KIND, default=None, help="Of this kind only.")
@operator_command
def list_(desk: Desk, app_id: str | None, page_id: str | None, user_id: str | None, kind: str | None) -> None:
    """List tokens, without their texts."""
    query = {"app_id": app_id, "page_id": page_id, "user_id": user_id, "kind": kind}
    found = desk.entries("/tokens", query)
    if not desk.as_json:
        found = [{**each, "target": each["page_id"] or each["user_id"], "state_now": _state(each)} for each in found]
    desk.table(COLUMNS, found, "There are no such tokens.")


@token.command()
@handle_argument
@operator_command
def show(desk: Desk, handle: str) -> None:
    """Show one token, without its text."""
    _show(desk, desk.ask("GET", f"/tokens/{handle}")["token"])


@token.command()
@handle_argument
@scope_option
@click.option("--expires-in", type=Duration(may_be_never=False), default=None, help="From now, such as 12h or 60d.")
@operator_command
def change(desk: Desk, handle: str, scopes: tuple[str, ...], expires_in: float | None) -> None:
    """Change a token's permissions or its end."""
    body = something(given(scopes=list(scopes) or None, lifetime_s=expires_in))
    _show(desk, desk.ask("PATCH", f"/tokens/{handle}", body=body)["token"])


@token.command()
@handle_argument
@operator_command
def rotate(desk: Desk, handle: str) -> None:
    """Make a new token with the same rights; the old one is revoked."""
    made = desk.ask("POST", f"/tokens/{handle}/rotate")["token"]
    desk.facts(made, [("Token", made["access_token"]), *_lines(made)], f"Token {handle} is revoked; this one follows it.", ONCE)


@token.command()
@handle_argument
@click.option(
    "--reason", type=REASON, default="revoked", show_default=True, metavar="WHY", help=f"One of {', '.join(REASON.choices)}."
)
@operator_command
def revoke(desk: Desk, handle: str, reason: str) -> None:
    """Take a token back. Whoever uses it is told the reason."""
    gone = desk.ask("POST", f"/tokens/{handle}/revoke", body={"reason": reason})["token"]
    desk.done(gone, f"Token {gone['handle']} is no longer good: {gone['state']}.")


@token.command()
@handle_argument
@yes_option
@operator_command
def delete(desk: Desk, handle: str, is_sure: bool) -> None:
    """Forget a token. Whoever uses it is told that it cannot be read."""
    desk.confirm(f"Forget token {handle}?", is_sure)
    desk.done(desk.ask("DELETE", f"/tokens/{handle}"), f"Token {handle} is forgotten.")


def _show(desk: Desk, one: dict[str, Any]) -> None:
    desk.facts(one, _lines(one))


def _lines(one: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("Handle", one["handle"]),
        ("Kind", one["kind"]),
        ("App", one["app_id"]),
        ("Page", or_dash(one["page_id"])),
        ("User", or_dash(one["user_id"])),
        ("Scopes", " ".join(one["scopes"]) or "none"),
        ("State", one["state"]),
        ("Issued", minute(one["issued_at"])),
        ("Expires", end(one["expires_at"])),
    ]


def _state(one: dict[str, Any]) -> str:
    """In a list: until when it is good, or why it is not."""
    if one["state"] != "good":
        return str(one["state"])
    return "good" if one["expires_at"] is None else f"until {day(one['expires_at'])}"
