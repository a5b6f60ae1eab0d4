"""Lines: the outer grammar of a session description (RFC 8866 section 5), and the small words inside a line.

Owns the line ends, the limits on size and characters, and the readers of numbers and tokens. Refuses to know what any attribute
means: that is `attributes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pagecalls.errors import MalformedSdp

MAX_TEXT_BYTES = 64 * 1024
"""Longest description that is read (messenger-calling 6.1), in bytes of UTF-8."""

RawLine = tuple[int, str, str]
"""One line: its number from 1, its type letter, and its value without trailing blanks."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PLAIN = bytes((*b"\t\n", *range(0x20, 0x7F)))
TOKEN = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"
"""A word of token characters (RFC 8866 section 9), as a pattern."""

_TOKEN = re.compile(TOKEN)


class Unreadable(Exception):
    """A value that its attribute's grammar does not allow; the reader of the line adds the line number."""


def read_lines(text: str) -> list[RawLine]:
    """Split a description into lines.

    Takes CRLF and LF, a final line end or none, and a text without any real line end whose line ends are the escapes `\\r\\n` or
    `\\n` (messenger-calling 1.1). Empty lines are skipped. Raises `MalformedSdp`.
    """
    lines: list[RawLine] = []
    for number, line in enumerate(_checked(_unescaped(text)).split("\n"), start=1):
        if line[1:2] == "=" and "a" <= line[0] <= "z":
            lines.append((number, line[0], line[2:].rstrip(" \t")))
        elif line.strip(" \t"):
            raise MalformedSdp(number, "a line has the form x=value")
    return lines


def join_lines(lines: Iterable[str]) -> str:
    """The text of a description: every line ends in CRLF, the last one too."""
    return "\r\n".join(lines) + "\r\n"


def decimal(text: str, what: str, high: int, low: int = 0) -> int:
    """A decimal number from `low` to `high`. Raises `Unreadable`.

    The length is looked at first: `int` refuses thousands of digits with another exception.
    """
    if not (text.isdigit() and text.isascii() and len(text) <= 10):
        raise Unreadable(f"{what} is not a number")
    value = int(text)
    if not low <= value <= high:
        raise Unreadable(f"{what} is not between {low} and {high}")
    return value


def token(text: str, what: str) -> str:
    """A word of RFC 8866 token characters. Raises `Unreadable`."""
    if not _TOKEN.fullmatch(text):
        raise Unreadable(f"{what} is not a token")
    return text


def words(text: str, at_least: int, what: str) -> list[str]:
    """The words of a value. Raises `Unreadable` if there are fewer than `at_least`."""
    found = text.split()
    if len(found) < at_least:
        raise Unreadable(f"{what} is incomplete")
    return found


def _unescaped(text: str) -> str:
    """The text with LF as its only line end."""
    if len(text) > MAX_TEXT_BYTES:
        raise MalformedSdp(0, "it is longer than 64 KiB")
    text = text.replace("\r\n", "\n")
    if "\n" not in text.strip("\n"):
        return text.replace("\\r\\n", "\n").replace("\\n", "\n")
    return text


def _checked(text: str) -> str:
    """The text, if its characters may stand in a description."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        # Half of a surrogate pair: JSON can carry it, no SDP can.
        raise MalformedSdp(_line_of(text, error.start), "it is not Unicode text") from None
    if len(data) > MAX_TEXT_BYTES:
        raise MalformedSdp(0, "it is longer than 64 KiB")
    found = _CONTROL.search(text) if data.translate(None, _PLAIN) else None
    if found:
        raise MalformedSdp(_line_of(text, found.start()), "it holds a control character")
    return text


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
