"""The code is run or taken apart: it must send what it shows."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from pagecalls.graph.openapi.snippets import SNIPPETS, Snippet, fill

URL = "http://127.0.0.1:8080/v26.0/me/calls"
BEARER = 'Bearer it\'s "mine" \\ $HOME'
BODY: dict[str, Any] = {
    "action": "connect",
    "note": 'it\'s "quoted"\r\n\\ $(x) é \u2028',
    "session": {"sdp": "v=0\r\ns=-\r\n", "empty": {}},
    "tracks": [{"a": True}, {"b": None}, [], 7, -1.5],
}


def snippet(id_: str) -> Snippet:
    return next(each for each in SNIPPETS if each.id == id_)


def test_the_reference_names_three_languages() -> None:
    assert [each.name for each in SNIPPETS] == ["cURL", "JavaScript", "Python"]


@pytest.mark.parametrize("authorization", [BEARER, None])
def test_the_shell_hands_curl_the_request(authorization: str | None) -> None:
    code = fill(snippet("curl"), URL, authorization, BODY)
    show = "curl() { printf '%s\\0' curl \"$@\"; }\n"
    words = subprocess.run(["/bin/sh", "-c", show + code], capture_output=True, check=True).stdout.decode().split("\0")[:-1]
    options = [(words[index], words[index + 1]) for index in range(1, len(words), 2)]
    headers = [value for name, value in options if name == "--header"]
    assert words[0] == "curl"
    assert ("--request", "POST") in options
    assert ("--url", URL) in options
    assert headers == [*([f"Authorization: {authorization}"] if authorization else []), "Content-Type: application/json"]
    assert json.loads(dict(options)["--data"]) == BODY


@pytest.mark.parametrize("authorization", [BEARER, None])
def test_python_sends_the_request(authorization: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}

    class Answer:
        status_code = 200

        @staticmethod
        def json() -> dict[str, bool]:
            return {"success": True}

    def post(url: str, **options: Any) -> Answer:
        sent.update(url=url, **options)
        return Answer()

    monkeypatch.setattr("requests.post", post)
    exec(compile(fill(snippet("python"), URL, authorization, BODY), "snippet", "exec"), {})
    assert sent.pop("timeout") > 0
    assert sent == {"url": URL, "json": BODY, **({"headers": {"Authorization": authorization}} if authorization else {})}


def test_javascript_is_indented_as_code() -> None:
    text = fill(snippet("javascript"), URL, None, {"a": {"b": 1}})
    assert "Authorization" not in text
    assert 'body: JSON.stringify({\n    "a": {\n      "b": 1\n    }\n  }),\n});\n' in text


def test_a_line_without_its_value_is_left_out() -> None:
    for each in SNIPPETS:
        assert "{{" not in fill(each, URL, None, {})
        assert "uthorization" not in fill(each, URL, None, {})
