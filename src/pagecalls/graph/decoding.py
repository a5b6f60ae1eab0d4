"""From bytes to parameters, in every encoding that clients use (messenger-calling 1.1, graph-platform 3.1).

Knows no parameter by name. What comes out is one flat mapping; `params.py` reads typed values from it.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from pagecalls.errors import UnreadableBody
from pagecalls.http import Json, JsonObject, NotJson, parse_json

_MAX_DEPTH = 6
_MAX_PAIRS = 2000
"""Fields of one form or query; no request of the contract comes near."""
_MAX_NAME = 4096
"""Characters of a field's name, which is passed over if it has more, and of a part's headers."""
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_SUBKEY = re.compile(r"\[([^\[\]]*)\]")
_PARAMETER = re.compile(r';\s*([A-Za-z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


def parse_query(query_string: bytes) -> JsonObject:
    """The parameters of a query or form. Percent escapes that are no UTF-8 become U+FFFD; the last of equal names wins.

    Raises `UnreadableBody` for more fields than anybody needs.
    """
    try:
        pairs = parse_qsl(query_string.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_PAIRS)
    except ValueError:
        raise UnreadableBody(_FORM) from None
    return _nest(pairs)


def parse_body(content_type: str | None, body: bytes) -> JsonObject:
    """The parameters of a body. Raises `UnreadableBody`.

    A declared type is believed: JSON text under a form type gives a form without the expected names, as on the real platform.
    Under any other type, or none, a body that starts with `{` is JSON.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if not body:
        return {}
    if media_type == "application/json" or media_type.endswith("+json"):
        return _json_object(body, media_type)
    if media_type == _FORM:
        return parse_query(body)
    if media_type == _MULTIPART:
        return _multipart(content_type or "", body)
    if body.lstrip()[:1] == b"{":
        return _json_object(body, "application/json")
    raise UnreadableBody(media_type[:80] or "application/json")


def _json_object(body: bytes, media_type: str) -> JsonObject:
    try:
        value = parse_json(body)
    except NotJson:
        raise UnreadableBody(media_type[:80]) from None
    if not isinstance(value, dict):
        raise UnreadableBody(media_type[:80])
    return value


def file_names(content_type: str | None, body: bytes) -> frozenset[str]:
    """The names under which files came with a body; none if it is not multipart. Raises `UnreadableBody`."""
    if (content_type or "").partition(";")[0].strip().lower() != _MULTIPART or not body:
        return frozenset()
    return frozenset(name for part in _parts(content_type or "", body) for name, is_file, _ in [_part(part)] if is_file)


def _multipart(content_type: str, body: bytes) -> JsonObject:
    """Fields of RFC 7578; parts with a file name are passed over."""
    fields = (_part(part) for part in _parts(content_type, body))
    return _nest([(name, content.decode("utf-8", "replace")) for name, is_file, content in fields if name and not is_file])


def _parts(content_type: str, body: bytes) -> list[bytes]:
    boundary = _options(content_type).get("boundary", "")
    if not boundary:
        raise UnreadableBody(_MULTIPART)
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "replace"))
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise UnreadableBody(_MULTIPART)
    if len(parts) > _MAX_PAIRS:
        raise UnreadableBody(_MULTIPART)
    return parts[1:-1]


def _part(part: bytes) -> tuple[str, bool, bytes]:
    """Name, whether it is a file, content; no name for a part that says none."""
    head, separator, content = part.partition(b"\r\n\r\n")
    if not separator or len(head) > _MAX_NAME:
        raise UnreadableBody(_MULTIPART)
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            options = _options(value)
            return options.get("name", ""), "filename" in options or "filename*" in options, content
    return "", False, b""


def _options(header_value: str) -> dict[str, str]:
    """The `; name=value` options of a header value, names in lower case."""
    found = _PARAMETER.findall(header_value)
    return {name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else bare for name, quoted, bare in found}


def _nest(pairs: list[tuple[str, str]]) -> JsonObject:
    """`session[sdp]=x` becomes `{"session": {"sdp": "x"}}`; a plain name and its bracket form do not mix, the later one wins."""
    found: JsonObject = {}
    for name, value in pairs:
        if len(name) > _MAX_NAME:
            continue
        bracketed = _KEY.fullmatch(name)
        keys = [bracketed[1], *_SUBKEY.findall(bracketed[2])] if bracketed else [name]
        if len(keys) <= _MAX_DEPTH:
            _put(found, keys, value)
    return {name: _lists(value) for name, value in found.items()}


def _put(found: JsonObject, keys: list[str], value: str) -> None:
    here = found
    for key in (key or "0" for key in keys[:-1]):
        inner = here.get(key)
        if not isinstance(inner, dict):
            inner = here[key] = {}
        here = inner
    last = keys[-1] or str(len(here))
    here[last] = value


def _lists(value: Json) -> Json:
    """Objects whose names are all indices were lists: `tracks[0][msid]=x`."""
    if not isinstance(value, dict):
        return value
    if value and all(name.isascii() and name.isdigit() and len(name) < 7 for name in value):
        return [_lists(item) for _, item in sorted(value.items(), key=lambda pair: int(pair[0]))]
    return {name: _lists(item) for name, item in value.items()}
