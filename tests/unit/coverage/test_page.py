"""The page says what the rows say, and the one in `docs/` is not stale."""

from __future__ import annotations

from pathlib import Path

from tests.coverage.page import COMMAND, render
from tests.coverage.rows import load
from tests.unit.coverage.samples import FIRST, contract

PAGE = Path(__file__).parents[3] / "docs" / "coverage.md"


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_bytes() == render(load()).encode(), f"run: {COMMAND}"


def test_counts_come_first(tmp_path: Path) -> None:
    page = render(contract(tmp_path))
    assert "| [greetings](#greetings): How to greet | 2 | 2 | 0 | 0 |\n" in page
    assert "| [ends](#ends): How to leave | 2 | 0 | 1 | 1 |\n" in page
    assert "| all | 4 | 2 | 1 | 1 |\n" in page
    assert "| rule | 2 | 0 | 1 | 1 |\n" in page
    assert page.index("| all |") < page.index("## Open") < page.index("## greetings") < page.index("## ends")


def test_what_is_open_stands_with_its_reason(tmp_path: Path) -> None:
    assert "\n**There are no hands so far.**\n\n- ends, 2: Ends wave, *Ends bow*\n" in render(contract(tmp_path))


def test_a_row_has_links_to_the_files_of_its_tests(tmp_path: Path) -> None:
    page = render(contract(tmp_path))
    assert "### 1.2 Greetings\n" in page
    assert "### Ends: All of them\n" in page
    assert (
        "| rule 1 | A greeting is answered | endpoint | [answer](../tests/test_a.py)<br>[case[one]](../tests/test_a.py) |\n"
    ) in page
    assert "| rule 2 | In any \\| case | enum value | [greets](../crates/x/src/y.rs) |\n" in page
    assert "| bow | A bow too | rule | [bow](../tests/test_a.py)<br>*open* |\n" in page


def test_line_ends_are_plain_and_the_page_is_the_same_again(tmp_path: Path) -> None:
    read = contract(tmp_path)
    assert render(read) == render(read)
    assert "\r" not in render(read)
    assert render(read).endswith("|\n")


def test_nothing_open_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "1-greetings.toml").write_text(FIRST)
    assert "Nothing is open.\n" in render(load(folder))
