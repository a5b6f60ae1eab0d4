"""Is the process there (`health`), and does it take calls (`ready`)? Both are open to probes, and tell nothing else."""

from __future__ import annotations

from pagecalls.control.base import ControlParts, ControlRequest
from pagecalls.http import Response


async def health(_parts: ControlParts, _request: ControlRequest) -> Response:
    """The process answers."""
    return Response(200, {"status": "ok"})


async def ready(parts: ControlParts, _request: ControlRequest) -> Response:
    """503 with the reason before the doors open, while draining and without a media engine."""
    reason = parts.unready()
    if reason is None:
        return Response(200, {"status": "ready"})
    return Response(503, {"status": "not ready", "reason": reason})
