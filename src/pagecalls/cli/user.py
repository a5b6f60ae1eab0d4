"""`pagecalls user`: whom user tokens and system users' tokens stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from pagecalls.cli.look import day, end, minute
from pagecalls.cli.output import Column, Desk, Duration, given, operator_command, yes_option
from pagecalls.store.base import PageTask

ONCE = "The code is shown this once."
TASK = click.Choice([task.value for task in PageTask], case_sensitive=False)


def shown_tasks(tasks: Sequence[str]) -> str:
    """As people read them."""
    return "all" if len(tasks) == len(PageTask) else ", ".join(tasks)


PAGE_COLUMNS = (Column("Page", "page_id"), Column("Tasks", "tasks", shown=shown_tasks, is_flexible=True))
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


@user.command()
@click.argument("user_id", metavar="ID")
@operator_command
def pages(desk: Desk, user_id: str) -> None:
    """List the Pages that a user reaches, as their apps see them under /me/accounts."""
    reached = desk.entries(f"/users/{user_id}/pages", {})
    desk.table(PAGE_COLUMNS, reached, f"No Page. pagecalls user reach {user_id} PAGE adds one.")


@user.command()
@click.argument("user_id", metavar="ID")
@click.argument("page_id", metavar="PAGE")
@click.option("--task", "tasks", multiple=True, type=TASK, help="What they may do for it; repeatable. Else everything.")
@operator_command
def reach(desk: Desk, user_id: str, page_id: str, tasks: tuple[str, ...]) -> None:
    """Let a user reach a Page, or change their tasks on it."""
    body = given(page_id=page_id, tasks=list(tasks) or None)
    made = desk.ask("POST", f"/users/{user_id}/pages", body=body)["page"]
    facts = [("User", user_id), ("Page", made["page_id"]), ("Tasks", shown_tasks(made["tasks"]))]
    desk.facts(made, facts, f"User {user_id} reaches Page {page_id}.")


@user.command()
@click.argument("user_id", metavar="ID")
@click.argument("page_id", metavar="PAGE")
@yes_option
@operator_command
def leave(desk: Desk, user_id: str, page_id: str, is_sure: bool) -> None:
    """Let a user no longer reach a Page; Page tokens that were made for them end."""
    desk.confirm(f"Take Page {page_id} from user {user_id}, and with it their Page tokens?", is_sure)
    done = desk.ask("DELETE", f"/users/{user_id}/pages/{page_id}")
    desk.done(done, f"User {user_id} no longer reaches Page {page_id}.")


@user.command()
@click.argument("user_id", metavar="ID")
@click.option("--app", "app_id", required=True, metavar="ID", help="The app that will use it.")
@click.option("--page", "page_id", default=None, metavar="ID", help="A Page that the user reaches from now on.")
@click.option("--scope", "scopes", multiple=True, metavar="NAME", help="A permission; repeatable. Else all that calls need.")
@click.option("--redirect-uri", default=None, metavar="URL", help="Must then be given with the code.")
@click.option(
    "--expires-in", type=Duration(may_be_never=False), default="10m", show_default=True, help="Such as 30s or 10m, a day at most."
)
@operator_command
def code(
    desk: Desk,
    user_id: str,
    app_id: str,
    page_id: str | None,
    scopes: tuple[str, ...],
    redirect_uri: str | None,
    expires_in: float,
) -> None:
    """Make a code, as if the user had just let the app in; /oauth/access_token turns it into a token, once."""
    asked = given(user_id=user_id, app_id=app_id, page_id=page_id, redirect_uri=redirect_uri, lifetime_s=expires_in)
    made = desk.ask("POST", "/oauth/codes", body={**asked, **given(scopes=list(scopes) or None)})
    desk.facts(made, [("Code", made["code"]), ("Expires", end(made["expires_at"]))], "The code was made.", ONCE)


def _show(desk: Desk, one: dict[str, Any]) -> None:
    desk.facts(one, [("ID", one["id"]), ("Name", one["name"]), ("Created", minute(one["created_at"]))])
