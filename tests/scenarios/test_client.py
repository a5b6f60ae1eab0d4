"""The typed client, blocking and asynchronous, against a whole server: calls from start to end, with their webhooks."""

from __future__ import annotations

import pytest

from pagecalls.client import (
    Accepted,
    AcceptRequest,
    CallingOptin,
    CallPrompt,
    Connected,
    ConnectRequest,
    Ended,
    MessageRequest,
    PermissionRequest,
    RejectRequest,
    SdpType,
    Sent,
    TerminateRequest,
)
from pagecalls.client import errors as e
from pagecalls.client.webhooks import (
    CallStatus,
    CallStatusKind,
    Connect,
    MediaUpdate,
    Outcome,
    PermissionAnswer,
    PermissionReply,
    Terminate,
)
from pagecalls.types import Direction

from .conftest import AIORTC, CHROMIUM, World, offered
from .page_client import Business


async def test_a_consumers_call(world: World, business: Business) -> None:
    device = await world.device()
    call_id = await world.start_call(device)
    rings = await business.event("connect", call_id)
    assert isinstance(rings, Connect)
    assert (rings.psid, rings.page_id, rings.direction) == (world.psid, world.page_id, Direction.USER_INITIATED)

    accept = AcceptRequest(call_id=rings.call_id, sdp=AIORTC)
    accepted = await business.send(accept)
    assert isinstance(accepted, Accepted)
    assert (accepted.call_id, accepted.answer.sdp_type, accepted.version) == (call_id, SdpType.ANSWER, 0)
    assert accepted.renegotiation is not None
    assert accepted.renegotiation.sdp_type is SdpType.OFFER
    assert await business.send(accept) == accepted  # the replay that makes a second attempt safe
    with pytest.raises(e.AlreadyConnected):
        await business.send(AcceptRequest(call_id=call_id, sdp=CHROMIUM))
    with pytest.raises(e.CallStateError):
        await business.send(RejectRequest(call_id=call_id))

    await world.up(call_id)
    assert await business.send(TerminateRequest(call_id=call_id)) == Ended(call_id)
    over = await business.event("terminate", call_id)
    assert isinstance(over, Terminate)
    assert over.outcome is Outcome.COMPLETED
    assert over.duration_s is not None
    assert over.ended_at == (over.started_at or 0) + over.duration_s
    assert await business.send(TerminateRequest(call_id=call_id)) == Ended(call_id)
    await world.advance(31)
    with pytest.raises(e.CallOverError) as ended:
        await business.send(TerminateRequest(call_id=call_id))
    assert isinstance(ended.value, e.CallEnded)
    assert ended.value.how is e.EndedHow.ENDED


async def test_a_call_to_a_consumer(world: World, business: Business) -> None:
    connect = ConnectRequest(to=world.psid, sdp=CHROMIUM)
    assert not (await business.send(PermissionRequest(psid=world.psid))).may_call
    with pytest.raises(e.NoPermission):
        await business.send(connect)
    await world.grant()
    permission = await business.send(PermissionRequest(psid=world.psid))
    assert (permission.is_held, permission.may_call, permission.may_request) == (True, True, False)
    assert permission.expires_at is not None

    device = await world.device()
    connected = await business.send(connect)
    assert isinstance(connected, Connected)
    call_id = connected.call_id
    with pytest.raises(e.ConsumerBusy) as busy:
        await business.send(connect)
    assert busy.value.call_id == call_id  # how a business learns of a call whose answer it lost

    await device.expect("call.incoming", call_id=call_id)
    rings = await business.event("call_status", call_id, call_status="ringing")
    assert isinstance(rings, CallStatus)
    assert (rings.status, rings.psid) == (CallStatusKind.RINGING, world.psid)
    await device.request("call.accept", call_id=call_id, session=offered(AIORTC))
    update = await business.event("media_update", call_id)
    assert isinstance(update, MediaUpdate)
    assert (update.version, update.offer.sdp_type) == (1, SdpType.OFFER)
    assert await business.send(TerminateRequest(call_id=call_id)) == Ended(call_id)


async def test_a_call_that_is_rejected(world: World, business: Business) -> None:
    call_id = await world.start_call(await world.device())
    await business.event("connect", call_id)
    reject = RejectRequest(call_id=call_id)
    assert await business.send(reject) == Ended(call_id)
    over = await business.event("terminate", call_id)
    assert isinstance(over, Terminate)
    assert (over.outcome, over.duration_s) == (Outcome.COMPLETED, None)
    with pytest.raises(e.CallEnded) as ended:
        await business.send(AcceptRequest(call_id=call_id, sdp=AIORTC))
    assert ended.value.how is e.EndedHow.REJECTED


async def test_what_the_server_cannot_use(world: World, business: Business) -> None:
    call_id = await world.start_call(await world.device())
    with pytest.raises(e.MalformedSdp):
        await business.send(AcceptRequest(call_id=call_id, sdp="no SDP"))
    with pytest.raises(e.UnusableConnection) as unusable:
        await business.send(AcceptRequest(call_id=call_id, sdp=AIORTC.replace("a=fingerprint:", "a=x-fingerprint:")))
    assert unusable.value.fault is e.ConnectionFault.NO_CREDENTIALS
    with pytest.raises(e.UnknownCall):
        await business.send(TerminateRequest(call_id="c_unknown"))


async def test_a_permission_that_was_asked_for(world: World, business: Business) -> None:
    ask = MessageRequest(to=world.psid, content=CallingOptin())
    with pytest.raises(e.OutsideWindow):
        await business.send(ask)
    device = await world.device()
    await device.request("message.send", page_id=world.page_id, text="Hello")
    sent = await business.send(ask)
    assert isinstance(sent, Sent)
    request = await device.expect("permission.request", request_id=sent.message_id)
    assert (await business.send(PermissionRequest(psid=world.psid))).actions[0].limits[0].current_usage == 1
    await device.request("permission.reply", request_id=request.params["request_id"], response="approve")
    reply = await business.event("call_permission_reply")
    assert isinstance(reply, PermissionReply)
    assert (reply.psid, reply.page_id, reply.answer) == (world.psid, world.page_id, PermissionAnswer.APPROVE)
    assert (await business.send(PermissionRequest(psid=world.psid))).expires_at == reply.expires_at
    with pytest.raises(e.PermissionAlreadyHeld):
        await business.send(ask)


async def test_refused_messages(world: World, business: Business) -> None:
    device = await world.device()
    await device.request("message.send", page_id=world.page_id, text="Hello")
    with pytest.raises(e.NoSuchConsumer):
        await business.send(MessageRequest(to="404", content="Hello"))
    with pytest.raises(e.TemplateError):
        await business.send(MessageRequest(to=world.psid, content=CallPrompt(ttl_days=8)))
    await business.send(MessageRequest(to=world.psid, content=CallingOptin()))
    await business.send(MessageRequest(to=world.psid, content=CallingOptin()))
    with pytest.raises(e.RequestRate):
        await business.send(MessageRequest(to=world.psid, content=CallingOptin()))
    await world.advance(86_400)
    with pytest.raises(e.OutsideWindow):
        await business.send(MessageRequest(to=world.psid, content="Hello"))
    await business.send(MessageRequest(to=world.psid, content="Hello", human_agent=True))
