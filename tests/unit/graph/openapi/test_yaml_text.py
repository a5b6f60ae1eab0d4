"""What the emitter writes, another program must read as the same value."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pagecalls.graph.openapi.contract import VERSIONS
from pagecalls.graph.openapi.document import as_yaml, build
from pagecalls.graph.openapi.yaml_text import to_yaml

TRAPS = [
    *("", "yes", "NO", "null", "~", "1", "1.5", "0x1f", "1e3", "=", "<<", "on", "2026-11-25", "12:30", "---", "..."),
    *("- a", "? a", "a: b", "a #b", "{a}", "[a]", "&a", "*a", "!a", "%a", "@a", "`a`", "'a'", '"a"', "|", ">", "a\\b"),
    *("a ", " a", "a\n", "\na", "a\nb", "a\n\nb", "a\n\n b", "a\r\nb", "a\tb", "\x00", "\x7f", "\x85", "\u2028", "\ufeff"),
    *("\u00e9", "\U0001f600"),
]

words = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(TRAPS)
values = st.recursive(
    words | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, values, max_size=5))
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


@pytest.mark.parametrize("text", TRAPS)
def test_text_stays_text(text: str) -> None:
    assert yaml.safe_load(to_yaml({text: [text, {text: text}]})) == {text: [text, {text: text}]}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_the_same_in_both_forms(version: str) -> None:
    document = build(version, "http://127.0.0.1:8080")
    assert yaml.safe_load(as_yaml(document)) == document


def test_it_looks_as_people_write_it() -> None:
    value: dict[str, Any] = {
        "openapi": "3.1.0",
        "paths": {"/{id}": {"post": {"tags": ["a", "b"], "empty": {}, "none": [], "yes": True, "text": "one\ntwo"}}},
        "list": [{"name": "a", "of": {"x": 1}}, [1, 2]],
    }
    assert to_yaml(value) == (
        'openapi: "3.1.0"\n'
        "paths:\n"
        '  "/{id}":\n'
        "    post:\n"
        "      tags:\n"
        "        - a\n"
        "        - b\n"
        "      empty: {}\n"
        "      none: []\n"
        '      "yes": true\n'
        "      text: |-\n"
        "        one\n"
        "        two\n"
        "list:\n"
        "  - name: a\n"
        "    of:\n"
        "      x: 1\n"
        "  - - 1\n"
        "    - 2\n"
    )


@pytest.mark.parametrize("value", [None, 1.5])
def test_what_our_documents_do_not_hold_is_our_fault(value: float | None) -> None:
    with pytest.raises(TypeError):
        to_yaml({"a": value})
