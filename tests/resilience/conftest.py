"""The figures of a run are printed at its end, and written to the file that `PAGECALLS_RESILIENCE_JSON` names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.resilience.figures import VARIABLE, Figures

FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where a test notes what it measured."""
    return pytestconfig.stash[FIGURES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[FIGURES]
    if figures.of:
        terminalreporter.section("resilience")
        for line in figures.lines():
            terminalreporter.write_line(line)
    if figures.of and os.environ.get(VARIABLE):
        figures.write(Path(os.environ[VARIABLE]))
