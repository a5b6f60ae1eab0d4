"""A batch as it was sent, checked as a whole, and in which order its requests run (graph-platform 6).

A request waits for those that it names, by `depends_on` or by a reference, and for the one before it that acts on the same call;
all others run side by side. Pure: nothing is asked or answered here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlencode

import msgspec

from pagecalls.errors import InvalidValue, MissingParameter, UnreadableBody, UnusableBatch
from pagecalls.graph.decoding import parse_body, parse_query
from pagecalls.graph.params import Params, merged
from pagecalls.graph.references import BadReference, Filler, Room, references_in
from pagecalls.http import Json, JsonObject, NotJson, parse_json

MAX_MEMBERS = 50
MAX_REFERENCES = 100
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Member:
    """One request of a batch. `path` is percent-encoded. `body` is a form or JSON as text; `headers` have lower-case names.

    `waits_for`: names in `depends_on` and in references. `omits` is `None` where the batch does not say.
    """

    index: int
    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    name: str | None
    waits_for: frozenset[str]
    token: str | None
    omits: bool | None
    files: tuple[str, ...]

    @property
    def where(self) -> str:
        """How error texts name it."""
        return f"batch[{self.index}]"

    @property
    def content_type(self) -> str:
        """What the body is: as its headers say, else a form, unless it looks like JSON (messenger-calling 1.1)."""
        return self.headers.get("content-type") or (JSON if self.body.lstrip().startswith("{") else FORM)

    def filled(self, results: Mapping[str, Json], room: Room) -> Member:
        """The same with its references replaced. What is put into an address or a form is escaped. Raises `UnusableBatch`."""
        filler = Filler(results, room)
        try:
            path, query = _filled_path(self.path, filler), _filled_form(self.query, filler)
            return replace(self, path=path, query=query, body=self._filled_body(filler))
        except BadReference as error:
            raise UnusableBatch(self.where, str(error)) from None
        except RecursionError:
            raise UnusableBatch(self.where, "its body is nested too deeply for references in it") from None

    def call_key(self) -> str | None:
        """Whose turn it takes: the call, or the person called. `""` is not known before its references are; `None` nobody's."""
        if self.path.rstrip("/").rpartition("/")[2] != "calls":
            return None
        try:
            body = parse_body(self.content_type, self.body.encode("utf-8", "surrogatepass"))
            params = merged(parse_query(self.query.encode("utf-8", "surrogatepass")), body)
            key = params.text("call_id") or params.text("to")
        except (UnreadableBody, InvalidValue):
            return None
        return "" if key is not None and "{result=" in key else key

    @property
    def media_type(self) -> str:
        """`content_type` without its options."""
        return self.content_type.partition(";")[0].strip().lower()

    def _filled_body(self, filler: Filler) -> str:
        match self.media_type:
            case "application/json":
                return _filled_json(self.body, filler)
            case "application/x-www-form-urlencoded":
                return _filled_form(self.body, filler)
            case _:
                return self.body


def read_members(params: Params) -> tuple[Member, ...]:
    """The batch. Raises `UnusableBatch`, `MissingParameter` and `InvalidValue` if any part of it makes no sense."""
    given = params.objects("batch") or []
    if len(given) > MAX_MEMBERS:
        raise UnusableBatch("batch", f"at most {MAX_MEMBERS} requests are allowed, these are {len(given)}")
    members = tuple(_member(index, each) for index, each in enumerate(given))
    names = [member.name for member in members if member.name is not None]
    for member in members:
        if member.name is not None and names.count(member.name) > 1:
            raise UnusableBatch(member.where, f'the name "{member.name[:80]}" is used twice')
        for name in member.waits_for:
            if name not in names:
                raise UnusableBatch(member.where, f'there is no request with the name "{name[:80]}"')
    return members


def waits(members: Sequence[Member]) -> tuple[frozenset[int], ...]:
    """For each request, those that must be over before it begins. Raises `UnusableBatch` if they wait for each other."""
    numbers = {member.name: member.index for member in members if member.name is not None}
    needed = [{numbers[name] for name in member.waits_for} for member in members]
    last: dict[str, int] = {}
    barrier: int | None = None
    for index in _order(needed):
        key = members[index].call_key()
        if key is None:
            continue
        if key == "":
            # It may turn out to act on any call, so it has a turn of its own between all others.
            needed[index] |= {*last.values(), *({barrier} if barrier is not None else ())}
            last, barrier = {}, index
        else:
            before = last.get(key, barrier)
            needed[index] |= {before} if before is not None else set()
            last[key] = index
    return tuple(frozenset(each) for each in needed)


def _order(needed: Sequence[set[int]]) -> list[int]:
    """The requests so that none comes before what it needs, otherwise as they were written."""
    order: list[int] = []
    left = list(range(len(needed)))
    while left:
        index = next((each for each in left if needed[each].issubset(order)), None)
        if index is None:
            raise UnusableBatch(f"batch[{left[0]}]", "it waits for itself, by way of what it depends on")
        order.append(index)
        left.remove(index)
    return order


# --- one member ---------------------------------------------------------------------------------------------------------


def _member(index: int, given: Params) -> Member:
    url = given.text("relative_url")
    if url is None:
        raise MissingParameter(given.name("relative_url"))
    path, _, query = url.partition("#")[0].partition("?")
    member = Member(
        index=index,
        method=(given.text("method") or "GET").strip().upper()[:20],
        path="/" + path.lstrip("/"),
        query=query,
        body=_body(given),
        headers=_headers(given),
        name=given.text("name"),
        waits_for=frozenset(given.words("depends_on") or ()),
        token=given.text("access_token"),
        omits=given.flag("omit_response_on_success"),
        files=given.words("attached_files") or (),
    )
    return replace(member, waits_for=member.waits_for | _named(member))


def _body(given: Params) -> str:
    body = given.values.get("body")
    match body:
        case None:
            return ""
        case str():
            return body
        case dict():
            return msgspec.json.encode(body).decode()
        case _:
            raise InvalidValue(given.name("body"))


def _headers(given: Params) -> dict[str, str]:
    lines = given.objects("headers") or []
    return {line.required_text("name").lower(): line.text("value") or "" for line in lines}


def _named(member: Member) -> set[str]:
    """The names that references speak of."""
    texts = [unquote(member.path), unquote_plus(member.query), member.body]
    if member.media_type != JSON:
        texts[2] = unquote_plus(member.body)
    names: set[str] = set()
    try:
        for number, reference in enumerate(references_in(texts)):
            if number >= MAX_REFERENCES:
                raise BadReference(f"more than {MAX_REFERENCES} references")
            names.add(reference.name)
    except BadReference as error:
        raise UnusableBatch(member.where, str(error)) from None
    return names


def _filled_path(path: str, filler: Filler) -> str:
    if "{result=" not in unquote(path):
        return path
    return "/".join(quote(filler.fill(unquote(part)), safe="") for part in path.split("/"))


def _filled_form(text: str, filler: Filler) -> str:
    if "{result=" not in unquote_plus(text):
        return text
    return urlencode([(name, filler.fill(value)) for name, value in parse_qsl(text, keep_blank_values=True)])


def _filled_json(text: str, filler: Filler) -> str:
    if "{result=" not in text:
        return text
    try:
        return msgspec.json.encode(_filled_value(parse_json(text), filler)).decode()
    except NotJson:
        return text


def _filled_value(value: Json, filler: Filler) -> Json:
    match value:
        case str():
            return filler.fill(value)
        case dict():
            filled: JsonObject = {name: _filled_value(inner, filler) for name, inner in value.items()}
            return filled
        case list():
            return [_filled_value(inner, filler) for inner in value]
        case _:
            return value
