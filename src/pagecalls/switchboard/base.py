"""What the faces ask of the switchboard, and what they hand in.

A face decodes, asks one method here and encodes the answer. It never sees the store, the engine or the outbox. Errors are those
of `pagecalls.errors`; a face turns them into its own envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pagecalls.call.messages import Button
from pagecalls.call.states import EndReason
from pagecalls.call.versions import Advance
from pagecalls.sdp.tracks import MAX_TRACKS as MAX_TRACKS
from pagecalls.types import AppId, CallId, DeviceId, MessageId, PageId, Platform, Psid, Session, Track
from pagecalls.webhooks.base import Outcome as Outcome
from pagecalls.webhooks.base import Trial as Trial

Release = Callable[[], None]
"""Called once, when the response has been handed to the socket or the client is gone (ruling 18). Never raises, never blocks."""


class CallbackVerifier(Protocol):
    """The verification handshake of a callback URL (graph-platform 7.3)."""

    async def verify(self, url: str, verify_token: str) -> None:
        """Raises `CallbackUnverified`."""
        ...


class CallbackTester(Protocol):
    """Tries a callback out."""

    async def try_out(self, url: str, verify_token: str, headers: Mapping[str, str], body: bytes) -> Trial:
        """One verification, and one request with these headers and bytes."""
        ...


class Wakeable(Protocol):
    """Whoever delivers the outbox: told that there may be something to do."""

    def wake(self) -> None:
        """Look again."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts on a Page: an app with a token that was accepted for that Page."""

    app_id: AppId
    page_id: PageId


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """`connect` (messenger-calling 2.2). `platform` `None`: that of the consumer in `to`."""

    to: Psid
    session: Session | None
    tracks: tuple[Track, ...] = ()
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """`accept` (2.3)."""

    call_id: CallId
    session: Session | None
    tracks: tuple[Track, ...] = ()
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class EndRequest:
    """`reject` and `terminate` (2.4, 2.5)."""

    call_id: CallId
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class MediaUpdateRequest:
    """`media_update` (2.6), of an app or of a device. Without `session`, `tracks` and `enabled` there was a `session` without
    SDP.

    `enabled` is the old list: msids of the tracks that are to be enabled, all others disabled. `advance` `None`: no versions.
    """

    call_id: CallId
    session: Session | None
    tracks: tuple[Track, ...] | None = None
    enabled: tuple[str, ...] | None = None
    advance: Advance | None = None
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class CallReply:
    """The facts of a success body (2.1). `answer` and `renegotiation` are SDP texts with CRLF line ends.

    `is_collision`: nothing was done, because the caller has not seen `version` yet (4.3).
    """

    call_id: CallId
    answer: str | None = None
    renegotiation: str | None = None
    version: int | None = None
    is_collision: bool = False
    release: Release = lambda: None


class BusinessDoor(Protocol):
    """The five actions of `POST /{page_id}/calls`, from a Page edge that has been authenticated."""

    async def connect(self, caller: Caller, request: ConnectRequest) -> CallReply: ...
    async def accept(self, caller: Caller, request: AcceptRequest) -> CallReply: ...
    async def reject(self, caller: Caller, request: EndRequest) -> CallReply: ...
    async def terminate(self, caller: Caller, request: EndRequest) -> CallReply: ...
    async def media_update(self, caller: Caller, request: MediaUpdateRequest) -> CallReply: ...


TOKEN_GONE = 4003
"""Close code of a device's socket whose token is no longer good."""

# --- the consumer's side ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """A consumer's device: who its token says it is."""

    device_id: DeviceId
    psid: Psid
    page_id: PageId
    platform: Platform
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """`call.ended`. `duration_s` only for calls that connected."""

    call_id: CallId
    reason: EndReason
    is_failed: bool
    duration_s: int | None


class DeviceLine(Protocol):
    """The way to one connected device; `consumer/endpoint.py` implements it. No method blocks or raises: a dead socket drops
    silently. What waits for a device that can see it, messages, requests and ends of calls, comes back as `False` then.

    `released` of a notification with an offer is called once the frame was handed to the socket (messenger-calling 6.6, 3).
    """

    def incoming(self, call_id: CallId, page_id: PageId, page_name: str, video: bool) -> None: ...
    def ringing(self, call_id: CallId) -> None: ...
    def accepted(self, call_id: CallId, renegotiation: str | None, version: int, released: Release) -> None: ...
    def connected(self, call_id: CallId, connected_at: float) -> None: ...
    def ended(self, ended: Ended) -> bool: ...
    def media_update(
        self, call_id: CallId, renegotiation: str, version: int, tracks: Sequence[Track], released: Release
    ) -> None: ...
    def resumed(
        self, call_id: CallId, state: str, renegotiation: str | None, version: int, tracks: Sequence[Track], released: Release
    ) -> None: ...
    def permission_request(self, request_id: MessageId, page_id: PageId, page_name: str, expires_at: float) -> bool: ...
    def message(self, message_id: MessageId, page_id: PageId, text: str | None, buttons: Sequence[Button]) -> bool: ...
    def close(self, code: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class StartReply:
    """Result of `call.start`. `release` as in `CallReply`: the webhook and `call.ringing` follow the response."""

    call_id: CallId
    answer: str
    release: Release = lambda: None


@dataclass(frozen=True, slots=True)
class PickUpReply:
    """Result of `call.accept`. `release` as in `CallReply`."""

    answer: str
    renegotiation: str | None
    version: int
    release: Release


@dataclass(frozen=True, slots=True)
class PermissionReply:
    """Result of `permission.reply`. `expires_at`, Unix seconds, only after an approval. `release` as in `CallReply`."""

    expires_at: float | None
    release: Release


class ConsumerDoor(Protocol):
    """What a consumer's device can do. Each method raises `CallError`, `RequestError` or `PeerError`."""

    async def device_connected(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """The socket is up; live calls of the device are resumed, an outbound call to its consumer rings on it, and messages
        that are still live are shown."""
        ...

    async def device_gone(self, device: DeviceIdentity, line: DeviceLine) -> None:
        """The socket is gone. Ignored if the device has a newer line."""
        ...

    async def call_start(
        self, device: DeviceIdentity, page_id: PageId, session: Session, tracks: Sequence[Track], message_id: str | None = None
    ) -> StartReply: ...
    async def call_accept(
        self, device: DeviceIdentity, call_id: CallId, session: Session, tracks: Sequence[Track]
    ) -> PickUpReply: ...
    async def call_decline(self, device: DeviceIdentity, call_id: CallId) -> None: ...
    async def call_hangup(self, device: DeviceIdentity, call_id: CallId) -> None: ...
    async def call_answer(self, device: DeviceIdentity, call_id: CallId, version: int, session: Session) -> None: ...
    async def call_dtmf(self, device: DeviceIdentity, call_id: CallId, digits: str) -> None: ...
    async def call_stats(self, device: DeviceIdentity, call_id: CallId, stats: object) -> None: ...
    async def call_media_update(self, device: DeviceIdentity, request: MediaUpdateRequest) -> CallReply: ...
    async def permission_reply(self, device: DeviceIdentity, request_id: str, is_approved: bool) -> PermissionReply: ...
    async def permission_revoke(self, device: DeviceIdentity, page_id: PageId) -> None: ...
    async def message_send(self, device: DeviceIdentity, page_id: PageId, text: str) -> MessageId: ...
