"""References between the requests of a batch: `{result=first:$.data.*.id}` (graph-platform 6).

A small part of JSONPath: members, positions and `*`. Whatever is found is joined with commas, which is how lists of ids are
written on this platform. Pure. Sizes are bounded while they grow, so that a few bytes of text cannot ask for gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import TypeAlias

import msgspec

from pagecalls.http import Json

MAX_STEPS = 12
MAX_FOUND = 5_000
_REFERENCE = re.compile(r"\{result=([^:{}]{1,200}):(\$[^{}]{0,400})\}")
_STEP = re.compile(r"\.(\*)|\.([^.\[\]*'\"$]+)|\[(\*)\]|\[(-?[0-9]{1,9})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")

EVERY = ...
Step: TypeAlias = str | int | EllipsisType
"""A member's name, a position, or every one of them."""


class BadReference(Exception):
    """The text says why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference in a text."""

    name: str
    steps: tuple[Step, ...]


def references_in(texts: Iterable[str]) -> Iterator[Reference]:
    """Every reference in decoded texts. Raises `BadReference` for a path outside of what is served."""
    for text in texts:
        for found in _REFERENCE.finditer(text):
            yield Reference(found[1], parse_path(found[2]))


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of `$.a[0].*`. Raises `BadReference`."""
    steps: list[Step] = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or len(steps) == MAX_STEPS:
            raise BadReference(f"the path {text[:80]} is not one of names, positions and *")
        steps.append(_step(step))
        at = step.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found[1] or found[3]:
        return EVERY
    if found[4]:
        return int(found[4])
    return next(name for name in (found[2], found[5], found[6]) if name is not None)


def find(steps: tuple[Step, ...], value: Json) -> list[Json]:
    """What the path leads to. Raises `BadReference` if that is too much."""
    found = [value]
    for step in steps:
        found = [inner for each in found for inner in _below(each, step)]
        if len(found) > MAX_FOUND:
            raise BadReference(f"more than {MAX_FOUND} values were found")
    return found


def _below(value: Json, step: Step) -> list[Json]:
    match value, step:
        case dict(), str():
            return [value[step]] if step in value else []
        case list(), int():
            return [value[step]] if -len(value) <= step < len(value) else []
        case dict(), EllipsisType():
            return list(value.values())
        case list(), EllipsisType():
            return list(value)
        case _:
            return []


@dataclass(slots=True)
class Room:
    """How many characters the references of a batch may still add, in all its requests together."""

    limit: int
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.limit

    def take(self, size: int) -> None:
        """Raises `BadReference` if there is no room left."""
        self.left -= size
        if self.left < 0:
            raise BadReference(f"what the batch refers to is larger than {self.limit} characters")


class Filler:
    """Puts results into the texts of one request, as far as there is room."""

    def __init__(self, results: Mapping[str, Json], room: Room) -> None:
        self._results = results
        self._room = room

    def fill(self, text: str) -> str:
        """`text` with each reference replaced by what it finds. Raises `BadReference`: nothing found, or too much."""
        return _REFERENCE.sub(self._found, text)

    def _found(self, reference: re.Match[str]) -> str:
        values = find(parse_path(reference[2]), self._results.get(reference[1]))
        if not values:
            raise BadReference(f"{reference[0][:120]} finds nothing")
        text = ",".join(value if isinstance(value, str) else msgspec.json.encode(value).decode() for value in values)
        self._room.take(len(text))
        return text
