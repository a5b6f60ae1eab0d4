from __future__ import annotations

import pytest

from tests.unit.control.support import PAGE, Desk, refused


async def test_a_permission() -> None:
    reply = await Desk().ask("POST", "/_pagecalls/permissions", {"psid": "2002", "page_id": PAGE.id, "ttl_s": 60})
    assert reply.status == 200
    assert reply.json == {"success": True, "psid": "2002", "page_id": PAGE.id, "expires_at": 1060}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("permissions", {"psid": "2002", "page_id": "404", "ttl_s": 60}),
        ("permissions", {"psid": "404", "page_id": PAGE.id, "ttl_s": 60}),
    ],
)
async def test_nobody_of_that_name(path: str, body: object) -> None:
    assert refused(await Desk().ask("POST", f"/_pagecalls/{path}", body)) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("permissions", {"psid": "2002", "page_id": PAGE.id}),
        ("permissions", {"psid": "2002", "page_id": PAGE.id, "ttl_s": 0}),
        ("permissions", {"psid": "2002", "page_id": PAGE.id, "ttl_s": -1}),
        ("permissions", {"psid": "2002", "page_id": PAGE.id, "ttl_s": 1e12}),
        ("permissions", {"psid": "", "page_id": PAGE.id, "ttl_s": 1}),
    ],
)
async def test_bad_input(path: str, body: object) -> None:
    assert refused(await Desk().ask("POST", f"/_pagecalls/{path}", body)) == (400, "bad_request")
