"""`pagecalls user`: whom user tokens and system users' tokens stand for."""

from __future__ import annotations

from typing import Any

import click

from pagecalls.cli.output import Column, Desk, day, given, moment, operator_command, yes_option

COLUMNS = (Column("ID", "id"), Column("Name", "name", is_flexible=True), Column("Created", "created_at", shown=day))


@click.group()
def user() -> None:
    """Users: people and system users on the business's side."""


@user.command()
@click.argument("name")
@click.option("--id", "user_id", default=None, metavar="ID", help="Their id, decimal digits; else one is made up.")
@operator_command
def create(desk: Desk, name: str, user_id: str | None) -> None:
    """Make a user."""
    made = desk.ask("POST", "/users", body=given(name=name, id=user_id))["user"]
    desk.facts(made, [("ID", made["id"])], f"User {name} was made.")


@user.command("list")
@operator_command
def list_(desk: Desk) -> None:
    """List all users."""
    desk.table(COLUMNS, desk.entries("/users", {}), "There are no users. pagecalls user create NAME makes one.")


@user.command()
@click.argument("user_id", metavar="ID")
@operator_command
def show(desk: Desk, user_id: str) -> None:
    """Show one user."""
    _show(desk, desk.ask("GET", f"/users/{user_id}")["user"])


@user.command()
@click.argument("user_id", metavar="ID")
@click.option("--name", required=True, help="Another name.")
@operator_command
def change(desk: Desk, user_id: str, name: str) -> None:
    """Change a user's name."""
    _show(desk, desk.ask("PATCH", f"/users/{user_id}", body={"name": name})["user"])


@user.command()
@click.argument("user_id", metavar="ID")
@yes_option
@operator_command
def delete(desk: Desk, user_id: str, is_sure: bool) -> None:
    """Delete a user with their tokens."""
    desk.confirm(f"Delete user {user_id} with their tokens?", is_sure)
    desk.done(desk.ask("DELETE", f"/users/{user_id}"), f"User {user_id} is deleted.")


def _show(desk: Desk, one: dict[str, Any]) -> None:
    desk.facts(one, [("ID", one["id"]), ("Name", one["name"]), ("Created", moment(one["created_at"]))])
