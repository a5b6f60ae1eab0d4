"""`/_pagecalls/apps`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from pagecalls.store.base import Consumer, Transaction
from pagecalls.switchboard.accounts import SLICE
from pagecalls.switchboard.credentials import digest
from pagecalls.types import AppId, Platform
from tests.contract.store_samples import a_call, a_row, ready_rows
from tests.unit.control.support import PAGE, Desk, refused

APPS = "/_pagecalls/apps"
T = TypeVar("T")


async def test_an_app_with_full_rights_on_a_page() -> None:
    """Members that it does not know are passed over, as in the first version."""
    desk = Desk()
    reply = await desk.ask("POST", APPS, {"name": "Shop", "page_id": PAGE.id, "colour": "red"})
    assert reply.status == 200
    assert reply.json["page"].keys() == {"id", "access_token"}
    assert reply.json["page"]["id"] == PAGE.id
    app_id, text = reply.json["app"]["id"], reply.json["page"]["access_token"]
    shown = {name: value for name, value in reply.json["app"].items() if name != "secret"}
    assert (await desk.ask("GET", f"{APPS}/{app_id}")).json == {"app": shown}
    app = await desk.store.read(lambda tx: tx.app(AppId(app_id)))
    assert app is not None
    assert (app.name, app.secret) == ("Shop", reply.json["app"]["secret"])
    token = await desk.store.read(lambda tx: tx.token(digest(text)))
    assert token is not None
    assert (token.app_id, token.page_id, "pages_messaging" in token.scopes) == (app_id, PAGE.id, True)


async def test_an_app_alone() -> None:
    desk = Desk()
    reply = await desk.ask("POST", APPS, {"name": "Desk", "id": "777", "default_version": "v25.0", "require_proof": True})
    assert reply.json.keys() == {"app", "page"}
    assert reply.json["page"] is None
    app = reply.json["app"]
    secret = app.pop("secret")
    assert len(secret) == 32
    assert app == {
        "id": "777",
        "name": "Desk",
        "default_version": "v25.0",
        "require_proof": True,
        "created_at": int(desk.clock.now()),
    }
    assert (await desk.ask("GET", f"{APPS}/777")).json == {"app": app}
    assert refused(await desk.ask("POST", APPS, {"name": "Twin", "id": "777"})) == (409, "conflict")


async def test_a_change_leaves_what_it_does_not_name() -> None:
    desk = Desk()
    made = (await desk.ask("POST", APPS, {"name": "Desk", "require_proof": True})).json["app"]
    path = f"{APPS}/{made['id']}"
    assert (await desk.ask("PATCH", path, {"name": "Front desk"})).json["app"] == {
        **{name: value for name, value in made.items() if name != "secret"},
        "name": "Front desk",
    }
    assert (await desk.ask("PATCH", path, {"require_proof": False})).json["app"]["require_proof"] is False
    assert (await desk.ask("GET", path)).json["app"]["name"] == "Front desk"


async def test_a_rotated_secret_is_another_and_shown_once() -> None:
    desk = Desk()
    made = (await desk.ask("POST", APPS, {"name": "Desk"})).json["app"]
    turned = (await desk.ask("POST", f"{APPS}/{made['id']}/rotate")).json["app"]
    assert turned == {**made, "secret": turned["secret"]}
    assert turned["secret"] != made["secret"]
    assert "secret" not in (await desk.ask("GET", f"{APPS}/{made['id']}")).json["app"]
    assert turned["secret"] not in (await desk.ask("GET", APPS)).content.decode()


async def test_the_list_goes_on_where_it_ended() -> None:
    desk = Desk()
    for app_id in ("3", "1", "2"):
        await desk.ask("POST", APPS, {"name": f"App {app_id}", "id": app_id})
    first = (await desk.ask("GET", f"{APPS}?limit=2")).json
    assert ([app["id"] for app in first["data"]], first["next"]) == (["1", "2"], "2")
    rest = (await desk.ask("GET", f"{APPS}?limit=2&after={first['next']}")).json
    assert ([app["id"] for app in rest["data"]], rest["next"]) == (["3"], None)


async def test_an_app_that_is_owed_webhooks_goes_only_by_force() -> None:
    desk = Desk()
    await desk.ask("POST", APPS, {"name": "Desk", "id": "777"})
    await desk.store.write(lambda tx: tx.add_outbox([a_row("e", app_id=AppId("777"))]))
    reply = await desk.ask("DELETE", f"{APPS}/777")
    assert refused(reply) == (409, "conflict")
    assert "owed 1 webhook" in reply.json["error"]["message"]
    assert "force=true" in reply.json["error"]["message"]
    assert (await desk.ask("DELETE", f"{APPS}/777?force=true")).json == {"success": True}
    assert refused(await desk.ask("GET", f"{APPS}/777")) == (404, "not_found")
    assert await desk.store.read(ready_rows) == []


async def test_an_app_goes_in_portions_so_that_no_call_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    await desk.ask("POST", APPS, {"name": "Desk", "id": "777"})
    rows = [a_row(f"e{number}", app_id=AppId("777")) for number in range(2 * SLICE + 50)]

    def work(tx: Transaction) -> None:
        for row_id in tx.add_outbox(rows):
            tx.outbox_delivered(row_id, 1.0)

    await desk.store.write(work)
    left, write = [len(rows)], desk.store.write

    async def counted(work: Callable[[Transaction], T]) -> T:
        result = await write(work)
        left.append(len(await desk.store.read(lambda tx: tx.outbox_entries(AppId("777"), None, 2**62, 9999))))
        return result

    monkeypatch.setattr(desk.store, "write", counted)
    assert (await desk.ask("DELETE", f"{APPS}/777")).status == 200
    assert left == [250, 150, 50, 0, 0]


async def test_an_app_with_a_live_call_stays() -> None:
    desk = Desk()
    await desk.ask("POST", APPS, {"name": "Desk", "id": "777"})
    record = a_call("c_1")
    owned = replace(record, call=replace(record.call, page_id=PAGE.id, owner=AppId("777")))
    await desk.store.write(lambda tx: tx.put_consumer(Consumer(record.call.psid, PAGE.id, Platform.MESSENGER, "Ada")))
    await desk.store.write(lambda tx: tx.put_call(owned))
    reply = await desk.ask("DELETE", f"{APPS}/777?force=true")
    assert refused(reply) == (409, "conflict")
    assert "1 live call" in reply.json["error"]["message"]
    assert (await desk.ask("GET", f"{APPS}/777")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {}),
        ("POST", "", {"name": ""}),
        ("POST", "", {"name": "x" * 201}),
        ("POST", "", {"name": "Shop", "page_id": 1001}),
        ("POST", "", {"name": "Shop", "id": "seven"}),
        ("POST", "", {"name": "Shop", "id": "7", "page_id": PAGE.id}),
        ("POST", "", {"name": "Shop", "default_version": "v99.0"}),
        ("POST", "", b"name=Shop"),
        ("PATCH", "/777", {"colour": "red"}),
        ("PATCH", "/777", {"default_version": "26"}),
        ("DELETE", "/777?force=perhaps", None),
        ("GET", "?limit=0", None),
        ("GET", "?limit=1001", None),
        ("GET", "?limit=many", None),
    ],
)
async def test_bad_input(method: str, path: str, body: object) -> None:
    desk = Desk()
    await desk.ask("POST", APPS, {"name": "Desk", "id": "777"})
    assert refused(await desk.ask(method, f"{APPS}{path}", body)) == (400, "bad_request")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/404", None),
        ("PATCH", "/404", {"name": "Shop"}),
        ("POST", "/404/rotate", None),
        ("DELETE", "/404", None),
        ("POST", "", {"name": "Shop", "page_id": "404"}),
    ],
)
async def test_nobody_of_that_id(method: str, path: str, body: object) -> None:
    assert refused(await Desk().ask(method, f"{APPS}{path}", body)) == (404, "not_found")
