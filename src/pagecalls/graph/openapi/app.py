"""The contract's documents and pages as an ASGI app; on the port it comes before the Graph face.

Owns these addresses and no other: `/openapi.json` and `.yaml` of the calls edge, `/openapi-all.json` and `.yaml` of every edge,
the same below each version that is served, and `/docs` with all below it. No node of the Graph has them: ids are digits, this
server gives a Page no alias but `me`, and `docs` is shorter than the five characters that one has on the platform. Whoever asks
for a document gets one, from any host, as on Graph paths; pages come only under this server's own names.
Nothing here reads or sends a token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

from starlette.types import Receive, Scope, Send

from pagecalls.graph.openapi import contract, document
from pagecalls.graph.openapi.edges import EDGES
from pagecalls.graph.openapi.markdown import to_markdown
from pagecalls.graph.openapi.reference import to_html
from pagecalls.graph.versions import LATEST
from pagecalls.http import HostGuard, Response, header, host_name

DOCS = "/docs"
MARKDOWN = "page-calls.md"

_VERSION = "|".join(re.escape(version) for version in contract.VERSIONS)
_DOCUMENT = re.compile(rf"(?:/({_VERSION}))?/openapi(-all)?\.(json|yaml)")
_PAGE = re.compile(rf"{DOCS}(?:/({_VERSION}))?/({re.escape(MARKDOWN)})?")
_STATIC = re.compile(rf"{DOCS}/static/([a-z.]+)")

_READING = ("GET", "HEAD")
_AUTHORITY = re.compile(r"[A-Za-z0-9._:\[\]-]+")

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"

DOCUMENT_HEADERS: Mapping[str, str] = MappingProxyType(
    {"access-control-allow-origin": "*", "cache-control": "no-cache", "vary": "Host", "x-content-type-options": "nosniff"}
)
PAGE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "cache-control": "no-cache",
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
)
"""Everything comes from this server, nothing is inline, and no page may frame these or be told where a reader came from."""


class Documents:
    """See the module. `hosts` knows the names under which pages may be asked for."""

    def __init__(self, hosts: HostGuard) -> None:
        self._hosts = hosts
        folder = resources.files(__package__) / "page"
        self._template = (folder / "page.html").read_text(encoding="utf-8")
        self._static = {
            name: ((folder / name).read_bytes(), _TYPES[name[name.rindex(".") :]])
            for name in ("icon.svg", "page.css", "page.js", "snippets.js", "tabs.js")
        }

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a request for `path` is for this app."""
        return path == DOCS or path.startswith(f"{DOCS}/") or _DOCUMENT.fullmatch(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request for a path that `owns` has said yes to."""
        path: str = scope["path"]
        found = _DOCUMENT.fullmatch(path)
        response = self._document(scope, found) if found else self._page(scope, path)
        await response(scope, receive, send)

    def _document(self, scope: Scope, found: re.Match[str]) -> Response:
        if scope["method"] not in _READING:
            return _plain(405, "Documents are read with GET.", {"allow": "GET, HEAD"})
        version, ending = found[1] or LATEST, found[3]
        content = document.build(version, client_base(scope), EDGES if found[2] else ())
        if ending == "json":
            return Response(200, document.to_json(content), DOCUMENT_HEADERS)
        return Response(200, document.as_yaml(content), {**DOCUMENT_HEADERS, "content-type": "application/yaml; charset=utf-8"})

    def _page(self, scope: Scope, path: str) -> Response:
        """Host and verb come before the path: a stranger does not learn which pages exist."""
        if not self._hosts.admits(scope):
            return _plain(403, "The Host or Origin of this request is not one of this server's names.")
        if scope["method"] not in _READING:
            return _plain(405, "Pages are read with GET.", {"allow": "GET, HEAD"})
        static = _STATIC.fullmatch(path)
        if static and static[1] in self._static:
            content, content_type = self._static[static[1]]
            return Response(200, content, {**PAGE_HEADERS, "content-type": content_type})
        page = _PAGE.fullmatch(path)
        if page:
            return self._reference(page[1] or LATEST, client_base(scope), is_markdown=page[2] is not None)
        if _PAGE.fullmatch(f"{path}/"):
            return _plain(308, "", {"location": f"{path}/"})
        return _plain(404, "There is no such page.")

    def _reference(self, version: str, base_url: str, *, is_markdown: bool) -> Response:
        if is_markdown:
            headers = {**PAGE_HEADERS, "content-type": "text/markdown; charset=utf-8"}
            return Response(200, to_markdown(version, base_url).encode(), headers)
        html = to_html(self._template, version, base_url)
        return Response(200, html.encode(), {**PAGE_HEADERS, "content-type": _HTML})


def client_base(scope: Scope) -> str:
    """The base URL that the client used; empty, which makes addresses relative, if its `Host` is no plain host and port."""
    host = header(scope, "host") or ""
    if host_name(host) is None or not _AUTHORITY.fullmatch(host):
        return ""
    scheme = "https" if scope.get("scheme") == "https" else "http"
    return f"{scheme}://{host}"


def _plain(status: int, text: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    return Response(status, f"{text}\n".encode() if text else b"", {**PAGE_HEADERS, "content-type": _TEXT, **headers})
