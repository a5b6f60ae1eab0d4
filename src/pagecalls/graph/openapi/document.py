"""The OpenAPI 3.1 document of one version, from `contract.py`. Pure: the same version and base URL give the same bytes.

The names, types and sets of its three schemas are the reference's. What the server sends beyond them is in no schema here, and no
schema forbids it. With edges handed in the document holds those as well; the calls edge is the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pagecalls.graph.openapi import contract, examples
from pagecalls.graph.openapi.contract import AnswerRow, Kind, Member, Place, Schema, Scheme
from pagecalls.graph.openapi.edge import Edge
from pagecalls.graph.openapi.yaml_text import to_yaml
from pagecalls.http import Json, JsonObject

OPENAPI = "3.1.0"
_PREFIX = "#/components/schemas/"
WRAPPED = "WrappedError"
"""The schema of the other half of an error body (ruling 2)."""


def build(version: str, base_url: str, edges: Iterable[Edge] = ()) -> JsonObject:
    """The document. `base_url` has no slash at its end; empty for one that is relative to the document's own address."""
    paths: JsonObject = {contract.PATH: {contract.METHOD.lower(): _operation()}}
    schemas = _schemas()
    for edge in edges:
        verbs = paths.setdefault(edge.path, {})
        if isinstance(verbs, dict):
            verbs[edge.method.lower()] = _edge(edge)
        schemas |= {schema.name: _named(schema) for schema in edge.schemas}
    return {
        "openapi": OPENAPI,
        "info": {"title": contract.TITLE, "version": f"{version[1:]}.0", "description": contract.ABOUT},
        "servers": [{"url": f"{base_url}/{version}", "description": "This server"}],
        "security": [{scheme.name: []} for scheme in contract.SCHEMES],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {each.name: _scheme(each) for each in contract.SCHEMES}},
    }


def to_json(document: JsonObject) -> bytes:
    """As JSON for programs and people, with a final line end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def as_yaml(document: JsonObject) -> bytes:
    """As YAML 1.2."""
    return to_yaml(document).encode()


def _operation() -> JsonObject:
    requests: JsonObject = {
        action.value: {"summary": each.text, "value": each.body} for action, each in examples.REQUESTS.items()
    }
    return {
        "operationId": contract.OPERATION_ID,
        "summary": contract.SUMMARY,
        "description": contract.OPERATION_TEXT,
        "parameters": [_parameter(contract.PAGE_ID, "path")],
        "requestBody": {
            "required": True,
            "content": {contract.CONTENT_TYPE: {"schema": _reference(contract.REQUEST.name), "examples": requests}},
        },
        "responses": {str(row.status): _answer(row) for row in contract.ANSWERS},
    }


def _edge(edge: Edge) -> JsonObject:
    found: JsonObject = {
        "operationId": edge.operation_id,
        "summary": edge.summary,
        "description": edge.text,
        "parameters": [*(_parameter(each, "path") for each in edge.places), *(_parameter(each, "query") for each in edge.query)],
        "responses": {str(row.status): _answer(row, edge.is_page_edge) for row in edge.answers},
    }
    if not edge.needs_token:
        found["security"] = []
    if edge.body is not None:
        content: JsonObject = {"schema": _reference(edge.body.name)}
        if edge.examples:
            content["examples"] = {f"example{index}": {"value": each} for index, each in enumerate(edge.examples, 1)}
        found["requestBody"] = {"required": True, "content": {contract.CONTENT_TYPE: content}}
    return found


def _parameter(member: Member, place: str) -> JsonObject:
    schema = _member(member)
    del schema["description"]
    found: JsonObject = {"name": member.name, "in": place, "required": member.is_required, "description": member.text}
    return found | {"schema": schema}


def _answer(row: AnswerRow, is_page_edge: bool = True) -> JsonObject:
    schema = _reference(row.schema.name)
    if row.schema is contract.ERROR:
        schema = {"allOf": [schema, _reference(WRAPPED)]} if is_page_edge else _reference(WRAPPED)
    content: JsonObject = {"schema": schema}
    if is_page_edge and row.schema in (contract.RESPONSE, contract.ERROR) and row.status in examples.ANSWERS:
        content["example"] = examples.ANSWERS[row.status]
    return {"description": row.text, "content": {contract.CONTENT_TYPE: content}}


def _scheme(scheme: Scheme) -> JsonObject:
    if scheme.place is Place.QUERY:
        return {"type": "apiKey", "in": "query", "name": scheme.parameter, "description": scheme.text}
    return {"type": "http", "scheme": "bearer", "description": scheme.text}


def _schemas() -> JsonObject:
    found: JsonObject = {schema.name: _named(schema) for schema in contract.SCHEMAS}
    found[WRAPPED] = {
        "type": "object",
        "description": contract.ERROR_BODY_TEXT,
        "required": ["error"],
        "properties": {"error": _reference(contract.ERROR.name)},
    }
    return found


def _named(schema: Schema) -> JsonObject:
    return {"type": "object", "description": schema.text, **_members(schema.members)}


def _members(members: Iterable[Member]) -> JsonObject:
    required: list[Json] = [member.name for member in members if member.is_required]
    properties: JsonObject = {member.name: _member(member) for member in members}
    return {"required": required, "properties": properties} if required else {"properties": properties}


def _member(member: Member) -> JsonObject:
    found: JsonObject = {} if member.kind is Kind.ANY else {"type": member.kind.value}
    found["description"] = member.text
    if member.choices:
        found["enum"] = list(member.choices)
    if member.max_items is not None:
        found["maxItems"] = member.max_items
    if member.kind is Kind.ARRAY:
        found["items"] = _items(member)
    elif member.members:
        found.update(_members(member.members))
    return found


def _items(member: Member) -> JsonObject:
    if member.items is Kind.OBJECT:
        return {"type": "object", **_members(member.members)}
    return {} if member.items is Kind.ANY else {"type": member.items.value}


def _reference(name: str) -> JsonObject:
    return {"$ref": _PREFIX + name}
