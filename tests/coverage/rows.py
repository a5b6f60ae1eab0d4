"""The contract as rows: what `contract/*.toml` says, read strictly.

One file for each document. A table is a section, its key the section's number; `title` names it, `kind` is the kind of its rows
unless a row has its own, and every other member is a row. Owns the form of these files; knows neither the code that the rows are
about nor how tests went.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).parent / "contract"
REASONS_FILE = "open.toml"
ROW_MEMBERS = frozenset({"says", "kind", "tests", "open", "of"})


class Kind(StrEnum):
    """What a row is about."""

    ENDPOINT = "endpoint"
    FIELD = "field"
    ENUM_VALUE = "enum value"
    ERROR = "error"
    STATE = "state row"
    RULE = "rule"
    RULING = "ruling"
    CHECK = "check"


class ContractFault(ValueError):
    """A contract file that cannot be read, with the place."""


@dataclass(frozen=True, slots=True)
class Row:
    """One promise. `tests` hold it; `open` is the key of the reason why (or in what) none does.

    `of`: the names that `derived.py` has for it, where the row is also a value in the code.
    """

    id: str
    name: str
    says: str
    kind: Kind
    tests: tuple[str, ...] = ()
    open: str = ""
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a document, by its number or name; a document without sections has one without."""

    number: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the contract."""

    name: str
    title: str
    sections: tuple[Section, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of it, in order."""
        return tuple(row for section in self.sections for row in section.rows)


@dataclass(frozen=True, slots=True)
class Contract:
    """All documents, and the reasons for open rows by their keys."""

    documents: tuple[Document, ...]
    reasons: Mapping[str, str]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them, in order."""
        return tuple(row for document in self.documents for row in document.rows)


def load(folder: Path = CONTRACT) -> Contract:
    """Read every file of `folder`, in the order of their names. Raises `ContractFault`."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    reasons = _reasons(texts.pop(REASONS_FILE, ""))
    contract = Contract(tuple(parse_document(Path(name).stem, text) for name, text in texts.items()), reasons)
    _check_ids(contract)
    return contract


def parse_document(name: str, text: str) -> Document:
    """One file. `name` begins with a number for the order, which is no part of the document's name. Raises `ContractFault`."""
    members = _toml(name, text)
    document = name.partition("-")[2] if name[:1].isdigit() else name
    title = members.pop("title", None)
    if not isinstance(title, str):
        raise ContractFault(f"{name}: a document has a title")
    sections = tuple(_section(document, number, table) for number, table in members.items())
    return Document(document, title, sections)


def _section(document: str, number: str, table: object) -> Section:
    place = f"{document} {number}".rstrip()
    if not isinstance(table, dict):
        raise ContractFault(f"{place}: a section is a table")
    members = dict(table)
    title, kind = members.pop("title", None), members.pop("kind", Kind.RULE.value)
    if not isinstance(title, str):
        raise ContractFault(f"{place}: a section has a title")
    rows = tuple(_row(f"{place} {name}", name, row, _kind(place, kind)) for name, row in members.items())
    if not rows:
        raise ContractFault(f"{place}: a section has rows")
    return Section(number, title, rows)


def _row(row_id: str, name: str, members: object, kind: Kind) -> Row:
    if not isinstance(members, dict) or not set(members) <= ROW_MEMBERS:
        raise ContractFault(f"{row_id}: a row has no other members than {', '.join(sorted(ROW_MEMBERS))}")
    says, reason = members.get("says"), members.get("open", "")
    tests, of = _texts(row_id, members.get("tests", [])), _texts(row_id, members.get("of", []))
    if not isinstance(says, str) or not says or not isinstance(reason, str):
        raise ContractFault(f"{row_id}: `says` and `open` are texts")
    if not tests and not reason:
        raise ContractFault(f"{row_id}: name the tests that hold it, or in `open` why there is none")
    if len(set(tests)) != len(tests):
        raise ContractFault(f"{row_id}: a test is named twice")
    return Row(row_id, name, says, _kind(row_id, members.get("kind", kind.value)), tests, reason, of)


def _kind(place: str, value: object) -> Kind:
    try:
        return Kind(str(value))
    except ValueError:
        raise ContractFault(f"{place}: the kind is one of {', '.join(Kind)}") from None


def _texts(place: str, value: object) -> tuple[str, ...]:
    """A list of texts, or a single one."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
        raise ContractFault(f"{place}: `tests` and `of` are lists of texts")
    return tuple(items)


def _reasons(text: str) -> Mapping[str, str]:
    members = _toml(REASONS_FILE, text)
    if not all(isinstance(value, str) and value for value in members.values()):
        raise ContractFault(f"{REASONS_FILE}: every reason is a text")
    return members


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ContractFault(f"{name}: {fault}") from None


def _check_ids(contract: Contract) -> None:
    for first, second in pairwise(sorted(row.id for row in contract.rows)):
        if first == second:
            raise ContractFault(f"{first}: two rows have this id")
