"""The reference of one version as a web page, from `contract.py`. Pure.

Complete without a script: `page/page.js` adds the form that sends requests, and the tabs. The frame is `page/page.html`; what
this module puts into it is escaped here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from string import Template

from pagecalls.call.states import Action
from pagecalls.graph.openapi import contract, examples
from pagecalls.graph.openapi.contract import AnswerRow, Kind, Member, Place, Scheme
from pagecalls.graph.openapi.errors import ErrorRow, error_rows
from pagecalls.graph.openapi.snippets import SNIPPETS, TOKEN, Snippet, fill
from pagecalls.graph.versions import LATEST


def to_html(template: str, version: str, base_url: str) -> str:
    """The page. `template` is `page/page.html`; `base_url` as in `document.build`."""
    below = "" if version == LATEST else f"/{version}"
    parts = {
        "title": contract.TITLE,
        "version": version,
        "about": _prose(contract.ABOUT),
        "versions": "".join(_version_link(each, version) for each in reversed(contract.VERSIONS)),
        "method": contract.METHOD,
        "path": escape(contract.PATH),
        "base": escape(f"{base_url}/{version}"),
        "docs": f"/docs{below}",
        "openapi": f"{below}/openapi",
        "operation": _prose(contract.OPERATION_TEXT),
        "parameters": _members((contract.PAGE_ID,)),
        "request_name": contract.REQUEST.name,
        "request_text": _prose(contract.REQUEST.text),
        "request": _members(contract.REQUEST.members),
        "content_type": contract.CONTENT_TYPE,
        "answers": "".join(_answer(row) for row in contract.ANSWERS),
        "error_name": contract.ERROR.name,
        "error_text": _prose(contract.ERROR_BODY_TEXT),
        "error": _members(contract.ERROR.members),
        "authentication": _prose(contract.AUTHENTICATION_TEXT),
        "schemes": "".join(_scheme(scheme) for scheme in contract.SCHEMES),
        "errors": "".join(_error_line(row) for row in error_rows()),
        "places": "".join(_place(scheme) for scheme in reversed(contract.SCHEMES)),
        "actions": "".join(_action(action) for action in examples.REQUESTS),
        "body": escape(_indented(examples.REQUESTS[Action.CONNECT].body)),
        "tabs": "".join(_tab(snippet) for snippet in SNIPPETS),
        "panels": "".join(_panel(snippet, f"{base_url}/{version}/me/calls") for snippet in SNIPPETS),
        "token": escape(TOKEN),
    }
    return Template(template).substitute(parts)


def _version_link(version: str, current: str) -> str:
    target = "/docs/" if version == LATEST else f"/docs/{version}/"
    mark = ' aria-current="page"' if version == current else ""
    return f'<li><a href="{target}"{mark}>{version}</a></li>'


def _prose(text: str) -> str:
    """Text with words between backticks as code."""
    parts = [escape(part, quote=False) for part in text.split("`")]
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _members(members: Iterable[Member]) -> str:
    return '<ul class="members">' + "".join(_member(member) for member in members) + "</ul>"


def _member(member: Member) -> str:
    required = '<span class="required">required</span> ' if member.is_required else ""
    children = f"<details open><summary>Child attributes</summary>{_members(member.members)}</details>" if member.members else ""
    head = f'<code class="name">{escape(member.name)}</code> {required}<span class="type">{_type(member)}</span>'
    return f'<li><p class="head">{head}</p><p>{_prose(member.text)}</p>{children}</li>'


def _type(member: Member) -> str:
    if member.kind is Kind.ARRAY:
        return "array of objects" + (f", at most {member.max_items}" if member.max_items is not None else "")
    if member.choices:
        return "one of " + ", ".join(f"<code>{escape(choice)}</code>" for choice in member.choices)
    return member.kind.value


def _answer(row: AnswerRow) -> str:
    mood = "good" if row.status < 300 else "bad"
    note = ' <span class="note">beyond the reference of the platform</span>' if row.is_ours else ""
    if row.schema is contract.RESPONSE:
        more = _members(row.schema.members) + (
            f"<details><summary>Beside these the server sends</summary>{_members(contract.BEYOND)}</details>"
        )
    else:
        more = ""
    example = ""
    if row.status in examples.ANSWERS:
        text = escape(_indented(examples.ANSWERS[row.status]), quote=False)
        example = f'<details><summary>Example</summary><pre tabindex="0"><code>{text}</code></pre></details>'
    schema = row.schema.name if row.schema is contract.RESPONSE else f'<a href="#StandardError">{row.schema.name}</a>'
    return (
        f'<section class="answer"><h3 id="status-{row.status}"><span class="status {mood}">{row.status}</span> '
        f'<span class="schema">{schema}</span>{note}</h3><p>{_prose(row.text)}</p>{more}{example}</section>'
    )


def _scheme(scheme: Scheme) -> str:
    kind = "API key, query" if scheme.place is Place.QUERY else "HTTP bearer, header"
    return (
        f'<li><p class="head"><code class="name">{scheme.name}</code> <span class="type">{kind} '
        f"<code>{scheme.parameter}</code></span></p><p>{_prose(scheme.text)}</p></li>"
    )


def _error_line(row: ErrorRow) -> str:
    again = "yes" if row.is_transient else ""
    return (
        f'<tr><td data-label="HTTP">{row.http}</td><td data-label="code">{row.code}</td>'
        f'<td data-label="subcode">{row.subcode or ""}</td><td data-label="again">{again}</td>'
        f"<td>{escape(row.message, quote=False)}</td></tr>"
    )


def _place(scheme: Scheme) -> str:
    text = f"Header {scheme.parameter}" if scheme.place is Place.HEADER else f"Query parameter {scheme.parameter}"
    return f'<option value="{scheme.parameter}" data-place="{scheme.place.value}">{text}</option>'


def _action(action: Action) -> str:
    each = examples.REQUESTS[action]
    body = escape(_indented(each.body))
    return f'<option value="{action.value}" data-body="{body}">{action.value}: {escape(each.text)}</option>'


def _tab(snippet: Snippet) -> str:
    return (
        f'<button type="button" role="tab" id="tab-{snippet.id}" aria-controls="panel-{snippet.id}" '
        f'aria-selected="false">{snippet.name}</button>'
    )


def _panel(snippet: Snippet, url: str) -> str:
    code = fill(snippet, url, f"Bearer {TOKEN}", examples.REQUESTS[Action.CONNECT].body)
    return (
        f'<div class="panel" id="panel-{snippet.id}" data-language="{snippet.id}" data-template="{escape(snippet.template)}">'
        f'<h3 class="language">{snippet.name}</h3><pre tabindex="0" aria-label="{snippet.name}"><code>'
        f"{escape(code, quote=False)}</code></pre></div>"
    )


def _indented(body: object) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)
