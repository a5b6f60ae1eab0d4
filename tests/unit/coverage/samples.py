"""A small contract: two documents, one open row, one row that is a value in the code."""

from __future__ import annotations

from pathlib import Path

from tests.coverage.rows import Contract, load

FIRST = """
title = "How to greet"

["1.2"]
title = "Greetings"
kind = "endpoint"
"rule 1" = { says = "A greeting is answered", tests = ["tests/test_a.py::test_answer", "tests/test_a.py::test_case[one]"] }
"rule 2" = { says = "In any | case", kind = "enum value", of = "Word.hello", tests = ["crates/x/src/y.rs::greets"] }
"""
SECOND = """
title = "How to leave"

[Ends]
title = "All of them"
wave = { says = "A wave is enough", open = "hands" }
bow = { says = "A bow too", open = "hands", tests = ["tests/test_a.py::test_bow"] }
"""
REASONS = 'hands = "There are no hands so far."\n'
NODES = (
    "tests/test_a.py::test_answer",
    "tests/test_a.py::test_case[one]",
    "tests/test_a.py::test_case[two]",
    "tests/test_a.py::test_bow",
)
DERIVED = frozenset({"Word.hello"})


def written(folder: Path, first: str = FIRST, reasons: str = REASONS) -> Path:
    """The contract's files in `folder`."""
    for name, text in (("1-greetings.toml", first), ("2-ends.toml", SECOND), ("open.toml", reasons)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def contract(folder: Path, first: str = FIRST, reasons: str = REASONS) -> Contract:
    """The same, read."""
    return load(written(folder, first, reasons))
