from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pagecalls.errors import InvalidValue
from pagecalls.graph.paging import cursor, page_of
from pagecalls.graph.params import Params
from pagecalls.http import Json

URL = "https://graph.facebook.com/v26.0/1001/things?access_token=EAA%7C1&summary=true&limit=3"


def page(count: int, params: dict[str, Json] | None = None, url: str = URL) -> dict[str, Any]:
    return page_of([f"k{number:03}" for number in range(count)], str, lambda each: {"id": each}, Params(params or {}), url)


def ids(body: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in body["data"]]


def test_one_page_needs_no_paging() -> None:
    assert page(0) == {"data": []}
    assert list(page(25)) == ["data"]


def test_cursors_where_somebody_asks() -> None:
    body = page(2, {"limit": "5"})
    assert body["paging"] == {"cursors": {"before": cursor("k000"), "after": cursor("k001")}}
    assert page(0, {"limit": "5"}) == {"data": []}


def test_forwards_to_the_end_by_the_links_alone() -> None:
    seen, url = [], URL
    query: dict[str, Json] = {"limit": "3"}
    while True:
        body = page(8, query, url)
        seen.append(ids(body))
        paging = body["paging"]
        if "next" not in paging:
            break
        url = paging["next"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert seen == [["k000", "k001", "k002"], ["k003", "k004", "k005"], ["k006", "k007"]]
    assert url.startswith("https://graph.facebook.com/v26.0/1001/things?access_token=EAA%7C1&summary=true&limit=3&after=")


def test_backwards() -> None:
    body = page(8, {"limit": 3, "before": cursor("k006")})
    assert ids(body) == ["k003", "k004", "k005"]
    assert set(body["paging"]) == {"cursors", "next", "previous"}
    first = page(8, {"limit": 3, "before": cursor("k002")})
    assert ids(first) == ["k000", "k001"]
    assert "previous" not in first["paging"]


def test_a_cursor_outlives_what_comes_before_it() -> None:
    body = page_of(["k005", "k009"], str, lambda each: {"id": each}, Params({"after": cursor("k005")}), URL)
    assert ids(body) == ["k009"]


def test_limits_and_offsets() -> None:
    assert len(ids(page(300))) == 25
    assert len(ids(page(300, {"limit": "5000"}))) == 100
    assert len(ids(page(300, {"limit": 0}))) == 1
    assert ids(page(8, {"offset": "6"})) == ["k006", "k007"]
    assert ids(page(8, {"offset": "60"})) == []


@pytest.mark.parametrize(
    "params", [{"after": "!"}, {"after": "AA"}, {"before": "zz"}, {"limit": "x"}, {"limit": -1}, {"after": "\u2603"}]
)
def test_what_is_no_cursor(params: dict[str, Json]) -> None:
    with pytest.raises(InvalidValue):
        page(8, params)


def test_cursors_are_safe_in_a_url() -> None:
    for key in ("a", "?>~", "\u2603/&="):
        assert all(letter.isalnum() or letter in "-_" for letter in cursor(key))
