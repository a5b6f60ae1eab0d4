"""The client for asyncio, on aiohttp. Method by method the same as `sync.py`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import aiohttp

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
from pagecalls.client.wire import DEFAULT_VERSION, GRAPH_HOST, HttpReply, HttpRequest
from pagecalls.types import CallHours, Platform, RingTarget, SdpType, Track

R = TypeVar("R", bound=Result)


class AsyncClient(Face):
    """A Page, as one app sees it. Close it, or use it in an `async with` statement.

    Every method raises `GraphError` for a refusal and `TransportError` where no answer came. Arguments are those of `Face`;
    `ssl_context` replaces aiohttp's default; `http` is a session to send through, which then stays open when the client closes.
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
        http: aiohttp.ClientSession | None = None,
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
        self._limits = aiohttp.ClientTimeout(total=self._timeout_s, connect=self._connect_timeout_s)
        self._ssl = True if ssl_context is None else ssl_context
        self._given = http
        self._own: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. A request afterwards opens new ones."""
        own, self._own = self._own, None
        if own is not None:
            await own.close()

    # --- what a Page can do -------------------------------------------------------------------------------------------

    async def connect(self, to: str, sdp: str, *, tracks: Sequence[Track] = (), platform: Platform | None = None) -> Connected:
        """Call a consumer. `sdp` is an offer. Never sent twice; after `ReplyLost` a further `connect` tells (`ConsumerBusy`)."""
        return await self.send(ConnectRequest(to=to, sdp=sdp, tracks=tracks, platform=platform))

    async def accept(self, call_id: str, sdp: str, *, tracks: Sequence[Track] = (), platform: Platform | None = None) -> Accepted:
        """Take a consumer's call. `sdp` is an offer."""
        return await self.send(AcceptRequest(call_id=call_id, sdp=sdp, tracks=tracks, platform=platform))

    async def reject(self, call_id: str, *, platform: Platform | None = None) -> Ended:
        """Refuse a consumer's call that rings."""
        return await self.send(RejectRequest(call_id=call_id, platform=platform))

    async def terminate(self, call_id: str, *, platform: Platform | None = None) -> Ended:
        """End a call."""
        return await self.send(TerminateRequest(call_id=call_id, platform=platform))

    async def media_update(
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
        return await self.send(
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

    async def permission(self, psid: str) -> Permission:
        """May the Page call this consumer?"""
        return await self.send(PermissionRequest(psid=psid))

    async def call_settings(self) -> CallSettings:
        """The Page's call settings, set or derived."""
        return await self.send(CallSettingsRequest())

    async def set_call_settings(
        self,
        *,
        audio_enabled: bool | None = None,
        icon_enabled: bool | None = None,
        video_enabled: bool | None = None,
        ring_target: RingTarget | None = None,
        call_hours: CallHours | AlwaysOpen | None = None,
    ) -> SettingsStored:
        """Change those that are given, all or nothing. `ALWAYS_OPEN` takes the hours away."""
        return await self.send(
            SetCallSettingsRequest(
                audio_enabled=audio_enabled,
                icon_enabled=icon_enabled,
                video_enabled=video_enabled,
                ring_target=ring_target,
                call_hours=call_hours,
            )
        )

    async def send_message(self, to: str, content: Content, *, human_agent: bool = False) -> Sent:
        """Write to a consumer who has been in touch. Never sent twice. Raises `OutsideWindow` when that is too long ago."""
        return await self.send(MessageRequest(to=to, content=content, human_agent=human_agent))

    async def request_permission(self, to: str, *, human_agent: bool = False) -> Sent:
        """Ask a consumer for permission to call. Raises `RequestRate`, `PermissionAlreadyHeld` and `OutsideWindow`."""
        return await self.send_message(to, CallingOptin(), human_agent=human_agent)

    async def report(
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
        return await self.send(
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

    async def features(self, *names: str) -> Features:
        """Are these features open to the Page? By default the one that lets it take calls."""
        return await self.send(FeatureRequest(names=names or (CALLING,)))

    # --- tokens and users ---------------------------------------------------------------------------------------------

    async def app_token(self, app: AppProof) -> IssuedToken:
        """The app's own token."""
        return await self.send(AppTokenRequest(app=app))

    async def redeem_code(self, app: AppProof, code: str, *, redirect_uri: str | None = None) -> IssuedToken:
        """A user's token for a code. Never sent twice. Raises `UnusableCode`."""
        return await self.send(CodeRequest(app=app, code=code, redirect_uri=redirect_uri))

    async def exchange_token(self, app: AppProof, token: str) -> IssuedToken:
        """A token that lasts for a user's token that soon ends."""
        return await self.send(ExchangeRequest(app=app, token=token))

    async def inspect_token(self, token: str) -> TokenFacts:
        """What is this token? The client's own must be an app token of the same app, or this one."""
        return await self.send(InspectRequest(token=token))

    async def user(self) -> User:
        """Whom the client's token stands for; it must be a user's."""
        return await self.send(UserRequest())

    async def accounts(self, *, after: str | None = None, limit: int | None = None) -> Accounts:
        """The Pages that the user reaches, each with a Page token."""
        return await self.send(AccountsRequest(after=after, limit=limit))

    # --- sending ------------------------------------------------------------------------------------------------------

    async def send(self, request: Request[R]) -> R:
        """Any one request."""
        return self._wire.decode(request, await self._exchange(self._wire.encode(request)))

    async def batch(self, requests: Sequence[AnyRequest]) -> list[Result | ClientError]:
        """Up to 50 requests in one. What became of each stands at its place, errors too; only a batch that failed as a whole
        raises."""
        if not requests:
            return []
        return self._wire.decode_batch(requests, await self._exchange(self._wire.encode_batch(requests)))

    async def _exchange(self, request: HttpRequest) -> HttpReply:
        try:
            return await self._attempt(request)
        except ReplyLost:
            if not (self._repeats and request.may_repeat):
                raise
        return await self._attempt(request)

    async def _attempt(self, request: HttpRequest) -> HttpReply:
        url = self._wire.origin.url + request.target
        try:
            async with self._http().request(
                request.verb.value,
                url,
                data=request.body,
                headers=request.headers,
                timeout=self._limits,
                ssl=self._ssl,
                allow_redirects=False,
                raise_for_status=False,
            ) as response:
                return HttpReply(response.status, await _whole(response))
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise NotConnected(f"no connection to {self._wire.origin.url}: {error}") from error
        except TimeoutError as error:
            raise TimedOut("no whole answer came in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ReplyLost(f"the connection broke before the answer was whole: {error}") from error

    def _http(self) -> aiohttp.ClientSession:
        if self._given is not None:
            return self._given
        if self._own is None:
            connector = aiohttp.TCPConnector(keepalive_timeout=IDLE_CONNECTION_S)
            self._own = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._own


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST_REPLY_BYTES:
            raise UnreadableReply("the answer is too long", response.status)
    return bytes(body)
