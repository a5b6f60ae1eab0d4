"""The blocking client, on the standard library's HTTP. It may be shared by threads: each request has a connection to itself."""

from __future__ import annotations

import http.client
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from pagecalls.client.errors import ClientError, NotConnected, ReplyLost, TimedOut, UnreadableReply
from pagecalls.client.face import CONNECT_TIMEOUT_S, IDLE_CONNECTION_S, LONGEST_REPLY_BYTES, TIMEOUT_S, Face
from pagecalls.client.grants import Accounts, IssuedToken, TokenFacts, User
from pagecalls.client.members import Json
from pagecalls.client.messages import CallingOptin, Content
from pagecalls.client.reports import CALLING, FeatureRequest, MetricsRequest
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
    Features,
    MediaUpdated,
    Permission,
    Reported,
    Result,
    Sent,
    SettingsStored,
)
from pagecalls.client.settings import AlwaysOpen, CallSettings
from pagecalls.client.tokens import (
    AccountsRequest,
    AppProof,
    AppTokenRequest,
    CodeRequest,
    ExchangeRequest,
    InspectRequest,
    UserRequest,
)
from pagecalls.client.wire import DEFAULT_VERSION, GRAPH_HOST, HttpReply, HttpRequest, Origin
from pagecalls.types import CallHours, Platform, RingTarget, SdpType, Track

R = TypeVar("R", bound=Result)

_CHUNK_BYTES = 64 * 1024


class Client(Face):
    """A Page, as one app sees it. Close it, or use it in a `with` statement.

    Every method raises `GraphError` for a refusal and `TransportError` where no answer came. Arguments are those of `Face`;
    `ssl_context` replaces the standard library's default, for a host with a certificate of its own.
    """

    def __init__(
        self,
        token: str,
        *,
        page_id: str = "me",
        app_secret: str | None = None,
        version: str | None = DEFAULT_VERSION,
        base_url: str = GRAPH_HOST,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        repeats: bool = True,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            token,
            page_id=page_id,
            app_secret=app_secret,
            version=version,
            base_url=base_url,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            repeats=repeats,
        )
        self._connections = _Connections(self._wire.origin, self._connect_timeout_s, ssl_context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()

    # --- what a Page can do -------------------------------------------------------------------------------------------

    def connect(self, to: str, sdp: str, *, tracks: Sequence[Track] = (), platform: Platform | None = None) -> Connected:
        """Call a consumer. `sdp` is an offer. Never sent twice; after `ReplyLost` a further `connect` tells (`ConsumerBusy`)."""
        return self.send(ConnectRequest(to=to, sdp=sdp, tracks=tracks, platform=platform))

    def accept(self, call_id: str, sdp: str, *, tracks: Sequence[Track] = (), platform: Platform | None = None) -> Accepted:
        """Take a consumer's call. `sdp` is an offer."""
        return self.send(AcceptRequest(call_id=call_id, sdp=sdp, tracks=tracks, platform=platform))

    def reject(self, call_id: str, *, platform: Platform | None = None) -> Ended:
        """Refuse a consumer's call that rings."""
        return self.send(RejectRequest(call_id=call_id, platform=platform))

    def terminate(self, call_id: str, *, platform: Platform | None = None) -> Ended:
        """End a call."""
        return self.send(TerminateRequest(call_id=call_id, platform=platform))

    def media_update(
        self,
        call_id: str,
        sdp: str | None = None,
        *,
        sdp_type: SdpType = SdpType.OFFER,
        tracks: Sequence[Track] | None = None,
        enabled_tracks: Sequence[str] | None = None,
        from_version: int | None = None,
        to_version: int | None = None,
        platform: Platform | None = None,
    ) -> MediaUpdated:
        """Change the media of a call; the forms are those of `MediaUpdateRequest`. Raises `Collision` when the consumer's
        change came first."""
        return self.send(
            MediaUpdateRequest(
                call_id=call_id,
                sdp=sdp,
                sdp_type=sdp_type,
                tracks=tracks,
                enabled_tracks=enabled_tracks,
                from_version=from_version,
                to_version=to_version,
                platform=platform,
            )
        )

    def permission(self, psid: str) -> Permission:
        """May the Page call this consumer?"""
        return self.send(PermissionRequest(psid=psid))

    def call_settings(self) -> CallSettings:
        """The Page's call settings, set or derived."""
        return self.send(CallSettingsRequest())

    def set_call_settings(
        self,
        *,
        audio_enabled: bool | None = None,
        icon_enabled: bool | None = None,
        video_enabled: bool | None = None,
        ring_target: RingTarget | None = None,
        call_hours: CallHours | AlwaysOpen | None = None,
    ) -> SettingsStored:
        """Change those that are given, all or nothing. `ALWAYS_OPEN` takes the hours away."""
        return self.send(
            SetCallSettingsRequest(
                audio_enabled=audio_enabled,
                icon_enabled=icon_enabled,
                video_enabled=video_enabled,
                ring_target=ring_target,
                call_hours=call_hours,
            )
        )

    def send_message(self, to: str, content: Content, *, human_agent: bool = False) -> Sent:
        """Write to a consumer who has been in touch. Never sent twice. Raises `OutsideWindow` when that is too long ago."""
        return self.send(MessageRequest(to=to, content=content, human_agent=human_agent))

    def request_permission(self, to: str, *, human_agent: bool = False) -> Sent:
        """Ask a consumer for permission to call. Raises `RequestRate`, `PermissionAlreadyHeld` and `OutsideWindow`."""
        return self.send_message(to, CallingOptin(), human_agent=human_agent)

    def report(
        self,
        call_id: str,
        reason: str,
        ended_at: float,
        *,
        subreason: str | None = None,
        first_audio_at: float | None = None,
        first_video_at: float | None = None,
        audio_stats: Mapping[str, Json] | None = None,
        video_stats: Mapping[str, float] | None = None,
        platform: Platform | None = None,
    ) -> Reported:
        """Report on a call that is over, once; the arguments are those of `MetricsRequest`. Raises `MetricsError`."""
        return self.send(
            MetricsRequest(
                call_id=call_id,
                reason=reason,
                ended_at=ended_at,
                subreason=subreason,
                first_audio_at=first_audio_at,
                first_video_at=first_video_at,
                audio_stats=audio_stats,
                video_stats=video_stats,
                platform=platform,
            )
        )

    def features(self, *names: str) -> Features:
        """Are these features open to the Page? By default the one that lets it take calls."""
        return self.send(FeatureRequest(names=names or (CALLING,)))

    # --- tokens and users ---------------------------------------------------------------------------------------------

    def app_token(self, app: AppProof) -> IssuedToken:
        """The app's own token."""
        return self.send(AppTokenRequest(app=app))

    def redeem_code(self, app: AppProof, code: str, *, redirect_uri: str | None = None) -> IssuedToken:
        """A user's token for a code. Never sent twice. Raises `UnusableCode`."""
        return self.send(CodeRequest(app=app, code=code, redirect_uri=redirect_uri))

    def exchange_token(self, app: AppProof, token: str) -> IssuedToken:
        """A token that lasts for a user's token that soon ends."""
        return self.send(ExchangeRequest(app=app, token=token))

    def inspect_token(self, token: str) -> TokenFacts:
        """What is this token? The client's own must be an app token of the same app, or this one."""
        return self.send(InspectRequest(token=token))

    def user(self) -> User:
        """Whom the client's token stands for; it must be a user's."""
        return self.send(UserRequest())

    def accounts(self, *, after: str | None = None, limit: int | None = None) -> Accounts:
        """The Pages that the user reaches, each with a Page token."""
        return self.send(AccountsRequest(after=after, limit=limit))

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, request: Request[R]) -> R:
        """Any one request."""
        return self._wire.decode(request, self._exchange(self._wire.encode(request)))

    def batch(self, requests: Sequence[AnyRequest]) -> list[Result | ClientError]:
        """Up to 50 requests in one. What became of each stands at its place, errors too; only a batch that failed as a whole
        raises."""
        if not requests:
            return []
        return self._wire.decode_batch(requests, self._exchange(self._wire.encode_batch(requests)))

    def _exchange(self, request: HttpRequest) -> HttpReply:
        try:
            return self._attempt(request)
        except ReplyLost:
            if not (self._repeats and request.may_repeat):
                raise
        return self._attempt(request)

    def _attempt(self, request: HttpRequest) -> HttpReply:
        deadline = time.monotonic() + self._timeout_s
        connection = self._connections.take()
        try:
            reply, stays = _exchange(connection, request, deadline)
        except BaseException:
            connection.close()
            raise
        self._connections.give(connection, stays)
        return reply


class _Connections:
    """Open connections to one host, those that are not in use."""

    def __init__(self, origin: Origin, connect_timeout_s: float, ssl_context: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._timeout_s = connect_timeout_s
        self._ssl = (ssl_context or ssl.create_default_context()) if origin.is_tls else None
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        self._lock = threading.Lock()

    def take(self) -> http.client.HTTPConnection:
        """One that is open. Raises `NotConnected`."""
        while (idle := self._pop()) is not None:
            connection, since = idle
            if time.monotonic() - since < IDLE_CONNECTION_S and _is_quiet(connection.sock):
                return connection
            connection.close()
        return self._open()

    def give(self, connection: http.client.HTTPConnection, stays: bool) -> None:
        """Take it back; `stays`: whether the server leaves it open."""
        if not stays:
            connection.close()
            return
        with self._lock:
            self._idle.append((connection, time.monotonic()))

    def close(self) -> None:
        """Close all that are not in use."""
        while (idle := self._pop()) is not None:
            idle[0].close()

    def _pop(self) -> tuple[http.client.HTTPConnection, float] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._origin.host, self._origin.port
        if self._ssl is None:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._ssl)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NotConnected(f"no connection to {host}:{port}: {error}") from error
        return connection


def _exchange(connection: http.client.HTTPConnection, request: HttpRequest, deadline: float) -> tuple[HttpReply, bool]:
    """Send, and read the whole answer; with it, whether the connection can be used again. Raises `ReplyLost`."""
    try:
        _wait_until(connection.sock, deadline)
        connection.request(request.verb.value, request.target, request.body, dict(request.headers))
        sock = connection.sock  # an answer that is the last one takes it away from `connection`
        with connection.getresponse() as response:
            body = _whole(response, sock, deadline)
    except TimeoutError as error:
        raise TimedOut("no whole answer came in time") from error
    except (OSError, http.client.HTTPException) as error:
        raise ReplyLost(f"the connection broke before the answer was whole: {error}") from error
    return HttpReply(response.status, body), not response.will_close


def _whole(response: http.client.HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > LONGEST_REPLY_BYTES:
            raise UnreadableReply("the answer is too long", response.status)
        _wait_until(sock, deadline)
    if response.length:  # `read1` takes a broken connection for the end
        raise http.client.IncompleteRead(bytes(body), response.length)
    response.read()  # nothing; tells the connection that the answer is complete
    return bytes(body)


def _wait_until(sock: socket.socket, deadline: float) -> None:
    """Let the socket's next operation end by then. Raises `TimeoutError` if that is past."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)


def _is_quiet(sock: socket.socket) -> bool:
    """Whether an idle connection is still one: the server would have nothing to say but goodbye."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return not selector.select(0)
