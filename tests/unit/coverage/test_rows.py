"""The files are read as they are meant, or refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.coverage.rows import ContractFault, Kind, Row, load, parse_document
from tests.unit.coverage.samples import contract, written


def test_documents_sections_and_rows_in_order(tmp_path: Path) -> None:
    read = contract(tmp_path)
    assert [(document.name, document.title) for document in read.documents] == [
        ("greetings", "How to greet"),
        ("ends", "How to leave"),
    ]
    assert [row.id for row in read.rows] == ["greetings 1.2 rule 1", "greetings 1.2 rule 2", "ends Ends wave", "ends Ends bow"]
    assert read.rows[1] == Row(
        "greetings 1.2 rule 2", "rule 2", "In any | case", Kind.ENUM_VALUE, ("crates/x/src/y.rs::greets",), "", ("Word.hello",)
    )
    assert [row.kind for row in read.rows] == [Kind.ENDPOINT, Kind.ENUM_VALUE, Kind.RULE, Kind.RULE]
    assert read.reasons == {"hands": "There are no hands so far."}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{ says = "x" }', "name the tests"),
        ('{ says = "x", tests = [] }', "name the tests"),
        ('{ says = "", tests = ["t.py::a"] }', "`says` and `open` are texts"),
        ('{ tests = ["t.py::a"] }', "`says` and `open` are texts"),
        ('{ says = "x", tests = ["t.py::a", "t.py::a"] }', "named twice"),
        ('{ says = "x", tests = [1] }', "lists of texts"),
        ('{ says = "x", tests = ["t.py::a"], kind = "poem" }', "the kind is one of"),
        ('{ says = "x", test = ["t.py::a"] }', "no other members"),
        ('"x"', "no other members"),
    ],
)
def test_a_row_that_cannot_be_meant(row: str, words: str) -> None:
    with pytest.raises(ContractFault, match=words) as fault:
        parse_document("1-greetings", f'title = "t"\n["1"]\ntitle = "s"\na = {row}\n')
    assert str(fault.value).startswith("greetings 1 a: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "1-greetings: "),
        ('["1"]\ntitle = "s"\n', "a document has a title"),
        ('title = "t"\n["1"]\n', "a section has a title"),
        ('title = "t"\n["1"]\ntitle = "s"\n', "a section has rows"),
        ('title = "t"\n["1"]\ntitle = "s"\nkind = "poem"\na = { says = "x", open = "y" }\n', "the kind is one of"),
        ('title = "t"\nother = 1\n', "a section is a table"),
    ],
)
def test_a_document_that_cannot_be_meant(text: str, words: str) -> None:
    with pytest.raises(ContractFault, match=words):
        parse_document("1-greetings", text)


def test_an_id_stands_once(tmp_path: Path) -> None:
    again = (written(tmp_path) / "2-ends.toml").read_text()
    (tmp_path / "3-ends.toml").write_text(again)
    with pytest.raises(ContractFault, match="ends Ends bow: two rows"):
        load(tmp_path)


def test_reasons_are_texts(tmp_path: Path) -> None:
    with pytest.raises(ContractFault, match=r"open\.toml"):
        contract(tmp_path, reasons="hands = 1\n")
