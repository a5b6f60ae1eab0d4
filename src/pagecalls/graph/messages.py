"""`POST /{page_id}/messages`: a Page writes to a person who has been in touch (messenger-calling 8.4)."""

from __future__ import annotations

from enum import StrEnum

from pagecalls.graph.params import Params
from pagecalls.graph.schemas import sent_body
from pagecalls.graph.templates import draft_of
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.switchboard.messages import SendRequest
from pagecalls.types import Psid

HUMAN_AGENT = "human_agent"
_MAX_OPTION_CHARS = 100
"""Of a word that is kept and not looked at."""


class MessagingType(StrEnum):
    """Why a Page writes, in the platform's words. Only one of them changes anything here."""

    RESPONSE = "response"
    UPDATE = "update"
    MESSAGE_TAG = "message_tag"
    UTILITY = "utility"


async def send_message(visit: PageVisit) -> Answer:
    """Send it; devices that are connected have it when the answer leaves."""
    request = send_request(visit.params)
    message_id = await visit.services.messages.send(visit.caller, request)
    return Answer(sent_body(request.to, message_id))


def send_request(params: Params) -> SendRequest:
    """What is asked. Raises `MissingParameter`, `InvalidValue`, `UnusableTemplate`."""
    to = Psid(params.required_object("recipient").required_text("id"))
    kind = params.choice("messaging_type", MessagingType)
    tag = params.text("tag", _MAX_OPTION_CHARS)
    draft = draft_of(params.required_object("message"))
    is_human_agent = kind is MessagingType.MESSAGE_TAG and (tag or "").lower() == HUMAN_AGENT
    notification = params.text("notification_type", _MAX_OPTION_CHARS)
    named = (("messaging_type", kind), ("tag", tag), ("notification_type", notification))
    return SendRequest(to, draft, is_human_agent, tuple((name, str(value)) for name, value in named if value is not None))
