"""`pagecalls consumer`: the people of a Page, and their devices' tokens."""

from __future__ import annotations

from typing import Any

import click

from pagecalls.cli.look import day, end, minute
from pagecalls.cli.output import Column, Desk, Duration, given, operator_command, yes_option
from pagecalls.types import Platform

COLUMNS = (
    Column("PSID", "psid"),
    Column("Page", "page_id"),
    Column("Platform", "platform"),
    Column("Name", "name", is_flexible=True),
    Column("Created", "created_at", shown=day),
)
TOKENS = (
    Column("Handle", "handle"),
    Column("Device", "device_id"),
    Column("State", "state"),
    Column("Issued", "issued_at", shown=day),
    Column("Expires", "expires_at", shown=day),
)

page_option = click.option("--page", "page_id", default=None, metavar="ID", help="The Page; needed where there are several.")


@click.group()
def consumer() -> None:
    """Consumers: the people who call a Page and are called by it."""


@consumer.command()
@page_option
@click.option("--name", default=None, help="What the Page sees.")
@click.option("--platform", type=click.Choice([each.value for each in Platform]), default=None, help="[default: messenger]")
@click.option("--psid", default=None, metavar="ID", help="Their id, decimal digits; else one is made up.")
@operator_command
def create(desk: Desk, page_id: str | None, name: str | None, platform: str | None, psid: str | None) -> None:
    """Make a consumer."""
    body = given(page_id=_page(desk, page_id), name=name, platform=platform, psid=psid)
    made = desk.ask("POST", "/consumers", body=body)["consumer"]
    note = f"pagecalls consumer token {made['psid']} --page {made['page_id']} makes a token for a device."
    desk.facts(made, [("PSID", made["psid"]), ("Page", made["page_id"])], f"Consumer {made['name']} was made.", note)


@consumer.command("list")
@click.option("--page", "page_id", default=None, metavar="ID", help="Of this Page only.")
@operator_command
def list_(desk: Desk, page_id: str | None) -> None:
    """List consumers."""
    desk.table(COLUMNS, desk.entries("/consumers", {"page_id": page_id}), "There are no consumers.")


@consumer.command()
@click.argument("psid")
@page_option
@operator_command
def show(desk: Desk, psid: str, page_id: str | None) -> None:
    """Show one consumer and their tokens."""
    one = desk.ask("GET", _path(desk, page_id, psid))["consumer"]
    _show(desk, one)
    if not desk.as_json:
        desk.table(TOKENS, one["tokens"], "They have no token.")


@consumer.command()
@click.argument("psid")
@page_option
@click.option("--name", required=True, help="Another name.")
@operator_command
def change(desk: Desk, psid: str, page_id: str | None, name: str) -> None:
    """Change a consumer's name."""
    _show(desk, desk.ask("PATCH", _path(desk, page_id, psid), body={"name": name})["consumer"])


@consumer.command("token")
@click.argument("psid")
@page_option
@click.option("--expires-in", type=Duration(may_be_never=False), default="30d", show_default=True, help="Such as 12h or 60d.")
@operator_command
def issue(desk: Desk, psid: str, page_id: str | None, expires_in: float) -> None:
    """Make a token for one more device of a consumer."""
    made = desk.ask("POST", f"{_path(desk, page_id, psid)}/tokens", body={"lifetime_s": expires_in})["token"]
    lines = [("Token", made["access_token"]), ("Handle", made["handle"]), ("Expires", end(made["expires_at"]))]
    desk.facts(made, lines, "The token was made.", "It is shown this once. Each device needs one of its own.")


@consumer.command()
@click.argument("psid")
@page_option
@click.option("--token", "handle", default=None, metavar="HANDLE", help="This one only; else all of the consumer's tokens.")
@operator_command
def revoke(desk: Desk, psid: str, page_id: str | None, handle: str | None) -> None:
    """Take a consumer's tokens back and close their devices' connections."""
    gone = desk.ask("POST", f"{_path(desk, page_id, psid)}/revoke", body=given(handle=handle))
    count = len(gone["revoked"])
    desk.done(gone, f"{count} {'token is' if count == 1 else 'tokens are'} no longer good.")


@consumer.command()
@click.argument("psid")
@page_option
@yes_option
@operator_command
def erase(desk: Desk, psid: str, page_id: str | None, is_sure: bool) -> None:
    """Forget a consumer: their tokens, calls, messages and all else. A live call is ended."""
    path = _path(desk, page_id, psid)
    desk.confirm(f"Erase consumer {psid} and all that is stored of them?", is_sure)
    desk.done(desk.ask("DELETE", path), f"Consumer {psid} is erased.")


def _page(desk: Desk, page_id: str | None) -> str:
    """The Page that is meant: the one that there is, unless another is named."""
    if page_id is not None:
        return page_id
    pages = desk.ask("GET", "/pages", {"limit": "2"})["data"]
    if not pages:
        raise click.ClickException("There is no Page. pagecalls page create NAME makes one.")
    if len(pages) > 1:
        raise click.UsageError("There are several Pages; name one with --page. pagecalls page list shows them.")
    return str(pages[0]["id"])


def _path(desk: Desk, page_id: str | None, psid: str) -> str:
    return f"/consumers/{_page(desk, page_id)}/{psid}"


def _show(desk: Desk, one: dict[str, Any]) -> None:
    lines = [
        ("PSID", one["psid"]),
        ("Page", one["page_id"]),
        ("Platform", one["platform"]),
        ("Name", one["name"]),
        ("Created", minute(one["created_at"])),
    ]
    desk.facts(one, lines)
