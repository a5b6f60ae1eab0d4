"""Messages between a Page and its consumers: the rules of messenger-calling 8.4, and the way to the consumer's devices.

A message is stored whole in one unit of work, and handed to the devices that are connected after its commit. To a device that
connects later goes what is still live (decision 58). No text of a message gets into the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pagecalls.call.limits import REQUEST_S
from pagecalls.call.messages import Draft, Template, button_of, is_window_open
from pagecalls.errors import InvalidValue, NoLiveButton, NoSuchConsumer, OutsideWindow, UnknownObject
from pagecalls.store.base import CallButton, Message, MessageKind, Page, PermissionRequest, Transaction
from pagecalls.switchboard.base import Caller, DeviceIdentity, DeviceLine
from pagecalls.switchboard.call_settings import effective, must_take_calls
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.permissions import must_be_askable
from pagecalls.types import MessageId, PageId, Psid

KEPT_IN_THREAD = 500
"""So many messages between a Page and a consumer are kept, both ways; the oldest go first."""

SHOWN_ON_CONNECT = 50
"""So many messages at most go to a device that has just connected, the newest ones."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """`POST /{page_id}/messages`. `options` as in `Message`."""

    to: Psid
    draft: Draft
    is_human_agent: bool = False
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Sent:
    page: Page
    message: Message
    request: PermissionRequest | None


class Messages:
    """Sends, receives, and shows devices what waits for them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send(self, caller: Caller, request: SendRequest) -> MessageId:
        """A message of the Page; its id. Raises `CallingNotAllowed`, `CallingOff`, `NoSuchConsumer`, `OutsideWindow`,
        `PermissionHeld`, `RequestRateReached`; then there is none."""
        calls = self._calls
        # The lock keeps a device that connects meanwhile from missing the message, and from getting it twice.
        async with calls.locks.hold(caller.page_id, request.to):
            now, message_id = calls.clock.now(), calls.ids.message_id()
            sent = await calls.store.write(lambda tx: self._store(tx, caller, request, message_id, now))
            lines = [line for _, line in calls.devices.of(caller.page_id, request.to)]
            devices = sum(_show(line, sent.page, sent.message, sent.request) for line in lines)
        who = {"message_id": message_id, "page_id": caller.page_id, "psid": request.to}
        calls.journal.note("message_sent", what=sent.message.kind.value, app_id=caller.app_id, **who)
        if devices:
            calls.spawn(self._delivered([message_id], caller.page_id, devices))
        return message_id

    def _store(self, tx: Transaction, caller: Caller, request: SendRequest, message_id: MessageId, now: float) -> _Sent:
        page_id, psid, draft = caller.page_id, request.to, request.draft
        page = self._may_write(tx, page_id, request, now)
        asked = None
        if draft.template is Template.CALLING_OPTIN:
            must_be_askable(tx, page_id, psid, now)
            asked = PermissionRequest(message_id, page_id, psid, now, now + REQUEST_S)
            tx.add_permission_request(asked)
        buttons = tuple(button_of(button, now) for button in draft.buttons)
        kind = MessageKind.TEXT if draft.template is None else MessageKind(draft.template.value)
        message = Message(message_id, page_id, psid, kind, now, draft.text, buttons, caller.app_id, request.options)
        tx.add_message(message)
        for button in buttons:
            if button.expires_at is not None:
                tx.add_call_button(CallButton(message_id, page_id, psid, button.title, button.expires_at))
        tx.trim_messages(page_id, psid, KEPT_IN_THREAD)
        return _Sent(page, message, asked)

    def _may_write(self, tx: Transaction, page_id: PageId, request: SendRequest, now: float) -> Page:
        """Feature and settings, then the person, then the window (1.4, check order)."""
        page = tx.page(page_id)
        if page is None:
            raise UnknownObject("post", page_id)
        if request.draft.is_calling:
            must_take_calls(page, effective(tx, page_id, self._calls.default_settings))
        if tx.consumer(page_id, request.to) is None:
            raise NoSuchConsumer
        if not is_window_open(tx.last_contact(page_id, request.to), now, is_human_agent=request.is_human_agent):
            raise OutsideWindow
        return page

    async def receive(self, device: DeviceIdentity, page_id: PageId, text: str) -> MessageId:
        """A message of the consumer; its id. It opens the Page's window. Raises `InvalidValue`."""
        if page_id != device.page_id:
            raise InvalidValue("page_id", got=page_id)
        calls, psid = self._calls, device.psid
        now, message_id = calls.clock.now(), calls.ids.message_id()

        def work(tx: Transaction) -> None:
            tx.add_message(Message(message_id, page_id, psid, MessageKind.FROM_CONSUMER, now, text))
            tx.note_contact(page_id, psid, now)
            tx.trim_messages(page_id, psid, KEPT_IN_THREAD)

        await calls.store.write(work)
        calls.journal.note("message_received", message_id=message_id, page_id=page_id, psid=psid, chars=len(text))
        return message_id

    # --- devices ------------------------------------------------------------------------------------------------------

    async def show_to(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """What is still live, to a device that has just connected: the open request, and messages that no device was handed or
        whose button still works. The lock is held by the caller."""
        page_id, psid, now = device.page_id, device.psid, self._calls.clock.now()

        def work(tx: Transaction) -> tuple[Page | None, PermissionRequest | None, list[Message]]:
            messages = tx.messages_to_show(page_id, psid, now, SHOWN_ON_CONNECT)
            return tx.page(page_id), tx.open_request(page_id, psid, now), messages

        page, request, messages = await self._calls.store.read(work)
        if page is None:
            return
        taken = [message for message in messages if _show(line, page, message, None)]
        shown = [message.id for message in taken if message.delivered_at is None]
        if request is not None and line.permission_request(request.id, page_id, page.name, request.expires_at):
            shown.append(request.id)
        if shown:
            self._calls.spawn(self._delivered(shown, page_id, 1))

    async def must_be_button(self, device: DeviceIdentity, message_id: str) -> None:
        """Raises `NoLiveButton` unless the message has a call button of that consumer that works now."""
        now = self._calls.clock.now()
        if not await self._calls.store.read(lambda tx: tx.is_live_button(device.page_id, device.psid, message_id, now)):
            raise NoLiveButton

    async def _delivered(self, ids: Iterable[MessageId], page_id: PageId, devices: int) -> None:
        now = self._calls.clock.now()
        first = await self._calls.store.write(lambda tx: [each for each in ids if tx.message_delivered(each, now)])
        for message_id in first:
            self._calls.journal.note("message_delivered", message_id=message_id, page_id=page_id, devices=devices)


def _show(line: DeviceLine, page: Page, message: Message, request: PermissionRequest | None) -> bool:
    """Whether the line took it; one that is over takes nothing."""
    if request is not None:
        return line.permission_request(request.id, page.id, page.name, request.expires_at)
    return line.message(message.id, page.id, message.text, message.buttons)
