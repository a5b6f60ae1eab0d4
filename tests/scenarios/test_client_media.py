"""The typed client changes the media of calls on a whole server: forms, versions, collisions (messenger-calling 2.6, 4)."""

from __future__ import annotations

import re

import pytest

from pagecalls.client import (
    Accepted,
    AcceptRequest,
    Collision,
    MediaUpdated,
    MediaUpdateRequest,
    SdpType,
    Track,
    TrackLabel,
    TrackStatus,
)
from pagecalls.client import errors as e
from pagecalls.client.webhooks import MediaUpdate
from pagecalls.demo.device import ConsumerDevice

from .conftest import AIORTC, CHROMIUM, World
from .page_client import Business

MICROPHONE = " ".join(re.findall(r"^a=msid:(\S+) (\S+)", AIORTC, re.MULTILINE)[0])
OFF = Track(MICROPHONE, TrackLabel.DEFAULT_AUDIO, TrackStatus.DISABLED)


async def in_call(world: World, business: Business) -> tuple[ConsumerDevice, str, Accepted]:
    """A call that is up, at version 0."""
    device = await world.device()
    call_id = await world.start_call(device)
    accepted = await business.send(AcceptRequest(call_id=call_id, sdp=AIORTC))
    await world.up(call_id)
    await device.expect("call.connected", call_id=call_id)
    return device, call_id, accepted


async def test_an_offer_is_answered_and_may_be_repeated(world: World, business: Business) -> None:
    """An offer without the line that the server appended: it is appended again, and counts (ruling 15)."""
    _, call_id, _ = await in_call(world, business)
    update = MediaUpdateRequest(call_id=call_id, sdp=AIORTC, from_version=0, to_version=1)
    updated = await business.send(update)
    assert updated.answer is not None
    assert updated.answer.sdp_type is SdpType.ANSWER
    assert updated.renegotiation is not None
    assert updated.renegotiation.sdp_type is SdpType.OFFER
    assert updated.version == 2
    assert await business.send(update) == updated  # the replay that makes a second attempt safe


async def test_tracks_alone_and_the_older_list(world: World, business: Business) -> None:
    device, call_id, _ = await in_call(world, business)
    muted = MediaUpdateRequest(call_id=call_id, tracks=[OFF], from_version=0, to_version=1)
    assert await business.send(muted) == MediaUpdated(call_id, version=1)
    told = await device.expect("call.media_update", call_id=call_id)
    assert [track["status"] for track in told.params["tracks"]] == ["disabled"]
    assert await business.send(MediaUpdateRequest(call_id=call_id, enabled_tracks=[MICROPHONE])) == MediaUpdated(
        call_id, version=2
    )
    with pytest.raises(e.UnusableConnection) as unknown:
        await business.send(MediaUpdateRequest(call_id=call_id, tracks=[Track("nobody", TrackLabel.DEFAULT_AUDIO)]))
    assert unknown.value.fault is e.ConnectionFault.UNKNOWN_MSID


async def test_an_answer_is_taken_and_changes_nothing(world: World, business: Business) -> None:
    _, call_id, accepted = await in_call(world, business)
    delivery = MediaUpdateRequest(call_id=call_id, sdp=accepted.answer.sdp, sdp_type=SdpType.ANSWER)
    assert await business.send(delivery) == MediaUpdated(call_id, version=0)


async def test_a_collision_and_the_way_out(world: World, business: Business) -> None:
    """The consumer mutes first; the business learns it, takes the webhook, and comes again from there (4.4)."""
    device, call_id, _ = await in_call(world, business)
    sends = re.findall(r"^a=msid:(\S+ \S+)", CHROMIUM, re.MULTILINE)[0]
    off = {"msid": sends, "label": "default_audio", "status": "disabled"}
    seen = (await device.expect("call.accepted", call_id=call_id)).params["session"]["version"]
    await device.request("call.media_update", call_id=call_id, from_version=seen, to_version=seen + 1, tracks=[off])
    with pytest.raises(Collision) as collision:
        await business.send(MediaUpdateRequest(call_id=call_id, tracks=[OFF], from_version=0, to_version=1))
    assert collision.value.current_version == 1
    pending = await business.event("media_update", call_id)
    assert isinstance(pending, MediaUpdate)
    assert (pending.version, pending.offer.sdp_type) == (1, SdpType.OFFER)
    again = MediaUpdateRequest(call_id=call_id, tracks=[OFF], from_version=pending.version, to_version=pending.version + 1)
    assert await business.send(again) == MediaUpdated(call_id, version=2)


async def test_versions_that_cannot_be(world: World, business: Business) -> None:
    _, call_id, _ = await in_call(world, business)
    with pytest.raises(e.MediaConflict) as conflict:
        await business.send(MediaUpdateRequest(call_id=call_id, tracks=[OFF], from_version=0, to_version=2))
    assert conflict.value.current_version == 0
    assert conflict.value.is_transient
