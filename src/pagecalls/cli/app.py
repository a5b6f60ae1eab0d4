"""`pagecalls app`: integrations, their secrets and what they may."""

from __future__ import annotations

from typing import Any

import click

from pagecalls.cli.look import day, minute, yes_or_no
from pagecalls.cli.output import Column, Desk, force_option, given, operator_command, something, yes_option

COLUMNS = (
    Column("ID", "id"),
    Column("Name", "name", is_flexible=True),
    Column("Version", "default_version"),
    Column("Proof", "require_proof", shown=lambda value: "required" if value else "optional"),
    Column("Created", "created_at", shown=day),
)
ONCE = "The secret is shown this once; `pagecalls app rotate` makes another."


@click.group()
def app() -> None:
    """Apps: who may use the Graph API and receives webhooks."""


@app.command()
@click.argument("name")
@click.option("--page", "page_id", default=None, metavar="ID", help="Also make a token with full rights on this Page.")
@click.option("--id", "app_id", default=None, metavar="ID", help="Its id, decimal digits; else one is made up.")
@click.option("--default-version", default=None, metavar="V", help="Version of paths that name none.  [default: v26.0]")
@click.option("--require-proof", is_flag=True, default=None, help="Every request must bring appsecret_proof.")
@operator_command
def create(
    desk: Desk, name: str, page_id: str | None, app_id: str | None, default_version: str | None, require_proof: bool | None
) -> None:
    """Make an app."""
    body = given(name=name, page_id=page_id, id=app_id, default_version=default_version, require_proof=require_proof or None)
    made = desk.ask("POST", "/apps", body=body)
    one, page = made["app"], made["page"]
    lines: list[tuple[str, object]] = [("ID", one["id"]), ("Secret", one["secret"])]
    if page is not None:
        lines += [("Page", page["id"]), ("Page token", page["access_token"])]
    note = ONCE if page is None else "Secret and token are shown this once."
    desk.facts({**one, "page": page}, lines, f"App {name} was made.", note)


@app.command("list")
@operator_command
def list_(desk: Desk) -> None:
    """List all apps."""
    desk.table(COLUMNS, desk.entries("/apps", {}), "There are no apps. pagecalls app create NAME makes one.")


@app.command()
@click.argument("app_id", metavar="ID")
@operator_command
def show(desk: Desk, app_id: str) -> None:
    """Show one app."""
    _show(desk, desk.ask("GET", f"/apps/{app_id}")["app"])


@app.command()
@click.argument("app_id", metavar="ID")
@click.option("--name", default=None, help="Another name.")
@click.option("--default-version", default=None, metavar="V", help="Version of paths that name none.")
@click.option("--require-proof/--no-require-proof", default=None, help="Whether every request must bring appsecret_proof.")
@operator_command
def change(desk: Desk, app_id: str, name: str | None, default_version: str | None, require_proof: bool | None) -> None:
    """Change an app's name, default version or need of a proof."""
    body = something(given(name=name, default_version=default_version, require_proof=require_proof))
    _show(desk, desk.ask("PATCH", f"/apps/{app_id}", body=body)["app"])


@app.command()
@click.argument("app_id", metavar="ID")
@operator_command
def rotate(desk: Desk, app_id: str) -> None:
    """Make a new secret; the old one is worthless at once."""
    made = desk.ask("POST", f"/apps/{app_id}/rotate")["app"]
    lines = [("ID", made["id"]), ("Secret", made["secret"])]
    desk.facts(made, lines, f"App {made['name']} has a new secret.", "Webhooks are signed with it from now on. " + ONCE)


@app.command()
@click.argument("app_id", metavar="ID")
@force_option
@yes_option
@operator_command
def delete(desk: Desk, app_id: str, force: bool, is_sure: bool) -> None:
    """Delete an app with its tokens, subscriptions and webhooks."""
    desk.confirm(f"Delete app {app_id} with its tokens and subscriptions?", is_sure)
    desk.done(desk.ask("DELETE", f"/apps/{app_id}", {"force": str(force).lower()}), f"App {app_id} is deleted.")


def _show(desk: Desk, one: dict[str, Any]) -> None:
    lines = [
        ("ID", one["id"]),
        ("Name", one["name"]),
        ("Default version", one["default_version"]),
        ("Proof required", yes_or_no(one["require_proof"])),
        ("Created", minute(one["created_at"])),
    ]
    desk.facts(one, lines)
