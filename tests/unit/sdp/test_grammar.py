"""Lines, limits and the small words inside a line."""

from __future__ import annotations

import pytest

from pagecalls.errors import MalformedSdp
from pagecalls.sdp.grammar import MAX_TEXT_BYTES, Unreadable, decimal, join_lines, read_lines, token, words

TWO = [(1, "v", "0"), (2, "s", "-")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("v=0\r\ns=-\r\n", id="CRLF"),
        pytest.param("v=0\ns=-\n", id="LF"),
        pytest.param("v=0\r\ns=-", id="no final line end"),
        pytest.param("v=0\\r\\ns=-\\r\\n", id="escaped CRLF"),
        pytest.param("v=0\\ns=-", id="escaped LF"),
        pytest.param("v=0\\r\\ns=-\\r\\n\r\n", id="escaped, one real line end behind"),
        pytest.param("v=0 \t\r\ns=-\t\r\n", id="blanks at line ends"),
    ],
)
def test_every_kind_of_line_end_is_read(text: str) -> None:
    assert read_lines(text) == TWO


def test_escapes_are_text_where_there_are_real_line_ends() -> None:
    assert read_lines("v=0\ns=a\\nb\n") == [(1, "v", "0"), (2, "s", "a\\nb")]


def test_line_numbers_count_the_empty_lines() -> None:
    assert read_lines("\n\nv=0\n\ns=-") == [(3, "v", "0"), (5, "s", "-")]


@pytest.mark.parametrize("bad", ["nonsense", "=0", "V=0", "vv=0", " s=-", "é=1", "v"])
def test_a_line_has_a_letter_and_a_value(bad: str) -> None:
    with pytest.raises(MalformedSdp) as error:
        read_lines(f"v=0\n{bad}\n")
    assert error.value.line == 2


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1b", "\x7f", "\r"])
def test_control_characters_are_refused_by_line(character: str) -> None:
    with pytest.raises(MalformedSdp) as error:
        read_lines(f"v=0\r\ns=a{character}b\r\n")
    assert (error.value.line, error.value.reason) == (2, "it holds a control character")


def test_half_a_surrogate_pair_is_refused_by_line() -> None:
    with pytest.raises(MalformedSdp) as error:
        read_lines("v=0\ns=-\na=x:\ud800\n")
    assert error.value.line == 3


def test_unicode_is_text() -> None:
    assert read_lines("s=Zoë ☎\n") == [(1, "s", "Zoë ☎")]


@pytest.mark.parametrize("filler", ["a", "ä"])
def test_the_limit_counts_bytes(filler: str) -> None:
    room = MAX_TEXT_BYTES - len("s=")
    fits = "s=" + filler * (room // len(filler.encode()))
    assert read_lines(fits)[0][2] == fits[2:]
    with pytest.raises(MalformedSdp, match="64 KiB"):
        read_lines(fits + filler)


def test_a_long_run_of_blanks_takes_no_time() -> None:
    assert len(read_lines("s=" + " " * 60_000 + "x\n" + "s=\t \n")) == 2


def test_lines_are_joined_by_crlf() -> None:
    assert join_lines(["v=0", "s=-"]) == "v=0\r\ns=-\r\n"


@pytest.mark.parametrize("bad", ["", "-1", "+1", "1.0", "٣", "²", "x", " 1", "9" * 5000, "128"])
def test_numbers_are_plain_and_in_range(bad: str) -> None:
    with pytest.raises(Unreadable):
        decimal(bad, "a number", 127)


def test_numbers_have_a_lower_bound_too() -> None:
    assert decimal("1", "a number", 127, 1) == 1
    assert decimal("007", "a number", 127) == 7
    with pytest.raises(Unreadable, match="between 1 and 127"):
        decimal("0", "a number", 127, 1)


def test_tokens() -> None:
    assert token("a-1.b", "mid") == "a-1.b"
    for bad in ("", "a b", "a/b", "ä", "a:b"):
        with pytest.raises(Unreadable):
            token(bad, "mid")


def test_words_are_counted() -> None:
    assert words("a  b c", 2, "x") == ["a", "b", "c"]
    with pytest.raises(Unreadable, match="x is incomplete"):
        words("a", 2, "x")
