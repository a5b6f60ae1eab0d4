"""Messages between a Page and a consumer, their call buttons, and requests for a call permission, as they are kept.

All of it is the consumer's, and goes with the consumer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pagecalls.call.messages import Button
from pagecalls.types import AppId, MessageId, PageId, Psid


class MessageKind(StrEnum):
    """What a message is, and who wrote it. All but the first are the Page's (messenger-calling 8.4)."""

    FROM_CONSUMER = "from_consumer"
    TEXT = "text"
    CALLING_OPTIN = "calling_optin"
    CALL_PROMPT = "call_prompt"
    GENERIC = "generic"
    BUTTON = "button"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Its words stay out of `repr`, as that gets into logs.

    `app_id`: who sent it for the Page. `delivered_at`: when it was first handed to a device, Unix seconds. `options`: what the
    app said about it and nothing here looks at, by name (`messaging_type`, `tag`, `notification_type`).
    """

    id: MessageId
    page_id: PageId
    psid: Psid
    kind: MessageKind
    created_at: float
    text: str | None = field(default=None, repr=False)
    buttons: tuple[Button, ...] = field(default=(), repr=False)
    app_id: AppId | None = None
    options: tuple[tuple[str, str], ...] = ()
    delivered_at: float | None = None


@dataclass(frozen=True, slots=True)
class CallButton:
    """A button that lets a consumer call the Page until `expires_at`, Unix seconds (messenger-calling 8.4)."""

    message_id: str
    page_id: PageId
    psid: Psid
    title: str
    expires_at: float


class RequestState(StrEnum):
    """Where a permission request stands. One that nobody answered in time stays `OPEN`; `expires_at` tells."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """A Page asked to be allowed to call. Its id is that of its message. Times are Unix seconds."""

    id: MessageId
    page_id: PageId
    psid: Psid
    sent_at: float
    expires_at: float
    state: RequestState = RequestState.OPEN


class MessageRows(Protocol):
    """What a unit of work does with messages."""

    def add_message(self, message: Message) -> None:
        """Store one more message."""
        ...

    def message(self, message_id: MessageId) -> Message | None:
        """The message, if it is still kept."""
        ...

    def messages_to_show(self, page_id: PageId, psid: Psid, now: float, limit: int) -> list[Message]:
        """What a device that connects at `now` is to see, oldest first, the newest `limit` of them: messages of the Page that no
        device was handed, and those with a button that still works. Permission requests are not among them."""
        ...

    def message_delivered(self, message_id: MessageId, now: float) -> bool:
        """Note that a device was handed the message; whether it is the first one."""
        ...

    def trim_messages(self, page_id: PageId, psid: Psid, keep: int) -> None:
        """Delete all messages between the two but the newest `keep`."""
        ...

    def add_call_button(self, button: CallButton) -> None:
        """Store one more button."""
        ...

    def has_live_button(self, page_id: PageId, psid: Psid, now: float) -> bool:
        """Whether the consumer has a call button of the Page that works at `now`."""
        ...

    def is_live_button(self, page_id: PageId, psid: Psid, message_id: str, now: float) -> bool:
        """Whether that message of the Page to the consumer has a call button that works at `now`."""
        ...

    def add_permission_request(self, request: PermissionRequest) -> None:
        """Store a request; an open one between the same two becomes REPLACED."""
        ...

    def permission_request(self, request_id: str) -> PermissionRequest | None:
        """The request, if it is still kept."""
        ...

    def open_request(self, page_id: PageId, psid: Psid, now: float) -> PermissionRequest | None:
        """The request between the two that can be answered at `now`; there is at most one."""
        ...

    def requests_sent(self, page_id: PageId, psid: Psid, since: float) -> int:
        """How many requests were sent to the consumer after `since`, whatever became of them."""
        ...

    def answer_request(self, request_id: str, state: RequestState) -> None:
        """The consumer has answered."""
        ...
