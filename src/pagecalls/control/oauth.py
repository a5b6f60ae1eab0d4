"""`users/{id}/pages` and `oauth/codes`: which Pages a user reaches, and codes that stand for consent (graph-platform 2.5)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import ControlParts, ControlRequest, decode
from pagecalls.control.lists import Id
from pagecalls.control.tokens import ScopeName
from pagecalls.http import Json, JsonObject, Response
from pagecalls.store.base import PageTask, UserPage
from pagecalls.switchboard.directory import PAGE_SCOPES
from pagecalls.switchboard.oauth import CODE_S, CodeRequest
from pagecalls.types import AppId, PageId, UserId

LONGEST_CODE_S = 24 * 3600.0
Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Tasks = Annotated[list[PageTask], Meta(min_length=1, max_length=100)]


class NewCodeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST oauth/codes`. `scopes` null: all that a Page's calls need. `page_id`: a Page that the user reaches from now
    on."""

    app_id: Id
    user_id: Id
    page_id: Id | None = None
    scopes: list[ScopeName] | None = None
    redirect_uri: Url | None = None
    lifetime_s: Annotated[float, Meta(gt=0, le=LONGEST_CODE_S)] = CODE_S


class UserPageRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST users/{id}/pages`. `tasks` null: all of them."""

    page_id: Id
    tasks: Tasks | None = None


async def make_code(parts: ControlParts, request: ControlRequest) -> Response:
    """A code for `/oauth/access_token`; it is shown this once."""
    asked = decode(request.body, NewCodeRequest)
    made = await parts.office.oauth.make_code(
        CodeRequest(
            AppId(asked.app_id),
            UserId(asked.user_id),
            PAGE_SCOPES if asked.scopes is None else frozenset(asked.scopes),
            None if asked.page_id is None else PageId(asked.page_id),
            asked.redirect_uri,
            asked.lifetime_s,
        )
    )
    return Response(200, {"code": made.code, "expires_at": int(made.expires_at)})


async def read_pages(parts: ControlParts, request: ControlRequest) -> Response:
    """The Pages that the user reaches, all of them."""
    data: list[Json] = [rendered(each) for each in await parts.office.user_pages.of(_user(request))]
    return Response(200, {"data": data, "next": None})


async def put_page(parts: ControlParts, request: ControlRequest) -> Response:
    """Let the user reach the Page; a further request replaces the tasks."""
    asked = decode(request.body, UserPageRequest)
    tasks = tuple(PageTask) if asked.tasks is None else tuple(dict.fromkeys(asked.tasks))
    user_page = UserPage(_user(request), PageId(asked.page_id), tasks)
    await parts.office.user_pages.put(user_page)
    return Response(200, {"page": rendered(user_page)})


async def take_page(parts: ControlParts, request: ControlRequest) -> Response:
    """Let the user no longer reach the Page; the Page tokens that were made for them end."""
    await parts.office.user_pages.take(_user(request), PageId(request.named["page_id"]))
    return Response(200, {"success": True})


def rendered(page: UserPage) -> JsonObject:
    """A user's Page as this face shows it."""
    tasks: list[Json] = [task.value for task in page.tasks]
    return {"page_id": page.page_id, "tasks": tasks}


def _user(request: ControlRequest) -> UserId:
    return UserId(request.named["id"])
