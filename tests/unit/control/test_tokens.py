"""`/_pagecalls/tokens`."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.errors import BadToken, TokenFault
from pagecalls.office import Absent
from pagecalls.switchboard.directory import Directory
from tests.unit.control.support import PAGE, Desk, desk_with, refused

TOKENS = "/_pagecalls/tokens"
APP = "777"
USER = "9"


async def issued(desk: Desk, **members: object) -> dict[str, Any]:
    reply = await desk.ask("POST", TOKENS, {"app_id": APP, **members})
    assert reply.status == 200, reply.json
    token: dict[str, Any] = reply.json["token"]
    return token


def directory(desk: Desk) -> Directory:
    return Directory(desk.store, desk.clock, desk.ids, Absent(desk.store))


@pytest.mark.parametrize(
    ("order", "shown", "begins"),
    [
        (
            {"kind": "page", "page_id": PAGE.id},
            {"page_id": PAGE.id, "scopes": ["pages_manage_metadata", "pages_messaging", "pages_show_list"]},
            "EAA",
        ),
        (
            {"kind": "page", "page_id": PAGE.id, "user_id": USER, "scopes": ["pages_messaging"]},
            {"page_id": PAGE.id, "user_id": USER, "scopes": ["pages_messaging"]},
            "EAA",
        ),
        ({"kind": "user", "user_id": USER, "scopes": []}, {"user_id": USER, "scopes": []}, "EAA"),
        ({"kind": "system_user", "page_id": PAGE.id, "scopes": []}, {"page_id": PAGE.id, "scopes": []}, "EAA"),
        ({"kind": "app"}, {"scopes": []}, f"{APP}|"),
    ],
)
async def test_a_token_of_each_kind(order: dict[str, object], shown: dict[str, object], begins: str) -> None:
    desk = await desk_with(APP, USER)
    token = await issued(desk, **order)
    text = token.pop("access_token")
    assert text.startswith(begins)
    assert token == {
        "handle": token["handle"],
        "kind": order["kind"],
        "app_id": APP,
        "page_id": None,
        "user_id": None,
        "state": "good",
        "issued_at": int(desk.clock.now()),
        "expires_at": None,
        **shown,
    }
    bearer = await directory(desk).bearer(text)
    assert (bearer.token.handle, bearer.token.kind, bearer.app.id) == (token["handle"], order["kind"], APP)
    assert (await desk.ask("GET", f"{TOKENS}/{token['handle']}")).json == {"token": token}


async def test_a_token_ends_at_its_time() -> None:
    desk = await desk_with(APP, USER)
    token = await issued(desk, kind="app", lifetime_s=60)
    path = f"{TOKENS}/{token['handle']}"
    desk.clock.advance(61)
    assert (await desk.ask("GET", path)).json["token"]["state"] == "expired"
    with pytest.raises(BadToken, match="expired"):
        await directory(desk).bearer(token["access_token"])
    assert (await desk.ask("PATCH", path, {"lifetime_s": 60})).json["token"]["state"] == "good"
    assert (await directory(desk).bearer(token["access_token"])).app.id == APP


async def test_other_scopes() -> None:
    desk = await desk_with(APP, USER)
    token = await issued(desk, kind="page", page_id=PAGE.id, lifetime_s=60)
    changed = (await desk.ask("PATCH", f"{TOKENS}/{token['handle']}", {"scopes": ["pages_show_list"]})).json["token"]
    assert changed["scopes"] == ["pages_show_list"]
    assert changed["expires_at"] == token["expires_at"]


@pytest.mark.parametrize(
    "reason", [None, "revoked", "app_removed", "checkpoint", "password_changed", "unconfirmed", "role_missing"]
)
async def test_a_token_is_taken_back_with_a_reason(reason: str | None) -> None:
    desk = await desk_with(APP, USER)
    token = await issued(desk, kind="page", page_id=PAGE.id)
    path = f"{TOKENS}/{token['handle']}"
    gone = (await desk.ask("POST", f"{path}/revoke", {} if reason is None else {"reason": reason})).json["token"]
    assert gone["state"] == (reason or "revoked")
    with pytest.raises(BadToken) as refusal:
        await directory(desk).bearer(token["access_token"])
    assert refusal.value.fault is TokenFault(reason or "revoked")
    assert refused(await desk.ask("POST", f"{path}/rotate")) == (400, "bad_request")


async def test_a_rotated_token_has_the_same_rights_and_another_text() -> None:
    desk = await desk_with(APP, USER)
    old = await issued(desk, kind="page", page_id=PAGE.id, scopes=["pages_messaging"], lifetime_s=3600)
    new = (await desk.ask("POST", f"{TOKENS}/{old['handle']}/rotate")).json["token"]
    assert {**new, "handle": "", "access_token": ""} == {**old, "handle": "", "access_token": ""}
    assert (await directory(desk).bearer(new["access_token"])).token.handle == new["handle"]
    with pytest.raises(BadToken, match="revoked"):
        await directory(desk).bearer(old["access_token"])


async def test_a_forgotten_token_is_unknown() -> None:
    desk = await desk_with(APP, USER)
    token = await issued(desk, kind="app")
    assert (await desk.ask("DELETE", f"{TOKENS}/{token['handle']}")).json == {"success": True}
    with pytest.raises(BadToken, match="Cannot parse"):
        await directory(desk).bearer(token["access_token"])


async def test_the_list_is_narrowed_and_goes_on() -> None:
    desk = await desk_with(APP, USER)
    page = await issued(desk, kind="page", page_id=PAGE.id)
    user = await issued(desk, kind="user", user_id=USER)
    app = await issued(desk, kind="app")

    async def handles(query: str) -> list[str]:
        return [token["handle"] for token in (await desk.ask("GET", f"{TOKENS}?{query}")).json["data"]]

    every = sorted(token["handle"] for token in (page, user, app))
    assert await handles("") == every
    assert await handles(f"page_id={PAGE.id}") == [page["handle"]]
    assert await handles(f"user_id={USER}") == [user["handle"]]
    assert await handles("kind=app") == [app["handle"]]
    assert await handles("app_id=404") == []
    first = (await desk.ask("GET", f"{TOKENS}?limit=2")).json
    assert first["next"] == every[1]
    assert await handles(f"after={first['next']}") == every[2:]
    assert page["access_token"] not in (await desk.ask("GET", TOKENS)).content.decode()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"kind": "page"}, "needs a Page"),
        ({"kind": "user"}, "needs a user"),
        ({"kind": "user", "user_id": USER, "page_id": PAGE.id}, "no single Page"),
        ({"kind": "app", "page_id": PAGE.id}, "no Page"),
        ({"kind": "app", "scopes": ["pages_messaging"]}, "no scopes"),
        ({"kind": "robot"}, "robot"),
        ({"kind": "page", "page_id": PAGE.id, "scopes": ["Pages Messaging"]}, "scopes"),
        ({"kind": "app", "lifetime_s": 0}, "lifetime_s"),
        ({"kind": "app", "colour": "red"}, "colour"),
    ],
)
async def test_a_token_that_makes_no_sense(order: dict[str, object], words: str) -> None:
    desk = await desk_with(APP, USER)
    reply = await desk.ask("POST", TOKENS, {"app_id": APP, **order})
    assert refused(reply) == (400, "bad_request")
    assert words in reply.json["error"]["message"]


@pytest.mark.parametrize(
    "order", [{"kind": "app", "app_id": "404"}, {"kind": "page", "page_id": "404"}, {"kind": "user", "user_id": "404"}]
)
async def test_a_token_for_nobody(order: dict[str, object]) -> None:
    desk = await desk_with(APP, USER)
    assert refused(await desk.ask("POST", TOKENS, {"app_id": APP, **order})) == (404, "not_found")


@pytest.mark.parametrize("handle", ["0" * 16, "abc", "x" * 16, "0" * 65])
async def test_no_token_of_that_handle(handle: str) -> None:
    assert refused(await Desk().ask("GET", f"{TOKENS}/{handle}")) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", "?kind=robot", None), ("POST", "/{}/revoke", {"reason": "expired"})]
)
async def test_bad_input(method: str, path: str, body: object) -> None:
    desk = await desk_with(APP, USER)
    token = await issued(desk, kind="app")
    assert refused(await desk.ask(method, TOKENS + path.format(token["handle"]), body)) == (400, "bad_request")
