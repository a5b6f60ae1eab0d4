"""The neighbours of the calls edge in the whole document: it is the reference's document and more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pagecalls.graph.openapi.document import build, to_json
from pagecalls.graph.openapi.edge import Edge
from pagecalls.graph.openapi.edges import EDGES
from pagecalls.graph.routes import APP_EDGES, PAGE_EDGES

BASE = "http://127.0.0.1:8080"
WHOLE: Any = json.loads(to_json(build("v26.0", BASE, EDGES)))
REFERENCE: Any = json.loads(to_json(build("v26.0", BASE)))


def test_the_reference_is_in_it_unchanged() -> None:
    assert WHOLE["paths"].items() >= REFERENCE["paths"].items()
    assert WHOLE["components"]["schemas"].items() >= REFERENCE["components"]["schemas"].items()
    assert {name: part for name, part in WHOLE.items() if name not in ("paths", "components")} == {
        name: part for name, part in REFERENCE.items() if name not in ("paths", "components")
    }


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.operation_id)
def test_each_edge_is_one_that_is_served(edge: Edge) -> None:
    operation = WHOLE["paths"][edge.path][edge.method.lower()]
    assert operation["operationId"] == edge.operation_id
    assert set(operation["responses"]) == {"200", "400", "403", "404", "413", "500", "503"}
    assert ("requestBody" in operation) == (edge.body is not None)
    routes = APP_EDGES if edge.path.startswith("/{app_id}") else PAGE_EDGES
    name = edge.path.split("/")[-1]
    if name in routes:  # the rest stands below no Page and no app
        assert edge.method in routes[name]


def test_names_are_given_once() -> None:
    ids = [edge.operation_id for edge in EDGES]
    assert len(ids) == len(set(ids))
    named: dict[str, object] = {}
    for edge in EDGES:
        for schema in edge.schemas:
            assert named.setdefault(schema.name, schema) == schema


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(WHOLE)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in WHOLE["components"]["schemas"]
