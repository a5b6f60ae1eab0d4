"""Which call settings hold for a Page, and what they forbid (messenger-calling 9.1 and 9.3).

`effective` is for units of work: it reads what was stored, or the server's default, and derives the ring target that nobody has
set (ruling 13). The checks raise what a business or a device reads. `PageSettings` is what reads and changes them for the faces.
"""

from __future__ import annotations

from dataclasses import replace

from pagecalls.call.hours import is_open
from pagecalls.call.settings import CallSettings, SettingsChange, changed
from pagecalls.errors import (
    BusinessCallingOff,
    CallingNotAllowed,
    CallingOff,
    NotOffered,
    SettingFault,
    UnknownObject,
    UnusableSetting,
)
from pagecalls.store.base import Page, Transaction, WebhookKind
from pagecalls.switchboard.announcements import Announcement, Announcements
from pagecalls.switchboard.base import Release
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.notices import CALLS_FIELD
from pagecalls.switchboard.zones import wall_clock
from pagecalls.types import AppId, PageId, RingTarget
from pagecalls.webhooks.payloads import call_settings_update


def effective(tx: Transaction, page_id: PageId, default: CallSettings) -> CallSettings:
    """What holds for the Page now; `ring_target` is never `None`. `default`: what holds where nothing was ever stored."""
    settings = tx.call_settings(page_id) or default
    if settings.ring_target is not None:
        return settings
    is_routed = tx.has_page_subscriber(page_id, CALLS_FIELD)
    return replace(settings, ring_target=RingTarget.PARTNERS if is_routed else RingTarget.META)


def must_take_calls(page: Page, settings: CallSettings) -> None:
    """What every calling action of a business needs: connect, calling templates. Raises `CallingNotAllowed`, `CallingOff`."""
    if not page.is_calling_eligible:
        raise CallingNotAllowed
    must_have_audio(settings)


def must_start_calls(page: Page, settings: CallSettings) -> None:
    """What `connect` needs (2.2). Raises what `must_take_calls` does, and `BusinessCallingOff`."""
    must_take_calls(page, settings)
    must_call_consumers(page)


def must_call_consumers(page: Page) -> None:
    """What `connect` and reading a permission need. Raises `BusinessCallingOff`."""
    if not page.may_call_consumers:
        raise BusinessCallingOff


def must_have_audio(settings: CallSettings) -> None:
    """What reading a permission needs. Raises `CallingOff`."""
    if not settings.audio_enabled:
        raise CallingOff


def must_be_offered(settings: CallSettings, *, has_button: bool, now: float) -> None:
    """Whether a consumer may start a call at `now`. `has_button`: a call button that still works.

    What is off altogether is told before what is closed just now. Raises `NotOffered`.
    """
    if not settings.audio_enabled or not (settings.icon_enabled or has_button):
        raise NotOffered("calling_disabled")
    hours = settings.call_hours
    if hours is not None and not is_open(hours, *wall_clock(now, hours.timezone_id)):
        raise NotOffered("outside_call_hours")


class PageSettings:
    """Reads and changes a Page's call settings, and tells the apps of a change."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._announcements = Announcements(calls)

    async def read(self, page_id: PageId) -> CallSettings:
        """What holds for the Page now; `ring_target` is never `None`. Raises `UnknownObject`."""

        def work(tx: Transaction) -> CallSettings:
            if tx.page(page_id) is None:
                raise UnknownObject("get", page_id)
            return effective(tx, page_id, self._calls.default_settings)

        return await self._calls.store.read(work)

    async def change(self, page_id: PageId, change: SettingsChange, app_id: AppId | None) -> tuple[CallSettings, Release]:
        """Store the change, whole or not at all; what holds then, and what lets the webhooks go.

        `app_id`: who asks, `None` for the operator. Raises `UnknownObject`, `CallingNotAllowed`, `UnusableSetting`.
        """
        now, default = self._calls.clock.now(), self._calls.default_settings

        def work(tx: Transaction) -> tuple[CallSettings, list[int]]:
            _must_be_allowed(tx, page_id, change, app_id)
            tx.put_call_settings(page_id, changed(tx.call_settings(page_id) or default, change))
            settings = effective(tx, page_id, default)
            body = call_settings_update(page_id, settings, now)
            announcement = Announcement(page_id, "page", WebhookKind.CALL_SETTINGS_UPDATE, lambda _event_id: body)
            return settings, self._announcements.write(tx, announcement, now)

        settings, rows = await self._calls.store.write(work)
        return settings, self._announcements.release(rows)


def _must_be_allowed(tx: Transaction, page_id: PageId, change: SettingsChange, app_id: AppId | None) -> None:
    """The rules of 9.2 that need to look around. The operator is no app: for them any subscribed app will do."""
    page = tx.page(page_id)
    if page is None:
        raise UnknownObject("post", page_id)
    if not page.is_calling_eligible:
        raise CallingNotAllowed
    if change.ring_target is RingTarget.PARTNERS and not _is_subscribed(tx, page_id, app_id):
        raise UnusableSetting("call_routing[ring_target]", SettingFault.NOT_SUBSCRIBED)


def _is_subscribed(tx: Transaction, page_id: PageId, app_id: AppId | None) -> bool:
    if app_id is None:
        return tx.has_page_subscriber(page_id, CALLS_FIELD)
    subscription = tx.page_subscription(app_id, page_id)
    return subscription is not None and CALLS_FIELD in subscription.fields
