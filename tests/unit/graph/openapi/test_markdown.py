from __future__ import annotations

import json
import re

import pytest

from pagecalls.graph.openapi import contract
from pagecalls.graph.openapi.contract import Member
from pagecalls.graph.openapi.edges import EDGES
from pagecalls.graph.openapi.errors import error_rows
from pagecalls.graph.openapi.markdown import to_markdown

BASE = "http://127.0.0.1:8080"
TEXT = to_markdown("v23.0", BASE)


def members(of: tuple[Member, ...]) -> list[Member]:
    return [each for member in of for each in (member, *members(member.members))]


def test_where_the_request_goes() -> None:
    assert TEXT.startswith("# Page Calls v23.0\n")
    assert f"    POST {BASE}/v23.0/{{page_id}}/calls\n" in TEXT
    assert f"{BASE}/v23.0/me/calls" in TEXT


@pytest.mark.parametrize("schema", contract.SCHEMAS, ids=lambda schema: schema.name)
def test_every_member_stands_there_with_its_type_and_words(schema: contract.Schema) -> None:
    assert schema.name in TEXT
    for member in members(schema.members):
        name = re.escape(member.name)
        assert re.search(rf"- `{name}(\[\])?`: [^\n]*{re.escape(member.text)}\n", TEXT), member.name
        assert all(f"`{choice}`" in TEXT for choice in member.choices)


def test_statuses_schemes_and_errors() -> None:
    for row in contract.ANSWERS:
        assert f"### {row.status}: {row.schema.name}\n" in TEXT
    for scheme in contract.SCHEMES:
        assert f"| {scheme.name} |" in TEXT
    for error in error_rows():
        assert f"| {error.http} | {error.code} | {error.subcode or ''} |" in TEXT


def test_code_blocks_are_closed_and_the_json_is_json() -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)\n```$", TEXT, re.DOTALL | re.MULTILINE)
    assert TEXT.count("```") == 2 * len(blocks)
    assert [syntax for syntax, _ in blocks if syntax != "json"] == ["sh", "js", "python"]
    assert len([json.loads(text) for syntax, text in blocks if syntax == "json"]) == 8 + sum(len(edge.examples) for edge in EDGES)
