"""`users`: whom user tokens and system users' tokens stand for."""

from __future__ import annotations

from msgspec import Struct

from pagecalls.control.base import ControlParts, ControlRequest, decode
from pagecalls.control.lists import Id, Name, limit_of, listed, seconds
from pagecalls.http import JsonObject, Response
from pagecalls.store.base import User
from pagecalls.types import UserId


class NewUserRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST users`."""

    name: Name
    id: Id | None = None


class UserChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH users/{id}`."""

    name: Name


async def read_all(parts: ControlParts, request: ControlRequest) -> Response:
    """A page of the list."""
    limit = limit_of(request.query)
    users = await parts.office.accounts.users(request.query.get("after", ""), limit)
    return listed(users, limit, rendered, lambda user: user.id)


async def create(parts: ControlParts, request: ControlRequest) -> Response:
    """A new user."""
    asked = decode(request.body, NewUserRequest)
    user = await parts.office.accounts.create_user(asked.name, None if asked.id is None else UserId(asked.id))
    return Response(200, {"user": rendered(user)})


async def read(parts: ControlParts, request: ControlRequest) -> Response:
    """One user."""
    return Response(200, {"user": rendered(await parts.office.accounts.user(UserId(request.named["id"])))})


async def change(parts: ControlParts, request: ControlRequest) -> Response:
    """Another name."""
    asked = decode(request.body, UserChange)
    return Response(200, {"user": rendered(await parts.office.accounts.rename_user(UserId(request.named["id"]), asked.name))})


async def delete(parts: ControlParts, request: ControlRequest) -> Response:
    """With its tokens."""
    await parts.office.accounts.delete_user(UserId(request.named["id"]))
    return Response(200, {"success": True})


def rendered(user: User) -> JsonObject:
    """A user as this face shows it."""
    return {"id": user.id, "name": user.name, "created_at": seconds(user.created_at)}
