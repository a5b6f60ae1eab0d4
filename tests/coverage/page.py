"""Writes `docs/coverage.md` from the contract: counts, what is open, then every row with the tests that hold it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.coverage.rows import Contract, Document, Kind, Row, Section

COMMAND = "make docs"

_HEAD = f"""# Coverage of the contract

Written by `tests/coverage` from the rows in `tests/coverage/contract/`; do not edit by hand, run `{COMMAND}`.

Every endpoint, field, enum value, error, row of the state table and rule of the contract has a row here, with the tests that
would fail if it broke. A whole run of the Python tests checks that each named test exists and has passed; values that the code
itself lists must have a row ([decision 50](decisions/0050-coverage.md)). Tests in `crates/` are the engine's, and run with
`make test-rust`. A row says in few words what is promised, not all that there is to say about it.
"""


def render(contract: Contract) -> str:
    """The page, the same for the same contract."""
    parts = [_HEAD, _counts(contract), *_open(contract), *(_document(document) for document in contract.documents)]
    return "\n".join(parts)


def _counts(contract: Contract) -> str:
    lines = ["| document | rows | held | in part | open |", "| --- | --- | --- | --- | --- |"]
    for document in contract.documents:
        lines.append(_count(f"[{document.name}](#{_anchor(document.name)}): {document.title}", document.rows))
    lines.append(_count("all", contract.rows))
    lines += ["", "| kind | rows | held | in part | open |", "| --- | --- | --- | --- | --- |"]
    lines += [_count(kind.value, [row for row in contract.rows if row.kind is kind]) for kind in Kind]
    return "\n".join(lines) + "\n"


def _count(name: str, rows: Iterable[Row]) -> str:
    rows = list(rows)
    untested = sum(not row.tests for row in rows)
    partly = sum(bool(row.open and row.tests) for row in rows)
    return f"| {name} | {len(rows)} | {len(rows) - untested - partly} | {partly} | {untested} |"


def _open(contract: Contract) -> Iterator[str]:
    """By reason, in the order in which the reasons stand."""
    if not any(row.open for row in contract.rows):
        yield "Nothing is open.\n"
        return
    yield "## Open\n"
    yield "No test holds these, or not all of it. What is held in part is in italics."
    for reason, text in contract.reasons.items():
        if any(row.open == reason for row in contract.rows):
            yield f"\n**{text}**\n"
            yield from _open_by_document(contract, reason)
    yield ""


def _open_by_document(contract: Contract, reason: str) -> Iterator[str]:
    for document in contract.documents:
        rows = [row for row in document.rows if row.open == reason]
        if rows:
            yield f"- {document.name}, {len(rows)}: {', '.join(_short(document, row) for row in rows)}"


def _short(document: Document, row: Row) -> str:
    """The row's id within its document."""
    place = row.id.removeprefix(f"{document.name} ")
    return f"*{place}*" if row.tests else place


def _document(document: Document) -> str:
    return f"## {document.name}\n\n{document.title}.\n\n" + "\n".join(_section(section) for section in document.sections)


def _section(section: Section) -> str:
    lines = [f"### {_heading(section)}", "", "| | what | kind | held by |", "| --- | --- | --- | --- |"]
    lines += [f"| {_cell(row.name)} | {_cell(row.says)} | {row.kind.value} | {_tests(row)} |" for row in section.rows]
    return "\n".join(lines) + "\n"


def _heading(section: Section) -> str:
    """A number stands before the title as in the document, a name before a colon."""
    if not section.number:
        return section.title
    return f"{section.number}{'' if section.number[0].isdigit() else ':'} {section.title}"


def _tests(row: Row) -> str:
    links = [_link(test) for test in row.tests]
    return "<br>".join([*links, *(["*open*"] if row.open else [])])


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{_cell(name.removeprefix('test_'))}](../{file})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
