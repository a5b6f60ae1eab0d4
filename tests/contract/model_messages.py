"""Messages as plain lists, for the store's oracle."""

from __future__ import annotations

from dataclasses import replace

from pagecalls.store.base import CallButton, Message, MessageKind, PermissionRequest, RequestState
from pagecalls.types import MessageId, PageId, Psid

UNSHOWN = (MessageKind.FROM_CONSUMER, MessageKind.CALLING_OPTIN)


class ModelMessages:
    def __init__(self) -> None:
        super().__init__()
        self.message_list: list[Message] = []
        self.buttons: list[CallButton] = []
        self.requests: dict[str, PermissionRequest] = {}

    def add_message(self, message: Message) -> None:
        self.message_list.append(message)

    def message(self, message_id: MessageId) -> Message | None:
        return next((each for each in self.message_list if each.id == message_id), None)

    def messages_to_show(self, page_id: PageId, psid: Psid, now: float, limit: int) -> list[Message]:
        found = [
            each
            for each in self.message_list
            if (each.page_id, each.psid) == (page_id, psid)
            and each.kind not in UNSHOWN
            and (each.delivered_at is None or self.is_live_button(page_id, psid, each.id, now))
        ]
        return found[-limit:] if limit else []

    def message_delivered(self, message_id: MessageId, now: float) -> bool:
        found = self.message(message_id)
        if found is None or found.delivered_at is not None:
            return False
        self.message_list = [replace(each, delivered_at=now) if each.id == message_id else each for each in self.message_list]
        return True

    def trim_messages(self, page_id: PageId, psid: Psid, keep: int) -> None:
        thread = [each for each in self.message_list if (each.page_id, each.psid) == (page_id, psid)]
        old = {each.id for each in thread[: max(0, len(thread) - keep)]}
        self.message_list = [each for each in self.message_list if each.id not in old]

    def add_call_button(self, button: CallButton) -> None:
        self.buttons.append(button)

    def has_live_button(self, page_id: PageId, psid: Psid, now: float) -> bool:
        return any((each.page_id, each.psid) == (page_id, psid) and each.expires_at > now for each in self.buttons)

    def is_live_button(self, page_id: PageId, psid: Psid, message_id: str, now: float) -> bool:
        mine = [each for each in self.buttons if (each.page_id, each.psid, each.message_id) == (page_id, psid, message_id)]
        return any(each.expires_at > now for each in mine)

    def add_permission_request(self, request: PermissionRequest) -> None:
        for old in list(self.requests.values()):
            if (old.page_id, old.psid, old.state) == (request.page_id, request.psid, RequestState.OPEN):
                self.requests[old.id] = replace(old, state=RequestState.REPLACED)
        self.requests[request.id] = request

    def permission_request(self, request_id: str) -> PermissionRequest | None:
        return self.requests.get(request_id)

    def open_request(self, page_id: PageId, psid: Psid, now: float) -> PermissionRequest | None:
        mine = [each for each in self.requests.values() if (each.page_id, each.psid) == (page_id, psid)]
        return next((each for each in mine if each.state is RequestState.OPEN and each.expires_at > now), None)

    def requests_sent(self, page_id: PageId, psid: Psid, since: float) -> int:
        mine = [each for each in self.requests.values() if (each.page_id, each.psid) == (page_id, psid)]
        return len([each for each in mine if each.sent_at > since])

    def answer_request(self, request_id: str, state: RequestState) -> None:
        if request_id in self.requests:
            self.requests[request_id] = replace(self.requests[request_id], state=state)

    def forget_messages(self, page_id: PageId, psid: Psid) -> None:
        """All that is the consumer's."""
        pair = (page_id, psid)
        self.message_list = [each for each in self.message_list if (each.page_id, each.psid) != pair]
        self.buttons = [each for each in self.buttons if (each.page_id, each.psid) != pair]
        self.requests = {key: each for key, each in self.requests.items() if (each.page_id, each.psid) != pair}
