"""The page and the example hold every key, and are what the code says now."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pagecalls.config import pages
from pagecalls.config.keys import KEYS
from pagecalls.config.load import load

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_up_to_date() -> None:
    assert (DOCS / "configuration.md").read_text() == pages.page(), "make docs"


def test_the_page_has_every_key() -> None:
    for key in KEYS:
        assert f"| `{key.name}` | {key.text}" in pages.page().replace("\\|", "|")


def test_the_example_changes_nothing_until_it_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "pagecalls.toml"
    file.write_text(pages.example())
    assert load({}, {}, file).given == {}


def test_every_line_of_the_example_can_be_taken_in(tmp_path: Path) -> None:
    """Those of production and development do not go together; neither do those of a stop."""
    lines = [line[2:] for line in pages.example().splitlines() if line.startswith("# ") and " = " in line]
    settings = [line for line in lines if line.partition(" = ")[0].isidentifier()]
    assert {line.partition(" = ")[0].removesuffix("_file") for line in settings if "tls_" not in line} == {
        key.name for key in KEYS if "tls_" not in key.name
    }
    for line in settings:
        tomllib.loads(line)


def test_no_line_is_wider_than_a_screen() -> None:
    assert max(len(line) for line in pages.example().splitlines()) <= pages.WIDTH
