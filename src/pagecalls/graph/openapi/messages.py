"""`POST /{page_id}/messages` for the documents: plain text and the four templates (messenger-calling 8.4)."""

from __future__ import annotations

from pagecalls.call.messages import Template
from pagecalls.graph.messages import MessagingType
from pagecalls.graph.openapi.contract import Kind, Member, Schema
from pagecalls.graph.openapi.edge import Edge
from pagecalls.graph.openapi.examples import PSID
from pagecalls.graph.templates import MAX_BUTTONS, MAX_ELEMENTS, AttachmentType
from pagecalls.http import Json, JsonObject

_BUTTONS = Member(
    "buttons",
    Kind.ARRAY,
    "Needed in the template `button`. Types other than `audio_call` are shown and do nothing.",
    max_items=MAX_BUTTONS,
    members=(
        Member("type", Kind.STRING, "`audio_call` lets the person call.", is_required=True),
        Member("title", Kind.STRING, "What the button says. An `audio_call` button needs it."),
        Member("expires_in_days", Kind.INTEGER, "How long an `audio_call` button works: 1 to 7 days, 7 unless said."),
        Member("url", Kind.STRING, "Of other types; kept."),
        Member("payload", Kind.STRING, "Of other types; kept."),
    ),
)
_PAYLOAD = Member(
    "payload",
    Kind.OBJECT,
    "The template.",
    is_required=True,
    members=(
        Member(
            "template_type",
            Kind.STRING,
            "`calling_optin` asks the person for permission to call; `call_prompt` is one button that calls; `generic` and "
            "`button` hold buttons of any kind.",
            is_required=True,
            choices=tuple(sorted(template.value for template in Template)),
        ),
        Member("ttl_days", Kind.INTEGER, "How long the button of a `call_prompt` works: 1 to 7 days, 7 unless said."),
        Member("text", Kind.STRING, "Needed in the template `button`."),
        _BUTTONS,
        Member(
            "elements",
            Kind.ARRAY,
            "Needed in the template `generic`.",
            max_items=MAX_ELEMENTS,
            members=(Member("title", Kind.STRING, "The element's words.", is_required=True), _BUTTONS),
        ),
    ),
)
REQUEST = Schema(
    "PageMessageRequest",
    "A message to one person.",
    (
        Member(
            "recipient",
            Kind.OBJECT,
            "Who is written to.",
            is_required=True,
            members=(Member("id", Kind.STRING, "The person's page-scoped id.", is_required=True),),
        ),
        Member(
            "message",
            Kind.OBJECT,
            "Either `text` or `attachment`.",
            is_required=True,
            members=(
                Member("text", Kind.STRING, "Plain text, at most 2000 characters."),
                Member(
                    "attachment",
                    Kind.OBJECT,
                    "A template.",
                    members=(
                        Member(
                            "type",
                            Kind.STRING,
                            "No other type is taken.",
                            is_required=True,
                            choices=(AttachmentType.TEMPLATE.value,),
                        ),
                        _PAYLOAD,
                    ),
                ),
            ),
        ),
        Member(
            "messaging_type",
            Kind.STRING,
            "`MESSAGE_TAG` with the tag `HUMAN_AGENT` keeps the window open for 7 days; otherwise it is only kept.",
            choices=tuple(sorted(word.value.upper() for word in MessagingType)),
        ),
        Member("tag", Kind.STRING, "See `messaging_type`."),
        Member("notification_type", Kind.STRING, "Kept."),
    ),
)
ANSWER = Schema(
    "PageMessageResponse",
    "The message that was sent.",
    (
        Member("recipient_id", Kind.STRING, "The person.", is_required=True),
        Member("message_id", Kind.STRING, "The message; of a `calling_optin` also the request's id.", is_required=True),
        Member(
            "recipient",
            Kind.OBJECT,
            "Both once more, as one of the platform's guides prints them.",
            is_required=True,
            members=(
                Member("id", Kind.STRING, "The person.", is_required=True),
                Member("message_id", Kind.STRING, "The message.", is_required=True),
            ),
        ),
    ),
)


def _example(message: Json) -> JsonObject:
    return {"recipient": {"id": PSID}, "messaging_type": "RESPONSE", "message": message}


def _template(**payload: Json) -> Json:
    return {"attachment": {"type": "template", "payload": payload}}


_CALL: JsonObject = {"type": "audio_call", "title": "Call us", "expires_in_days": 2}

EDGES = (
    Edge(
        path="/{page_id}/messages",
        method="POST",
        operation_id="postPageMessages",
        summary="Write to a person, and ask for permission to call",
        text=(
            "A person who wrote, tapped a button or called within the last 24 hours can be written to. Templates that call need "
            "the Page's calling to be on. A permission request can be sent twice in any 24 hours, and not while permission is "
            "held; the newest one counts, for 7 days."
        ),
        body=REQUEST,
        examples=(
            _example({"text": "How can we help?"}),
            _example(_template(template_type="calling_optin")),
            _example(_template(template_type="call_prompt", ttl_days=3)),
            _example(_template(template_type="button", text="Questions?", buttons=[_CALL])),
            _example(_template(template_type="generic", elements=[{"title": "Tea", "buttons": [_CALL]}])),
        ),
        answer=ANSWER,
        answer_text="It is on its way to the person's devices.",
    ),
)
