"""The operator's face as an ASGI app: `/_pagecalls/*` and `/metrics`.

Every request must come from home (`HostGuard`), and all but the two probes must bear the admin token.
It never sends a CORS header.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from pagecalls.control import apps, consumers, oauth, pages, tokens, user_pages, users
from pagecalls.control.base import ControlParts, ControlRequest, Handler, Refusal, Refused, refusal_of
from pagecalls.control.call_settings import change_call_settings, read_call_settings
from pagecalls.control.calls import read_call
from pagecalls.control.clock import advance_clock, read_clock
from pagecalls.control.deliveries import list_alerts, list_deliveries, read_delivery, replay_deliveries, try_callback
from pagecalls.control.health import health, ready
from pagecalls.control.journal import read_journal
from pagecalls.control.metrics import metrics_page
from pagecalls.control.permissions import grant_permission, revoke_permission
from pagecalls.errors import BodyTooLarge, Unavailable
from pagecalls.http import ClientGone, Response, header, read_body
from pagecalls.switchboard.registers import OperatorFault

log = logging.getLogger(__name__)

PREFIX = "/_pagecalls"

PROBES: Mapping[str, Handler] = MappingProxyType({f"{PREFIX}/health": health, f"{PREFIX}/ready": ready})
"""Open to load balancers, which hold no token."""

ROUTES: Mapping[str, Mapping[str, Handler]] = MappingProxyType(
    {
        "/metrics": {"GET": metrics_page},
        f"{PREFIX}/metrics": {"GET": metrics_page},
        f"{PREFIX}/clock": {"GET": read_clock},
        f"{PREFIX}/clock/advance": {"POST": advance_clock},
        f"{PREFIX}/apps": {"GET": apps.read_all, "POST": apps.create},
        f"{PREFIX}/apps/{{id}}": {"GET": apps.read, "PATCH": apps.change, "DELETE": apps.delete},
        f"{PREFIX}/apps/{{id}}/rotate": {"POST": apps.rotate},
        f"{PREFIX}/pages": {"GET": pages.read_all, "POST": pages.create},
        f"{PREFIX}/pages/{{id}}": {"GET": pages.read, "PATCH": pages.change, "DELETE": pages.delete},
        f"{PREFIX}/users": {"GET": users.read_all, "POST": users.create},
        f"{PREFIX}/users/{{id}}": {"GET": users.read, "PATCH": users.change, "DELETE": users.delete},
        f"{PREFIX}/users/{{id}}/pages": {"GET": user_pages.read_all, "POST": user_pages.put},
        f"{PREFIX}/users/{{id}}/pages/{{page_id}}": {"DELETE": user_pages.take},
        f"{PREFIX}/oauth/codes": {"POST": oauth.make_code},
        f"{PREFIX}/tokens": {"GET": tokens.read_all, "POST": tokens.create},
        f"{PREFIX}/tokens/{{handle}}": {"GET": tokens.read, "PATCH": tokens.change, "DELETE": tokens.delete},
        f"{PREFIX}/tokens/{{handle}}/rotate": {"POST": tokens.rotate},
        f"{PREFIX}/tokens/{{handle}}/revoke": {"POST": tokens.revoke},
        f"{PREFIX}/consumers": {"GET": consumers.read_all, "POST": consumers.create},
        f"{PREFIX}/consumers/{{page_id}}/{{psid}}": {
            "GET": consumers.read,
            "PATCH": consumers.change,
            "DELETE": consumers.erase,
        },
        f"{PREFIX}/consumers/{{page_id}}/{{psid}}/tokens": {"POST": consumers.issue},
        f"{PREFIX}/consumers/{{page_id}}/{{psid}}/revoke": {"POST": consumers.revoke},
        f"{PREFIX}/permissions": {"POST": grant_permission, "DELETE": revoke_permission},
        f"{PREFIX}/journal": {"GET": read_journal},
        f"{PREFIX}/calls/{{id}}": {"GET": read_call},
        f"{PREFIX}/pages/{{id}}/call_settings": {"GET": read_call_settings, "POST": change_call_settings},
        f"{PREFIX}/deliveries": {"GET": list_deliveries},
        f"{PREFIX}/deliveries/replay": {"POST": replay_deliveries},
        f"{PREFIX}/deliveries/test": {"POST": try_callback},
        f"{PREFIX}/deliveries/{{id}}": {"GET": read_delivery},
        f"{PREFIX}/alerts": {"GET": list_alerts},
    }
)


def build_control(parts: ControlParts) -> ASGIApp:
    """The operator's face."""
    return ControlApp(parts)


class ControlApp:
    """See `build_control`."""

    def __init__(self, parts: ControlParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. Other kinds of connection are closed."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            response = await self._respond(scope, receive)
        except ClientGone:
            return
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        try:
            handler, named = self._find(scope, scope["path"].rstrip("/"))
            request = ControlRequest(_query(scope), await read_body(receive, scope=scope), receive, named)
            return await handler(self._parts, request)
        except Refused as refused:
            return refused.response
        except OperatorFault as fault:
            return refusal_of(fault).response
        except BodyTooLarge as error:
            return Refused(Refusal.TOO_LARGE, str(error)).response
        except Unavailable as error:
            return Refused(Refusal.UNAVAILABLE, str(error)).response
        except ClientGone:
            raise
        except Exception:
            log.exception("unexpected fault on %s", scope["path"])
            return Refused(Refusal.INTERNAL, "Something went wrong; the log has it.").response

    def _find(self, scope: Scope, path: str) -> tuple[Handler, dict[str, str]]:
        """Host, path, token, verb. A stranger does not learn which paths exist."""
        method: str = scope["method"]
        probe = PROBES.get(path)
        hosts = self._parts.hosts
        if not (hosts.admits_probe(scope) if probe else hosts.admits(scope)):
            raise Refused(Refusal.FOREIGN_HOST, "The Host or Origin of this request is not one of this server's names.")
        if probe is None:
            self._check_token(scope)
        verbs, named = ({"GET": probe, "HEAD": probe}, {}) if probe else _route(path)
        if verbs is None:
            raise Refused(Refusal.NOT_FOUND, f"There is no {path}.")
        if method not in verbs:
            raise Refused(Refusal.METHOD_NOT_ALLOWED, f"{path} takes {', '.join(verbs)}.")
        return verbs[method], named

    def _check_token(self, scope: Scope) -> None:
        scheme, _, given = (header(scope, "authorization") or "").partition(" ")
        expected = self._parts.admin_token
        is_equal = hmac.compare_digest(expected.encode(), given.strip().encode())
        if not expected or scheme.lower() != "bearer" or not is_equal:
            raise Refused(Refusal.UNAUTHORIZED, "The admin token is needed: Authorization: Bearer <token>.")


def _route(path: str) -> tuple[Mapping[str, Handler] | None, dict[str, str]]:
    """The verbs of the path, if `ROUTES` has it, and what stands in the places of its names."""
    if path in ROUTES:
        return ROUTES[path], {}
    parts = path.split("/")
    for route, verbs in ROUTES.items():
        names = route.split("/")
        pairs = list(zip(names, parts, strict=False))
        if len(names) == len(parts) and all(name == part or (_is_named(name) and part) for name, part in pairs):
            return verbs, {name[1:-1]: part for name, part in pairs if _is_named(name)}
    return None, {}


def _is_named(part: str) -> bool:
    return part.startswith("{") and part.endswith("}")


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True))
