"""Permission to call a person, as an operator gives and takes it (design: faces; messenger-calling 8.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pagecalls.control.base import LONGEST_STEP_S, ControlParts, ControlRequest, decode
from pagecalls.control.lists import Name
from pagecalls.errors import NoSuchConsumer, UnknownObject
from pagecalls.http import Response
from pagecalls.switchboard.registers import NoSuch
from pagecalls.types import PageId, Psid


class GrantRequest(Struct, frozen=True):
    """Body of `POST permissions`. `ttl_s` counts from now; 0 takes the permission away."""

    psid: Name
    page_id: Name
    ttl_s: Annotated[float, Meta(ge=0, le=LONGEST_STEP_S)]


class RevokeRequest(Struct, frozen=True):
    """`DELETE permissions`: its query, or its body."""

    psid: Name
    page_id: Name


async def grant_permission(parts: ControlParts, request: ControlRequest) -> Response:
    """Let the Page call the person for a while. A permission that lasts longer already stays as it is: only 0 shortens one."""
    asked = decode(request.body, GrantRequest)
    if asked.ttl_s == 0:
        return await _revoke(parts, asked.page_id, asked.psid)
    with _known(asked.page_id, asked.psid):
        expires_at = await parts.permissions.grant(PageId(asked.page_id), Psid(asked.psid), asked.ttl_s)
    return Response(200, {"success": True, "psid": asked.psid, "page_id": asked.page_id, "expires_at": int(expires_at)})


async def revoke_permission(parts: ControlParts, request: ControlRequest) -> Response:
    """Take the permission away."""
    asked = decode(request.body or msgspec.json.encode(request.query), RevokeRequest)
    return await _revoke(parts, asked.page_id, asked.psid)


async def _revoke(parts: ControlParts, page_id: str, psid: str) -> Response:
    with _known(page_id, psid):
        was_there = await parts.permissions.revoke(PageId(page_id), Psid(psid))
    return Response(200, {"success": True, "psid": psid, "page_id": page_id, "was_there": was_there})


@contextmanager
def _known(page_id: str, psid: str) -> Iterator[None]:
    try:
        yield
    except UnknownObject:
        raise NoSuch("Page", page_id) from None
    except NoSuchConsumer:
        raise NoSuch(f"consumer of Page {page_id}", psid) from None
