"""`GET /{page_id}/messenger_call_permissions` (messenger-calling 8.1)."""

from __future__ import annotations

from pagecalls.graph.schemas import permission_body
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.types import Psid


async def read_permission(visit: PageVisit) -> Answer:
    """May this Page call the person?"""
    psid = Psid(visit.params.required_text("psid"))
    return Answer(permission_body(await visit.services.directory.permission(visit.page.id, psid)))
