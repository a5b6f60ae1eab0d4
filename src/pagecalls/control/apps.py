"""`apps`: integrations. A secret is shown at creation and rotation, and never again."""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from pagecalls.control.base import ControlParts, ControlRequest, Refusal, Refused, decode
from pagecalls.control.lists import Id, Name, is_forced, limit_of, listed, seconds
from pagecalls.http import JsonObject, Response
from pagecalls.store.base import App
from pagecalls.types import AppId, PageId


class NewAppRequest(Struct, frozen=True):
    """Body of `POST apps`. With `page_id` the app gets full rights on that Page, and a token for it."""

    name: Name
    page_id: Name | None = None
    id: Id | None = None
    default_version: str | None = None
    require_proof: bool = False


class AppChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH apps/{id}`. What is absent or null stays."""

    name: Name | None = None
    default_version: str | None = None
    require_proof: bool | None = None


async def read_all(parts: ControlParts, request: ControlRequest) -> Response:
    """A page of the list."""
    limit = limit_of(request.query)
    apps = await parts.office.accounts.apps(request.query.get("after", ""), limit)
    return listed(apps, limit, rendered, lambda app: app.id)


async def create(parts: ControlParts, request: ControlRequest) -> Response:
    """A new app, and the Page with the token for it, null without `page_id`. Secret and token are shown this once."""
    asked = decode(request.body, NewAppRequest)
    change = AppChange(default_version=asked.default_version, require_proof=asked.require_proof or None)
    _check(parts, change)
    accounts = parts.office.accounts
    if asked.page_id is None:
        own_id = None if asked.id is None else AppId(asked.id)
        app = await accounts.create_app(asked.name, own_id, lambda fresh: _changed(fresh, change))
        return _shown(app, None)
    if asked.id is not None:
        raise Refused(Refusal.BAD_REQUEST, "An id of your own does not go with page_id; make the token in a second step.")
    new = await accounts.create_app_on_page(asked.name, PageId(asked.page_id), lambda fresh: _changed(fresh, change))
    return _shown(new.app, {"id": new.page.id, "access_token": new.access_token})


async def read(parts: ControlParts, request: ControlRequest) -> Response:
    """One app, without its secret."""
    return Response(200, {"app": rendered(await parts.office.accounts.app(AppId(request.named["id"])))})


async def change(parts: ControlParts, request: ControlRequest) -> Response:
    """Name, default version, whether proofs are demanded."""
    asked = decode(request.body, AppChange)
    _check(parts, asked)
    app = await parts.office.accounts.change_app(AppId(request.named["id"]), lambda old: _changed(old, asked))
    return Response(200, {"app": rendered(app)})


async def rotate(parts: ControlParts, request: ControlRequest) -> Response:
    """A new secret, shown this once."""
    app = await parts.office.accounts.rotate_secret(AppId(request.named["id"]))
    return Response(200, {"app": {**rendered(app), "secret": app.secret}})


async def delete(parts: ControlParts, request: ControlRequest) -> Response:
    """With its tokens, subscriptions and webhooks."""
    await parts.office.accounts.delete_app(AppId(request.named["id"]), is_forced(request.query))
    return Response(200, {"success": True})


def rendered(app: App) -> JsonObject:
    """An app as this face shows it."""
    return {
        "id": app.id,
        "name": app.name,
        "default_version": app.default_version,
        "require_proof": app.require_proof,
        "created_at": seconds(app.created_at),
    }


def _shown(app: App, page: JsonObject | None) -> Response:
    return Response(200, {"app": {**rendered(app), "secret": app.secret}, "page": page})


def _check(parts: ControlParts, change: AppChange) -> None:
    version = change.default_version
    if version is not None and version not in parts.office.versions:
        raise Refused(Refusal.BAD_REQUEST, f"default_version is one of {', '.join(sorted(parts.office.versions))}.")


def _changed(app: App, change: AppChange) -> App:
    return replace(
        app,
        name=app.name if change.name is None else change.name,
        default_version=app.default_version if change.default_version is None else change.default_version,
        require_proof=app.require_proof if change.require_proof is None else change.require_proof,
    )
