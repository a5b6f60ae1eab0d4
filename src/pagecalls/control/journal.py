"""`GET journal?after=&wait_s=`: what happened, as a long poll."""

from __future__ import annotations

import asyncio

import msgspec

from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused
from pagecalls.http import ClientGone, Response, until_gone

LONGEST_WAIT_S = 60.0


async def read_journal(parts: ControlParts, request: ControlRequest) -> Response:
    """Entries after number `after`; waits up to `wait_s` for one. `next` is the number to ask after next time."""
    after = _number(request, "after", 2.0**53)
    wait_s = _number(request, "wait_s", LONGEST_WAIT_S)
    reading = asyncio.ensure_future(parts.journal.after(int(after), wait_s))
    gone = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise ClientGone
        entries = reading.result()
    finally:
        reading.cancel()
        gone.cancel()
    last = entries[-1].get("seq", int(after)) if entries else int(after)
    return Response(200, msgspec.json.encode({"entries": list(entries), "next": last}))


def _number(request: ControlRequest, name: str, most: float) -> float:
    text = request.query.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise Refused(Refusal.BAD_REQUEST, f"{name} must be a number from 0 to {most:.0f}.")
    return value
