"""Which call settings hold for a Page, and what they forbid (messenger-calling 9.1 and 9.3).

`effective` is for units of work: it reads what was stored, or the server's default, and derives the ring target that nobody has
set (ruling 13). The checks raise what a business reads; what a consumer hears stands in `consumers.py`.
"""

from __future__ import annotations

from dataclasses import replace

from pagecalls.call.settings import CallSettings, RingTarget
from pagecalls.errors import CallingNotAllowed, CallingOff
from pagecalls.store.base import Page, Transaction
from pagecalls.switchboard.notices import CALLS_FIELD
from pagecalls.types import PageId


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


def must_have_audio(settings: CallSettings) -> None:
    """What reading a permission needs. Raises `CallingOff`."""
    if not settings.audio_enabled:
        raise CallingOff
