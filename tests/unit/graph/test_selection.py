from __future__ import annotations

import pytest

from pagecalls.errors import InvalidValue, MalformedFields, UnknownField
from pagecalls.graph.params import Params
from pagecalls.graph.selection import Field, Shape, fields_of, modifier_params, parse_fields, select, select_answer
from pagecalls.http import Json, JsonObject

LIMIT = Shape("Limit", {"period": None, "max": None})
THING = Shape("Thing", {"id": None, "name": None, "limit": LIMIT, "limits": LIMIT})
BODY: JsonObject = {"id": "1", "name": "Tea", "limits": [{"period": "D", "max": 2}, {"period": "W", "max": 9}]}


def names(fields: tuple[Field, ...]) -> list[object]:
    return [[field.name, names(field.inner)] if field.inner else field.name for field in fields]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("  ", []),
        ("id", ["id"]),
        (" id , name ", ["id", "name"]),
        ("a,b{c,d}", ["a", ["b", ["c", "d"]]]),
        ("a{b{c}},d", [["a", [["b", ["c"]]]], "d"]),
        ("edge.limit(5){id}", [["edge", ["id"]]]),
        ("edge.limit(5).after(x y)", ["edge"]),
        ("a { b } , c", [["a", ["b"]], "c"]),
    ],
)
def test_the_grammar(text: str, found: list[object]) -> None:
    assert names(parse_fields(text)) == found


def test_modifiers_and_the_text_between_braces() -> None:
    (field,) = parse_fields("edge.limit(5).after(QV_-){id,x{y}}")
    assert field.modifiers == {"limit": "5", "after": "QV_-"}
    assert field.inner_text == "id,x{y}"
    assert modifier_params(field).values == {"limit": "5", "after": "QV_-", "fields": "id,x{y}"}


@pytest.mark.parametrize("name", ["access_token", "oauth_token", "fields"])
def test_a_modifier_cannot_be_a_token(name: str) -> None:
    with pytest.raises(InvalidValue):
        modifier_params(parse_fields(f"edge.{name}(x)")[0])


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (",", 0),
        ("a,", 2),
        ("a,,b", 2),
        ("{a}", 0),
        ("a{", 2),
        ("a{}", 2),
        ("a{b", 3),
        ("a}", 1),
        ("a{b}}", 4),
        ("a b", 2),
        ("a.limit", 1),
        ("a.limit(5", 1),
        ("a.limit((5))", 1),
        ("ä", 0),
        ("a{" * 50_000, 12),
        ("a," * 5_000, 400),
    ],
)
def test_what_breaks_the_grammar(text: str, at: int) -> None:
    with pytest.raises(MalformedFields) as caught:
        parse_fields(text)
    assert caught.value.at == at


@pytest.mark.parametrize("value", ["id,name", '["id","name"]', ["id", " name "], ' ["id", "name"]'])
def test_lists_are_as_good_as_text(value: Json) -> None:
    assert names(fields_of(Params({"fields": value}))) == ["id", "name"]


def test_absent_fields() -> None:
    absent: list[dict[str, Json]] = [{}, {"fields": None}, {"fields": ""}, {"fields": "[]"}, {"fields": []}]
    for values in absent:
        assert fields_of(Params(values)) == ()


def test_selecting() -> None:
    assert select(BODY, parse_fields("name"), THING) == {"id": "1", "name": "Tea"}
    assert select(BODY, parse_fields("limits{max},limit"), THING) == {"id": "1", "limits": [{"max": 2}, {"max": 9}]}
    for text, node in (("colour", "Thing"), ("limits{colour}", "Limit"), ("name{first}", "name")):
        with pytest.raises(UnknownField) as caught:
            select(BODY, parse_fields(text), THING)
        assert caught.value.node_type == node


def test_answers_of_edges() -> None:
    body: JsonObject = {"data": [BODY], "name": "bare", "paging": {"next": "x"}, "summary": {"total_count": 1}}
    assert select_answer(body, parse_fields("name"), THING) == {
        "data": [{"id": "1", "name": "Tea"}],
        "name": "bare",
        "paging": {"next": "x"},
        "summary": {"total_count": 1},
    }
    with pytest.raises(UnknownField):
        select_answer({"data": []}, parse_fields("colour"), THING)
