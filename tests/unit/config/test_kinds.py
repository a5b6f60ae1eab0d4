"""Each kind of value: what fits, what it becomes, and what is said of the rest."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import pytest

from pagecalls.config.kinds import (
    Kind,
    Unfit,
    address,
    choice,
    host_name,
    http_url,
    many,
    member,
    network,
    path,
    seconds,
    switch,
    text,
    whole,
    written,
)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("kind", "given", "setting"),
    [
        (switch(), True, True),
        (whole(0, 10), 0, 0),
        (whole(1), 10**9, 10**9),
        (whole(1, may_be_off=True), "off", None),
        (seconds(), 5, 5.0),
        (seconds(), 0.5, 0.5),
        (text(), "x", "x"),
        (path(), "/a/b", Path("/a/b")),
        (choice(["on", "off"]), "off", "off"),
        (member(Colour), "red", Colour.RED),
        (address(), "localhost", "127.0.0.1"),
        (address(), "2001:DB8::1", "2001:db8::1"),
        (network(), "10.0.0.1/8", "10.0.0.1/8"),
        (network(), "fd00::1", "fd00::1"),
        (host_name(), "calls.example.com", "calls.example.com"),
        (host_name(), "::1", "::1"),
        (http_url(), "https://example.com/x", "https://example.com/x"),
        (many(address()), ["::1", "localhost"], ("::1", "127.0.0.1")),
        (many(host_name(), frozenset), ["a", "b", "a"], frozenset({"a", "b"})),
        (many(text()), [], ()),
    ],
)
def test_what_fits(kind: Kind, given: object, setting: object) -> None:
    assert kind.read(given) == setting


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (switch(), 1),
        (switch(), "true"),
        (whole(0, 10), 11),
        (whole(0, 10), -1),
        (whole(0, 10), True),
        (whole(0, 10), 1.0),
        (whole(0, 10), "off"),
        (whole(1, may_be_off=True), 0),
        (seconds(), -0.1),
        (seconds(), float("inf")),
        (seconds(), float("nan")),
        (seconds(), True),
        (text(), ""),
        (text(), " "),
        (text(), 1),
        (path(), ""),
        (path(), "a\0b"),
        (choice(["on", "off"]), "ON"),
        (member(Colour), "blue"),
        (address(), "example.com"),
        (address(), 1),
        (network(), "10.0.0.0/99"),
        (host_name(), "http://calls.example.com"),
        (host_name(), "calls.example.com:443"),
        (host_name(), "-a"),
        (http_url(), "ftp://example.com"),
        (http_url(), "example.com"),
        (http_url(), "http://[::1"),
        (http_url(), "http://example.com:99999/"),
        (many(address()), "::1"),
        (many(address()), ["nobody"]),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(kind: Kind, given: object) -> None:
    with pytest.raises(Unfit, match=r"does not fit; it must be [\w\"]"):
        kind.read(given)


@pytest.mark.parametrize(
    ("kind", "given", "setting"),
    [
        *[(switch(), word, True) for word in ("true", "Yes", "on", "1")],
        *[(switch(), word, False) for word in ("false", "NO", "off", "0")],
        (whole(0, 10), "7", 7),
        (whole(1, may_be_off=True), "off", None),
        (seconds(), "2.5", 2.5),
        (text(), "7", "7"),
        (many(address()), "::1, 127.0.0.1,", ("::1", "127.0.0.1")),
        (many(whole(1)), "1,2", (1, 2)),
    ],
)
def test_from_text(kind: Kind, given: str, setting: object) -> None:
    assert kind.read_text(given) == setting


@pytest.mark.parametrize(("kind", "given"), [(switch(), "maybe"), (whole(0, 10), "7.5"), (whole(0, 10), "x"), (seconds(), "nan")])
def test_text_that_does_not_fit(kind: Kind, given: str) -> None:
    with pytest.raises(Unfit):
        kind.read_text(given)


@pytest.mark.parametrize(
    ("setting", "toml"),
    [
        (None, '"off"'),
        (True, "true"),
        (3, "3"),
        (0.0, "0"),
        (Colour.RED, '"red"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        (Path("/a"), '"/a"'),
        (("a", 1), '["a", 1]'),
        (frozenset({"b", "a"}), '["a", "b"]'),
    ],
)
def test_written_as_toml(setting: object, toml: str) -> None:
    assert written(setting) == toml
    with pytest.raises(TypeError):
        written({})


def test_a_long_value_is_not_told_whole() -> None:
    with pytest.raises(Unfit) as raised:
        whole(1).read("x" * 10_000)
    assert len(str(raised.value)) < 200
