"""`GET /{page_id}` and `GET /me`: the Page itself (messenger-calling 1, graph-platform 3.4)."""

from __future__ import annotations

from pagecalls.errors import UnknownField
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.http import Json

_DEFAULT_FIELDS = ("name",)


async def read_page(visit: PageVisit) -> Answer:
    """The members named by `fields`; `id` always, `access_token` is the caller's own."""
    members: dict[str, Json] = {
        "id": visit.page.id,
        "name": visit.page.name,
        "access_token": visit.identity.text,
        "is_calling_eligible": visit.page.is_calling_eligible,
    }
    wanted = visit.params.words("fields") or _DEFAULT_FIELDS
    for field in wanted:
        if field not in members:
            raise UnknownField(field[:80], "Page")
    return Answer({name: members[name] for name in ("id", *wanted)})
