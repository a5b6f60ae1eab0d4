"""What an app wants to write, out of `message`: plain text, or one of the templates of messenger-calling 8.4.

Every fault names its parameter as the request spells it. Knows no consumer, no window and no time.
"""

from __future__ import annotations

from enum import StrEnum

from pagecalls.call.limits import BUTTON_DAYS
from pagecalls.call.messages import (
    AUDIO_CALL,
    MAX_TEXT_CHARS,
    MAX_TITLE_CHARS,
    PROMPT_TITLE,
    Draft,
    DraftButton,
    Template,
)
from pagecalls.errors import InvalidValue, MissingParameter, TemplateFault, UnusableTemplate
from pagecalls.graph.params import Params

MAX_ELEMENTS = 10
MAX_BUTTONS = 3
MAX_TYPE_CHARS = 40


class AttachmentType(StrEnum):
    """`attachment.type`: this server shows no other."""

    TEMPLATE = "template"


def draft_of(message: Params) -> Draft:
    """The draft in `message`. Raises `MissingParameter`, `InvalidValue`, `UnusableTemplate`."""
    attachment = message.object("attachment")
    if attachment is None:
        return Draft(message.required_text("text", MAX_TEXT_CHARS))
    if message.has("text"):
        raise InvalidValue(message.name("text"))  # one or the other, as on the platform
    attachment.required_choice("type", AttachmentType)
    return _templated(attachment.required_object("payload"))


def _templated(payload: Params) -> Draft:
    name = payload.required_text("template_type")
    try:
        template = Template(name.lower())
    except ValueError:
        raise UnusableTemplate(payload.name("template_type"), TemplateFault.UNKNOWN) from None
    match template:
        case Template.CALLING_OPTIN:
            return Draft(template=template)
        case Template.CALL_PROMPT:
            button = DraftButton(AUDIO_CALL, PROMPT_TITLE, _days(payload, "ttl_days", TemplateFault.TTL))
            return Draft(template=template, buttons=(button,))
        case Template.GENERIC:
            return _generic(payload)
        case Template.BUTTON:
            text = payload.required_text("text", MAX_TEXT_CHARS)
            buttons = _buttons(payload)
            if not buttons:
                raise MissingParameter(payload.name("buttons"))
            return Draft(text, template, buttons)


def _generic(payload: Params) -> Draft:
    """The titles become the text, a line each; the buttons stand in the order of their elements."""
    elements = payload.objects("elements")
    if elements is None:
        raise MissingParameter(payload.name("elements"))
    if not 1 <= len(elements) <= MAX_ELEMENTS:
        raise InvalidValue(payload.name("elements"))
    titles = [each.required_text("title", MAX_TITLE_CHARS) for each in elements]
    buttons = tuple(button for each in elements for button in _buttons(each))
    return Draft("\n".join(titles), Template.GENERIC, buttons)


def _buttons(params: Params) -> tuple[DraftButton, ...]:
    items = params.objects("buttons") or []
    if len(items) > MAX_BUTTONS:
        raise InvalidValue(params.name("buttons"))
    return tuple(_button(item) for item in items)


def _button(item: Params) -> DraftButton:
    kind = item.required_text("type", MAX_TYPE_CHARS)
    if kind.lower() == AUDIO_CALL:
        title = item.text("title", MAX_TITLE_CHARS)
        if title is None:
            raise UnusableTemplate(item.name("title"), TemplateFault.NO_TITLE)
        return DraftButton(AUDIO_CALL, title, _days(item, "expires_in_days", TemplateFault.DAYS))
    title = item.text("title", MAX_TITLE_CHARS) or ""  # some of them have none, as `account_unlink`
    return DraftButton(kind, title, url=item.text("url", MAX_TEXT_CHARS), payload=item.text("payload", MAX_TEXT_CHARS))


def _days(params: Params, key: str, fault: TemplateFault) -> int:
    """Whole days from 1 to `BUTTON_DAYS`, which is also what absent means."""
    if not params.has(key):
        return BUTTON_DAYS
    try:
        days = params.natural(key)
    except InvalidValue:
        days = None
    if days is None or not 1 <= days <= BUTTON_DAYS:
        raise UnusableTemplate(params.name(key), fault)
    return days
