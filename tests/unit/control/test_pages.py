"""`/_pagecalls/pages` and `/_pagecalls/users`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pagecalls.call.states import CallState
from pagecalls.office import Absent, office
from pagecalls.store.base import Consumer, Hold
from pagecalls.switchboard.registers import InUse
from pagecalls.types import PageId, Platform, Psid
from tests.contract.store_samples import APP, a_call, a_row
from tests.unit.control.support import PAGE, Desk, refused

PAGES = "/_pagecalls/pages"
USERS = "/_pagecalls/users"


async def test_a_page_with_its_flags() -> None:
    desk = Desk()
    made = (await desk.ask("POST", PAGES, {"name": "Book House", "may_call_consumers": False})).json["page"]
    assert made == {
        "id": made["id"],
        "name": "Book House",
        "is_calling_eligible": True,
        "may_call_consumers": False,
        "created_at": int(desk.clock.now()),
    }
    assert len(made["id"]) == 15
    path = f"{PAGES}/{made['id']}"
    changed = {**made, "is_calling_eligible": False}
    assert (await desk.ask("PATCH", path, {"is_calling_eligible": False})).json["page"] == changed
    assert (await desk.ask("GET", path)).json["page"] == changed
    assert (await desk.ask("PATCH", path, {"may_call_consumers": True, "name": "Books"})).json["page"] == {
        **changed,
        "may_call_consumers": True,
        "name": "Books",
    }


async def test_pages_are_listed() -> None:
    desk = Desk()
    await desk.ask("POST", PAGES, {"name": "B", "id": "2"})
    listed = (await desk.ask("GET", PAGES)).json
    assert ([page["id"] for page in listed["data"]], listed["next"]) == ([PAGE.id, "2"], None)
    assert refused(await desk.ask("POST", PAGES, {"name": "B", "id": "2"})) == (409, "conflict")


async def busy_page(state: CallState, hold: Hold) -> Desk:
    """A Page whose only person has a call in that state, with one webhook."""
    desk = Desk()
    record = a_call("c_1", state=state, deadline_at=None)
    on_page = replace(record, call=replace(record.call, page_id=PAGE.id))
    await desk.ask("POST", "/_pagecalls/apps", {"name": "Desk", "id": APP})
    await desk.store.write(lambda tx: tx.put_consumer(Consumer(record.call.psid, PAGE.id, Platform.MESSENGER, "Ada")))
    await desk.store.write(lambda tx: tx.put_call(on_page))
    await desk.store.write(lambda tx: tx.add_outbox([a_row("e", hold=hold)]))
    return desk


@pytest.mark.parametrize(
    ("state", "hold", "words"),
    [
        (CallState.ACTIVE, Hold.DELIVERED, "1 live call"),
        (CallState.COMPLETED, Hold.READY, "1 owed webhook"),
        (CallState.ACTIVE, Hold.READY, "1 live call and 1 owed webhook"),
    ],
)
async def test_a_page_in_use_goes_only_by_force(state: CallState, hold: Hold, words: str) -> None:
    desk = await busy_page(state, hold)
    reply = await desk.ask("DELETE", f"{PAGES}/{PAGE.id}")
    assert refused(reply) == (409, "conflict")
    assert f"has {words}. With force=true" in reply.json["error"]["message"]
    assert desk.presence.alone == []
    assert (await desk.ask("DELETE", f"{PAGES}/{PAGE.id}?force=true")).json == {"success": True}
    assert [page_id for page_id, _ in desk.presence.alone] == [PAGE.id]
    assert await desk.store.read(lambda tx: (tx.page(PAGE.id), tx.consumers(None, ("", ""), 9))) == (None, [])


async def test_an_idle_page_goes_with_all_its_people() -> None:
    desk = Desk()
    for number in range(250):
        person = Consumer(Psid(str(number)), PAGE.id, Platform.MESSENGER, "Ada")
        await desk.store.write(lambda tx, put=person: tx.put_consumer(put))  # type: ignore[misc]
    assert (await desk.ask("DELETE", f"{PAGES}/{PAGE.id}")).json == {"success": True}
    assert len(desk.presence.alone) == 250
    assert await desk.store.read(lambda tx: tx.page(PAGE.id)) is None


async def test_users() -> None:
    desk = Desk()
    ada = (await desk.ask("POST", USERS, {"name": "Ada"})).json["user"]
    assert ada == {"id": ada["id"], "name": "Ada", "created_at": int(desk.clock.now())}
    bob = (await desk.ask("POST", USERS, {"name": "Bob", "id": "2"})).json["user"]
    assert (await desk.ask("GET", f"{USERS}/2")).json["user"] == bob
    assert (await desk.ask("PATCH", f"{USERS}/2", {"name": "Rob"})).json["user"]["name"] == "Rob"
    assert {user["name"] for user in (await desk.ask("GET", USERS)).json["data"]} == {"Ada", "Rob"}
    assert refused(await desk.ask("POST", USERS, {"name": "Twin", "id": "2"})) == (409, "conflict")
    assert (await desk.ask("DELETE", f"{USERS}/2")).json == {"success": True}
    assert refused(await desk.ask("GET", f"{USERS}/2")) == (404, "not_found")


@pytest.mark.parametrize("path", [f"{PAGES}/404", f"{USERS}/404"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_nobody_of_that_id(method: str, path: str) -> None:
    body = {"name": "Any"} if method == "PATCH" else None
    assert refused(await Desk().ask(method, path, body)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", PAGES, {}),
        ("POST", PAGES, {"name": "B", "colour": "red"}),
        ("POST", PAGES, {"name": "B", "id": "b"}),
        ("PATCH", f"{PAGES}/{PAGE.id}", {"is_calling_eligible": "no"}),
        ("POST", USERS, {"name": ""}),
        ("PATCH", f"{USERS}/2", {}),
    ],
)
async def test_bad_input(method: str, path: str, body: object) -> None:
    assert refused(await Desk().ask(method, path, body)) == (400, "bad_request")


async def test_the_page_stays_where_its_call_cannot_be_ended() -> None:
    """Without a server nobody can end a call."""
    desk = await busy_page(CallState.ACTIVE, Hold.DELIVERED)
    without = Absent(desk.store)
    services = office(desk.store, desk.clock, desk.ids, without)
    with pytest.raises(InUse, match="c_1"):
        await services.accounts.delete_page(PageId(PAGE.id), force=True)
    assert await desk.store.read(lambda tx: tx.page(PAGE.id)) is not None
