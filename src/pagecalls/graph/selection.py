"""`fields`: which members of an object a reader wants, with nesting (graph-platform 3.3).

    id,name,subscribed_apps.limit(5){id,subscribed_fields}

Parses the text and cuts answers down to it. What an object may hold is written down as a `Shape`, because a member that is
absent right now is still a legal one to ask for. Pure; knows no edge by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pagecalls.errors import InvalidValue, MalformedFields, UnknownField
from pagecalls.graph.params import Params
from pagecalls.http import Json, JsonObject

MAX_DEPTH = 6
MAX_FIELDS = 200
_SHOWN = 80
_NAME = re.compile(r"\s*([A-Za-z0-9_]+)\s*")
_MODIFIER = re.compile(r"\.([A-Za-z0-9_]+)\(([^()]*)\)\s*")


@dataclass(frozen=True, slots=True)
class Field:
    """One name, its modifiers, and the text between its braces as well as what that says."""

    name: str
    modifiers: Mapping[str, str] = field(default_factory=dict)
    inner_text: str = ""
    inner: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object of `node_type` may hold: plain members are `None`, objects and lists of objects have a shape."""

    node_type: str
    members: Mapping[str, Shape | None]


def fields_of(params: Params) -> tuple[Field, ...]:
    """What `fields` asks for; empty if it is absent. A list, or JSON text of one, is as good as text with commas.

    Raises `MalformedFields`, `InvalidValue`.
    """
    value = params.values.get("fields")
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return parse_fields(value)
    return parse_fields(",".join(params.words("fields") or ()))


def parse_fields(text: str) -> tuple[Field, ...]:
    """The grammar. Raises `MalformedFields`."""
    if not text.strip():
        return ()
    fields, at = _Parser(text).fields(0, 0)
    if at != len(text):
        raise MalformedFields("the end", at)
    return fields


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._count = 0

    def fields(self, at: int, depth: int) -> tuple[tuple[Field, ...], int]:
        """Fields from `at` to a closing brace or the end, and where that is."""
        if depth >= MAX_DEPTH:
            raise MalformedFields(f"no more than {MAX_DEPTH} levels", at)
        found = []
        while True:
            field_, at = self._field(at, depth)
            found.append(field_)
            if self._text[at : at + 1] != ",":
                return tuple(found), at
            at += 1

    def _field(self, at: int, depth: int) -> tuple[Field, int]:
        self._count += 1
        name = _NAME.match(self._text, at)
        if name is None:
            raise MalformedFields("a name", at)
        if self._count > MAX_FIELDS:
            raise MalformedFields(f"no more than {MAX_FIELDS} names", at)
        at = name.end()
        modifiers: dict[str, str] = {}
        while modifier := _MODIFIER.match(self._text, at):
            modifiers[modifier[1]] = modifier[2].strip()
            at = modifier.end()
        if self._text[at : at + 1] != "{":
            return Field(name[1], modifiers), at
        start = at + 1
        inner, at = self.fields(start, depth + 1)
        if self._text[at : at + 1] != "}":
            raise MalformedFields('"}"', at)
        inner_text = self._text[start:at]
        at += 1
        while self._text[at : at + 1].isspace():
            at += 1
        return Field(name[1], modifiers, inner_text, inner), at


def select(body: JsonObject, fields: tuple[Field, ...], shape: Shape) -> JsonObject:
    """The members asked for, and `id` where there is one. Raises `UnknownField`."""
    kept: JsonObject = {"id": body["id"]} if "id" in body else {}
    for wanted in fields:
        if wanted.name not in shape.members:
            raise UnknownField(wanted.name[:_SHOWN], shape.node_type)
        below = shape.members[wanted.name]
        if wanted.inner and below is None:
            raise UnknownField(wanted.inner[0].name[:_SHOWN], wanted.name)
        if wanted.name in body:
            kept[wanted.name] = _inside(body[wanted.name], wanted.inner, below)
        elif below is not None:
            select({}, wanted.inner, below)  # nothing to cut, yet an unknown name must be found out
    return kept


def _inside(value: Json, fields: tuple[Field, ...], shape: Shape | None) -> Json:
    if not fields or shape is None:
        return value
    match value:
        case dict():
            return select(value, fields, shape)
        case list():
            return [_inside(item, fields, shape) for item in value]
        case _:
            return value


def select_answer(body: JsonObject, fields: tuple[Field, ...], shape: Shape) -> JsonObject:
    """As `select`, for an edge's answer: each entry of `data`, and what stands bare beside it, is cut down; paging stays."""
    data = body.get("data")
    if not isinstance(data, list):
        return select(body, fields, shape)
    # The bare members repeat an entry; without them there is nothing to cut, yet an unknown name must be found out.
    kept = {"data": _inside(data, fields, shape), **select({k: v for k, v in body.items() if k != "data"}, fields, shape)}
    return kept | {name: body[name] for name in ("paging", "summary") if name in body}


def modifier_params(wanted: Field) -> Params:
    """The parameters that a nested edge is asked with. Raises `InvalidValue` for a modifier that names a reserved one."""
    for name in wanted.modifiers:
        if name in ("access_token", "oauth_token", "fields"):
            raise InvalidValue(f"fields[{wanted.name}][{name}]")
    values: dict[str, Json] = dict(wanted.modifiers)
    if wanted.inner_text:
        values["fields"] = wanted.inner_text
    return Params(values)
