"""`GET /{page_id}` and `GET /me`: the Page itself, and edges on the way (messenger-calling 1, graph-platform 3.3 and 3.4)."""

from __future__ import annotations

from pagecalls.errors import UnknownField
from pagecalls.graph.selection import Field, fields_of, modifier_params
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.http import Json
from pagecalls.store.base import TokenKind

NODE_TYPE = "Page"
_DEFAULT_FIELDS = (Field("name"),)


async def read_page(visit: PageVisit) -> Answer:
    """The members and edges named by `fields`; `id` always. `access_token` is the caller's own, or the one that a user gets."""
    plain: dict[str, Json] = {
        "id": visit.page.id,
        "name": visit.page.name,
        "is_calling_eligible": visit.page.is_calling_eligible,
    }
    found: dict[str, Json] = {"id": visit.page.id}
    for wanted in fields_of(visit.params) or _DEFAULT_FIELDS:
        if wanted.name == "access_token":
            plain[wanted.name] = await _access_token(visit)
        if wanted.name not in plain:
            found[wanted.name] = await _edge(visit, wanted)
        elif wanted.inner:
            raise UnknownField(wanted.inner[0].name[:80], wanted.name)
        else:
            found[wanted.name] = plain[wanted.name]
    return Answer(found)


async def _access_token(visit: PageVisit) -> str:
    token, users = visit.identity.token, visit.services.users
    if token.kind is TokenKind.PAGE or not await users.reaches(token, visit.page.id):
        return visit.identity.text
    return await users.page_token(token, visit.page.id)


async def _edge(visit: PageVisit, wanted: Field) -> Json:
    answer = await visit.read_edge(wanted.name, modifier_params(wanted))
    if answer is None:
        raise UnknownField(wanted.name[:80], NODE_TYPE)
    return answer
