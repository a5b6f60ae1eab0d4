"""The one write path to one device: a bounded queue, and a pump that hands its frames to the socket.

Owns order, the bound, and the promise that each frame's release is called exactly once. Nobody who speaks to a device ever waits
for it: a device that does not read, or reads too slowly, is given up. Knows no request and no call.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from starlette.websockets import WebSocketDisconnect

from pagecalls.call.messages import Button
from pagecalls.consumer.dispatch import no_release
from pagecalls.consumer.messages import (
    Accepted,
    Asked,
    ButtonOut,
    Changed,
    Connected,
    EndedOut,
    Incoming,
    Notification,
    OfferSession,
    PageOut,
    Resumed,
    Ringing,
    SessionOut,
    TrackOut,
    Written,
    notification_frame,
    offer,
)
from pagecalls.switchboard.base import Ended, Release
from pagecalls.types import CallId, MessageId, PageId, Track

log = logging.getLogger(__name__)


class CloseCode(IntEnum):
    """Close codes of our own accord (RFC 6455 section 7.4.1 and the IANA registry); the switchboard brings others."""

    TOO_BIG = 1009
    INTERNAL = 1011
    TRY_LATER = 1013


@dataclass(frozen=True, slots=True)
class LineLimits:
    """Beyond `waiting_bytes` in the queue, or `send_timeout_s` of real time for one frame, the device is given up."""

    waiting_bytes: int = 4 * 1024 * 1024
    send_timeout_s: float = 10.0


class Socket(Protocol):
    """What the pump needs of a WebSocket."""

    async def send_text(self, data: str) -> None:
        """Returns when the server has taken the frame."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Start the closing handshake."""
        ...


@dataclass(frozen=True, slots=True)
class _Frame:
    text: str
    release: Release


@dataclass(frozen=True, slots=True)
class _Close:
    code: int
    reason: str


class Line:
    """A `DeviceLine` over one socket."""

    def __init__(self, socket: Socket, limits: LineLimits = LineLimits()) -> None:
        self._socket = socket
        self._limits = limits
        self._queue: deque[_Frame | _Close] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._is_over = False
        self._pump: asyncio.Task[None] | None = None

    # --- what the switchboard says ------------------------------------------------------------------------------------

    def incoming(self, call_id: CallId, page_id: PageId, page_name: str, video: bool) -> None:
        """A call from the Page rings."""
        self._notify(Incoming(call_id=call_id, page=PageOut(id=page_id, name=page_name), video=video))

    def ringing(self, call_id: CallId) -> None:
        """The business was told of the device's call."""
        self._notify(Ringing(call_id=call_id))

    def accepted(self, call_id: CallId, renegotiation: str | None, version: int, released: Release) -> None:
        """The business picked up."""
        self._notify(Accepted(call_id=call_id, session=_session(renegotiation, version)), released)

    def connected(self, call_id: CallId, connected_at: float) -> None:
        """Both legs' media is up."""
        self._notify(Connected(call_id=call_id, connected_at=int(connected_at)))

    def media_update(self, call_id: CallId, renegotiation: str, version: int, tracks: Sequence[Track], released: Release) -> None:
        """The business changed its media."""
        session = OfferSession(sdp_renegotiation=SessionOut(sdp_type="offer", sdp=renegotiation), version=version)
        self._notify(Changed(call_id=call_id, session=session, tracks=_tracks(tracks)), released)

    def ended(self, ended: Ended) -> bool:
        """The call is over. Whether that was queued."""
        status = "Failed" if ended.is_failed else "Completed"
        return self._notify(EndedOut(call_id=ended.call_id, reason=ended.reason.value, status=status, duration=ended.duration_s))

    def resumed(
        self, call_id: CallId, state: str, renegotiation: str | None, version: int, tracks: Sequence[Track], released: Release
    ) -> None:
        """The device is back and has its call again."""
        session = _session(renegotiation, version)
        self._notify(Resumed(call_id=call_id, state=state, session=session, tracks=_tracks(tracks) or None), released)

    def permission_request(self, request_id: MessageId, page_id: PageId, page_name: str, expires_at: float) -> bool:
        """The Page asks to be allowed to call. Whether that was queued."""
        return self._notify(Asked(request_id=request_id, page=PageOut(id=page_id, name=page_name), expires_at=int(expires_at)))

    def message(self, message_id: MessageId, page_id: PageId, text: str | None, buttons: Sequence[Button]) -> bool:
        """The Page has written. Whether that was queued."""
        shown = tuple(_button(button) for button in buttons) or None
        return self._notify(Written(message_id=message_id, page_id=page_id, text=text, buttons=shown))

    def close(self, code: int, reason: str) -> None:
        """Close the socket after what waits; nothing said later is sent."""
        if not self._is_over:
            self._put(_Close(code, reason))
            self._is_over = True

    # --- the write path -----------------------------------------------------------------------------------------------

    def send(self, text: str, release: Release = no_release) -> bool:
        """Queue a frame, and whether that was possible; `release` is called when it was handed to the socket or cannot be any
        more."""
        if self._is_over:
            release()
            return False
        self._waiting_bytes += len(text)
        if self._waiting_bytes > self._limits.waiting_bytes:
            log.warning("device given up: %d bytes wait for it", self._waiting_bytes)
            self.abandon()
            release()
            return False
        self._put(_Frame(text, release))
        return True

    def abandon(self) -> None:
        """The socket is gone, or given up: drop what waits, releasing all of it."""
        self._is_over = True
        if self._pump is not None and self._pump is not asyncio.current_task():
            self._pump.cancel()
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, _Frame):
                item.release()

    async def pump(self) -> None:
        """Hand frames to the socket, in order, until the line is closed or the socket fails. One task runs this, once."""
        self._pump = asyncio.current_task()
        try:
            while (item := await self._next()) is not None:
                await self._hand_over(item)
        except (TimeoutError, OSError, RuntimeError, WebSocketDisconnect) as gone:
            # RuntimeError: Starlette's and the server's word for a socket that is already closed.
            log.debug("device gone: %r", gone)
        finally:
            self.abandon()

    async def _next(self) -> _Frame | _Close | None:
        while not self._queue:
            if self._is_over:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()

    async def _hand_over(self, item: _Frame | _Close) -> None:
        async with asyncio.timeout(self._limits.send_timeout_s):
            if isinstance(item, _Close):
                await self._socket.close(item.code, item.reason)
                return
            try:
                await self._socket.send_text(item.text)
            finally:
                item.release()
        self._waiting_bytes -= len(item.text)

    def _notify(self, body: Notification, release: Release = no_release) -> bool:
        return self.send(notification_frame(body), release)

    def _put(self, item: _Frame | _Close) -> None:
        self._queue.append(item)
        self._wake.set()


def _session(renegotiation: str | None, version: int) -> OfferSession | None:
    made = offer(renegotiation)
    return None if made is None else OfferSession(sdp_renegotiation=made, version=version)


def _tracks(tracks: Sequence[Track]) -> tuple[TrackOut, ...]:
    return tuple(TrackOut(msid=track.msid, label=track.label.value, status=track.status.value) for track in tracks)


def _button(button: Button) -> ButtonOut:
    expires_at = None if button.expires_at is None else int(button.expires_at)
    return ButtonOut(type=button.type, title=button.title, expires_at=expires_at)
