"""The page's frame, as it is shipped."""

from __future__ import annotations

from importlib import resources

TEMPLATE = (resources.files("pagecalls.graph.openapi") / "page" / "page.html").read_text(encoding="utf-8")
