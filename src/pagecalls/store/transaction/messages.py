"""Messages, call buttons and permission requests on SQLite."""

from __future__ import annotations

import msgspec

from pagecalls.call.messages import Button
from pagecalls.store.base.messages import CallButton, Message, MessageKind, PermissionRequest, RequestState
from pagecalls.store.codec import Column
from pagecalls.store.transaction.base import Rows
from pagecalls.types import AppId, MessageId, PageId, Psid


class SqliteMessages(Rows):
    """Implements `base.messages.MessageRows`."""

    def add_message(self, message: Message) -> None:
        """Store one more message."""
        what = (message.kind.value, message.created_at, message.text, _json(message.buttons))
        by = (message.app_id, _json(message.options), message.delivered_at)
        self._run("add_message", (message.id, message.page_id, message.psid, *what, *by))

    def message(self, message_id: MessageId) -> Message | None:
        """The message, if it is still kept."""
        row = self._run("message", (message_id,)).fetchone()
        return None if row is None else _message(*row)

    def messages_to_show(self, page_id: PageId, psid: Psid, now: float, limit: int) -> list[Message]:
        """See the port."""
        named: dict[str, Column] = {"page_id": page_id, "psid": psid, "now": now, "limit": limit}
        return [_message(*row) for row in self._run("messages_to_show", named)]

    def message_delivered(self, message_id: MessageId, now: float) -> bool:
        """Note that a device was handed the message; whether it is the first one."""
        return self._run("message_delivered", {"id": message_id, "now": now}).rowcount > 0

    def trim_messages(self, page_id: PageId, psid: Psid, keep: int) -> None:
        """Delete all messages between the two but the newest `keep`."""
        self._run("trim_messages", {"page_id": page_id, "psid": psid, "keep": keep})

    def add_call_button(self, button: CallButton) -> None:
        """Store one more button."""
        where = (button.message_id, button.page_id, button.psid)
        self._run("add_call_button", (*where, button.title, button.expires_at))

    def has_live_button(self, page_id: PageId, psid: Psid, now: float) -> bool:
        """Whether the consumer has a call button of the Page that works at `now`."""
        return self._run("has_live_button", (page_id, psid, now)).fetchone() is not None

    def is_live_button(self, page_id: PageId, psid: Psid, message_id: str, now: float) -> bool:
        """Whether that message has a call button that works at `now`."""
        return self._run("is_live_button", (page_id, psid, message_id, now)).fetchone() is not None

    def add_permission_request(self, request: PermissionRequest) -> None:
        """Store a request; an open one between the same two becomes REPLACED."""
        self._run("replace_open_requests", (request.page_id, request.psid))
        when = (request.sent_at, request.expires_at)
        self._run("add_permission_request", (request.id, request.page_id, request.psid, *when, request.state.value))

    def permission_request(self, request_id: str) -> PermissionRequest | None:
        """The request, if it is still kept."""
        row = self._run("permission_request", (request_id,)).fetchone()
        return None if row is None else _request(*row)

    def open_request(self, page_id: PageId, psid: Psid, now: float) -> PermissionRequest | None:
        """The request between the two that can be answered at `now`."""
        row = self._run("open_request", (page_id, psid, now)).fetchone()
        return None if row is None else _request(*row)

    def requests_sent(self, page_id: PageId, psid: Psid, since: float) -> int:
        """How many requests were sent to the consumer after `since`."""
        (count,) = self._run("requests_sent", (page_id, psid, since)).fetchone()
        return int(count)

    def answer_request(self, request_id: str, state: RequestState) -> None:
        """The consumer has answered."""
        self._run("answer_request", (state.value, request_id))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _message(
    id_: str,
    page_id: str,
    psid: str,
    kind: str,
    created_at: float,
    text: str | None,
    buttons: str,
    app_id: str | None,
    options: str,
    delivered_at: float | None,
) -> Message:
    return Message(
        MessageId(id_),
        PageId(page_id),
        Psid(psid),
        MessageKind(kind),
        created_at,
        text,
        msgspec.json.decode(buttons, type=tuple[Button, ...]),
        None if app_id is None else AppId(app_id),
        msgspec.json.decode(options, type=tuple[tuple[str, str], ...]),
        delivered_at,
    )


def _request(id_: str, page_id: str, psid: str, sent_at: float, expires_at: float, state: str) -> PermissionRequest:
    return PermissionRequest(MessageId(id_), PageId(page_id), Psid(psid), sent_at, expires_at, RequestState(state))
