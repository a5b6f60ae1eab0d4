"""What the lists of this face share: how they are paged and narrowed, and the shapes of names and ids in a body.

A list is `{"data": [...], "next": <what to give as `after` for more, or null>}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

from msgspec import Meta

from pagecalls.control.base import LONGEST_STEP_S, Refusal, Refused
from pagecalls.http import Json, JsonObject, Response

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Id = Annotated[str, Meta(pattern=r"^[0-9]{1,32}\Z")]
Lifetime = Annotated[float, Meta(gt=0, le=LONGEST_STEP_S)]
"""Seconds from now."""

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
LONGEST_NUMBER = 9
"""Digits."""


def limit_of(query: Mapping[str, str]) -> int:
    """How many entries the request wants. Raises `Refused`."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER and 1 <= int(text) <= MAX_LIMIT):
        raise Refused(Refusal.BAD_REQUEST, f"limit is a number from 1 to {MAX_LIMIT}.")
    return int(text)


def choice_of(query: Mapping[str, str], name: str, words: type[E]) -> E | None:
    """The member of `words` that the request names, if it names one. Raises `Refused`."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return words(text)
    except ValueError:
        raise Refused(Refusal.BAD_REQUEST, f"{name} is one of {', '.join(words)}.") from None


def listed(entries: Sequence[T], limit: int, render: Callable[[T], JsonObject], key: Callable[[T], str]) -> Response:
    """One page of a list."""
    data: list[Json] = [render(entry) for entry in entries]
    return Response(200, {"data": data, "next": key(entries[-1]) if len(entries) == limit else None})


def is_forced(query: Mapping[str, str]) -> bool:
    """Whether a thing in use is to go all the same. Raises `Refused`."""
    match query.get("force", "false"):
        case "true":
            return True
        case "false":
            return False
        case _:
            raise Refused(Refusal.BAD_REQUEST, "force is true or false.")


def seconds(at: float | None) -> int | None:
    """A moment as the wire has it: whole Unix seconds."""
    return None if at is None else int(at)
