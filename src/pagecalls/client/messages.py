"""What a Page can write to a person: plain text, or one of four templates (messenger-calling 8.4). Values, and their wire form.

The server looks at lengths and ranges; nothing here repeats that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pagecalls.client.members import Json, JsonObject, present


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button that the server shows, and that does nothing there. `type` as the platform spells it, such as `web_url`."""

    type: str
    title: str
    url: str | None = None
    payload: str | None = None

    def wire(self) -> JsonObject:
        """As it is sent."""
        return _given(type=self.type, title=self.title, url=self.url, payload=self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallButton:
    """A button that lets the person call, for 1 to 7 days; 7 unless said."""

    title: str
    expires_in_days: int | None = None

    def wire(self) -> JsonObject:
        """As it is sent."""
        return _given(type="audio_call", title=self.title, expires_in_days=self.expires_in_days)


AnyButton: TypeAlias = Button | CallButton


@dataclass(frozen=True, slots=True)
class CallingOptin:
    """Asks the person for permission to call. The answer comes to the webhook (`PermissionReply`)."""

    def wire(self) -> JsonObject:
        """As it is sent."""
        return {"template_type": "calling_optin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPrompt:
    """One button that lets the person call, for 1 to 7 days; 7 unless said."""

    ttl_days: int | None = None

    def wire(self) -> JsonObject:
        """As it is sent."""
        return _given(template_type="call_prompt", ttl_days=self.ttl_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonTemplate:
    """A text with up to three buttons."""

    text: str
    buttons: Sequence[AnyButton]

    def wire(self) -> JsonObject:
        """As it is sent."""
        return _given(template_type="button", text=self.text, buttons=_wires(self.buttons))


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A part of a `GenericTemplate`, with up to three buttons."""

    title: str
    buttons: Sequence[AnyButton] = ()

    def wire(self) -> JsonObject:
        """As it is sent."""
        return _given(title=self.title, buttons=_wires(self.buttons) or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericTemplate:
    """Up to ten elements."""

    elements: Sequence[Element]

    def wire(self) -> JsonObject:
        """As it is sent."""
        elements: list[Json] = [element.wire() for element in self.elements]
        return _given(template_type="generic", elements=elements)


Content: TypeAlias = str | CallingOptin | CallPrompt | ButtonTemplate | GenericTemplate
"""What a message may be."""


def message_of(content: Content) -> JsonObject:
    """The member `message`."""
    if isinstance(content, str):
        return {"text": content}
    return {"attachment": {"type": "template", "payload": content.wire()}}


def _given(**members: Json) -> JsonObject:
    return present(members)


def _wires(buttons: Sequence[AnyButton]) -> list[Json]:
    return [button.wire() for button in buttons]
