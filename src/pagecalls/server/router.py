"""Which face answers a path."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from pagecalls.graph.openapi.app import Documents


class Router:
    """Hands each request to the face that owns its path."""

    def __init__(self, graph: ASGIApp, documents: Documents, consumer: ASGIApp, control: ASGIApp) -> None:
        self._graph = graph
        self._documents = documents
        self._consumer = consumer
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path: str = scope.get("path", "")
        if path == "/consumer" or path.startswith("/consumer/"):
            await self._consumer(scope, receive, send)
        elif path in ("/metrics", "/_pagecalls") or path.startswith("/_pagecalls/"):
            await self._control(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif self._documents.owns(path):
            await self._documents(scope, receive, send)
        else:
            await self._graph(scope, receive, send)
