from __future__ import annotations

import json

import pytest

from pagecalls.errors import UnknownCall
from pagecalls.graph.options import GraphOptions, TraceIds
from pagecalls.graph.rendering import Presentation, Rendering, Severity
from pagecalls.graph.versions import Version
from pagecalls.graph.visit import Answer
from pagecalls.http import Json


def rendering(**facts: object) -> Rendering:
    return Rendering(GraphOptions(), TraceIds("A" * 23, "t" * 11), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Presentation()),
        ({"pretty": "1", "suppress_http_code": 1, "debug": "ALL"}, Presentation(True, True, Severity.ALL)),
        ({"pretty": True, "suppress_http_code": "true", "debug": "info"}, Presentation(True, True, Severity.INFO)),
        ({"pretty": "0", "suppress_http_code": 0, "debug": "loud"}, Presentation()),
        ({"pretty": ["1"], "suppress_http_code": {}, "debug": 1}, Presentation()),
    ],
)
def test_what_clients_ask_for(values: dict[str, Json], expected: Presentation) -> None:
    assert Presentation.of(values) == expected


@pytest.mark.parametrize(
    ("severity", "texts"), [(Severity.ALL, ["warning"]), (Severity.WARNING, ["warning"]), (Severity.INFO, [])]
)
def test_debug_tells_of_an_old_version(severity: Severity, texts: list[str]) -> None:
    shown = rendering(version=Version("v20.0", "v3.0"), presentation=Presentation(debug=severity))
    body = json.loads(shown.success(Answer({"a": 1})).body)  # type: ignore[arg-type]
    assert body["a"] == 1
    assert [message["type"] for message in body["__debug__"]["messages"]] == texts


def test_debug_tells_of_no_version() -> None:
    shown = rendering(is_version_named=False, presentation=Presentation(debug=Severity.INFO))
    body = json.loads(shown.failure(UnknownCall()).body)  # type: ignore[arg-type]
    assert body["__debug__"] == {"messages": [{"message": "The path names no version; v26.0 was used.", "type": "info"}]}
    assert body["error"]["code"] == 2018390


def test_lists_have_no_place_for_it() -> None:
    shown = rendering(presentation=Presentation(debug=Severity.ALL))
    assert shown.success(Answer([1])).body == b"[1]"
