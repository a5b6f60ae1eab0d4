"""The server's clock, read and moved forward (ruling 17)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import LONGEST_STEP_S, ControlParts, ControlRequest, decode
from pagecalls.http import Response


class AdvanceRequest(Struct, frozen=True):
    """Body of `POST clock/advance`."""

    seconds: Annotated[float, Meta(ge=0, le=LONGEST_STEP_S)]


async def read_clock(parts: ControlParts, _request: ControlRequest) -> Response:
    """Unix seconds."""
    return Response(200, {"now": parts.clock.now()})


async def advance_clock(parts: ControlParts, request: ControlRequest) -> Response:
    """Answers when every deadline due by then has been handled."""
    await parts.advance(decode(request.body, AdvanceRequest).seconds)
    return Response(200, {"now": parts.clock.now()})
