"""`users/{id}/pages`: which Pages a user reaches, and with which tasks."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import ControlParts, ControlRequest, decode
from pagecalls.control.lists import Id
from pagecalls.http import Json, JsonObject, Response
from pagecalls.store.base import PageTask, UserPage
from pagecalls.types import PageId, UserId

Tasks = Annotated[list[PageTask], Meta(min_length=1, max_length=100)]


class UserPageRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST users/{id}/pages`. `tasks` null: all of them."""

    page_id: Id
    tasks: Tasks | None = None


async def read_all(parts: ControlParts, request: ControlRequest) -> Response:
    """The Pages that the user reaches, all of them."""
    data: list[Json] = [rendered(each) for each in await parts.office.user_pages.of(_user(request))]
    return Response(200, {"data": data, "next": None})


async def put(parts: ControlParts, request: ControlRequest) -> Response:
    """Let the user reach the Page; a further request replaces the tasks."""
    asked = decode(request.body, UserPageRequest)
    tasks = tuple(PageTask) if asked.tasks is None else tuple(dict.fromkeys(asked.tasks))
    user_page = UserPage(_user(request), PageId(asked.page_id), tasks)
    await parts.office.user_pages.put(user_page)
    return Response(200, {"page": rendered(user_page)})


async def take(parts: ControlParts, request: ControlRequest) -> Response:
    """Let the user no longer reach the Page; the Page tokens that were made for them end."""
    await parts.office.user_pages.take(_user(request), PageId(request.named["page_id"]))
    return Response(200, {"success": True})


def rendered(page: UserPage) -> JsonObject:
    """A user's Page as this face shows it."""
    tasks: list[Json] = [task.value for task in page.tasks]
    return {"page_id": page.page_id, "tasks": tasks}


def _user(request: ControlRequest) -> UserId:
    return UserId(request.named["id"])
