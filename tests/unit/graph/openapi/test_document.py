from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pagecalls.graph.openapi import contract
from pagecalls.graph.openapi.document import as_yaml, build, to_json

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "graph" / "reference" / "page_calls.json").read_text(encoding="utf-8")
)
BASE = "http://127.0.0.1:8080"
REFERENCE_STATUSES = {"200", "400", "403"}


def document(version: str = "v26.0") -> Any:
    return json.loads(to_json(build(version, BASE)))


def bare(schema: Any) -> Any:
    """A schema without its words."""
    if isinstance(schema, dict):
        return {name: bare(item) for name, item in schema.items() if not (name == "description" and isinstance(item, str))}
    return schema


def operation(version: str = "v26.0") -> Any:
    return document(version)["paths"][REFERENCE["path"]][REFERENCE["method"]]


@pytest.mark.parametrize("name", REFERENCE["schemas"])
def test_each_schema_is_the_references(name: str) -> None:
    ours = bare(document()["components"]["schemas"][name])
    assert ours == REFERENCE["schemas"][name]
    assert list(ours["properties"]) == list(REFERENCE["schemas"][name]["properties"])


def test_the_path_its_parameter_and_its_verb() -> None:
    paths = document()["paths"]
    assert list(paths) == [REFERENCE["path"]]
    assert list(paths[REFERENCE["path"]]) == [REFERENCE["method"]]
    parameters = [{**each, "type": each["schema"]["type"]} for each in operation()["parameters"]]
    assert [{key: each[key] for key in ("name", "in", "type", "required")} for each in parameters] == REFERENCE["parameters"]


def test_the_request_body() -> None:
    body = operation()["requestBody"]
    assert body["required"] is REFERENCE["request"]["required"]
    assert list(body["content"]) == [REFERENCE["request"]["content_type"]]
    schema = body["content"][REFERENCE["request"]["content_type"]]["schema"]
    assert schema == {"$ref": f"#/components/schemas/{REFERENCE['request']['schema']}"}


@pytest.mark.parametrize("status", REFERENCE["responses"])
def test_the_references_responses(status: str) -> None:
    expected = REFERENCE["responses"][status]
    content = operation()["responses"][status]["content"]
    assert list(content) == [expected["content_type"]]
    schema = content[expected["content_type"]]["schema"]
    named = {"$ref": f"#/components/schemas/{expected['schema']}"}
    assert schema == named or named in schema["allOf"]


def test_statuses_beyond_the_reference_carry_the_same_error() -> None:
    responses = operation()["responses"]
    assert set(responses) - REFERENCE_STATUSES == {"404", "413", "500", "503"}
    for status in set(responses) - {"200"}:
        assert responses[status]["content"] == responses[status]["content"] | {
            "application/json": responses[status]["content"]["application/json"]
            | {"schema": responses["400"]["content"]["application/json"]["schema"]}
        }


def test_an_error_is_bare_and_wrapped() -> None:
    wrapped = document()["components"]["schemas"]["WrappedError"]
    assert bare(wrapped) == {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"$ref": "#/components/schemas/StandardError"}},
    }
    schema = operation()["responses"]["400"]["content"]["application/json"]["schema"]
    assert schema == {"allOf": [{"$ref": "#/components/schemas/StandardError"}, {"$ref": "#/components/schemas/WrappedError"}]}


def test_any_one_of_the_references_schemes_will_do() -> None:
    assert bare(document()["components"]["securitySchemes"]) == REFERENCE["security_schemes"]
    assert document()["security"] == [{name: []} for name in REFERENCE["security_schemes"]]
    assert "security" not in operation()


def test_a_document_for_each_version() -> None:
    made = [document(version)["info"]["version"] for version in contract.VERSIONS]
    assert made == REFERENCE["versions"]
    assert made[-1] == REFERENCE["latest"]
    for version in contract.VERSIONS:
        one = document(version)
        assert one["openapi"] == "3.1.0"
        assert one["servers"][0]["url"] == f"{BASE}/{version}"
        assert one["paths"] == document()["paths"]
        assert one["components"] == document()["components"]


def test_every_part_has_words() -> None:
    def check(schema: Any) -> None:
        for name, member in schema.get("properties", {}).items():
            if name != "error":
                assert member["description"].endswith((".", "`")), name
            check(member.get("items", member))

    for name, schema in document()["components"]["schemas"].items():
        assert schema["description"], name
        check(schema)
    assert all(answer["description"] for answer in operation()["responses"].values())


def test_examples_fit_their_schema() -> None:
    request = document()["components"]["schemas"]["PageCallsRequest"]["properties"]
    examples = operation()["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == set(request["action"]["enum"])
    for action, example in examples.items():
        assert example["value"]["action"] == action
        assert set(example["value"]) <= set(request)


def test_the_bytes_are_always_the_same() -> None:
    assert to_json(build("v21.0", BASE)) == to_json(build("v21.0", BASE))
    assert as_yaml(build("v21.0", BASE)) == as_yaml(build("v21.0", BASE))
    assert to_json(build("v21.0", BASE)).endswith(b"}\n")
