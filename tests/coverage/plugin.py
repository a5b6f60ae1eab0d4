"""A whole run of the tests checks the contract: every test that a row names exists, and passed.

Owns what counts as a whole run and what is noted of it; what is wrong is decided in `findings.py`. A run of a part checks
nothing, because it cannot judge what it did not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.coverage import findings, rows
from tests.coverage.findings import RUST, Names, Outcome

NAME = "contract-coverage"
OPTIONS_OF_A_PART = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")


class Watch:
    """The plugin. One for each run."""

    def __init__(self, root: Path, contract: Path) -> None:
        self._root = root
        self._contract = contract
        self._outcomes: dict[str, Outcome] = {}
        self._is_part = False
        self._findings: Sequence[str] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Every test is known, and has not run."""
        self._is_part = self._is_part or not is_whole(session.config)
        self._outcomes = dict.fromkeys((item.nodeid for item in session.items), Outcome.UNKNOWN)

    def pytest_deselected(self) -> None:
        """Somebody took tests away."""
        self._is_part = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, the test and its end, one after the other; the worst counts."""
        before = self._outcomes.get(report.nodeid, Outcome.UNKNOWN)
        if report.failed:
            self._outcomes[report.nodeid] = Outcome.FAILED
        elif report.skipped and before is not Outcome.FAILED:
            self._outcomes[report.nodeid] = Outcome.SKIPPED
        elif report.when == "call" and before is Outcome.UNKNOWN:
            self._outcomes[report.nodeid] = Outcome.PASSED

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Judge, and fail the run if something is wrong."""
        is_complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self._is_part or not is_complete or session.shouldstop or session.shouldfail:
            return
        self._findings = self._judge()
        if self._findings:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is wrong, and what to do."""
        if self._findings:
            terminalreporter.section("coverage of the contract (tests/coverage)", red=True)
            terminalreporter.write("\n".join(self._findings) + "\n")

    def _judge(self) -> list[str]:
        try:
            contract = rows.load(self._contract)
        except rows.ContractFault as fault:
            return [str(fault)]
        names = Names.of(self._outcomes)
        return [
            *findings.of_names(contract, names, lambda test: has_rust_test(self._root, test)),
            *findings.of_run(contract, self._outcomes),
        ]


def is_whole(config: pytest.Config) -> bool:
    """Whether everything was asked for: no path, no choice of tests."""
    is_everywhere = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return is_everywhere and not any(config.getoption(name, None) for name in OPTIONS_OF_A_PART)


def has_rust_test(root: Path, test: str) -> bool:
    """Whether the engine's test `file::function` exists."""
    file, _, function = test.partition("::")
    path = root / file
    assert RUST in test
    return path.is_file() and f"fn {function}(" in path.read_text(encoding="utf-8")
