"""The request as code, in three languages. `page/snippets.js` fills the same templates while somebody types.

A template has marks for what changes: `{{url}}`, `{{authorization}}`, `{{body}}`. A line whose mark has no value is left out.
Values are quoted as the language wants them; a body over several lines is indented as its line is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pagecalls.http import Json, JsonObject

TOKEN = "<access token>"
"""What stands in place of a token."""

_MARK = re.compile(r"\{\{(url|authorization|body)\}\}")


@dataclass(frozen=True, slots=True)
class Snippet:
    """`id` is for addresses and attributes, `name` for people; `syntax` as Markdown names it."""

    id: str
    name: str
    syntax: str
    template: str


SNIPPETS = (
    Snippet(
        "curl",
        "cURL",
        "sh",
        "curl --request POST \\\n"
        "  --url {{url}} \\\n"
        "  --header {{authorization}} \\\n"
        "  --header 'Content-Type: application/json' \\\n"
        "  --data {{body}}",
    ),
    Snippet(
        "javascript",
        "JavaScript",
        "js",
        "const response = await fetch({{url}}, {\n"
        '  method: "POST",\n'
        "  headers: {\n"
        '    "Authorization": {{authorization}},\n'
        '    "Content-Type": "application/json",\n'
        "  },\n"
        "  body: JSON.stringify({{body}}),\n"
        "});\n"
        "console.log(response.status, await response.json());",
    ),
    Snippet(
        "python",
        "Python",
        "python",
        "import requests\n"
        "\n"
        "response = requests.post(\n"
        "    {{url}},\n"
        '    headers={"Authorization": {{authorization}}},\n'
        "    json={{body}},\n"
        "    timeout=10,\n"
        ")\n"
        "print(response.status_code, response.json())",
    ),
)


def fill(snippet: Snippet, url: str, authorization: str | None, body: JsonObject) -> str:
    """The code. `authorization` is the header's value, `None` where the token is in the query."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    match snippet.id:
        case "curl":
            header = None if authorization is None else f"Authorization: {authorization}"
            values = {"url": _shell(url), "authorization": header and _shell(header), "body": _shell(text)}
        case "python":
            values = {"url": _text(url), "authorization": authorization and _text(authorization), "body": _python(body)}
        case _:
            values = {"url": _text(url), "authorization": authorization and _text(authorization), "body": text}
    return "\n".join(_filled(snippet, values))


def _filled(snippet: Snippet, values: dict[str, str | None]) -> Iterator[str]:
    for line in snippet.template.split("\n"):
        mark = _MARK.search(line)
        value = values[mark[1]] if mark else None
        if mark is None:
            yield line
        elif value is not None:
            # A shell's quotes keep every blank; code is indented.
            margin = "" if snippet.id == "curl" else line[: len(line) - len(line.lstrip())]
            yield line[: mark.start()] + value.replace("\n", f"\n{margin}") + line[mark.end() :]


def _text(text: str) -> str:
    """As JSON writes it, which is text in JavaScript and Python too."""
    return json.dumps(text, ensure_ascii=False)


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _python(value: Json, margin: str = "") -> str:
    inner = f"{margin}    "
    match value:
        case dict() if value:
            lines = [f"{inner}{_text(name)}: {_python(item, inner)},\n" for name, item in value.items()]
            return "{\n" + "".join(lines) + margin + "}"
        case list() if value:
            return "[\n" + "".join(f"{inner}{_python(item, inner)},\n" for item in value) + margin + "]"
        case True | False | None:
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
