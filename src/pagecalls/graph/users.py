"""A user's own node and the Pages that they reach: `GET /me`, `GET /{user_id}` and their edge `accounts` (graph-platform 1).

`accounts` is the usual way to a Page token. Only the user's own token sees the node.
"""

from __future__ import annotations

from pagecalls.errors import UnknownField
from pagecalls.graph.auth import Scope, need_scope
from pagecalls.graph.paging import page_of
from pagecalls.graph.params import Params
from pagecalls.graph.selection import Field, Shape, fields_of, modifier_params, select_answer
from pagecalls.graph.visit import Answer, UserVisit
from pagecalls.http import Json, JsonObject
from pagecalls.switchboard.user_tokens import ReachedPage

NODE_TYPE = "User"
ACCOUNTS = "accounts"
ACCOUNT = Shape("Page", dict.fromkeys(("access_token", "id", "is_calling_eligible", "name", "tasks")))
_DEFAULT_FIELDS = (Field("name"),)
_ACCOUNT_FIELDS = tuple(Field(name) for name in ("access_token", "name", "tasks"))


async def read_user(visit: UserVisit) -> Answer:
    """The members and edges named by `fields`; `id` always."""
    plain: dict[str, Json] = {"id": visit.user.id, "name": visit.user.name}
    found: JsonObject = {"id": visit.user.id}
    for wanted in fields_of(visit.params) or _DEFAULT_FIELDS:
        if wanted.name == ACCOUNTS:
            found[wanted.name] = await _accounts(visit, modifier_params(wanted), f"{visit.node_url}/{ACCOUNTS}")
        elif wanted.name not in plain:
            raise UnknownField(wanted.name[:80], NODE_TYPE)
        elif wanted.inner:
            raise UnknownField(wanted.inner[0].name[:80], wanted.name)
        else:
            found[wanted.name] = plain[wanted.name]
    return Answer(found)


async def read_accounts(visit: UserVisit) -> Answer:
    """Every Page that the user reaches, with a Page token for the asking app."""
    return Answer(await _accounts(visit, visit.params, visit.url))


async def _accounts(visit: UserVisit, params: Params, url: str) -> JsonObject:
    need_scope(visit.identity, Scope.SHOW_LIST)
    pages = await visit.services.users.reached(visit.identity.token)
    answer = page_of(pages, lambda each: each.page.id, _entry, params, url)
    return select_answer(answer, fields_of(params) or _ACCOUNT_FIELDS, ACCOUNT)


def _entry(reached: ReachedPage) -> Json:
    tasks: list[Json] = [task.value for task in reached.tasks]
    return {
        "access_token": reached.access_token,
        "name": reached.page.name,
        "id": reached.page.id,
        "is_calling_eligible": reached.page.is_calling_eligible,
        "tasks": tasks,
    }
