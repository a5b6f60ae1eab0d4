"""The reference of one version as Markdown, from `contract.py`: to be read in an editor or handed on. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from pagecalls.call.states import Action
from pagecalls.graph.openapi import contract, examples
from pagecalls.graph.openapi.contract import Kind, Member, Place
from pagecalls.graph.openapi.edge import Edge
from pagecalls.graph.openapi.edges import EDGES
from pagecalls.graph.openapi.errors import ErrorRow, error_rows
from pagecalls.graph.openapi.snippets import SNIPPETS, TOKEN, fill


def to_markdown(version: str, base_url: str) -> str:
    """The whole page. `base_url` as in `document.build`."""
    return "\n".join(_lines(version, base_url)) + "\n"


def type_words(member: Member) -> str:
    """A member's type, as people say it."""
    if member.kind is Kind.ARRAY:
        what = "objects" if member.items is Kind.OBJECT else f"{member.items.value} values"
        return f"array of {what}" + (f", at most {member.max_items}" if member.max_items is not None else "")
    if member.choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in member.choices)
    return member.kind.value


def _lines(version: str, base_url: str) -> Iterator[str]:
    yield from (f"# {contract.TITLE} {version}", "", contract.ABOUT, "")
    yield from (f"    {contract.METHOD} {base_url}/{version}{contract.PATH}", "", contract.OPERATION_TEXT, "")
    yield from (f"Versions {contract.VERSIONS[0]} to {contract.VERSIONS[-1]} behave alike.", "")
    yield from ("## Path parameters", "", *_members((contract.PAGE_ID,)), "")
    yield from (
        f"## Request body: {contract.REQUEST.name}",
        "",
        f"{contract.REQUEST.text} `{contract.CONTENT_TYPE}`, required.",
        "",
    )
    yield from (*_members(contract.REQUEST.members), "")
    yield from _code(version, base_url)
    yield from _answers()
    yield from _authentication()
    yield from ("## Errors", "", *_errors(error_rows()))
    yield from ("", "## Beside the calls edge", "", "Their errors have the same form.", "")
    for edge in EDGES:
        yield from _edge(edge, f"{base_url}/{version}")


def _members(members: Iterable[Member], margin: str = "") -> Iterator[str]:
    for member in members:
        name = f"{member.name}[]" if member.kind is Kind.ARRAY else member.name
        required = ", required" if member.is_required else ""
        yield f"{margin}- `{name}`: {type_words(member)}{required}. {member.text}"
        yield from _members(member.members, f"{margin}  ")


def _edge(edge: Edge, base: str) -> Iterator[str]:
    yield from (f"### {edge.summary}", "", f"    {edge.method} {base}{edge.path}", "", edge.text, "")
    if edge.query:
        yield from ("Query:", "", *_members(edge.query), "")
    if edge.body is not None:
        yield from (f"Body, {edge.body.name}: {edge.body.text}", "", *_members(edge.body.members), "")
    for example in edge.examples:
        yield from _json(example)
    yield from (f"Answer, {edge.answer.name}: {edge.answer_text}", "", *_members(edge.answer.members), "")


def _code(version: str, base_url: str) -> Iterator[str]:
    yield from ("## Example requests", "")
    url = f"{base_url}/{version}/me/calls"
    for snippet in SNIPPETS:
        code = fill(snippet, url, f"Bearer {TOKEN}", examples.REQUESTS[Action.TERMINATE].body)
        yield from (f"{snippet.name}:", "", f"```{snippet.syntax}", code, "```", "")
    yield from ("A body for each action:", "")
    for action, each in examples.REQUESTS.items():
        yield from (f"`{action.value}`: {each.text}", "", *_json(each.body))


def _answers() -> Iterator[str]:
    yield from ("## Responses", "")
    for row in contract.ANSWERS:
        note = " Not in the platform's reference." if row.is_ours else ""
        yield from (f"### {row.status}: {row.schema.name}", "", row.text + note, "")
        if row.schema is contract.RESPONSE:
            yield from (
                *_members(contract.RESPONSE.members),
                "",
                "Beside these the server sends:",
                "",
                *_members(contract.BEYOND),
                "",
            )
        if row.status in examples.ANSWERS:
            yield from _json(examples.ANSWERS[row.status])
    yield from (f"### {contract.ERROR.name}", "", contract.ERROR_BODY_TEXT, "", *_members(contract.ERROR.members), "")


def _authentication() -> Iterator[str]:
    yield from ("## Authentication", "", contract.AUTHENTICATION_TEXT, "", "| scheme | type | place | |", "|---|---|---|---|")
    for scheme in contract.SCHEMES:
        kind = "API key" if scheme.place is Place.QUERY else "HTTP bearer"
        yield f"| {scheme.name} | {kind} | {scheme.place.value} `{scheme.parameter}` | {scheme.text} |"
    yield ""


def _errors(rows: Iterable[ErrorRow]) -> Iterator[str]:
    yield from ("| HTTP | code | subcode | again | message |", "|---|---|---|---|---|")
    for row in rows:
        message = row.message.replace("|", "\\|")
        yield f"| {row.http} | {row.code} | {row.subcode or ''} | {'yes' if row.is_transient else ''} | {message} |"


def _json(body: object) -> Iterator[str]:
    yield from ("```json", json.dumps(body, indent=2, ensure_ascii=False), "```", "")
