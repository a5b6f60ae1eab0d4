from __future__ import annotations

import pytest

from tests.unit.control.support import PAGE, Desk, refused

PATH = "/_pagecalls/permissions"
ADA = {"psid": "2002", "page_id": PAGE.id}
REVOKED = {"success": True, **ADA, "was_there": True}


async def test_giving_one() -> None:
    reply = await Desk().ask("POST", PATH, {**ADA, "ttl_s": 60})
    assert reply.status == 200
    assert reply.json == {"success": True, **ADA, "expires_at": 1060}


async def test_taking_it_away() -> None:
    for reply in (
        await Desk().ask("POST", PATH, {**ADA, "ttl_s": 0}),
        await Desk().ask("DELETE", PATH, ADA),
        await Desk().ask("DELETE", f"{PATH}?psid=2002&page_id={PAGE.id}"),
    ):
        assert reply.status == 200
        assert reply.json == REVOKED


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("who", [{**ADA, "page_id": "404"}, {**ADA, "psid": "404"}])
async def test_nobody_of_that_name(method: str, who: dict[str, str]) -> None:
    assert refused(await Desk().ask(method, PATH, {**who, "ttl_s": 60})) == (404, "not_found")


@pytest.mark.parametrize(
    "body", [{}, ADA, {**ADA, "ttl_s": -1}, {**ADA, "ttl_s": 1e12}, {**ADA, "psid": "", "ttl_s": 1}, b"psid=2002"]
)
async def test_bad_grants(body: object) -> None:
    assert refused(await Desk().ask("POST", PATH, body)) == (400, "bad_request")


@pytest.mark.parametrize("target", [PATH, f"{PATH}?psid=2002", f"{PATH}?psid=&page_id=1"])
async def test_bad_revocations(target: str) -> None:
    assert refused(await Desk().ask("DELETE", target)) == (400, "bad_request")
