"""`POST /consumer/v1/sessions`."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from pagecalls.consumer.sessions import ConsumerOptions, SessionRequest, decode
from pagecalls.errors import InvalidValue, MissingParameter, UnreadableBody
from tests.unit.consumer.support import Answer, RecordingDoor, build, call

PATH = "/consumer/v1/sessions"


async def post(body: object, headers: Mapping[str, str] | None = None, options: ConsumerOptions | None = None) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await call(build(RecordingDoor(), options), "POST", PATH, content, headers)


def kind_of(response: Answer) -> object:
    error = response.json()["error"]
    assert isinstance(error, dict)
    return error["type"]


async def get(path: str, host: str = "127.0.0.1") -> Answer:
    return await call(build(RecordingDoor()), "GET", path, headers={"Host": host})


async def test_a_new_consumer() -> None:
    response = await post({"page_id": "1001", "platform": "instagram", "name": "Ada"})
    assert response.status == 201
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "psid": "3003",
        "access_token": "fresh-token",
        "expires_at": 1_790_000_000,
        "name": "Ada",
        "page": {"id": "1001", "name": "Tea House"},
    }


async def test_a_known_consumer() -> None:
    assert (await post({"page_id": "1001", "psid": "77"})).json()["psid"] == "77"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "UnreadableBody"),
        (b"[]", "UnreadableBody"),
        (b"\xff", "UnreadableBody"),
        (b"{}", "MissingParameter"),
        (b'{"page_id":"me"}', "InvalidValue"),
        (b'{"page_id":"1001","platform":"telegraph"}', "InvalidValue"),
        (b'{"page_id":"1"}', "UnknownObject"),
    ],
)
async def test_a_bad_request(body: bytes, kind: str) -> None:
    response = await post(body)
    assert (response.status, kind_of(response)) == (400, kind)


async def test_a_body_beyond_the_limit() -> None:
    response = await post(b" " * (1024 * 1024 + 1))
    assert (response.status, kind_of(response)) == (413, "BodyTooLarge")


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        (ConsumerOptions(dev_mode=False), {}, 403),
        (ConsumerOptions(dev_mode=False), {"Authorization": "Bearer "}, 403),
        (ConsumerOptions(dev_mode=False, operator_key="k"), {}, 403),
        (ConsumerOptions(dev_mode=False, operator_key="k"), {"Authorization": "Bearer x"}, 403),
        (ConsumerOptions(dev_mode=False, operator_key="k"), {"Authorization": "Basic k"}, 403),
        (ConsumerOptions(dev_mode=False, operator_key="k"), {"Authorization": "bearer k"}, 201),
        (ConsumerOptions(dev_mode=True, operator_key="k"), {}, 201),
    ],
)
async def test_who_may_open_a_session(options: ConsumerOptions, headers: dict[str, str], status: int) -> None:
    response = await post({"page_id": "1001"}, headers, options)
    assert response.status == status
    assert ("error" in response.json()) == (status == 403)


def test_the_operator_key_stays_out_of_sight() -> None:
    assert "hush" not in repr(ConsumerOptions(dev_mode=False, operator_key="hush"))


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", None, 201),
        ("[::1]:8000", None, 201),
        ("127.0.0.1", "http://localhost:3000", 201),
        ("calls.example.org", None, 201),
        ("127.0.0.1", "https://calls.example.org", 201),
        ("evil.example", None, 403),
        ("127.0.0.1", "https://evil.example", 403),
        ("127.0.0.1", "null", 403),
    ],
)
async def test_foreign_hosts_and_origins(host: str, origin: str | None, status: int) -> None:
    options = ConsumerOptions(dev_mode=True, allowed_hosts=frozenset({"calls.example.org"}))
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    assert (await post({"page_id": "1001"}, headers, options)).status == status


async def test_the_guard_stands_before_every_path() -> None:
    assert (await get("/consumer/else", "evil.example")).status == 403
    assert (await get("/consumer/else")).status == 404


async def test_a_plain_get_of_the_websocket_is_told_to_upgrade() -> None:
    response = await get("/consumer/v1")
    assert (response.status, response.headers["upgrade"]) == (426, "websocket")


def test_decode() -> None:
    body = {"page_id": "1", "platform": "whatsapp", "name": "Bo", "psid": "2", "else": 1}
    assert decode(json.dumps(body).encode()) == SessionRequest(page_id="1", platform="whatsapp", name="Bo", psid="2")
    assert decode(b'{"page_id":"1"}') == SessionRequest(page_id="1")


@pytest.mark.parametrize(
    ("member", "value"),
    [("page_id", 1), ("platform", 1), ("name", ""), ("name", "x" * 201), ("psid", "12a"), ("psid", "1" * 33), ("psid", 5)],
)
def test_decode_names_the_bad_member(member: str, value: object) -> None:
    with pytest.raises(InvalidValue) as caught:
        decode(json.dumps({"page_id": "1"} | {member: value}).encode())
    assert caught.value.parameter == member


def test_decode_wants_an_object_with_a_page() -> None:
    with pytest.raises(UnreadableBody):
        decode(b"[" * 100_000)
    with pytest.raises(MissingParameter):
        decode(b'{"name":"Ada"}')
