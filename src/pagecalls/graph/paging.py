"""Collections in pages: `limit`, `after`, `before`, `offset` and the links to the neighbours (graph-platform 3.4).

A cursor is the key of an entry, so it stays good while entries come and go around it. `paging` is written only for a collection
that has more than one page, or for a client that asked for one; `next` is absent on the last page, which is how readers find
the end.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from pagecalls.errors import InvalidValue
from pagecalls.graph.params import Params
from pagecalls.http import Json, JsonObject

T = TypeVar("T")

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
_PLACES = ("after", "before", "offset", "limit")


def page_of(items: Sequence[T], key: Callable[[T], str], show: Callable[[T], Json], params: Params, url: str) -> JsonObject:
    """The answer of a collection: `data`, and `paging` where it says anything. `items` are in order, their keys differ.

    Raises `InvalidValue` for a cursor that is none, or a limit that is no number.
    """
    keys = [key(item) for item in items]
    first, last = _slice(keys, params)
    body: JsonObject = {"data": [show(item) for item in items[first:last]]}
    is_part = last - first < len(items)
    if not is_part and not any(params.has(name) for name in _PLACES):
        return body
    paging: JsonObject = {}
    if last > first:
        paging["cursors"] = {"before": cursor(keys[first]), "after": cursor(keys[last - 1])}
        if last < len(items):
            paging["next"] = _link(url, "after", cursor(keys[last - 1]), last - first)
        if first > 0:
            paging["previous"] = _link(url, "before", cursor(keys[first]), last - first)
    return {**body, "paging": paging} if paging else body


def cursor(key: str) -> str:
    """The key, opaque and safe in a URL."""
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode("ascii").rstrip("=")


def _slice(keys: list[str], params: Params) -> tuple[int, int]:
    limit = params.natural("limit")
    size = DEFAULT_LIMIT if limit is None else max(1, min(limit, MAX_LIMIT))
    after, before = params.text("after"), params.text("before")
    if after is not None:
        first = _position(keys, after, "after") + 1
    elif before is not None:
        last = _position(keys, before, "before")
        return max(0, last - size), last
    else:
        first = params.natural("offset") or 0
    first = min(first, len(keys))
    return first, min(len(keys), first + size)


def _position(keys: list[str], text: str, name: str) -> int:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidValue(name) from None
    if key not in keys:
        raise InvalidValue(name)
    return keys.index(key)


def _link(url: str, name: str, value: str, size: int) -> str:
    """The client's own address, moved to another page."""
    parts = urlsplit(url)
    kept = [(key, text) for key, text in parse_qsl(parts.query, keep_blank_values=True) if key not in _PLACES]
    return parts._replace(query=urlencode([*kept, ("limit", str(size)), (name, value)])).geturl()
