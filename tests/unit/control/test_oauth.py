"""`/_pagecalls/oauth/codes`."""

from __future__ import annotations

import pytest

from pagecalls.switchboard.credentials import digest
from pagecalls.switchboard.directory import PAGE_SCOPES
from tests.unit.control.support import PAGE, desk_with, refused

CODES = "/_pagecalls/oauth/codes"
APP, USER = "9001", "3001"
PAGES = f"/_pagecalls/users/{USER}/pages"


async def test_a_code() -> None:
    desk = await desk_with(APP, USER)
    now = desk.clock.now()
    reply = await desk.ask("POST", CODES, {"app_id": APP, "user_id": USER})
    assert (reply.status, reply.json["expires_at"]) == (200, int(now + 600))
    kept = await desk.store.read(lambda tx: tx.oauth_code(digest(reply.json["code"])))
    assert kept is not None
    assert (kept.app_id, kept.user_id, kept.scopes, kept.redirect_uri, kept.is_used) == (APP, USER, PAGE_SCOPES, None, False)
    assert (await desk.ask("GET", PAGES)).json["data"] == []

    whole = {"scopes": ["pages_messaging"], "page_id": PAGE.id, "redirect_uri": "https://desk.example/", "lifetime_s": 60}
    reply = await desk.ask("POST", CODES, {"app_id": APP, "user_id": USER, **whole})
    kept = await desk.store.read(lambda tx: tx.oauth_code(digest(reply.json["code"])))
    assert kept is not None
    assert (kept.scopes, kept.redirect_uri, kept.expires_at) == (
        frozenset({"pages_messaging"}),
        "https://desk.example/",
        now + 60,
    )
    assert [each["page_id"] for each in (await desk.ask("GET", PAGES)).json["data"]] == [PAGE.id]


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": USER},
        {"app_id": APP},
        {"app_id": APP, "user_id": USER, "lifetime_s": 0},
        {"app_id": APP, "user_id": USER, "lifetime_s": 86_401},
        {"app_id": APP, "user_id": USER, "scopes": ["pages messaging"]},
        {"app_id": APP, "user_id": USER, "scopes": "pages_messaging"},
        {"app_id": APP, "user_id": USER, "colour": "blue"},
    ],
)
async def test_a_code_that_makes_no_sense(body: object) -> None:
    assert refused(await (await desk_with(APP, USER)).ask("POST", CODES, body)) == (400, "bad_request")


@pytest.mark.parametrize("unknown", [{"app_id": "404"}, {"user_id": "404"}, {"page_id": "404"}])
async def test_a_code_for_nobody(unknown: dict[str, str]) -> None:
    reply = await (await desk_with(APP, USER)).ask("POST", CODES, {"app_id": APP, "user_id": USER, **unknown})
    assert refused(reply) == (404, "not_found")
    assert "404" in reply.json["error"]["message"]
