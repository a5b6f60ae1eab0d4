from __future__ import annotations

import pytest

from pagecalls.graph.references import EVERY, BadReference, Filler, Reference, Room, find, parse_path, references_in
from pagecalls.http import Json

RESULT: Json = {"id": "7", "data": [{"id": 1, "on": True}, {"id": 2}, {"name": "x"}], "a.b": {"c": [["deep"]]}, "none": None}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.id", ("id",)),
        ("$.data.*.id", ("data", EVERY, "id")),
        ("$.data[0].id", ("data", 0, "id")),
        ("$.data[*]['id']", ("data", EVERY, "id")),
        ('$["a.b"].c[-1]', ("a.b", "c", -1)),
    ],
)
def test_paths(text: str, steps: tuple[object, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize("text", ["$id", "$..id", "$.a[", "$.a[x]", "$.a[?(@.b)]", "$.a[1:2]", "$.", "$" + ".a" * 13, "$.a['b]"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(BadReference):
        parse_path(text)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [RESULT]),
        ("$.id", ["7"]),
        ("$.data.*.id", [1, 2]),
        ("$.data[-1].name", ["x"]),
        ("$.data[3]", []),
        ("$.data[-4]", []),
        ("$.data.id", []),
        ("$.id[0]", []),
        ("$.id.*", []),
        ("$['a.b'].*[0][0]", ["deep"]),
        ("$.none", [None]),
    ],
)
def test_finding(path: str, found: list[Json]) -> None:
    assert find(parse_path(path), RESULT) == found


def test_too_many_are_refused() -> None:
    with pytest.raises(BadReference, match="more than 5000"):
        find(parse_path("$.*"), list(range(5_001)))


def test_references_in_texts() -> None:
    found = list(references_in(["x{result=a:$.id}y{result=b c:$.data.*.id}", "none {result=} {result=a}"]))
    assert found == [Reference("a", ("id",)), Reference("b c", ("data", EVERY, "id"))]


def test_filling() -> None:
    filler = Filler({"a": RESULT}, Room(100))
    assert filler.fill("ids={result=a:$.data.*.id}&x") == "ids=1,2&x"
    assert filler.fill("{result=a:$.data[0]}{result=a:$.none}") == '{"id":1,"on":true}null'
    assert filler.fill("nothing") == "nothing"
    with pytest.raises(BadReference, match=r"\{result=a:\$\.colour\} finds nothing"):
        filler.fill("{result=a:$.colour}")


def test_what_is_filled_in_is_not_read_again() -> None:
    assert Filler({"a": "{result=a:$}"}, Room(100)).fill("{result=a:$}") == "{result=a:$}"


def test_all_texts_of_all_requests_share_one_limit() -> None:
    room = Room(100)
    filler = Filler({"a": "x" * 40}, room)
    assert len(filler.fill("{result=a:$}{result=a:$}")) == 80
    for each in (filler, Filler({"a": "x" * 40}, room)):
        with pytest.raises(BadReference, match="larger than 100"):
            each.fill("{result=a:$}")
