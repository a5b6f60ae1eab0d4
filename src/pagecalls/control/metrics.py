"""The page for Prometheus. What is counted is not known here."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pagecalls.control.base import ControlParts, ControlRequest
from pagecalls.http import Response


async def metrics_page(parts: ControlParts, _request: ControlRequest) -> Response:
    """The registry in Prometheus's text format."""
    return Response(200, generate_latest(parts.registry), {"content-type": CONTENT_TYPE_LATEST})
