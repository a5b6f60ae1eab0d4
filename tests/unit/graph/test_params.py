from __future__ import annotations

from enum import StrEnum

import pytest

from pagecalls.errors import InvalidValue, MissingParameter
from pagecalls.graph.params import Params, merged
from pagecalls.http import Json


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark_blue"


def one(value: Json) -> Params:
    return Params({"p": value})


def some(*values: Json) -> list[Params]:
    return [one(value) for value in values]


@pytest.mark.parametrize("value", [None, ""])
def test_absent(value: Json) -> None:
    params = one(value)
    assert not params.has("p")
    assert params.text("p") is None
    assert params.choice("p", Colour) is None
    assert params.natural("p") is None
    assert params.flag("p") is None
    assert params.object("p") is None
    assert params.objects("p") is None
    assert params.words("p") is None
    with pytest.raises(MissingParameter):
        params.required_text("p")
    with pytest.raises(MissingParameter):
        params.required_choice("p", Colour)
    assert not Params({}).has("p")


@pytest.mark.parametrize(("value", "text"), [("x", "x"), (" x ", " x "), (12, "12"), (0, "0"), (-1, "-1")])
def test_text(value: Json, text: str) -> None:
    assert one(value).text("p") == text
    assert one(value).required_text("p") == text


@pytest.mark.parametrize("value", [True, 1.0, [], {}, ["x"]])
def test_no_text(value: Json) -> None:
    with pytest.raises(InvalidValue, match="p has"):
        one(value).text("p")


def test_choices() -> None:
    for text in ("red", "RED", "Red"):
        assert one(text).required_choice("p", Colour) is Colour.RED
    assert one("Dark_Blue").choice("p", Colour) is Colour.DARK_BLUE
    with pytest.raises(InvalidValue) as caught:
        one("green" * 100).choice("p", Colour)
    assert (caught.value.allowed, len(caught.value.got)) == (("red", "dark_blue"), 80)


def test_naturals() -> None:
    assert [one(value).natural("p") for value in (0, "0", 7, "007", "999999999999999")] == [0, 0, 7, 7, 999_999_999_999_999]
    for params in some(-1, "-1", "+1", " 1", "1.0", "1e3", "\u0661", 10**15, True, 0.0, "x", [1]):
        with pytest.raises(InvalidValue):
            params.natural("p")


def test_objects() -> None:
    for params in some({"a": 1}, '{"a":1}', ' {"a": 1} '):
        assert params.object("p") == Params({"a": 1}, "p")
    assert Params({"a": 1}, "p").name("a") == "p[a]"
    assert one({}).object("p") == Params({}, "p")
    assert one("null").object("p") is None
    for params in some("x", "[]", "1", [], 1, True, "{"):
        with pytest.raises(InvalidValue):
            params.object("p")


def test_lists_of_objects() -> None:
    for params in some([{"a": 1}, {}], '[{"a":1},{}]', ['{"a":1}', "{}"]):
        assert params.objects("p") == [Params({"a": 1}, "p[0]"), Params({}, "p[1]")]
    assert one([]).objects("p") == []
    for params in some("x", {}, "{}", [1], ["x"], [[]], [None]):
        with pytest.raises(InvalidValue):
            params.objects("p")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a", ("a",)),
        ("a, b,,c ", ("a", "b", "c")),
        (["a", " b ", ""], ("a", "b")),
        ('["a","b"]', ("a", "b")),
        (" [] ", ()),
        ([], ()),
        (",", None),
    ],
)
def test_words(value: Json, words: tuple[str, ...] | None) -> None:
    assert one(value).words("p") == words


@pytest.mark.parametrize("value", [1, True, {}, [1], ["a", None], "[a", "[1]"])
def test_no_words(value: Json) -> None:
    with pytest.raises(InvalidValue):
        one(value).words("p")


def test_the_body_wins() -> None:
    assert merged({"a": "1", "b": "2"}, {"a": {"x": 1}}).values == {"a": {"x": 1}, "b": "2"}


def test_flags() -> None:
    assert [params.flag("p") for params in some(True, "true", "TRUE", "1", 1)] == [True] * 5
    assert [params.flag("p") for params in some(False, "false", "False", "0", 0)] == [False] * 5
    for params in some("yes", 2, 1.0, [True], {"a": True}, "truefalse"):
        with pytest.raises(InvalidValue):
            params.flag("p")
