"""Which webhook goes to whom, and when it may leave.

Rows are written in the transaction of their cause. Those that a request caused are held until its response is out (ruling 18),
and whatever the same call adds meanwhile waits behind them, so that a call's events keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pagecalls.call.effects import Audience, Carrier, Effect, NotifyConnect, NotifyStatus, NotifyTerminate
from pagecalls.call.model import Call
from pagecalls.store.base import Hold, OutboxRow, Transaction, WebhookKind
from pagecalls.switchboard.ids import Ids
from pagecalls.switchboard.offers import Offer
from pagecalls.types import AppId, CallId, SdpType, Session
from pagecalls.webhooks import payloads

CALLS_FIELD = "calls"


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of one transaction, and whether they were written as held."""

    ids: list[int]
    is_held: bool


@dataclass(slots=True)
class _Held:
    holders: int = 0
    rows: list[int] = field(default_factory=list)


class Notices:
    """Writes outbox rows and remembers which are held back."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self.escape_slashes = False
        """Write `/` and a few more as escapes (graph-platform 7.6)."""
        self._held: dict[CallId, _Held] = {}

    def hold(self, call_id: CallId) -> None:
        """From now until the matching `let_go`, rows of the call are held."""
        self._held.setdefault(call_id, _Held()).holders += 1

    def let_go(self, call_id: CallId) -> list[int]:
        """One holder less; the rows to release if it was the last one."""
        held = self._held[call_id]
        held.holders -= 1
        if held.holders:
            return []
        del self._held[call_id]
        return held.rows

    def write(self, tx: Transaction, call: Call, effects: Iterable[Effect], offer: Offer | None, now: float) -> Written:
        """Write the rows that `effects` ask for, and `offer`, the business's, if a webhook carries it. Runs on the store's
        thread.

        Each app gets bytes of its own, equal but for nothing: the event id is one per event.
        """
        is_held = call.id in self._held
        rows: list[OutboxRow] = []
        for kind, audience, render in _events(call, effects, offer, now):
            event_id = self._ids.event_id()
            body = self.rendered(render, event_id)
            receivers = _receivers(tx, call, audience)
            rows += [_row(call, kind, app, event_id, body, now, is_held) for app in receivers]
            if kind is WebhookKind.CONNECT:
                tx.note_told(call.id, receivers)
        if any(isinstance(effect, NotifyTerminate) for effect in effects):
            tx.drop_stale_outbox(call.id, now)
        return Written(tx.add_outbox(rows), is_held)

    def rendered(self, render: Render, event_id: str) -> bytes:
        """The exact bytes of an event, escaped as this server does."""
        body = render(event_id)
        return payloads.with_escaped_slashes(body) if self.escape_slashes else body

    def written(self, call_id: CallId, written: Written) -> list[int]:
        """The rows are committed. Held ones go with the rest of the call's; returned are those whose holder let go meanwhile."""
        held = self._held.get(call_id)
        if not written.is_held:
            return []
        if held is None:
            return written.ids
        held.rows += written.ids
        return []


Render = Callable[[str], bytes]


def _row(call: Call, kind: WebhookKind, app: AppId, event_id: str, body: bytes, now: float, is_held: bool) -> OutboxRow:
    hold = Hold.HELD if is_held else Hold.READY
    return OutboxRow(event_id, app, payloads.object_of(call.platform), call.id, kind, body, now, hold, now)


def _events(
    call: Call, effects: Iterable[Effect], offer: Offer | None, now: float
) -> Iterable[tuple[WebhookKind, Audience, Render]]:
    for effect in effects:
        match effect:
            case NotifyConnect():
                yield WebhookKind.CONNECT, Audience.ALL, lambda event_id: payloads.connect(call, event_id)
            case NotifyStatus(status):
                yield (
                    WebhookKind.CALL_STATUS,
                    Audience.OWNER,
                    lambda event_id, status=status: payloads.call_status(call, status, event_id, now),  # type: ignore[misc]
                )
            case NotifyTerminate():
                yield WebhookKind.TERMINATE, Audience.ALL, lambda event_id: payloads.terminate(call, event_id, now)
            case _:
                continue
    if offer is not None and offer.by is not Carrier.RESPONSE:
        yield (
            WebhookKind.MEDIA_UPDATE,
            Audience.OWNER,
            lambda event_id: payloads.media_update(call, offer.version, Session(SdpType.OFFER, offer.sdp), event_id, now),
        )


def _receivers(tx: Transaction, call: Call, audience: Audience) -> list[AppId]:
    subscribed = tx.subscribers(call.page_id, payloads.object_of(call.platform), CALLS_FIELD)
    if audience is Audience.OWNER:
        return [app for app in subscribed if app == call.owner]
    return subscribed
