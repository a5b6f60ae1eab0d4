"""Whatever stops holding between contract, code and tests is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coverage.findings import Names, Outcome, of_names, of_run, still
from tests.unit.coverage.samples import DERIVED, FIRST, NODES, contract

ALL_PASSED = dict.fromkeys(NODES, Outcome.PASSED)


def yes(_: str) -> bool:
    return True


def no(_: str) -> bool:
    return False


def test_when_all_is_well_nothing_is_said(tmp_path: Path) -> None:
    read = contract(tmp_path)
    assert still(read, DERIVED) == []
    assert of_names(read, Names.of(NODES), yes) == []
    assert of_run(read, ALL_PASSED) == []


def test_a_missing_test(tmp_path: Path) -> None:
    (said,) = of_names(contract(tmp_path), Names.of([]), yes)[:1]
    assert said == "greetings 1.2 rule 1: there is no test tests/test_a.py::test_answer. Correct its name in the row."


@pytest.mark.parametrize(
    ("now", "hint"),
    [
        ("tests/test_a.py::test_answers", "tests/test_a.py::test_answers"),
        ("tests/test_other.py::test_answer", "tests/test_other.py::test_answer"),
    ],
)
def test_a_renamed_or_moved_test(tmp_path: Path, now: str, hint: str) -> None:
    (said,) = of_names(contract(tmp_path), Names.of([now, *NODES[1:]]), yes)
    assert f"there is no test tests/test_a.py::test_answer. Is it {hint} now?" in said


def test_a_missing_case_of_a_test(tmp_path: Path) -> None:
    (said,) = of_names(contract(tmp_path), Names.of([node for node in NODES if node != "tests/test_a.py::test_case[one]"]), yes)
    assert "there is no test tests/test_a.py::test_case[one]. Is it tests/test_a.py::test_case[two] now?" in said


def test_a_missing_test_of_the_engine(tmp_path: Path) -> None:
    (said,) = of_names(contract(tmp_path), Names.of(NODES), no)
    assert said == "greetings 1.2 rule 2: there is no test crates/x/src/y.rs::greets. Correct its name in the row."


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN])
def test_a_test_that_did_not_pass(tmp_path: Path, outcome: Outcome) -> None:
    said = of_run(contract(tmp_path), {**ALL_PASSED, "tests/test_a.py::test_answer": outcome})
    assert said == [f"greetings 1.2 rule 1 is not held: tests/test_a.py::test_answer {outcome}."]


def test_without_brackets_every_case_counts_and_with_them_that_one(tmp_path: Path) -> None:
    two_failed = {**ALL_PASSED, "tests/test_a.py::test_case[two]": Outcome.FAILED}
    assert of_run(contract(tmp_path), two_failed) == []
    (said,) = of_run(contract(tmp_path, FIRST.replace("test_case[one]", "test_case")), two_failed)
    assert "test_case[two] failed" in said


def test_a_value_in_the_code_without_a_row(tmp_path: Path) -> None:
    (said,) = still(contract(tmp_path), DERIVED | {"Word.bye"})
    assert said == "Word.bye is in the code and in no row: add one with `of = ['Word.bye']`, and the test that holds it."


def test_a_row_whose_value_is_gone(tmp_path: Path) -> None:
    (said,) = still(contract(tmp_path), frozenset())
    assert said == "greetings 1.2 rule 2: the code has no Word.hello any more. Correct `of`, or drop the row."


def test_reasons_are_known_and_used(tmp_path: Path) -> None:
    unknown, unknown_too, unused = still(contract(tmp_path, reasons='feet = "No feet."\n'), DERIVED)
    assert unknown == "ends Ends wave: open.toml has no reason 'hands'."
    assert unknown_too.startswith("ends Ends bow: ")
    assert unused == "open.toml: no row is open for 'feet' any more. Drop the reason."
