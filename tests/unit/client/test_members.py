"""JSON read member by member: what is folded, and what is refused with its place."""

from __future__ import annotations

import pytest

from pagecalls.client.members import Json, Members, WrongShape, decode

BODY = Members({"a": {"b": [{"c": "x"}]}, "none": None, "text": "t", "number": 7, "truth": True})


@pytest.mark.parametrize(("value", "number"), [(7, 7), ("7", 7), ("-7", -7), ("0", 0), (-(2**70), -(2**70))])
def test_integers(value: Json, number: int) -> None:
    assert Members({"n": value}).required_number("n") == number


@pytest.mark.parametrize("value", [True, 7.0, "", "-", "7.0", " 7", "\u0667", "9" * 20, "--7", [7], {}])
def test_what_is_no_integer(value: Json) -> None:
    with pytest.raises(WrongShape, match="n is not an integer"):
        Members({"n": value}).number("n")


def test_texts_and_booleans() -> None:
    assert (BODY.text("text"), BODY.text("number"), BODY.text("none")) == ("t", "7", None)
    assert (BODY.flag("truth"), Members({"f": "FALSE"}).flag("f"), BODY.flag("none")) == (True, False, None)
    for read in (BODY.flag, Members({"number": 7.5, "text": []}).text):
        for name in ("number", "text"):
            with pytest.raises(WrongShape):
                read(name)


def test_null_is_absent() -> None:
    assert "none" not in BODY
    assert "text" in BODY
    with pytest.raises(WrongShape, match="none is missing"):
        BODY.required_text("none")


def test_objects_know_where_they_stand() -> None:
    (inner,) = BODY.required_object("a").objects("b")
    assert (inner.required_text("c"), inner.path) == ("x", "a.b[0]")
    with pytest.raises(WrongShape, match=r"a\.b\[0\]\.d is missing"):
        inner.required_object("d")
    with pytest.raises(WrongShape, match="text is not a list"):
        BODY.objects("text")


def test_an_object_may_be_its_text() -> None:
    assert Members({"o": '{"a": 1}'}).required_object("o").number("a") == 1
    values: tuple[Json, ...] = ("[1]", "text", 7, [])
    for value in values:
        with pytest.raises(WrongShape):
            Members({"o": value}).object("o")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5_000])
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(WrongShape):
        decode(text)
