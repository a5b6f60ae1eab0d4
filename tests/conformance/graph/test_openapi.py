"""Every answer that the calls edge has fits the OpenAPI document: each kind of success, and each row of the error catalogue."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis.core.failures import Failure, FailureGroup

from pagecalls.call.states import Action
from pagecalls.errors import PageCallsError
from pagecalls.graph.envelope import find_row
from pagecalls.graph.errors_page import examples
from pagecalls.graph.openapi.contract import ANSWERS, CONTENT_TYPE
from pagecalls.graph.openapi.document import build, to_json
from pagecalls.graph.openapi.errors import ELSEWHERE
from pagecalls.switchboard.base import CallReply
from tests.asgi_client import Reply
from tests.conformance.graph.world import ANSWER, CALL_ID, OFFER, PAGE, PSID, RENEGOTIATION, World

BASE = "http://127.0.0.1:8080"
ERRORS = [error for error in examples() if not isinstance(error, ELSEWHERE)]
STATUSES = {row.status for row in ANSWERS}
SESSION = {"sdp_type": "offer", "sdp": OFFER}
BODIES: dict[Action, dict[str, Any]] = {
    Action.CONNECT: {"to": PSID, "session": SESSION},
    Action.ACCEPT: {"call_id": CALL_ID, "session": SESSION},
    Action.MEDIA_UPDATE: {"call_id": CALL_ID, "session": SESSION},
    Action.REJECT: {"call_id": CALL_ID},
    Action.TERMINATE: {"call_id": CALL_ID},
}


@pytest.fixture(scope="module")
def operation() -> Any:
    document = json.loads(to_json(build("v26.0", BASE)))
    return schemathesis.openapi.from_dict(document)["/{page_id}/calls"]["POST"]


def check(operation: Any, reply: Reply) -> None:
    """Status and content type are documented; raises what Schemathesis has against the body."""
    assert reply.status in STATUSES
    assert reply.headers["content-type"].startswith(f"{CONTENT_TYPE};")
    request = requests.Request("POST", f"{BASE}/v26.0/{PAGE.id}/calls").prepare()
    headers = {name: [value] for name, value in reply.headers.items()}
    operation.validate_response(schemathesis.Response(reply.status, headers, reply.content, request, 0.0, True))


async def act(world: World, action: Action) -> Reply:
    return await world.call({"action": action.value, **BODIES[action]})


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("answer", [None, ANSWER])
@pytest.mark.parametrize("renegotiation", [None, RENEGOTIATION])
@pytest.mark.parametrize("version", [None, 0, 7])
async def test_success(
    world: World, operation: Any, action: Action, answer: str | None, renegotiation: str | None, version: int | None
) -> None:
    world.door.answer = CallReply(CALL_ID, answer, renegotiation, version)
    reply = await act(world, action)
    assert reply.status == 200
    check(operation, reply)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{find_row(error).name}-{find_row(error).subcode}")
async def test_each_row_of_the_error_catalogue(world: World, operation: Any, error: PageCallsError) -> None:
    world.door.answer = error
    reply = await act(world, Action.REJECT)
    assert reply.status == find_row(error).http
    check(operation, reply)


async def test_a_fault_of_ours(world: World, operation: Any) -> None:
    world.door.answer = RuntimeError("broken")
    reply = await act(world, Action.REJECT)
    assert reply.status == 500
    check(operation, reply)


async def test_what_does_not_fit_is_noticed(world: World, operation: Any) -> None:
    reply = await act(world, Action.REJECT)
    bare = json.dumps({"message": "no", "code": 1}).encode()
    for wrong, words in (
        (replace(reply, content=b'{"success":"yes"}'), "not of type"),
        (replace(reply, content=b'{"success":true,"session":{}}'), "sdp_response"),
        (replace(reply, status=400, content=bare), '"error" is a required property'),
    ):
        with pytest.raises((Failure, FailureGroup)) as noticed:
            check(operation, wrong)
        assert words in "".join(traceback.format_exception(noticed.value))
