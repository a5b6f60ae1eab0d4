"""`pages`: Pages and their flags. What `messenger_call_settings` holds is set on its own resource."""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from pagecalls.control.base import ControlParts, ControlRequest, decode
from pagecalls.control.lists import Id, Name, is_forced, limit_of, listed, seconds
from pagecalls.http import JsonObject, Response
from pagecalls.store.base import Page
from pagecalls.types import PageId


class PageChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PATCH pages/{id}`. What is absent or null stays."""

    name: Name | None = None
    is_calling_eligible: bool | None = None
    may_call_consumers: bool | None = None


class NewPageRequest(PageChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST pages`."""

    name: Name
    id: Id | None = None


async def read_all(parts: ControlParts, request: ControlRequest) -> Response:
    """A page of the list."""
    limit = limit_of(request.query)
    pages = await parts.office.accounts.pages(request.query.get("after", ""), limit)
    return listed(pages, limit, rendered, lambda page: page.id)


async def create(parts: ControlParts, request: ControlRequest) -> Response:
    """A new Page."""
    asked = decode(request.body, NewPageRequest)
    own_id = None if asked.id is None else PageId(asked.id)
    page = await parts.office.accounts.create_page(asked.name, own_id, lambda fresh: _changed(fresh, asked))
    return Response(200, {"page": rendered(page)})


async def read(parts: ControlParts, request: ControlRequest) -> Response:
    """One Page."""
    return Response(200, {"page": rendered(await parts.office.accounts.page(PageId(request.named["id"])))})


async def change(parts: ControlParts, request: ControlRequest) -> Response:
    """Name and flags."""
    asked = decode(request.body, PageChange)
    page = await parts.office.accounts.change_page(PageId(request.named["id"]), lambda old: _changed(old, asked))
    return Response(200, {"page": rendered(page)})


async def delete(parts: ControlParts, request: ControlRequest) -> Response:
    """With its tokens, subscriptions, settings and people."""
    await parts.office.accounts.delete_page(PageId(request.named["id"]), is_forced(request.query))
    return Response(200, {"success": True})


def rendered(page: Page) -> JsonObject:
    """A Page as this face shows it."""
    return {
        "id": page.id,
        "name": page.name,
        "is_calling_eligible": page.is_calling_eligible,
        "may_call_consumers": page.may_call_consumers,
        "created_at": seconds(page.created_at),
    }


def _changed(page: Page, change: PageChange) -> Page:
    return replace(
        page,
        name=page.name if change.name is None else change.name,
        is_calling_eligible=page.is_calling_eligible if change.is_calling_eligible is None else change.is_calling_eligible,
        may_call_consumers=page.may_call_consumers if change.may_call_consumers is None else change.may_call_consumers,
    )
