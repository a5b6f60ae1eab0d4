"""Refusals that need a whole server to be reached (messenger-calling 1.4), and what they leave behind: nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.store.base import Page, Token, TokenKind, Transaction
from pagecalls.switchboard.credentials import digest
from pagecalls.types import AppId, PageId

from .conftest import AIORTC, CHROMIUM, World, offered

OTHER_PAGE = PageId("4004")
OTHER_TOKEN = "EAAotherpage"
MICROPHONE = "607b06d1-e4dc-44ee-84fb-129b92d441c2"
"""The track in Chromium's offer."""

Facts = tuple[int, int, int | None]


async def refusal(world: World, action: str, page: str = "", **members: Any) -> Facts:
    with pytest.raises(GraphRefused) as refused:
        await world.app.post(f"/v26.0/{page or world.page_id}/calls", {"action": action, **members})
    error = refused.value.error
    return refused.value.status, error["code"], error.get("error_subcode")


async def test_a_call_of_another_page(world: World) -> None:
    """The same app has a second Page; the call is not that Page's."""
    call_id = await world.start_call(await world.device())
    await world.app.expect("connect", call_id)

    def add_page(tx: Transaction) -> None:
        tx.put_page(Page(OTHER_PAGE, "Book House"))
        scopes = frozenset({"pages_messaging"})
        tx.put_token(Token(digest(OTHER_TOKEN), TokenKind.PAGE, AppId(world.server.dev.app.id), OTHER_PAGE, scopes))

    await world.server.calls.store.write(add_page)
    world.app.token = OTHER_TOKEN
    for action in ("accept", "reject", "terminate", "media_update"):
        found = await refusal(world, action, OTHER_PAGE, call_id=call_id, session=offered(AIORTC))
        assert found == (403, 2018393, None)
    assert world.app.events(call_id) == ["connect"]


async def test_a_page_where_calling_is_not_open(world: World) -> None:
    """Neither side can start a call, and no call id exists."""
    await world.grant()
    device = await world.device()

    def shut(tx: Transaction) -> None:
        page = tx.page(PageId(world.page_id))
        assert page is not None
        tx.put_page(replace(page, is_calling_eligible=False))

    await world.server.calls.store.write(shut)
    assert await refusal(world, "connect", to=world.psid, session=offered(CHROMIUM)) == (403, 2018389, None)
    with pytest.raises(DeviceRefused) as refused:
        await world.start_call(device)
    assert (refused.value.data["code"], refused.value.data["reason"]) == (2018389, "calling_disabled")
    assert "call_id" not in refused.value.data
    assert world.app.received == []
    assert await world.is_clean()


async def test_a_session_that_is_absent_or_an_answer(world: World) -> None:
    await world.grant()
    answer = {"sdp_type": "answer", "sdp": CHROMIUM}
    for session, subcode in (({}, 9901101), ({"sdp_type": "offer"}, 9901101), (answer, 9901102)):
        assert await refusal(world, "connect", to=world.psid, session=session) == (400, 2018391, subcode)
    assert await world.is_clean()
    call_id = await world.start_call(await world.device())
    for session, subcode in (({}, 9901101), (answer, 9901102)):
        assert await refusal(world, "accept", call_id=call_id, session=session) == (400, 2018391, subcode)
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))


@pytest.mark.parametrize(
    ("tracks", "subcode"),
    [
        ([("nobody", "screen_audio")], 9901110),
        ([(MICROPHONE, "default_video")], 9901111),
        ([(MICROPHONE, "default_audio"), (MICROPHONE, "screen_audio")], 9901111),
        ([(str(number), "default_audio") for number in range(5)], 9901112),
    ],
)
async def test_tracks_that_the_offer_does_not_have(world: World, tracks: list[tuple[str, str]], subcode: int) -> None:
    await world.grant()
    listed = [{"msid": msid, "label": label, "status": "enabled"} for msid, label in tracks]
    found = await refusal(world, "connect", to=world.psid, session=offered(CHROMIUM), tracks=listed)
    assert found == (400, 2018391, subcode)
    assert await world.is_clean()


async def test_the_call_is_looked_up_before_its_description(world: World) -> None:
    """Unknown, then over, then the state; the description is looked at last (messenger-calling 1.4, check order)."""
    broken = {"sdp_type": "offer", "sdp": "v=0 and no more"}
    assert await refusal(world, "accept", call_id="c_unknown", session=broken) == (400, 2018390, 9901001)
    device = await world.device()
    call_id = await world.start_call(device)
    assert await refusal(world, "accept", call_id=call_id, session=broken) == (400, 2018392, 9901190)
    await world.app.call("accept", call_id=call_id, session=offered(AIORTC))
    assert await refusal(world, "accept", call_id=call_id, session=broken) == (400, 100, 9901204)
    await device.request("call.hangup", call_id=call_id)
    assert await refusal(world, "accept", call_id=call_id, session=broken) == (400, 2018396, 9901302)


async def test_a_repeated_connect_is_busy(world: World) -> None:
    await world.grant()
    connect = {"to": world.psid, "session": offered(CHROMIUM)}
    call_id = (await world.app.call("connect", **connect))["call_id"]
    with pytest.raises(GraphRefused) as refused:
        await world.app.call("connect", **connect)
    error = refused.value.error
    assert (error["code"], error["error_subcode"], error["error_data"]) == (551, 9901206, {"call_id": call_id})
    assert len(world.engine.legs) == 1
