"""Permission to call a person, given by the operator (design: faces)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import LONGEST_STEP_S, ControlParts, ControlRequest, Refusal, Refused, decode
from pagecalls.errors import NoSuchConsumer, UnknownObject
from pagecalls.http import Response
from pagecalls.types import PageId, Psid

Text = Annotated[str, Meta(min_length=1, max_length=200)]


class PermissionRequest(Struct, frozen=True):
    """Body of `POST permissions`. `ttl_s` counts from now."""

    psid: Text
    page_id: Text
    ttl_s: Annotated[float, Meta(gt=0, le=LONGEST_STEP_S)]


async def grant_permission(parts: ControlParts, request: ControlRequest) -> Response:
    """Let the Page call the person for a while."""
    asked = decode(request.body, PermissionRequest)
    try:
        expires_at = await parts.permissions.grant_permission(PageId(asked.page_id), Psid(asked.psid), asked.ttl_s)
    except UnknownObject:
        raise Refused(Refusal.NOT_FOUND, f"There is no Page {asked.page_id}.") from None
    except NoSuchConsumer:
        raise Refused(Refusal.NOT_FOUND, f"The Page does not know a person {asked.psid}.") from None
    return Response(200, {"success": True, "psid": asked.psid, "page_id": asked.page_id, "expires_at": int(expires_at)})
