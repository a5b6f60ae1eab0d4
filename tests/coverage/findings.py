"""What is wrong between the contract, the code and the tests: a list of sentences, empty when all is well.

Pure. `still` needs no run; `of_names` needs to know which tests exist; `of_run` needs a whole run. Each sentence names the row
and says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from tests.coverage.rows import Contract, Row

RUST = ".rs::"
"""A test of the engine is named by file and function. Whether it passes is what `make test-rust` says."""


class Outcome(StrEnum):
    """How a test went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "was skipped"
    UNKNOWN = "did not run"


@dataclass(frozen=True, slots=True)
class Names:
    """Node ids by the test that they belong to: without the part in brackets all of its cases are meant."""

    cases: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, node_ids: Iterable[str]) -> Names:
        """Sorted once, asked often."""
        cases: dict[str, list[str]] = {}
        for node_id in node_ids:
            cases.setdefault(node_id.partition("[")[0], []).append(node_id)
        return cls({test: tuple(ids) for test, ids in cases.items()})

    def find(self, name: str) -> tuple[str, ...]:
        """The node ids that `name` stands for."""
        test, bracket, _ = name.partition("[")
        found = self.cases.get(test, ())
        return tuple(node_id for node_id in found if node_id == name) if bracket else found

    def near(self, name: str) -> str:
        """A hint for somebody who has renamed or moved a test."""
        test, bracket, _ = name.partition("[")
        known = [*self.cases.get(test, ())] if bracket else [*self.cases]
        moved = [other for other in known if other.partition("::")[2] == name.partition("::")[2]]
        close = moved or get_close_matches(name, known, n=1, cutoff=0.8)
        return f" Is it {close[0]} now?" if close else ""


def still(contract: Contract, derived: frozenset[str]) -> list[str]:
    """Rows and code: every derived name has a row, no row has another, every reason is known and used."""
    return [*_of_derived(contract, derived), *_of_reasons(contract)]


def of_names(contract: Contract, names: Names, has_rust_test: Callable[[str], bool]) -> list[str]:
    """Tests that are named and do not exist."""
    return [
        f"{row.id}: there is no test {test}.{'' if RUST in test else names.near(test)} Correct its name in the row."
        for row, test in _named(contract)
        if not (has_rust_test(test) if RUST in test else names.find(test))
    ]


def of_run(contract: Contract, outcomes: Mapping[str, Outcome]) -> list[str]:
    """Tests that are named, exist and did not pass. `outcomes` has every collected test."""
    names = Names.of(outcomes)
    return [
        f"{row.id} is not held: {node_id} {outcomes[node_id]}."
        for row, test in _named(contract)
        for node_id in names.find(test)
        if outcomes[node_id] is not Outcome.PASSED
    ]


def _named(contract: Contract) -> Iterator[tuple[Row, str]]:
    return ((row, test) for row in contract.rows for test in row.tests)


def _of_derived(contract: Contract, derived: frozenset[str]) -> Iterator[str]:
    listed = {name: row for row in contract.rows for name in row.of}
    for name in sorted(derived - listed.keys()):
        yield f"{name} is in the code and in no row: add one with `of = [{name!r}]`, and the test that holds it."
    for name in sorted(listed.keys() - derived):
        yield f"{listed[name].id}: the code has no {name} any more. Correct `of`, or drop the row."


def _of_reasons(contract: Contract) -> Iterator[str]:
    used = {row.open for row in contract.rows if row.open}
    for row in contract.rows:
        if row.open and row.open not in contract.reasons:
            yield f"{row.id}: open.toml has no reason {row.open!r}."
    for reason in sorted(contract.reasons.keys() - used):
        yield f"open.toml: no row is open for {reason!r} any more. Drop the reason."
