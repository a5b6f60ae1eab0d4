"""A typed client for `POST /{page_id}/calls` and its neighbours, for a server of this project and for the platform's own host.

    with Client(token, base_url="http://127.0.0.1:8080") as client:
        accepted = client.accept(call_id, offer)

`Client` blocks and needs the standard library alone; `AsyncClient` is the same for asyncio, over aiohttp. Errors are a tree,
drawn in `errors.py`. Events of a webhook are read by `pagecalls.client.webhooks`. Nothing here knows the server; docs/client.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pagecalls.client.errors import AuthError, CallError, CallOverError, ClientError, Collision, GraphError, TransportError
from pagecalls.client.grants import Account, Accounts, IssuedToken, TokenFacts, User
from pagecalls.client.messages import Button, ButtonTemplate, CallButton, CallingOptin, CallPrompt, Element, GenericTemplate
from pagecalls.client.reports import FeatureRequest, MetricsRequest
from pagecalls.client.requests import (
    AcceptRequest,
    AnyRequest,
    CallSettingsRequest,
    ConnectRequest,
    MediaUpdateRequest,
    MessageRequest,
    PermissionRequest,
    RejectRequest,
    Request,
    SetCallSettingsRequest,
    TerminateRequest,
)
from pagecalls.client.results import (
    Accepted,
    Connected,
    Ended,
    Feature,
    Features,
    MediaUpdated,
    Permission,
    Reported,
    Result,
    Sent,
    SettingsStored,
)
from pagecalls.client.settings import ALWAYS_OPEN, AlwaysOpen, CallSettings
from pagecalls.client.sync import Client
from pagecalls.client.tokens import (
    AccountsRequest,
    AppProof,
    AppTokenRequest,
    CodeRequest,
    ExchangeRequest,
    InspectRequest,
    UserRequest,
)
from pagecalls.types import (
    CallHours,
    Day,
    Direction,
    OpenHours,
    Platform,
    RingTarget,
    SdpType,
    Session,
    Track,
    TrackLabel,
    TrackStatus,
)

if TYPE_CHECKING:
    from pagecalls.client.aio import AsyncClient

__all__ = [
    "ALWAYS_OPEN",
    "AcceptRequest",
    "Accepted",
    "Account",
    "Accounts",
    "AccountsRequest",
    "AlwaysOpen",
    "AnyRequest",
    "AppProof",
    "AppTokenRequest",
    "AsyncClient",
    "AuthError",
    "Button",
    "ButtonTemplate",
    "CallButton",
    "CallError",
    "CallHours",
    "CallOverError",
    "CallPrompt",
    "CallSettings",
    "CallSettingsRequest",
    "CallingOptin",
    "Client",
    "ClientError",
    "CodeRequest",
    "Collision",
    "ConnectRequest",
    "Connected",
    "Day",
    "Direction",
    "Element",
    "Ended",
    "ExchangeRequest",
    "Feature",
    "FeatureRequest",
    "Features",
    "GenericTemplate",
    "GraphError",
    "InspectRequest",
    "IssuedToken",
    "MediaUpdateRequest",
    "MediaUpdated",
    "MessageRequest",
    "MetricsRequest",
    "OpenHours",
    "Permission",
    "PermissionRequest",
    "Platform",
    "RejectRequest",
    "Reported",
    "Request",
    "Result",
    "RingTarget",
    "SdpType",
    "Sent",
    "Session",
    "SetCallSettingsRequest",
    "SettingsStored",
    "TerminateRequest",
    "TokenFacts",
    "Track",
    "TrackLabel",
    "TrackStatus",
    "TransportError",
    "User",
    "UserRequest",
]


def __getattr__(name: str) -> object:
    """`AsyncClient` on first use: who wants the blocking client does not load aiohttp."""
    if name == "AsyncClient":
        from pagecalls.client.aio import AsyncClient

        return AsyncClient
    raise AttributeError(name)
