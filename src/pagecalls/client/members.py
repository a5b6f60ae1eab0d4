"""JSON from the other end, looked at member by member. Knows the kinds of JSON values, and nothing of what they mean.

Lenient where the platform is: integers may be decimal text, an object may be JSON text, and members that nobody asks for are left
alone. Everything else raises `WrongShape`, which says where it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A decoded JSON value."""

JsonObject: TypeAlias = "dict[str, Json]"

Value = TypeVar("Value")

_LONGEST_NUMBER = 19
"""Digits of the longest integer that is read: that of a signed 64-bit number."""


class WrongShape(ValueError):
    """A value is missing or of another kind than it must be."""


def present(members: JsonObject) -> JsonObject:
    """The members that are there: all but those that are `None`."""
    return {name: value for name, value in members.items() if value is not None}


def decode(text: bytes | str) -> Json:
    """One JSON value. Raises `WrongShape`, also for nesting beyond reason."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongShape(f"not JSON: {error}") from error
    return value


@dataclass(frozen=True, slots=True)
class Members:
    """One JSON object. `path` is where it stands, for messages. A member that is `null` counts as absent."""

    values: JsonObject
    path: str = ""

    @classmethod
    def of(cls, value: Json, path: str = "") -> Members:
        """`value`, which must be an object, or text that holds one (graph-platform 3.1)."""
        if isinstance(value, str):
            value = decode(value)
        if not isinstance(value, dict):
            raise WrongShape(f"{path or 'the body'} is no object")
        return cls(value, path)

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str) -> str | None:
        """Text; a number is taken as its text, as ids are."""
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, "text")

    def number(self, name: str) -> int | None:
        """An integer, or its decimal text."""
        value = self.values.get(name)
        if isinstance(value, str):
            digits = value.removeprefix("-")
            if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER:
                return int(value)
        elif value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._wrong(name, "an integer")

    def flag(self, name: str) -> bool | None:
        """A boolean, or one of the texts `true` and `false`."""
        value = self.values.get(name)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "a boolean")

    def object(self, name: str) -> Members | None:
        """An object, or JSON text of one."""
        value = self.values.get(name)
        return None if value is None else Members.of(value, self._at(name))

    def objects(self, name: str) -> tuple[Members, ...]:
        """A list of objects; empty when absent."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return tuple(Members.of(item, f"{self._at(name)}[{index}]") for index, item in enumerate(value))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty when absent."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        texts = tuple(item for item in value if isinstance(item, str))
        if len(texts) < len(value):
            raise self._wrong(name, "a list of texts")
        return texts

    def required_text(self, name: str) -> str:
        """As `text`; must be there."""
        return self._required(name, self.text(name))

    def required_number(self, name: str) -> int:
        """As `number`; must be there."""
        return self._required(name, self.number(name))

    def required_object(self, name: str) -> Members:
        """As `object`; must be there."""
        return self._required(name, self.object(name))

    def _required(self, name: str, value: Value | None) -> Value:
        if value is None:
            raise WrongShape(f"{self._at(name)} is missing")
        return value

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _wrong(self, name: str, kind: str) -> WrongShape:
        return WrongShape(f"{self._at(name)} is not {kind}")
