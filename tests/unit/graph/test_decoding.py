from __future__ import annotations

import pytest

from pagecalls.errors import UnreadableBody
from pagecalls.graph.decoding import file_names, parse_body, parse_query
from pagecalls.http import JsonObject


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", {}),
        (b"a=1&b=x+y%20z&c", {"a": "1", "b": "x y z", "c": ""}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=%FF&b=\xff", {"a": "\ufffd", "b": "\ufffd"}),
        (b"s[sdp]=x&s[sdp_type]=offer", {"s": {"sdp": "x", "sdp_type": "offer"}}),
        (b"s%5Bsdp%5D=x", {"s": {"sdp": "x"}}),
        (b"t[0][a]=1&t[0][b]=2&t[1][a]=3", {"t": [{"a": "1", "b": "2"}, {"a": "3"}]}),
        (b"t[10]=b&t[9]=a", {"t": ["a", "b"]}),
        (b"t[]=a&t[]=b", {"t": ["a", "b"]}),
        (b"t[][a]=1&t[][b]=2", {"t": [{"a": "1", "b": "2"}]}),
        (b"s=1&s[a]=2", {"s": {"a": "2"}}),
        (b"s[a]=2&s=1", {"s": "1"}),
        (b"s[a]=2&s[a][b]=3", {"s": {"a": {"b": "3"}}}),
        (b"s[a=1&]b[=2&[x]=3", {"s[a": "1", "]b[": "2", "[x]": "3"}),
        (b"a[b][c][d][e][f]=1&a[b][c][d][e][f][g]=2", {"a": {"b": {"c": {"d": {"e": {"f": "1"}}}}}}),
        (b"a" + b"[x]" * 20_000 + b"=1", {}),
    ],
)
def test_queries(query: bytes, found: JsonObject) -> None:
    assert parse_query(query) == found


def test_an_empty_body_needs_no_type() -> None:
    for content_type in (None, "", "application/json", "text/xml", "multipart/form-data"):
        assert parse_body(content_type, b"") == {}


def test_json_by_its_type_or_by_its_looks() -> None:
    for content_type in (
        "application/json",
        "Application/JSON ; charset=utf-8",
        "application/x+json",
        None,
        "text/plain",
        "junk",
    ):
        assert parse_body(content_type, b' {"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    "disposition",
    ['form-data; name="a"', "form-data; name=a", 'form-data ; NAME = "a"', 'x; other="y;z"; name="a"'],
)
def test_multipart_field_names(disposition: str) -> None:
    body = f"--x\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: {disposition}\r\n\r\nl1\r\nl2\r\n--x--".encode()
    assert parse_body("multipart/form-data; boundary=x", body) == {"a": "l1\r\nl2"}


def test_multipart_parts_without_a_name_or_with_a_file_are_passed_over() -> None:
    parts = ['form-data; filename="f"', 'form-data; name="f"; filename="f"', "form-data; name=f; filename*=UTF-8''f", "form-data"]
    body = "".join(f"--x\r\ncontent-disposition: {part}\r\n\r\n1\r\n" for part in parts) + "--x\r\n\r\nno head\r\n--x--\r\n"
    assert parse_body("multipart/form-data; boundary=x", body.encode()) == {}


def test_multipart_quotes_in_names() -> None:
    body = b'--x\r\ncontent-disposition: form-data; name="a\\"b"\r\n\r\n1\r\n--x--'
    assert parse_body("multipart/form-data; boundary=x", body) == {'a"b': "1"}


def test_the_type_is_named_but_not_at_any_length() -> None:
    with pytest.raises(UnreadableBody) as caught:
        parse_body("text/" + "x" * 10_000, b"?")
    assert len(caught.value.content_type) == 80


def test_names_of_files() -> None:
    parts = ['name="a"', 'name="f"; filename="f.png"', "name=g; filename*=UTF-8''g", 'filename="h"']
    body = "".join(f"--x\r\ncontent-disposition: form-data; {part}\r\n\r\n1\r\n" for part in parts) + "--x--\r\n"
    assert file_names("multipart/form-data; boundary=x", body.encode()) >= {"f", "g"}
    assert "a" not in file_names("multipart/form-data; boundary=x", body.encode())
    for content_type in (None, "application/json", "multipart/form-data"):
        assert file_names(content_type, b"") == frozenset()
    assert file_names("text/plain", body.encode()) == frozenset()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"a&" * 2_001),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n" * 2_001 + b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\na: " + b"b" * 5_000 + b"\r\n\r\n1\r\n--x--"),
    ],
)
def test_more_than_anybody_needs(content_type: str, body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        parse_body(content_type, body)
