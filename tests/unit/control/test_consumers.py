"""`/_pagecalls/consumers`."""

from __future__ import annotations

from typing import Any

import pytest

from pagecalls.office import Absent
from pagecalls.store.base import Page
from pagecalls.switchboard.directory import Directory
from pagecalls.types import PageId
from tests.unit.control.support import PAGE, Desk, refused

PEOPLE = "/_pagecalls/consumers"
ADA = f"{PEOPLE}/{PAGE.id}/55"


async def desk_with_ada() -> Desk:
    desk = Desk()
    reply = await desk.ask("POST", PEOPLE, {"page_id": PAGE.id, "psid": "55", "name": "Ada", "platform": "instagram"})
    assert reply.json["consumer"] == {
        "psid": "55",
        "page_id": PAGE.id,
        "platform": "instagram",
        "name": "Ada",
        "created_at": int(desk.clock.now()),
    }
    return desk


async def issued(desk: Desk, **members: object) -> dict[str, Any]:
    token: dict[str, Any] = (await desk.ask("POST", f"{ADA}/tokens", members)).json["token"]
    return token


async def test_a_person_gets_an_id() -> None:
    made = (await Desk().ask("POST", PEOPLE, {"page_id": PAGE.id})).json["consumer"]
    assert (len(made["psid"]), made["platform"], made["name"]) == (16, "messenger", "Consumer")


async def test_a_token_opens_a_device_until_it_ends() -> None:
    desk = await desk_with_ada()
    token = await issued(desk, lifetime_s=60)
    directory = Directory(desk.store, desk.clock, desk.ids, Absent(desk.store))
    device = await directory.device(token["access_token"])
    assert device is not None
    assert (device.psid, device.device_id, device.name) == ("55", token["device_id"], "Ada")
    shown = (await desk.ask("GET", ADA)).json["consumer"]["tokens"]
    assert shown == [{name: value for name, value in token.items() if name != "access_token"}]
    assert (shown[0]["state"], shown[0]["expires_at"] - shown[0]["issued_at"]) == ("good", 60)
    desk.clock.advance(60)
    assert await directory.device(token["access_token"]) is None
    assert (await desk.ask("GET", ADA)).json["consumer"]["tokens"][0]["state"] == "expired"


async def test_a_revoked_token_closes_its_device_and_no_other() -> None:
    desk = await desk_with_ada()
    one, two = await issued(desk), await issued(desk)
    directory = Directory(desk.store, desk.clock, desk.ids, Absent(desk.store))
    gone = (await desk.ask("POST", f"{ADA}/revoke", {"handle": one["handle"]})).json["revoked"]
    assert [(token["handle"], token["state"]) for token in gone] == [(one["handle"], "revoked")]
    assert desk.presence.closed == [one["device_id"]]
    assert await directory.device(one["access_token"]) is None
    assert await directory.device(two["access_token"]) is not None
    await desk.ask("POST", f"{ADA}/revoke")
    assert await directory.device(two["access_token"]) is None
    assert set(desk.presence.closed) == {one["device_id"], two["device_id"]}


async def test_an_erased_person_is_unknown() -> None:
    desk = await desk_with_ada()
    token = await issued(desk)
    assert (await desk.ask("DELETE", ADA)).json == {"success": True}
    assert desk.presence.alone == [(PAGE.id, "55")]
    assert desk.presence.closed == [token["device_id"]]
    assert refused(await desk.ask("GET", ADA)) == (404, "not_found")
    assert await Directory(desk.store, desk.clock, desk.ids, Absent(desk.store)).device(token["access_token"]) is None


async def test_people_are_renamed_and_listed() -> None:
    desk = await desk_with_ada()
    await desk.store.write(lambda tx: tx.put_page(Page(PageId("9"), "Other")))
    await desk.ask("POST", PEOPLE, {"page_id": "9", "psid": "55"})
    await desk.ask("POST", PEOPLE, {"page_id": PAGE.id, "psid": "44"})
    assert (await desk.ask("PATCH", ADA, {"name": "Ada L."})).json["consumer"]["name"] == "Ada L."

    async def names(query: str) -> list[tuple[str, str]]:
        return [(person["page_id"], person["psid"]) for person in (await desk.ask("GET", f"{PEOPLE}?{query}")).json["data"]]

    assert await names("") == [(PAGE.id, "44"), (PAGE.id, "55"), ("9", "55")]
    assert await names("page_id=9") == [("9", "55")]
    first = (await desk.ask("GET", f"{PEOPLE}?limit=1")).json
    assert await names(f"after={first['next']}") == [(PAGE.id, "55"), ("9", "55")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{PEOPLE}/{PAGE.id}/404", None),
        ("GET", f"{PEOPLE}/404/55", None),
        ("GET", f"{PEOPLE}?page_id=404", None),
        ("PATCH", f"{PEOPLE}/{PAGE.id}/404", {"name": "Any"}),
        ("DELETE", f"{PEOPLE}/{PAGE.id}/404", None),
        ("POST", f"{PEOPLE}/{PAGE.id}/404/tokens", {}),
        ("POST", f"{PEOPLE}/{PAGE.id}/404/revoke", {}),
        ("POST", f"{ADA}/revoke", {"handle": "0" * 16}),
        ("POST", PEOPLE, {"page_id": "404"}),
    ],
)
async def test_nobody_of_that_name(method: str, path: str, body: object) -> None:
    desk = await desk_with_ada()
    assert refused(await desk.ask(method, path, body)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", PEOPLE, {}, 400),
        ("POST", PEOPLE, {"page_id": PAGE.id, "platform": "fax"}, 400),
        ("POST", PEOPLE, {"page_id": PAGE.id, "psid": "ada"}, 400),
        ("POST", PEOPLE, {"page_id": PAGE.id, "psid": "55"}, 409),
        ("PATCH", ADA, {}, 400),
        ("POST", f"{ADA}/tokens", {"lifetime_s": -1}, 400),
        ("POST", f"{ADA}/revoke", {"handle": "EAA"}, 400),
        ("GET", f"{PEOPLE}?after=55", None, 400),
    ],
)
async def test_bad_input(method: str, path: str, body: object, status: int) -> None:
    desk = await desk_with_ada()
    assert refused(await desk.ask(method, path, body))[0] == status
