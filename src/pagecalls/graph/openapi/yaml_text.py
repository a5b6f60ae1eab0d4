"""Writes JSON values as YAML 1.2 that people like to read. Writes only; nothing here reads YAML.

Enough for a document of our own: objects, lists, text, integers, booleans. Whatever a reader could take for something else is
quoted, also what only a reader of YAML 1.1 would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pagecalls.http import Json, JsonObject

_PLAIN = re.compile(r"[A-Za-z$][A-Za-z0-9$_/.,()-]*(?: [A-Za-z0-9$_/.,()-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_STEP = "  "


def to_yaml(value: JsonObject) -> str:
    """`value` as one document, with a final line end. Raises `TypeError` for a number with a fraction and for null."""
    return "".join(f"{line}\n" for line in _block(value))


def _block(value: Json) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _entry(f"{_text(key)}:", item)
        case list() if value:
            for item in value:
                yield from _item(item)
        case _:
            yield _scalar(value)


def _entry(key: str, value: Json) -> Iterator[str]:
    if isinstance(value, str) and _is_prose(value):
        yield f"{key} |-"
        yield from (f"{_STEP}{line}" if line else "" for line in value.split("\n"))
    elif isinstance(value, dict | list) and value:
        yield key
        yield from (f"{_STEP}{line}" if line else "" for line in _block(value))
    else:
        yield f"{key} {_scalar(value)}"


def _item(value: Json) -> Iterator[str]:
    lines = _block(value)
    yield f"- {next(lines)}"
    yield from (f"{_STEP}{line}" if line else "" for line in lines)


def _scalar(value: Json) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _text(value)
        case dict():
            return "{}"
        case list():
            return "[]"
        case _:
            raise TypeError(type(value).__name__)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_ESCAPES.get(mark) or (mark if mark.isprintable() else f"\\U{ord(mark):08X}") for mark in text) + '"'


def _is_prose(text: str) -> bool:
    """Several lines that a literal block keeps as they are (YAML 1.2 section 8.1.2)."""
    lines = text.split("\n")
    return (
        len(lines) > 1 and all(line.isprintable() and not line.startswith(" ") for line in lines) and bool(lines[0] and lines[-1])
    )
