"""`consumers`: the people of a Page, and their devices' tokens. A person is named by Page and PSID."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused, decode
from pagecalls.control.lists import Id, Lifetime, Name, limit_of, listed, seconds
from pagecalls.http import Json, JsonObject, Response
from pagecalls.store.base import Consumer, ConsumerToken
from pagecalls.switchboard.directory import CONSUMER_TOKEN_S
from pagecalls.types import PageId, Platform, Psid


class NewConsumerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST consumers`."""

    page_id: Id
    name: Name = "Consumer"
    platform: Platform = Platform.MESSENGER
    psid: Id | None = None


class ConsumerChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH consumers/{page_id}/{psid}`."""

    name: Name


class DeviceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST consumers/{page_id}/{psid}/tokens`."""

    lifetime_s: Lifetime = CONSUMER_TOKEN_S


class DeviceRevocation(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST consumers/{page_id}/{psid}/revoke`. Without a handle, all tokens of the person."""

    handle: Annotated[str, Meta(pattern=r"^[0-9a-f]{8,64}\Z")] | None = None


async def read_all(parts: ControlParts, request: ControlRequest) -> Response:
    """A page of the list, of one Page with `page_id`."""
    limit = limit_of(request.query)
    page_id = request.query.get("page_id")
    page, separator, psid = request.query.get("after", ":").partition(":")
    if not separator:
        raise Refused(Refusal.BAD_REQUEST, "after is what the page before gave as next: <page id>:<psid>.")
    people = await parts.office.people.consumers(None if page_id is None else PageId(page_id), (page, psid), limit)
    return listed(people, limit, rendered, lambda person: f"{person.page_id}:{person.psid}")


async def create(parts: ControlParts, request: ControlRequest) -> Response:
    """A new person; a device's token is a further step."""
    asked = decode(request.body, NewConsumerRequest)
    psid = None if asked.psid is None else Psid(asked.psid)
    person = await parts.office.people.create(PageId(asked.page_id), asked.platform, asked.name, psid)
    return Response(200, {"consumer": rendered(person)})


async def read(parts: ControlParts, request: ControlRequest) -> Response:
    """One person with their tokens."""
    person, tokens = await parts.office.people.consumer(*_pair(request))
    return Response(200, {"consumer": {**rendered(person), "tokens": _tokens(parts, tokens)}})


async def change(parts: ControlParts, request: ControlRequest) -> Response:
    """Another name."""
    asked = decode(request.body, ConsumerChange)
    return Response(200, {"consumer": rendered(await parts.office.people.rename(*_pair(request), asked.name))})


async def issue(parts: ControlParts, request: ControlRequest) -> Response:
    """A token for one more device; its text is shown this once."""
    asked = decode(request.body, DeviceRequest)
    new = await parts.office.people.issue(*_pair(request), asked.lifetime_s)
    token: JsonObject = {**_token(new.token, parts.clock.now()), "access_token": new.text}
    return Response(200, {"token": token})


async def revoke(parts: ControlParts, request: ControlRequest) -> Response:
    """Take one token back, or all, and close the devices' sockets."""
    asked = decode(request.body, DeviceRevocation)
    gone = await parts.office.people.revoke(*_pair(request), asked.handle)
    return Response(200, {"revoked": _tokens(parts, gone)})


async def erase(parts: ControlParts, request: ControlRequest) -> Response:
    """Forget the person; a live call is ended."""
    await parts.office.people.erase(*_pair(request))
    return Response(200, {"success": True})


def rendered(person: Consumer) -> JsonObject:
    """A person as this face shows them."""
    return {
        "psid": person.psid,
        "page_id": person.page_id,
        "platform": person.platform.value,
        "name": person.name,
        "created_at": seconds(person.created_at),
    }


def _pair(request: ControlRequest) -> tuple[PageId, Psid]:
    return PageId(request.named["page_id"]), Psid(request.named["psid"])


def _tokens(parts: ControlParts, tokens: list[ConsumerToken]) -> list[Json]:
    return [_token(token, parts.clock.now()) for token in tokens]


def _token(token: ConsumerToken, now: float) -> JsonObject:
    state = "revoked" if token.is_revoked else "expired" if token.expires_at <= now else "good"
    return {
        "handle": token.handle,
        "device_id": token.device_id,
        "state": state,
        "issued_at": seconds(token.issued_at),
        "expires_at": seconds(token.expires_at),
    }
