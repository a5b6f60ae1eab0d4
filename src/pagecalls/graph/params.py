"""Typed values out of decoded parameters, with the foldings of graph-platform 3.1 and 3.2.

Absent is: no such name, JSON `null`, or an empty text (a form cannot say less). Every other misfit is `InvalidValue`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pagecalls.errors import InvalidValue, MissingParameter
from pagecalls.http import Json, JsonObject, NotJson, parse_json

E = TypeVar("E", bound=StrEnum)

SHOWN = 80
"""Characters of a wrong value that its error repeats."""

_DECIMAL = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of a request, or the members of an object among them; `path` is then that object's name in error texts."""

    values: Mapping[str, Json]
    path: str = ""

    def name(self, key: str) -> str:
        """How error texts spell `key`: `session[sdp]`, `tracks[0][msid]`."""
        return f"{self.path}[{key}]" if self.path else key

    def has(self, key: str) -> bool:
        """Whether there is a value that is not absent."""
        return self.values.get(key) not in (None, "")

    def text(self, key: str, longest: int | None = None) -> str | None:
        """Text of at most `longest` characters; a JSON integer is taken as its digits, because ids come that way."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # the JSON parser takes no more digits than `str` prints
        if not isinstance(value, str) or (longest is not None and len(value) > longest):
            raise InvalidValue(self.name(key))
        return value

    def required_text(self, key: str, longest: int | None = None) -> str:
        """As `text`. Raises `MissingParameter`."""
        value = self.text(key, longest)
        if value is None:
            raise MissingParameter(self.name(key))
        return value

    def choice(self, key: str, words: type[E]) -> E | None:
        """A member of `words`, in any case of letters."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return words(text.lower())
        except ValueError:
            raise InvalidValue(self.name(key), tuple(word.value for word in words), text[:SHOWN]) from None

    def required_choice(self, key: str, words: type[E]) -> E:
        """As `choice`. Raises `MissingParameter`."""
        value = self.choice(key, words)
        if value is None:
            raise MissingParameter(self.name(key))
        return value

    def natural(self, key: str) -> int | None:
        """An integer from 0, as JSON number or decimal text, at most 15 digits."""
        text = self.text(key)
        if text is None:
            return None
        if _DECIMAL.fullmatch(text) is None:
            raise InvalidValue(self.name(key))
        return int(text)

    def flag(self, key: str) -> bool | None:
        """A boolean, as JSON or as one of the texts true, false, 1 and 0 in any case of letters."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return value
        word = str(value).lower() if isinstance(value, str | int) else ""
        if word not in ("true", "false", "1", "0"):
            raise InvalidValue(self.name(key))
        return word in ("true", "1")

    def object(self, key: str) -> Params | None:
        """An object, or JSON text of one. An object without members is there, and empty."""
        value = self._folded(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise InvalidValue(self.name(key))
        return Params(value, self.name(key))

    def required_object(self, key: str) -> Params:
        """As `object`. Raises `MissingParameter`."""
        value = self.object(key)
        if value is None:
            raise MissingParameter(self.name(key))
        return value

    def objects(self, key: str) -> list[Params] | None:
        """A list of objects, or JSON text of one; each member may be JSON text too."""
        value = self._folded(key)
        if value is None:
            return None
        if not isinstance(value, list):
            raise InvalidValue(self.name(key))
        return [self._member(f"{self.name(key)}[{index}]", item) for index, item in enumerate(value)]

    def words(self, key: str) -> tuple[str, ...] | None:
        """A list of texts: a JSON array, JSON text of one, or comma-separated text. Empty entries are dropped."""
        value = self.values.get(key)
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = self._folded(key)
        if isinstance(value, str):
            return tuple(word for part in value.split(",") if (word := part.strip())) or None
        if value is None:
            return None
        if not isinstance(value, list):
            raise InvalidValue(self.name(key))
        words = tuple(word for word in value if isinstance(word, str))
        if len(words) < len(value):
            raise InvalidValue(self.name(key))
        return tuple(stripped for word in words if (stripped := word.strip()))

    def _folded(self, key: str) -> Json:
        value = self.values.get(key)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return parse_json(value)
        except NotJson:
            raise InvalidValue(self.name(key)) from None

    def _member(self, name: str, item: Json) -> Params:
        if isinstance(item, str):
            try:
                item = parse_json(item)
            except NotJson:
                raise InvalidValue(name) from None
        if not isinstance(item, dict):
            raise InvalidValue(name)
        return Params(item, name)


def merged(query: JsonObject, body: JsonObject) -> Params:
    """Query and body together; the body wins for the same name (graph-platform 3.1)."""
    return Params({**query, **body})
