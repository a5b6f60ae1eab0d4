from __future__ import annotations

from pathlib import Path

from pagecalls.graph.errors_page import render


def test_the_page_is_not_stale() -> None:
    page = Path(__file__).parents[3] / "docs" / "errors.md"
    assert page.read_text(encoding="utf-8") == render(), "run: python -m pagecalls.graph.errors_page docs/errors.md"
