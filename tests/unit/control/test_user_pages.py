"""`/_pagecalls/users/{id}/pages`."""

from __future__ import annotations

from pagecalls.store.base import PageTask
from pagecalls.types import UserId
from tests.unit.control.support import PAGE, desk_with, refused

APP, USER = "9001", "3001"
PAGES = f"/_pagecalls/users/{USER}/pages"


async def test_a_user_reaches_a_page_and_no_longer() -> None:
    desk = await desk_with(APP, USER)
    every = [task.value for task in PageTask]
    assert (await desk.ask("POST", PAGES, {"page_id": PAGE.id})).json == {"page": {"page_id": PAGE.id, "tasks": every}}
    again = await desk.ask("POST", PAGES, {"page_id": PAGE.id, "tasks": ["MESSAGING", "MANAGE", "MESSAGING"]})
    assert again.json == {"page": {"page_id": PAGE.id, "tasks": ["MESSAGING", "MANAGE"]}}
    assert (await desk.ask("GET", PAGES)).json == {"data": [again.json["page"]], "next": None}
    assert (await desk.ask("DELETE", f"{PAGES}/{PAGE.id}")).json == {"success": True}
    assert refused(await desk.ask("DELETE", f"{PAGES}/{PAGE.id}")) == (404, "not_found")
    assert (await desk.ask("GET", PAGES)).json == {"data": [], "next": None}


async def test_nobody_reaches_nothing() -> None:
    desk = await desk_with(APP, USER)
    assert refused(await desk.ask("GET", "/_pagecalls/users/3002/pages")) == (404, "not_found")
    assert refused(await desk.ask("POST", "/_pagecalls/users/3002/pages", {"page_id": PAGE.id})) == (404, "not_found")
    assert refused(await desk.ask("POST", PAGES, {"page_id": "1002"})) == (404, "not_found")
    assert refused(await desk.ask("POST", PAGES, {"page_id": PAGE.id, "tasks": []})) == (400, "bad_request")
    assert refused(await desk.ask("POST", PAGES, {"page_id": PAGE.id, "tasks": ["RULE"]})) == (400, "bad_request")


async def test_a_page_token_for_a_user_lets_them_reach_the_page() -> None:
    """It would be no good otherwise."""
    desk = await desk_with(APP, USER)
    order = {"kind": "page", "app_id": APP, "page_id": PAGE.id, "user_id": USER}
    assert (await desk.ask("POST", "/_pagecalls/tokens", order)).json["token"]["state"] == "good"
    reached = await desk.store.read(lambda tx: tx.user_page(UserId(USER), PAGE.id))
    assert reached is not None
    assert reached.tasks == tuple(PageTask)
