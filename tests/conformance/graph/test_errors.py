"""The catalogue of messenger-calling 1.4, copied by hand, against what a client reads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count

import pytest

from pagecalls.errors import (
    AlreadyConnected,
    AlreadyTaken,
    AppRateReached,
    CallEnded,
    CallFailed,
    CallingNotAllowed,
    CallingOff,
    CallRateReached,
    ConnectionFault,
    ConsumerBusy,
    ConsumerUnavailable,
    EndedHow,
    InternalFault,
    InvalidValue,
    MalformedSdp,
    MediaConflict,
    MissingParameter,
    NoPermission,
    NoSuchConsumer,
    NotInCall,
    NotOwner,
    NotRouted,
    PageCallsError,
    PageRateReached,
    Unavailable,
    UnknownCall,
    UnusableConnection,
    UseCase,
    UseCaseRateReached,
    UserRateReached,
    WrongState,
)
from pagecalls.switchboard.base import CallReply
from pagecalls.types import CallId
from tests.conformance.graph.world import APP_TOKEN, CALL_ID, PAGE, World, error_of, facts

REJECT = {"action": "reject", "call_id": "c_1"}

CATALOGUE: list[tuple[PageCallsError, int, int, int | None]] = [
    (MissingParameter("to"), 400, 100, 9905010),
    (InvalidValue("platform"), 400, 100, 9905011),
    (Unavailable(), 503, 2, None),
    (CallingNotAllowed(), 403, 2018389, None),
    (CallingOff(), 403, 2018389, 1893056),
    (UnknownCall(), 400, 2018390, 9901001),
    (UnusableConnection(ConnectionFault.SESSION_ABSENT), 400, 2018391, 9901101),
    (UnusableConnection(ConnectionFault.WRONG_SDP_TYPE), 400, 2018391, 9901102),
    (UnusableConnection(ConnectionFault.NO_BUNDLE), 400, 2018391, 9901103),
    (UnusableConnection(ConnectionFault.NO_RTCP_MUX), 400, 2018391, 9901104),
    (UnusableConnection(ConnectionFault.NO_CREDENTIALS), 400, 2018391, 9901105),
    (UnusableConnection(ConnectionFault.DTLS_ROLE), 400, 2018391, 9901106),
    (UnusableConnection(ConnectionFault.NO_OPUS), 400, 2018391, 9901107),
    (UnusableConnection(ConnectionFault.LINES_CHANGED), 400, 2018391, 9901108),
    (UnusableConnection(ConnectionFault.UNKNOWN_MSID), 400, 2018391, 9901110),
    (UnusableConnection(ConnectionFault.LABEL_MISFIT), 400, 2018391, 9901111),
    (UnusableConnection(ConnectionFault.TOO_MANY_TRACKS), 400, 2018391, 9901112),
    (UnusableConnection(ConnectionFault.VIDEO_OFF), 400, 2018391, 9901113),
    (MalformedSdp(4, "no colon"), 400, 2018392, 9901190),
    (NotInCall(), 403, 2018393, None),
    (NotOwner(), 403, 2018394, 9901201),
    (AlreadyTaken(), 403, 2018394, 9901202),
    (NotRouted(), 403, 2018394, 9901203),
    (CallFailed(), 400, 2018395, None),
    (CallEnded(EndedHow.REJECTED), 400, 2018396, 9901301),
    (CallEnded(EndedHow.ENDED), 400, 2018396, 9901302),
    (CallEnded(EndedHow.RANG_OUT), 400, 2018396, 9901303),
    (AlreadyConnected(), 400, 100, 9901204),
    (WrongState("accept", "DIALING"), 400, 100, 9901205),
    (NoPermission(), 403, 10, 9902001),
    (NoSuchConsumer(), 400, 100, 2018001),
    (ConsumerUnavailable(), 400, 551, 1545041),
    (ConsumerBusy(None), 400, 551, 9901206),
    (MediaConflict(3), 400, 100, 9901208),
    (CallRateReached(), 400, 613, 9901207),
    (AppRateReached(), 403, 4, None),
    (UserRateReached(), 400, 17, None),
    (PageRateReached(), 400, 32, None),
    (UseCaseRateReached(UseCase.PAGES), 400, 80001, None),
    (UseCaseRateReached(UseCase.INSTAGRAM), 400, 80002, None),
    (UseCaseRateReached(UseCase.MESSENGER), 400, 80006, None),
    (InternalFault(), 500, 2, None),
]


@pytest.mark.parametrize(("error", "http", "code", "subcode"), CATALOGUE, ids=[repr(row[0]) for row in CATALOGUE])
async def test_each_row(world: World, error: PageCallsError, http: int, code: int, subcode: int | None) -> None:
    world.door.answer = error
    reply = await world.call(REJECT)
    assert facts(reply) == (http, code, subcode)
    found = error_of(reply)
    assert found["message"] == str(error)
    assert found["type"] == "OAuthException"
    assert {"error": found, **found} == reply.json


@pytest.mark.parametrize(("error", "http", "code", "subcode"), CATALOGUE, ids=[repr(row[0]) for row in CATALOGUE])
async def test_each_row_with_the_calling_codes_swapped(error: PageCallsError, http: int, code: int, subcode: int | None) -> None:
    world = await World.open(swap_codes=True)
    world.door.answer = error
    reply = await world.call(REJECT)
    swapped = (http, 100, code) if 2018389 <= code <= 2018396 else (http, code, subcode)
    assert facts(reply) == swapped
    await world.store.close()


@pytest.mark.parametrize(("error", "http", "code", "subcode"), CATALOGUE, ids=[repr(row[0]) for row in CATALOGUE])
async def test_only_a_missing_permission_sounds_like_one(
    world: World, error: PageCallsError, http: int, code: int, subcode: int | None
) -> None:
    """One client looks for these words before it looks at the code (messenger-calling 1.3)."""
    world.door.answer = error
    message = error_of(await world.call(REJECT))["message"].lower()
    sounds = any(words in message for words in ("given permission", "no call permission", "no_permission"))
    assert sounds == (subcode == 9902001)


async def test_error_data(world: World) -> None:
    for error, data in (
        (ConsumerBusy(CALL_ID), {"call_id": CALL_ID}),
        (ConsumerBusy(None), {}),
        (MediaConflict(3), {"current_version": 3}),
        (UnknownCall(), {}),
    ):
        world.door.answer = error
        assert error_of(await world.call(REJECT))["error_data"] == data


async def test_outside_page_edges_the_wrapper_stands_alone(world: World) -> None:
    reply = await world.get("/v26.0/77/subscriptions", APP_TOKEN)
    assert facts(reply) == (400, 100, 33)
    assert list(reply.json) == ["error"]


async def test_a_person_in_front_of_an_app_gets_words(world: World) -> None:
    world.door.answer = UnknownCall()
    error = error_of(await world.call(REJECT))
    assert (error["error_user_title"], error["error_user_msg"]) == ("Call unavailable", "This call can no longer be reached.")


async def test_trace_ids() -> None:
    draws = count()
    world = await World.open(random_bytes=lambda size: bytes([next(draws)]) * size)
    first, second = await world.get("/me"), await world.call({})
    for reply in (first, second):
        assert len(reply.headers["x-fb-request-id"]) == 23
        assert reply.headers["x-fb-request-id"].startswith("A")
        assert len(reply.headers["x-fb-trace-id"]) == 11
    assert first.headers["x-fb-request-id"] != second.headers["x-fb-request-id"]
    assert error_of(second)["fbtrace_id"] == second.headers["x-fb-request-id"]
    await world.store.close()


@pytest.fixture
def faults(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.ERROR, "pagecalls.graph"):
        yield caplog


async def test_an_unexpected_fault_is_logged_and_shows_nothing(world: World, faults: pytest.LogCaptureFixture) -> None:
    world.door.answer = RuntimeError("secret detail")
    reply = await world.call(REJECT)
    assert facts(reply) == (500, 2, None)
    assert error_of(reply)["message"] == "An unexpected error has occurred. Please retry your request later."
    assert b"secret" not in reply.content
    assert b"Traceback" not in reply.content
    (record,) = faults.records
    assert error_of(reply)["fbtrace_id"] in record.getMessage()
    assert record.exc_info is not None


async def test_an_answer_that_cannot_be_encoded_is_our_fault_and_still_released(
    world: World, faults: pytest.LogCaptureFixture
) -> None:
    world.door.answer = CallReply(CallId("\ud800"))
    reply = await world.call(REJECT)
    assert facts(reply) == (500, 2, None)
    assert world.door.released == 1
    assert len(faults.records) == 1


async def test_headers_of_every_answer(world: World) -> None:
    for reply in (await world.call(REJECT), await world.call({}), await world.get("/v99.0/x"), await world.get("/me")):
        assert reply.headers["content-type"] == "application/json; charset=UTF-8"
        assert reply.headers["facebook-api-version"] == "v26.0"
        assert reply.headers["x-fb-rev"] == "77"
        assert reply.headers["cache-control"] == "private, no-cache, no-store, must-revalidate"
        assert reply.headers["pragma"] == "no-cache"
        assert reply.headers["expires"] == "Sat, 01 Jan 2000 00:00:00 GMT"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in reply.headers


async def test_preflight(world: World) -> None:
    headers = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    reply = await world.ask("OPTIONS", f"/v26.0/{PAGE.id}/calls", headers)
    assert (reply.status, reply.content) == (200, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == "Authorization, Content-Type"


async def test_a_known_etag_is_not_sent_again(world: World) -> None:
    etag = (await world.get("/me")).headers["etag"]
    headers = {"authorization": "Bearer EAApage"}
    for given in (etag, f'"other", W/{etag}'):
        reply = await world.ask("GET", "/me", {**headers, "if-none-match": given})
        assert (reply.status, reply.content, reply.headers["etag"]) == (304, b"", etag)
        assert "content-length" not in reply.headers
    assert (await world.ask("GET", "/me", {**headers, "if-none-match": '"other"'})).status == 200
