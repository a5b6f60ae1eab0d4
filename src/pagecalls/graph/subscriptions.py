"""Webhook subscriptions at both levels: an app's callback, and its fields on a Page (graph-platform 7.2 and 7.4)."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import urlsplit

from pagecalls.errors import InvalidValue, MissingParameter
from pagecalls.graph.fields import PAGE_FIELDS
from pagecalls.graph.paging import page_of
from pagecalls.graph.params import SHOWN, Params
from pagecalls.graph.schemas import SUCCESS
from pagecalls.graph.selection import Shape
from pagecalls.graph.versions import default_version
from pagecalls.graph.visit import Answer, AppVisit, PageVisit
from pagecalls.http import Json
from pagecalls.store.base import AppSubscription, PageSubscription

_FIELD = re.compile(r"[a-z0-9_]{1,100}")
_URL_LIMIT = 2048
_TOKEN_LIMIT = 2048


SUBSCRIBED_APP = Shape("Application", dict.fromkeys(("id", "name", "link", "category", "subscribed_fields")))
SUBSCRIPTION = Shape(
    "Subscription",
    {
        **dict.fromkeys(("object", "callback_url", "active")),
        "fields": Shape("SubscriptionField", {"name": None, "version": None}),
    },
)


class WebhookObject(StrEnum):
    """The kinds of thing that an app can hear about."""

    PAGE = "page"
    INSTAGRAM = "instagram"
    WHATSAPP = "whatsapp_business_account"
    USER = "user"
    PERMISSIONS = "permissions"


# --- an app's fields on a Page ------------------------------------------------------------------------------------------


async def subscribe_page(visit: PageVisit) -> Answer:
    """Replace the calling app's list. Names outside the platform's list are refused (messenger-calling 7.8)."""
    fields = _required_words(visit.params, "subscribed_fields")
    for index, field in enumerate(fields):
        if field not in PAGE_FIELDS:
            raise InvalidValue(f"subscribed_fields[{index}]", tuple(sorted(PAGE_FIELDS)), field[:SHOWN])
    await visit.services.directory.subscribe_page(PageSubscription(visit.caller.app_id, visit.page.id, fields))
    return Answer(SUCCESS)


async def read_subscribed_apps(visit: PageVisit) -> Answer:
    """The calling app's own entry, or nothing."""
    app = visit.identity.app
    subscription = await visit.services.directory.page_subscription(app.id, visit.page.id)

    def show(each: PageSubscription) -> Json:
        fields: list[Json] = list(each.fields)
        return {"id": app.id, "name": app.name, "link": "", "category": "Business", "subscribed_fields": fields}

    found = [] if subscription is None else [subscription]
    return Answer(page_of(found, lambda each: each.app_id, show, visit.params, visit.url))


async def unsubscribe_page(visit: PageVisit) -> Answer:
    """Drop the calling app from the Page."""
    await visit.services.directory.unsubscribe_page(visit.caller.app_id, visit.page.id)
    return Answer(SUCCESS)


# --- an app's callback --------------------------------------------------------------------------------------------------


async def subscribe_app(visit: AppVisit) -> Answer:
    """Verify the callback, then replace URL and token and add the fields."""
    params = visit.params
    object_ = params.required_choice("object", WebhookObject)
    callback_url = _callback_url(params)
    verify_token = params.required_text("verify_token", _TOKEN_LIMIT)
    fields = _checked_fields(_required_words(params, "fields"))
    # Which values an event has is a matter of `changes[]` (7.5), and no event that is sent here has any.
    params.flag("include_values")
    subscription = AppSubscription(visit.identity.app.id, object_.value, callback_url, verify_token, fields)
    await visit.services.directory.subscribe_app(subscription)
    return Answer(SUCCESS)


async def read_app_subscriptions(visit: AppVisit) -> Answer:
    """Every object with its callback and fields."""
    app = visit.identity.app
    version = default_version(app.default_version).served
    found = await visit.services.directory.app_subscriptions(app.id)
    return Answer(
        page_of(found, lambda each: each.object, lambda each: _entry(each, version), visit.params, visit.url),
    )


async def unsubscribe_app(visit: AppVisit) -> Answer:
    """Drop some fields of an object, a whole object, or everything."""
    object_ = visit.params.choice("object", WebhookObject)
    fields = _checked_fields(visit.params.words("fields") or ())
    await visit.services.directory.unsubscribe_app(visit.identity.app.id, object_.value if object_ else None, fields)
    return Answer(SUCCESS)


def _entry(subscription: AppSubscription, version: str) -> Json:
    fields: list[Json] = [{"name": name, "version": version} for name in subscription.fields]
    return {
        "object": subscription.object,
        "callback_url": subscription.callback_url,
        "active": subscription.is_active,
        "fields": fields,
    }


def _required_words(params: Params, key: str) -> tuple[str, ...]:
    words = params.words(key)
    if not words:
        raise MissingParameter(key)
    return tuple(dict.fromkeys(words))


def _checked_fields(fields: tuple[str, ...]) -> tuple[str, ...]:
    """Any well-formed name is stored, known or not; what is never sent does no harm (graph-platform 7.2)."""
    for index, field in enumerate(fields):
        if _FIELD.fullmatch(field) is None:
            raise InvalidValue(f"fields[{index}]")
    return fields


def _callback_url(params: Params) -> str:
    url = params.required_text("callback_url")
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
    if not is_usable or len(url) > _URL_LIMIT or not url.isprintable() or " " in url:
        raise InvalidValue("callback_url")
    return url
