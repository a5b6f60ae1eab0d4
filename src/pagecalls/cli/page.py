"""`pagecalls page`: Pages and what they may."""

from __future__ import annotations

from typing import Any

import click

from pagecalls.cli.look import day, minute, yes_or_no
from pagecalls.cli.output import Column, Desk, force_option, given, operator_command, something, yes_option
from pagecalls.cli.page_settings import settings

COLUMNS = (
    Column("ID", "id"),
    Column("Name", "name", is_flexible=True),
    Column("Calling", "is_calling_eligible", shown=yes_or_no),
    Column("Calls consumers", "may_call_consumers", shown=yes_or_no),
    Column("Created", "created_at", shown=day),
)

eligible_option = click.option("--calling/--no-calling", "is_eligible", default=None, help="Whether there are calls at all.")
outbound_option = click.option("--call-consumers/--no-call-consumers", "may_call", default=None, help="Whether it may call.")


@click.group()
def page() -> None:
    """Pages: who is called, and calls."""


page.add_command(settings)


@page.command()
@click.argument("name")
@click.option("--id", "page_id", default=None, metavar="ID", help="Its id, decimal digits; else one is made up.")
@eligible_option
@outbound_option
@operator_command
def create(desk: Desk, name: str, page_id: str | None, is_eligible: bool | None, may_call: bool | None) -> None:
    """Make a Page. Its call settings are the server's defaults."""
    body = given(name=name, id=page_id, is_calling_eligible=is_eligible, may_call_consumers=may_call)
    made = desk.ask("POST", "/pages", body=body)["page"]
    note = f"pagecalls app create NAME --page {made['id']} makes an app for it, with a token."
    desk.facts(made, [("ID", made["id"])], f"Page {name} was made.", note)


@page.command("list")
@operator_command
def list_(desk: Desk) -> None:
    """List all Pages."""
    desk.table(COLUMNS, desk.entries("/pages", {}), "There are no Pages. pagecalls page create NAME makes one.")


@page.command()
@click.argument("page_id", metavar="ID")
@operator_command
def show(desk: Desk, page_id: str) -> None:
    """Show one Page."""
    _show(desk, desk.ask("GET", f"/pages/{page_id}")["page"])


@page.command()
@click.argument("page_id", metavar="ID")
@click.option("--name", default=None, help="Another name.")
@eligible_option
@outbound_option
@operator_command
def change(desk: Desk, page_id: str, name: str | None, is_eligible: bool | None, may_call: bool | None) -> None:
    """Change a Page's name or what it may."""
    body = something(given(name=name, is_calling_eligible=is_eligible, may_call_consumers=may_call))
    _show(desk, desk.ask("PATCH", f"/pages/{page_id}", body=body)["page"])


@page.command()
@click.argument("page_id", metavar="ID")
@force_option
@yes_option
@operator_command
def delete(desk: Desk, page_id: str, force: bool, is_sure: bool) -> None:
    """Delete a Page with its tokens and settings, and erase all its consumers."""
    desk.confirm(f"Delete Page {page_id} and erase all its consumers?", is_sure)
    desk.done(desk.ask("DELETE", f"/pages/{page_id}", {"force": str(force).lower()}), f"Page {page_id} is deleted.")


def _show(desk: Desk, one: dict[str, Any]) -> None:
    lines = [
        ("ID", one["id"]),
        ("Name", one["name"]),
        ("Calling", yes_or_no(one["is_calling_eligible"])),
        ("Calls consumers", yes_or_no(one["may_call_consumers"])),
        ("Created", minute(one["created_at"])),
    ]
    desk.facts(one, lines)
