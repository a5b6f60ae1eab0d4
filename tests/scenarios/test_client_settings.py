"""The typed client reads and changes a Page's call settings, blocking and asynchronous, and reads the webhook."""

from __future__ import annotations

import pytest

from pagecalls.client import (
    ALWAYS_OPEN,
    CallHours,
    CallSettings,
    CallSettingsRequest,
    ConnectRequest,
    Day,
    OpenHours,
    RingTarget,
    SetCallSettingsRequest,
    SettingsStored,
    webhooks,
)
from pagecalls.client import errors as e

from .conftest import CHROMIUM, World
from .page_client import Business

HOURS = CallHours("Europe/Berlin", (OpenHours(Day.MONDAY, "0900", "1700"), OpenHours(Day.SUNDAY, "0000", "2359")))


async def test_settings(world: World, business: Business) -> None:
    assert await business.send(CallSettingsRequest()) == CallSettings(True, True, True, RingTarget.PARTNERS, None)
    change = SetCallSettingsRequest(video_enabled=False, ring_target=RingTarget.META, call_hours=HOURS)
    assert await business.send(change) == SettingsStored()
    after = CallSettings(True, True, False, RingTarget.META, HOURS)
    assert await business.send(CallSettingsRequest()) == after
    (told,) = webhooks.parse((await world.app.expect("call_settings_update")).raw)
    assert isinstance(told, webhooks.CallSettingsUpdate)
    assert (told.page_id, told.settings) == (world.page_id, after)
    assert list(await business.batch(SetCallSettingsRequest(call_hours=ALWAYS_OPEN))) == [SettingsStored()]
    assert await business.send(CallSettingsRequest()) == CallSettings(True, True, False, RingTarget.META, None)


async def test_refusals(world: World, business: Business) -> None:
    with pytest.raises(e.SettingsError) as caught:
        await business.send(SetCallSettingsRequest(call_hours=CallHours("Nowhere", ())))
    assert caught.value.fault is e.SettingFault.ZONE
    await world.grant()
    await business.send(SetCallSettingsRequest(audio_enabled=False))
    with pytest.raises(e.CallingOff):
        await business.send(ConnectRequest(to=world.psid, sdp=CHROMIUM))
