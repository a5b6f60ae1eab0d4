"""Every edge beside the calls edge that the documents tell of, in their order. A part adds its line."""

from __future__ import annotations

from pagecalls.graph.openapi import messages, metrics, permissions, settings, tokens
from pagecalls.graph.openapi.edge import Edge

EDGES: tuple[Edge, ...] = (*permissions.EDGES, *messages.EDGES, *settings.EDGES, *metrics.EDGES, *tokens.EDGES)
