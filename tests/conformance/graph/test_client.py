"""The typed client's core against the Graph face, without a socket: what it writes is read, what is answered it understands."""

from __future__ import annotations

import pytest

from pagecalls.call.versions import Advance
from pagecalls.client import errors as e
from pagecalls.client.requests import (
    AcceptRequest,
    AnyRequest,
    ConnectRequest,
    MediaUpdateRequest,
    PermissionRequest,
    RejectRequest,
    TerminateRequest,
)
from pagecalls.client.results import Accepted, Connected, Ended, Result
from pagecalls.client.wire import HttpReply, Wire
from pagecalls.errors import ConsumerBusy, MediaConflict, PageCallsError
from pagecalls.graph.envelope import find_row
from pagecalls.graph.errors_page import examples
from pagecalls.switchboard import base
from pagecalls.types import CallId, Platform, Psid, SdpType, Session, Track, TrackLabel, TrackStatus
from tests.conformance.graph.world import (
    ANSWER,
    APP,
    BARE_TOKEN,
    CALL_ID,
    EXPIRED_TOKEN,
    OFFER,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    PSID,
    RENEGOTIATION,
    REVOKED_TOKEN,
    STRICT_APP,
    STRICT_TOKEN,
    USER_TOKEN,
    World,
)

SESSION = Session(SdpType.OFFER, OFFER)
SCREEN = Track("s t", TrackLabel.SCREEN_VIDEO, TrackStatus.DISABLED)
ANSWERED = base.CallReply(CALL_ID, answer=ANSWER, renegotiation=RENEGOTIATION, version=0)


def wire(token: str = PAGE_TOKEN, page_id: str = PAGE.id, secret: str | None = None, version: str | None = "v26.0") -> Wire:
    return Wire(token, page_id, secret, version, "http://127.0.0.1:8080")


async def ask(world: World, request: AnyRequest, through: Wire | None = None) -> Result:
    core = through or wire()
    http = core.encode(request)
    reply = await world.ask(http.verb.value, http.target, http.headers, http.body or b"")
    return core.decode(request, HttpReply(reply.status, reply.content))


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (
            ConnectRequest(to=PSID, sdp=OFFER, tracks=[SCREEN], platform=Platform.MESSENGER),
            base.ConnectRequest(Psid(PSID), SESSION, (SCREEN,), Platform.MESSENGER),
        ),
        (AcceptRequest(call_id="c_1", sdp=OFFER), base.AcceptRequest(CallId("c_1"), SESSION)),
        (RejectRequest(call_id="c_1"), base.EndRequest(CallId("c_1"))),
        (TerminateRequest(call_id="c_1", platform=Platform.INSTAGRAM), base.EndRequest(CallId("c_1"), Platform.INSTAGRAM)),
        (
            MediaUpdateRequest(call_id="c_1", sdp=OFFER, tracks=[SCREEN], from_version=2, to_version=3),
            base.MediaUpdateRequest(CallId("c_1"), SESSION, (SCREEN,), advance=Advance(2, 3)),
        ),
        (MediaUpdateRequest(call_id="c_1", tracks=[SCREEN]), base.MediaUpdateRequest(CallId("c_1"), None, (SCREEN,))),
        (
            MediaUpdateRequest(call_id="c_1", sdp=OFFER, sdp_type=SdpType.ANSWER),
            base.MediaUpdateRequest(CallId("c_1"), Session(SdpType.ANSWER, OFFER)),
        ),
    ],
)
async def test_what_is_written_is_read(world: World, request_: AnyRequest, asked: object) -> None:
    world.door.answer = ANSWERED
    await ask(world, request_)
    assert [(caller, request) for _, caller, request in world.door.asked] == [(base.Caller(APP.id, PAGE.id), asked)]


async def test_what_is_answered_is_understood(world: World) -> None:
    world.door.answer = ANSWERED
    answer, offer = Session(SdpType.ANSWER, ANSWER), Session(SdpType.OFFER, RENEGOTIATION)
    assert await ask(world, AcceptRequest(call_id="c_1", sdp=OFFER)) == Accepted(CALL_ID, answer, offer, 0)
    assert await ask(world, ConnectRequest(to=PSID, sdp=OFFER)) == Connected(CALL_ID, answer, 0)
    world.door.answer = base.CallReply(CALL_ID)
    assert await ask(world, RejectRequest(call_id="c_1")) == Ended(CALL_ID)


async def test_a_permission(world: World) -> None:
    permission = await ask(world, PermissionRequest(psid=PSID))
    assert (permission.is_held, permission.expires_at, permission.may_call) == (False, None, False)  # type: ignore[union-attr]
    with pytest.raises(e.NoSuchConsumer):
        await ask(world, PermissionRequest(psid="77"))


@pytest.mark.parametrize("version", ["v20.0", "v23.0", None])
async def test_versions_and_me(world: World, version: str | None) -> None:
    world.door.answer = base.CallReply(CALL_ID)
    assert await ask(world, TerminateRequest(call_id="c_1"), wire(page_id="me", version=version)) == Ended(CALL_ID)


@pytest.mark.parametrize("error", list(examples()), ids=lambda error: f"{type(error).__name__}-{error}")
@pytest.mark.parametrize("swap_codes", [False, True])
async def test_every_error_of_the_server_arrives_whole(error: PageCallsError, swap_codes: bool) -> None:
    world = await World.open(swap_codes=swap_codes)
    try:
        world.door.answer = error
        with pytest.raises(e.GraphError) as raised:
            await ask(world, TerminateRequest(call_id="c_1"))
    finally:
        await world.store.close()
    row, seen = find_row(error, swap_codes), raised.value
    assert (seen.http_status, seen.code, seen.subcode, seen.type) == (row.http, row.code, row.subcode, row.type.value)
    assert (seen.message, seen.is_transient, len(seen.fbtrace_id)) == (str(error), row.is_transient, 23)
    assert type(seen) is not e.GraphError


@pytest.mark.parametrize(
    ("core", "wanted"),
    [
        (wire("garbage"), e.BadToken),
        (wire(EXPIRED_TOKEN), e.ExpiredToken),
        (wire(REVOKED_TOKEN), e.RevokedToken),
        (wire(USER_TOKEN), e.PageTokenRequired),
        (wire(BARE_TOKEN), e.MissingScope),
        (wire(OTHER_PAGE_TOKEN), e.WrongPage),
        (wire(STRICT_TOKEN), e.WrongProof),
        (wire(secret="wrong"), e.WrongProof),
        (wire(page_id="77"), e.UnknownObject),
        (wire(page_id="shop"), e.UnknownAlias),
        (wire(version="v99.0"), e.UnknownPath),
    ],
)
async def test_what_is_wrong_before_the_call_is_looked_at(world: World, core: Wire, wanted: type[e.GraphError]) -> None:
    with pytest.raises(wanted):
        await ask(world, TerminateRequest(call_id="c_1"), core)


async def test_the_proof_is_taken(world: World) -> None:
    world.door.answer = base.CallReply(CALL_ID)
    assert await ask(world, TerminateRequest(call_id="c_1"), wire(STRICT_TOKEN, secret=STRICT_APP.secret)) == Ended(CALL_ID)


async def test_data_of_errors(world: World) -> None:
    world.door.answer = ConsumerBusy("c_9")
    with pytest.raises(e.ConsumerBusy) as busy:
        await ask(world, ConnectRequest(to=PSID, sdp=OFFER))
    assert busy.value.call_id == "c_9"
    world.door.answer = MediaConflict(4)
    with pytest.raises(e.StaleVersionError) as stale:
        await ask(world, MediaUpdateRequest(call_id="c_1", sdp=OFFER))
    assert stale.value.current_version == 4
