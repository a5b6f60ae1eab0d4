"""Every encoding means the same (messenger-calling 1.1, graph-platform 3.1), and what cannot be read is refused."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from pagecalls.switchboard.base import AcceptRequest
from pagecalls.types import CallId, Platform, SdpType, Session, Track, TrackLabel, TrackStatus
from tests.asgi_client import Socket, scope_of
from tests.conformance.graph.world import OFFER, PAGE, PAGE_TOKEN, World, error_of, facts

PATH = f"/v26.0/{PAGE.id}/calls"
SESSION = {"sdp": OFFER, "sdp_type": "offer"}
TRACKS = [
    {"msid": "s t", "label": "default_audio", "status": "enabled"},
    {"msid": "é", "label": "SCREEN_VIDEO", "status": "Disabled"},
]
PLAIN = {"action": "accept", "platform": "messenger", "call_id": "c_1"}
FULL = {**PLAIN, "session": SESSION, "tracks": TRACKS}
TEXTS = {**PLAIN, "session": json.dumps(SESSION), "tracks": json.dumps(TRACKS)}
BRACKETS = {
    **PLAIN,
    "session[sdp]": OFFER,
    "session[sdp_type]": "offer",
    **{f"tracks[{index}][{name}]": value for index, track in enumerate(TRACKS) for name, value in track.items()},
}
EXPECTED = AcceptRequest(
    CallId("c_1"),
    Session(SdpType.OFFER, OFFER),
    (
        Track("s t", TrackLabel.DEFAULT_AUDIO, TrackStatus.ENABLED),
        Track("é", TrackLabel.SCREEN_VIDEO, TrackStatus.DISABLED),
    ),
    Platform.MESSENGER,
)

FORM = "application/x-www-form-urlencoded"


def multipart(fields: dict[str, str]) -> bytes:
    parts = "".join(
        f'--b0"un\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    file_part = '--b0"un\r\nContent-Disposition: form-data; name="action"; filename="a.txt"\r\n\r\nconnect\r\n'
    return f'ignored preamble\r\n{parts}{file_part}--b0"un--\r\n'.encode()


MULTIPART = r'multipart/form-data; boundary="b0\"un"'


@pytest.mark.parametrize(
    ("content_type", "query", "body"),
    [
        pytest.param("application/json", "", json.dumps(FULL).encode(), id="json"),
        pytest.param("application/json; charset=utf-8", "", json.dumps(FULL, ensure_ascii=False).encode(), id="json-utf8"),
        pytest.param("application/vnd.api+json", "", json.dumps(FULL).encode(), id="json-suffix"),
        pytest.param("application/json", "", json.dumps(TEXTS).encode(), id="json-text-in-json"),
        pytest.param(
            "application/json",
            "",
            json.dumps({**FULL, "tracks": [json.dumps(track) for track in TRACKS]}).encode(),
            id="text-tracks",
        ),
        pytest.param(None, "", json.dumps(FULL).encode(), id="no-type"),
        pytest.param("text/plain", "", b" \n" + json.dumps(FULL).encode(), id="plain-text"),
        pytest.param(FORM, "", urlencode(TEXTS).encode(), id="form"),
        pytest.param(FORM + ";charset=UTF-8", "", urlencode(BRACKETS).encode(), id="form-brackets"),
        pytest.param(MULTIPART, "", multipart(TEXTS), id="multipart"),
        pytest.param(MULTIPART, "", multipart(BRACKETS), id="multipart-brackets"),
        pytest.param(None, urlencode(TEXTS), b"", id="query"),
        pytest.param("application/json", urlencode(BRACKETS), b"", id="query-brackets"),
        pytest.param("application/octet-stream", urlencode(TEXTS), b"", id="other-empty"),
        pytest.param(
            "application/json",
            urlencode({**PLAIN, "call_id": "c_2", "action": "connect"}),
            json.dumps(FULL).encode(),
            id="body-wins",
        ),
        pytest.param(
            FORM,
            urlencode({"session": json.dumps(SESSION)}),
            urlencode({**TEXTS, "session": ""} | {"session": TEXTS["session"]}).encode(),
            id="merged",
        ),
    ],
)
async def test_the_same_request(world: World, content_type: str | None, query: str, body: bytes) -> None:
    headers = {"authorization": f"Bearer {PAGE_TOKEN}"} | ({"content-type": content_type} if content_type else {})
    reply = await world.ask("POST", f"{PATH}?{query}", headers, body)
    assert reply.status == 200, reply.content
    assert world.door.asked[0][2] == EXPECTED


async def test_json_under_a_form_type_is_a_form_without_parameters(world: World) -> None:
    reply = await world.ask("POST", f"{PATH}?access_token={PAGE_TOKEN}", {"content-type": FORM}, json.dumps(FULL).encode())
    assert facts(reply) == (400, 100, 9905010)
    assert error_of(reply)["message"] == "(#100) The parameter action is required."


@pytest.mark.parametrize(
    ("content_type", "body", "named"),
    [
        ("application/json", b"{", "application/json"),
        ("application/json", b'{"action":"accept",}', "application/json"),
        ("application/json", b"[]", "application/json"),
        ("application/json", b'"accept"', "application/json"),
        ("application/json", b"null", "application/json"),
        ("application/json", b'{"action":"\xff"}', "application/json"),
        ("application/json", b'{"action":"\\ud800"}', "application/json"),
        ("application/json", b'{"a":1e999}', "application/json"),
        ("application/json", b'{"a":' * 50_000, "application/json"),
        ("application/json", b"[" * 50_000, "application/json"),
        (None, b"{nothing}", "application/json"),
        (None, b"\x00\x01", "application/json"),
        ("text/xml; charset=utf-8", b"<calls/>", "text/xml"),
        ("application/sdp", b"v=0", "application/sdp"),
        ("multipart/form-data", b"--x--", "multipart/form-data"),
        ("multipart/form-data; boundary=x", b"", "application/json"),
        ("multipart/form-data; boundary=x", b"--x\r\nno end", "multipart/form-data"),
        ("multipart/form-data; boundary=x", b"--x\r\nno blank line\r\n--x--", "multipart/form-data"),
        ("multipart/form-data; boundary=x", b"no boundary", "multipart/form-data"),
    ],
)
async def test_a_body_that_cannot_be_read(world: World, content_type: str | None, body: bytes, named: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    reply = await world.ask("POST", f"{PATH}?access_token={PAGE_TOKEN}", headers, body)
    if not body:
        assert facts(reply) == (400, 100, 9905010)
        return
    assert facts(reply) == (400, 100, 9905012)
    assert error_of(reply)["message"] == f"The request body could not be read as {named}."


async def test_get_ignores_its_body(world: World) -> None:
    reply = await world.ask("GET", f"/me?access_token={PAGE_TOKEN}", {"content-type": "application/json"}, b"{broken")
    assert reply.status == 200


async def test_one_mebibyte_is_the_limit(world: World) -> None:
    padding = len(json.dumps({"action": "reject", "call_id": "c_1", "pad": ""}))
    for size, status in ((1024 * 1024, 200), (1024 * 1024 + 1, 413)):
        reply = await world.call({"action": "reject", "call_id": "c_1", "pad": "x" * (size - padding)})
        assert reply.status == status
    assert facts(reply) == (413, 1, None)
    assert len(world.door.asked) == 1


async def test_the_limit_holds_while_the_body_streams_in(world: World) -> None:
    socket = Socket([b"x" * 65536] * 17)
    await world.app(scope_of("POST", PATH), socket.receive, socket.send)
    assert facts(socket.reply) == (413, 1, None)
    assert socket.chunks == []


async def test_nobody_answers_a_client_that_left_while_sending(world: World) -> None:
    socket = Socket([b"{"], stays_open=False)
    await world.app(scope_of("POST", PATH), socket.receive, socket.send)
    assert socket.sent == []
    assert world.door.asked == []


async def test_noise_of_64_kib(world: World) -> None:
    noise = bytes(index * 7919 % 251 for index in range(65536))
    for content_type in ("application/json", FORM, MULTIPART, "text/plain"):
        reply = await world.ask("POST", f"{PATH}?access_token={PAGE_TOKEN}", {"content-type": content_type}, noise)
        assert reply.status == 400
        error_of(reply)


async def test_a_long_value_is_not_sent_back_whole(world: World) -> None:
    reply = await world.call({"action": "a" * 60_000})
    assert facts(reply) == (400, 100, 9905011)
    assert len(reply.content) < 1000
    evil = quote("é\r\nx-evil: 1")
    reply = await world.ask("POST", f"{PATH}?access_token={PAGE_TOKEN}&action={evil}")
    assert reply.status == 400
    assert reply.headers["www-authenticate"].isascii()
    assert "\r" not in reply.headers["www-authenticate"]
    assert "x-evil" not in reply.headers
