"""The catalogue of messenger-calling 1.4: every row can be answered, with its status, code and subcode (12.2, check 10).

The table is copied from the contract. `test_errors.py` and the tests of each edge have what leads to a row; here no row may be
missing, and none may look otherwise.
"""

from __future__ import annotations

import re

import pytest

from pagecalls.errors import PageCallsError
from pagecalls.graph.envelope import find_row
from pagecalls.graph.errors_page import examples

from .world import World

CATALOGUE: dict[str, tuple[int, int, str]] = {
    "E_NO_TOKEN": (400, 104, ""),
    "E_BAD_TOKEN": (400, 190, "(46[0-9]|45[89]|492)?"),
    "E_PROOF": (400, 100, "9905002"),
    "E_SCOPE": (403, 200, "9905003"),
    "E_TOKEN_KIND": (403, 210, ""),
    "E_WRONG_PAGE": (403, 200, "9905004"),
    "E_NO_PAGE": (400, 100, "33"),
    "E_ALIAS": (404, 803, ""),
    "E_VERSION": (400, 2500, "9905005"),
    "E_METHOD": (400, 100, "33"),
    "E_SIZE": (413, 1, ""),
    "E_BODY": (400, 100, "9905012"),
    "E_MISSING": (400, 100, "9905010"),
    "E_VALUE": (400, 100, "9905011"),
    "E_APP_RATE": (403, 4, ""),
    "E_NOT_ALLOWED": (403, 2018389, ""),
    "E_CALLING_OFF": (403, 2018389, "1893056"),
    "E_CALL_ID": (400, 2018390, "9901001"),
    "E_CONN": (400, 2018391, r"99011\d\d"),
    "E_SDP": (400, 2018392, "9901190"),
    "E_NOT_IN_CALL": (403, 2018393, ""),
    "E_NOT_OWNER": (403, 2018394, "9901201"),
    "E_TAKEN": (403, 2018394, "9901202"),
    "E_NOT_ROUTED": (403, 2018394, "9901203"),
    "E_FAILED": (400, 2018395, ""),
    "E_ENDED": (400, 2018396, "990130[123]"),
    "E_CONNECTED": (400, 100, "9901204"),
    "E_STATE": (400, 100, "9901205"),
    "E_NO_PERMISSION": (403, 10, "9902001"),
    "E_NO_USER": (400, 100, "2018001"),
    "E_UNAVAILABLE": (400, 551, "1545041"),
    "E_BUSY": (400, 551, "9901206"),
    "E_CALL_RATE": (400, 613, "9901207"),
    "E_CONFLICT": (400, 100, "9901208"),
    "E_WINDOW": (403, 10, "2018278"),
    "E_OPTIN_RATE": (400, 613, "9902003"),
    "E_OPTIN_HELD": (400, 100, "9902004"),
    "E_BIZ_CALL_OFF": (403, 10, "9902002"),
    "E_TEMPLATE": (400, 100, r"99020\d\d"),
    "E_SETTINGS": (400, 100, r"99030\d\d"),
    "E_METRICS": (400, 100, r"99040\d\d"),
}
TRANSIENT = {"E_APP_RATE", "E_INTERNAL", "E_CALL_RATE", "E_CONFLICT", "E_OPTIN_RATE"}
GRAPH_METHOD = {"E_PROOF", "E_NO_PAGE", "E_METHOD"}


def names(error: PageCallsError) -> list[str]:
    """A row of ours may stand for two of the contract's."""
    return find_row(error).name.split(", ")


LISTED = [(name, error) for error in examples() for name in names(error) if name in CATALOGUE]


def test_no_row_is_missing() -> None:
    assert {name for name, _ in LISTED} == set(CATALOGUE)


@pytest.mark.parametrize(("name", "error"), LISTED, ids=[f"{name}-{error!r}"[:60] for name, error in LISTED])
async def test_a_row_is_answered_as_it_is_listed(world: World, name: str, error: PageCallsError) -> None:
    http, code, subcode = CATALOGUE[name]
    world.door.answer = error
    reply = await world.call({"action": "reject", "call_id": "c_" + "x" * 43})
    found = reply.json["error"]
    assert (reply.status, found["code"]) == (http, code)
    assert re.fullmatch(subcode, str(found.get("error_subcode", "")))
    assert found["is_transient"] == (name in TRANSIENT)
    assert found["type"] == ("GraphMethodException" if name in GRAPH_METHOD else "OAuthException")
    assert isinstance(found["error_data"], dict)
    assert {**found, "error": found} == reply.json


@pytest.mark.parametrize("error", [error for error in examples() if "E_INTERNAL" in names(error)], ids=repr)
async def test_a_fault_of_ours_may_be_tried_again(world: World, error: PageCallsError) -> None:
    """500, and 503 while draining (graph-platform 4.1)."""
    world.door.answer = error
    reply = await world.call({"action": "reject", "call_id": "c_" + "x" * 43})
    assert (reply.status in (500, 503), reply.json["error"]["code"], reply.json["error"]["is_transient"]) == (True, 2, True)
