"""`oauth/codes`: codes that stand for a user's consent (graph-platform 2.5)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import ControlParts, ControlRequest, decode
from pagecalls.control.lists import Id
from pagecalls.control.tokens import ScopeName
from pagecalls.http import Response
from pagecalls.switchboard.directory import PAGE_SCOPES
from pagecalls.switchboard.oauth import CODE_S, CodeRequest
from pagecalls.types import AppId, PageId, UserId

LONGEST_CODE_S = 24 * 3600.0
Url = Annotated[str, Meta(min_length=1, max_length=2048)]


class NewCodeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST oauth/codes`. `scopes` null: all that a Page's calls need. `page_id`: a Page that the user reaches from now
    on."""

    app_id: Id
    user_id: Id
    page_id: Id | None = None
    scopes: list[ScopeName] | None = None
    redirect_uri: Url | None = None
    lifetime_s: Annotated[float, Meta(gt=0, le=LONGEST_CODE_S)] = CODE_S


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
