"""Messages as the server's own reader takes them, and answers in each shape that the guides print."""

from __future__ import annotations

import json

import pytest

from pagecalls.call.messages import Draft, DraftButton, Template
from pagecalls.client import (
    Button,
    ButtonTemplate,
    CallButton,
    CallingOptin,
    CallPrompt,
    Element,
    GenericTemplate,
    MessageRequest,
    Sent,
)
from pagecalls.client.errors import UnreadableReply
from pagecalls.client.messages import Content
from pagecalls.client.wire import HttpReply, Wire
from pagecalls.graph.messages import send_request
from pagecalls.graph.params import Params

WIRE = Wire("EAApage", "1001", None, "v26.0", "http://127.0.0.1:8080")
LINK = Button(type="web_url", title="Site", url="https://example.org", payload="p")
CALL = DraftButton("audio_call", "Call us", 7)


@pytest.mark.parametrize(
    ("content", "draft"),
    [
        ("Hello", Draft("Hello")),
        (CallingOptin(), Draft(template=Template.CALLING_OPTIN)),
        (CallPrompt(), Draft(template=Template.CALL_PROMPT, buttons=(DraftButton("audio_call", "Call", 7),))),
        (CallPrompt(ttl_days=2), Draft(template=Template.CALL_PROMPT, buttons=(DraftButton("audio_call", "Call", 2),))),
        (
            ButtonTemplate(text="Questions?", buttons=[CallButton(title="Call us", expires_in_days=3), LINK]),
            Draft(
                "Questions?",
                Template.BUTTON,
                (DraftButton("audio_call", "Call us", 3), DraftButton("web_url", "Site", None, "https://example.org", "p")),
            ),
        ),
        (
            GenericTemplate(elements=[Element(title="Tea", buttons=[CallButton(title="Call us")]), Element(title="Cake")]),
            Draft("Tea\nCake", Template.GENERIC, (CALL,)),
        ),
    ],
)
def test_the_server_reads_what_was_meant(content: Content, draft: Draft) -> None:
    request = send_request(Params(MessageRequest(to="2002", content=content).parameters()))
    assert (request.to, request.draft, request.is_human_agent) == ("2002", draft, False)


def test_a_human_agent() -> None:
    request = send_request(Params(MessageRequest(to="2002", content="Hello", human_agent=True).parameters()))
    assert request.is_human_agent


@pytest.mark.parametrize(
    "body",
    [
        {"recipient_id": "2002", "message_id": "m_1", "recipient": {"id": "2002", "message_id": "m_1"}},
        {"recipient_id": 2002, "message_id": "m_1"},
        {"recipient": {"id": "2002"}, "message_id": "m_1"},
        {"recipient": {"id": "2002", "message_id": "m_1"}},
    ],
)
def test_every_shape_of_the_answer(body: object) -> None:
    request = MessageRequest(to="2002", content="Hello")
    assert WIRE.decode(request, HttpReply(200, json.dumps(body).encode())) == Sent("2002", "m_1")


@pytest.mark.parametrize("body", [{}, {"recipient_id": "2002"}, {"message_id": "m_1"}, {"recipient": []}])
def test_an_answer_without_its_ids(body: object) -> None:
    with pytest.raises(UnreadableReply):
        WIRE.decode(MessageRequest(to="2002", content="Hello"), HttpReply(200, json.dumps(body).encode()))


def test_it_is_never_sent_twice() -> None:
    assert not MessageRequest(to="2002", content="Hello").may_repeat
