"""A whole run of another, small suite: it fails where the contract is not held, and a run of a part does not judge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.coverage.samples import written

ROOT = Path(__file__).parents[3]

CONFTEST = """
from pathlib import Path
from tests.coverage.plugin import Watch

def pytest_configure(config):
    root = Path(__file__).parent
    config.pluginmanager.register(Watch(root, root / "contract"), "watch")
"""
SUITE = """
import pytest

def test_answer():
    assert {answer}

@pytest.mark.parametrize("case", ["one", "two"])
def test_case(case):
    pass

def test_bow():
    pass
"""


class Suite:
    """A folder with a contract, the tests that it names, and the engine's test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contract = folder / "contract"
        self.contract.mkdir()
        written(self.contract)
        (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
        (folder / "conftest.py").write_text(CONFTEST)
        for path in ("tests", "crates/x/src"):
            (folder / path).mkdir(parents=True)
        (folder / "crates/x/src/y.rs").write_text("#[test]\nfn greets() {}\n")
        self.write()

    def write(self, answer: str = "True", old: str = "", new: str = "") -> None:
        """The suite; `answer` is what its first test asserts, `old` is replaced by `new`."""
        (self.folder / "tests" / "test_a.py").write_text(SUITE.replace("{answer}", answer).replace(old, new))

    def run(self, *arguments: str) -> tuple[int, str]:
        """Status and output of pytest."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_a_whole_run_that_holds_the_contract(suite: Suite) -> None:
    status, said = suite.run()
    assert (status, "coverage of the contract" in said) == (0, False), said


def test_a_renamed_test_fails_a_whole_run_and_no_other(suite: Suite) -> None:
    suite.write(old="test_bow", new="test_bows")
    status, said = suite.run()
    assert status == 1, said
    assert "ends Ends bow: there is no test tests/test_a.py::test_bow. Is it tests/test_a.py::test_bows now?" in said
    for part in (["tests/test_a.py"], ["-k", "case"], ["--deselect", "tests/test_a.py::test_answer"], ["--collect-only"]):
        status, said = suite.run(*part)
        assert (status, "coverage of the contract" in said) == (0, False), said


def test_a_failed_test_names_the_row_that_it_held(suite: Suite) -> None:
    suite.write(answer="False")
    status, said = suite.run()
    assert status == 1
    assert "greetings 1.2 rule 1 is not held: tests/test_a.py::test_answer failed." in said
    assert "coverage of the contract" not in suite.run("--exitfirst")[1]


def test_a_skipped_test_holds_nothing(suite: Suite) -> None:
    suite.write(answer="pytest.skip('not today')")
    status, said = suite.run()
    assert status == 1
    assert "greetings 1.2 rule 1 is not held: tests/test_a.py::test_answer was skipped." in said


def test_a_missing_test_of_the_engine_and_a_contract_that_cannot_be_read(suite: Suite) -> None:
    (suite.folder / "crates/x/src/y.rs").write_text("fn greets_all() {}\n")
    status, said = suite.run()
    assert (status, "there is no test crates/x/src/y.rs::greets." in said) == (1, True), said
    (suite.contract / "1-greetings.toml").write_text("title = ")
    status, said = suite.run()
    assert (status, "1-greetings.toml" in said or "1-greetings: " in said) == (1, True), said
