"""`POST messages` (messenger-calling 8.4): every rule, with the error that it gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from pagecalls.call.settings import CallSettings
from pagecalls.store.base import Message, MessageKind, Transaction
from pagecalls.switchboard.messages import KEPT_IN_THREAD
from pagecalls.types import MessageId
from tests.conformance.graph.world import (
    BARE_TOKEN,
    OTHER_PAGE,
    OTHER_PAGE_TOKEN,
    PAGE,
    PAGE_TOKEN,
    PSID,
    World,
    error_of,
    facts,
)

PATH = f"/v26.0/{PAGE.id}/messages"
DAY_S = 86_400
TO: dict[str, Any] = {"recipient": {"id": PSID}}
OPTIN = {"template_type": "calling_optin"}
PROMPT = {"template_type": "call_prompt"}
CALL_BUTTON = {"type": "audio_call", "title": "Call us"}
LINK = {"type": "web_url", "title": "Our site", "url": "https://example.org/"}


def text(words: str = "Hello", **more: Any) -> dict[str, Any]:
    return {**TO, "message": {"text": words}, **more}


def template(payload: Any, **more: Any) -> dict[str, Any]:
    return {**TO, "message": {"attachment": {"type": "template", "payload": payload}}, **more}


def buttons(*items: Any, **more: Any) -> dict[str, Any]:
    return template({"template_type": "button", "text": "Call us?", "buttons": list(items)}, **more)


def generic(*elements: Any) -> dict[str, Any]:
    return template({"template_type": "generic", "elements": list(elements)})


@pytest.fixture
async def open_world(world: World) -> World:
    """The consumer has just been in touch."""
    await contact(world)
    return world


async def contact(world: World) -> None:
    now = world.clock.now()
    await world.store.write(lambda tx: tx.note_contact(PAGE.id, PSID, now))


async def stored(world: World, message_id: str) -> Message:
    message = await world.store.read(lambda tx: tx.message(MessageId(message_id)))
    assert message is not None
    return message


# --- what is sent -----------------------------------------------------------------------------------------------------


async def test_the_answer_has_all_three_shapes(open_world: World) -> None:
    reply = await open_world.post(PATH, text())
    assert reply.status == 200
    message_id = reply.json["message_id"]
    assert reply.json == {
        "recipient_id": PSID,
        "message_id": message_id,
        "recipient": {"id": PSID, "message_id": message_id},
    }
    assert message_id.startswith("m_")
    message = await stored(open_world, message_id)
    assert (message.kind, message.text, message.buttons) == (MessageKind.TEXT, "Hello", ())


@pytest.mark.parametrize("kind", ["calling_optin", "CALL_PROMPT"])
async def test_templates_without_members(open_world: World, kind: str) -> None:
    reply = await open_world.post(PATH, template({"template_type": kind}))
    assert reply.status == 200
    assert (await stored(open_world, reply.json["message_id"])).kind.value == kind.lower()


@pytest.mark.parametrize(("given", "days"), [({}, 7), ({"ttl_days": 1}, 1), ({"ttl_days": "7"}, 7)])
async def test_a_prompt_works_for_its_days(open_world: World, given: dict[str, object], days: int) -> None:
    reply = await open_world.post(PATH, template({**PROMPT, **given}))
    (button,) = (await stored(open_world, reply.json["message_id"])).buttons
    assert button.expires_at == open_world.clock.now() + days * DAY_S


async def test_buttons_of_both_templates(open_world: World) -> None:
    reply = await open_world.post(PATH, buttons({**CALL_BUTTON, "expires_in_days": 2}, {**LINK, "type": "WEB_URL"}))
    first = await stored(open_world, reply.json["message_id"])
    assert (first.kind, first.text) == (MessageKind.BUTTON, "Call us?")
    assert [(each.type, each.title, each.url) for each in first.buttons] == [
        ("audio_call", "Call us", None),
        ("WEB_URL", "Our site", "https://example.org/"),
    ]
    assert [each.expires_at for each in first.buttons] == [open_world.clock.now() + 2 * DAY_S, None]
    elements = [{"title": "Tea", "buttons": [CALL_BUTTON]}, {"title": "Cake", "subtitle": "Fresh"}]
    reply = await open_world.post(PATH, generic(*elements))
    second = await stored(open_world, reply.json["message_id"])
    assert (second.kind, second.text, len(second.buttons)) == (MessageKind.GENERIC, "Tea\nCake", 1)


async def test_buttons_that_do_nothing_here_need_no_title(open_world: World) -> None:
    log_in, log_out = {"type": "account_link", "url": "https://example.org/"}, {"type": "account_unlink"}
    reply = await open_world.post(PATH, buttons(log_in, log_out))
    assert reply.status == 200
    found = (await stored(open_world, reply.json["message_id"])).buttons
    assert [(each.type, each.title) for each in found] == [("account_link", ""), ("account_unlink", "")]


async def test_the_sdk_sends_a_form_with_json_text(open_world: World) -> None:
    body = buttons(CALL_BUTTON, messaging_type="RESPONSE")
    headers = {"authorization": f"Bearer {PAGE_TOKEN}", "content-type": "application/x-www-form-urlencoded"}
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    reply = await open_world.ask("POST", PATH, headers, urlencode(form).encode())
    assert reply.status == 200
    deep = json.dumps({"attachment": json.dumps({"type": "template", "payload": json.dumps(PROMPT)})})
    reply = await open_world.post(PATH, {"recipient": json.dumps({"id": int(PSID)}), "message": deep})
    assert reply.status == 200
    assert (await stored(open_world, reply.json["message_id"])).kind is MessageKind.CALL_PROMPT


async def test_what_the_app_says_about_it_is_kept(open_world: World) -> None:
    said = {"messaging_type": "message_tag", "tag": "HUMAN_AGENT", "notification_type": "NO_PUSH"}
    reply = await open_world.post(PATH, text(**said, persona_id="5"))
    assert dict((await stored(open_world, reply.json["message_id"])).options) == said


async def test_a_thread_keeps_its_newest_messages(open_world: World) -> None:
    first = (await open_world.post(PATH, text())).json["message_id"]
    filler = Message(MessageId(""), PAGE.id, PSID, MessageKind.FROM_CONSUMER, 0.0, "x")

    def fill(tx: Transaction) -> None:
        for number in range(KEPT_IN_THREAD):
            tx.add_message(replace(filler, id=MessageId(f"f{number}")))

    await open_world.store.write(fill)
    last = (await open_world.post(PATH, text())).json["message_id"]
    assert await open_world.store.read(lambda tx: tx.message(MessageId(first))) is None
    assert (await stored(open_world, last)).text == "Hello"


# --- what is wrong with it --------------------------------------------------------------------------------------------

MISSING = [
    ({}, "recipient"),
    ({"recipient": {}}, "recipient[id]"),
    (TO, "message"),
    ({**TO, "message": {}}, "message[text]"),
    ({**TO, "message": {"attachment": {}}}, "message[attachment][type]"),
    ({**TO, "message": {"attachment": {"type": "template"}}}, "message[attachment][payload]"),
    (template({}), "message[attachment][payload][template_type]"),
    (template({"template_type": "generic"}), "message[attachment][payload][elements]"),
    (generic({}), "message[attachment][payload][elements][0][title]"),
    (generic({"title": "Tea", "buttons": [{}]}), "message[attachment][payload][elements][0][buttons][0][type]"),
    (template({"template_type": "button", "buttons": [CALL_BUTTON]}), "message[attachment][payload][text]"),
    (buttons(), "message[attachment][payload][buttons]"),
]


@pytest.mark.parametrize(("body", "name"), MISSING)
async def test_a_missing_member_is_named(open_world: World, body: Any, name: str) -> None:
    reply = await open_world.post(PATH, body)
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == f"(#100) The parameter {name} is required."


WRONG = [
    (text(recipient=[1]), "recipient"),
    (text(recipient={"id": [1]}), "recipient[id]"),
    (text(messaging_type="LETTER"), "messaging_type"),
    (text(tag="x" * 101), "tag"),
    (text(notification_type={}), "notification_type"),
    (text(message="{"), "message"),
    (text("x" * 2001), "message[text]"),
    (text(message={"text": {}}), "message[text]"),
    (text(message={"attachment": {"type": "image", "payload": {}}}), "message[attachment][type]"),
    (text(message={"text": "Hello", "attachment": {"type": "template", "payload": PROMPT}}), "message[text]"),
    (template([1]), "message[attachment][payload]"),
    (generic(), "message[attachment][payload][elements]"),
    (generic(*[{"title": "Tea"}] * 11), "message[attachment][payload][elements]"),
    (generic({"title": "x" * 81}), "message[attachment][payload][elements][0][title]"),
    (generic({"title": "Tea", "buttons": [LINK] * 4}), "message[attachment][payload][elements][0][buttons]"),
    (generic("Tea"), "message[attachment][payload][elements][0]"),
    (buttons(*[LINK] * 4), "message[attachment][payload][buttons]"),
    (buttons({**LINK, "url": "x" * 2001}), "message[attachment][payload][buttons][0][url]"),
    (buttons({**CALL_BUTTON, "title": "x" * 81}), "message[attachment][payload][buttons][0][title]"),
]


@pytest.mark.parametrize(("body", "name"), WRONG)
async def test_a_wrong_member_is_named(open_world: World, body: Any, name: str) -> None:
    reply = await open_world.post(PATH, body)
    assert facts(reply) == (400, 100, 9905011)
    assert f" {name} " in error_of(reply)["message"]


@pytest.mark.parametrize("days", [0, 8, -1, 1.5, "a week", True, [1]])
async def test_the_subcodes_of_templates(open_world: World, days: object) -> None:
    for payload, subcode, name in (
        ({"template_type": "receipt"}, 9902010, "template_type"),
        ({**PROMPT, "ttl_days": days}, 9902011, "ttl_days"),
        (
            {"template_type": "button", "text": "?", "buttons": [{**CALL_BUTTON, "expires_in_days": days}]},
            9902012,
            "buttons][0][expires_in_days",
        ),
        ({"template_type": "button", "text": "?", "buttons": [{"type": "audio_call"}]}, 9902013, "buttons][0][title"),
    ):
        reply = await open_world.post(PATH, template(payload))
        assert facts(reply) == (400, 100, subcode)
        assert error_of(reply)["message"].startswith(f"(#100) Template message[attachment][payload][{name}] is wrong: ")


# --- who may write to whom --------------------------------------------------------------------------------------------


async def test_rights(open_world: World) -> None:
    assert facts(await open_world.post(PATH, text(), OTHER_PAGE_TOKEN)) == (403, 200, 9905004)
    assert facts(await open_world.post(PATH, text(), BARE_TOKEN)) == (403, 200, 9905003)


async def test_nobody_of_that_name(open_world: World) -> None:
    assert facts(await open_world.post(PATH, text(recipient={"id": "404"}))) == (400, 100, 2018001)


async def test_the_window_is_open_for_a_day(world: World) -> None:
    assert facts(await world.post(PATH, text())) == (403, 10, 2018278)
    await contact(world)
    world.clock.advance(DAY_S - 1)
    assert (await world.post(PATH, text())).status == 200
    world.clock.advance(1)
    assert facts(await world.post(PATH, text())) == (403, 10, 2018278)
    assert facts(await world.post(PATH, template(OPTIN))) == (403, 10, 2018278)


async def test_a_human_agent_has_a_week(world: World) -> None:
    human = {"messaging_type": "MESSAGE_TAG", "tag": "human_agent"}
    assert facts(await world.post(PATH, text(**human))) == (403, 10, 2018278)
    await contact(world)
    world.clock.advance(7 * DAY_S - 1)
    assert (await world.post(PATH, text(**human))).status == 200
    for other in (
        {"messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"},
        {"messaging_type": "MESSAGE_TAG"},
        {"tag": "HUMAN_AGENT"},
    ):
        assert facts(await world.post(PATH, text(**other))) == (403, 10, 2018278)
    world.clock.advance(1)
    assert facts(await world.post(PATH, text(**human))) == (403, 10, 2018278)


CALLING = [template(OPTIN), template(PROMPT), buttons(CALL_BUTTON), generic({"title": "Tea", "buttons": [CALL_BUTTON]})]
PLAIN = [text(), buttons(LINK), generic({"title": "Tea"})]


async def test_calling_templates_need_calling(open_world: World) -> None:
    """The settings come before the person is looked for (1.4, check order)."""
    off = CallSettings(audio_enabled=False)
    await open_world.store.write(lambda tx: tx.put_call_settings(PAGE.id, off))
    for body in CALLING:
        assert facts(await open_world.post(PATH, body)) == (403, 2018389, 1893056)
        assert facts(await open_world.post(PATH, {**body, "recipient": {"id": "404"}})) == (403, 2018389, 1893056)
    for body in PLAIN:
        assert (await open_world.post(PATH, body)).status == 200


async def test_calling_templates_need_a_page_that_may_call(open_world: World) -> None:
    other = f"/v26.0/{OTHER_PAGE.id}/messages"
    for body in CALLING:
        assert facts(await open_world.post(other, body, OTHER_PAGE_TOKEN)) == (403, 2018389, None)
    for body in PLAIN:
        assert facts(await open_world.post(other, body, OTHER_PAGE_TOKEN)) == (400, 100, 2018001)


# --- requests ---------------------------------------------------------------------------------------------------------


async def usage(world: World) -> tuple[int, bool]:
    body = (await world.get(f"/v26.0/{PAGE.id}/messenger_call_permissions", psid=PSID)).json
    request = body["data"][0]["actions"][0]
    assert body["actions"][0]["limits"][0]["current_usage"] == request["limits"][0]["current_usage"]
    return request["limits"][0]["current_usage"], request["can_perform"]


async def test_two_requests_in_any_day(open_world: World) -> None:
    world = open_world
    assert await usage(world) == (0, True)
    assert (await world.post(PATH, template(OPTIN))).status == 200
    assert await usage(world) == (1, True)
    world.clock.advance(DAY_S - 10)
    assert (await world.post(PATH, template(OPTIN))).status == 200
    assert await usage(world) == (2, False)
    reply = await world.post(PATH, template(OPTIN))
    assert facts(reply) == (400, 613, 9902003)
    assert await usage(world) == (2, False)  # what was refused does not count
    world.clock.advance(10)
    await contact(world)
    assert await usage(world) == (1, True)
    assert (await world.post(PATH, template(OPTIN))).status == 200
    assert facts(await world.post(PATH, template(OPTIN))) == (400, 613, 9902003)


async def test_no_request_while_permission_is_held(open_world: World) -> None:
    until = int(await open_world.permissions.grant(PAGE.id, PSID, 60))
    reply = await open_world.post(PATH, template(OPTIN))
    assert facts(reply) == (400, 100, 9902004)
    assert error_of(reply)["message"] == f"(#100) Permission is already held until {until}."
    assert error_of(reply)["error_data"] == {"expiration_time": until}
    assert await usage(open_world) == (0, False)
    open_world.clock.advance(60)
    assert (await open_world.post(PATH, template(OPTIN))).status == 200


async def test_no_text_gets_into_the_journal(open_world: World) -> None:
    await open_world.post(PATH, text("a secret"))
    await open_world.post(PATH, buttons({**CALL_BUTTON, "title": "another secret"}))
    entries = await open_world.calls.journal.after(0, 0)
    assert [entry["kind"] for entry in entries] == ["message_sent", "message_sent"]
    assert entries[0]["facts"]["psid"] == PSID
    assert "secret" not in repr(entries)
    assert "secret" not in repr(await open_world.store.read(lambda tx: tx.messages_to_show(PAGE.id, PSID, 0.0, 9)))
