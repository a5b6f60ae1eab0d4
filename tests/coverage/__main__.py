"""Check the rows against the code and the names of all tests, and write the page: `python -m tests.coverage docs/coverage.md`.

Collects the tests and runs none. Ends with status 1 and writes nothing when a row is wrong.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

from tests.coverage import derived, findings, page, rows
from tests.coverage.findings import Names
from tests.coverage.plugin import has_rust_test

ROOT = Path(__file__).parents[2]


class Collector:
    """Notes the node ids of a collection."""

    def __init__(self) -> None:
        self.node_ids: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Every test is known."""
        self.node_ids = [item.nodeid for item in session.items]


def collected() -> list[str]:
    """Node ids of all tests. Raises `SystemExit` with what pytest said if they cannot be collected."""
    collector, said = Collector(), io.StringIO()
    with contextlib.redirect_stdout(said):
        status = pytest.main(["--collect-only", "-qq", f"--rootdir={ROOT}", str(ROOT / "tests")], plugins=[collector])
    if status != pytest.ExitCode.OK:
        raise SystemExit(said.getvalue())
    return collector.node_ids


def main(target: Path) -> int:
    """Write the page to `target`, or say what is wrong."""
    contract = rows.load()
    wrong = [
        *findings.still(contract, derived.names()),
        *findings.of_names(contract, Names.of(collected()), lambda test: has_rust_test(ROOT, test)),
    ]
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
        return 1
    target.write_text(page.render(contract), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
