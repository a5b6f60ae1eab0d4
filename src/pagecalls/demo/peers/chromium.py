"""Headless Chromium (or Chrome), driven over the pipe of its DevTools protocol.

Owns the flags, the framing (JSON ended by a zero byte) and the matching of replies to calls. The pipe instead of a
port: nobody else can connect, and the browser ends by itself when this process dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from pagecalls.demo.peers.base import PeerGone, PeerRefused
from pagecalls.demo.peers.browser_page import BrowserPeer, PageServer, call_expression
from pagecalls.demo.peers.process import BrowserFolder, BrowserProcess
from pagecalls.demo.peers.tone import TONE_AMPLITUDE

_CALL_TIMEOUT_S = 20.0
_START_TIMEOUT_S = 60.0

# The browser reads commands from descriptor 3 and writes replies to 4; a shell puts our two pipes there.
_ON_PIPES = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null'

_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it runs as root in containers, and loads only our own page
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
    "--use-mock-keychain",
    "--allow-loopback-in-peer-connection",  # candidates on 127.0.0.1, also where there is no other interface
    # Without it candidates are mDNS names, which a peer outside a browser cannot always resolve.
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,Translate,OptimizationHints",
)


class Chromium:
    """One browser process. Peers are its pages: `browser.peer(tone_hz=440)`. Use as an async context manager."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._name = binary.name
        self._server = PageServer()
        self._process: BrowserProcess | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_id = 0
        self._waiting: dict[int, tuple[str | None, asyncio.Future[Any]]] = {}  # id -> (session, reply)
        self._loading: dict[str, asyncio.Future[None]] = {}  # session -> the page has loaded
        self._crashed: set[str] = set()  # sessions whose page is gone
        self._epitaph = f"{self._name} is not started or already closed"

    @property
    def name(self) -> str:
        """`Chromium 156`, once started."""
        return self._name

    def peer(self, *, tone_hz: int, amplitude: float = TONE_AMPLITUDE) -> BrowserPeer:
        """A peer in a page of its own; not started yet."""
        return BrowserPeer(self, tone_hz=tone_hz, amplitude=amplitude)

    @property
    def pid(self) -> int | None:
        """Of the browser's main process while it is started."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Chromium:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the process. Raises `PeerGone` when the browser does not come up, and leaves nothing behind then."""
        try:
            await self._server.start()
            folder = BrowserFolder()
            command = ("/bin/sh", "-c", _ON_PIPES, str(self._binary), *_FLAGS, f"--user-data-dir={folder.profile}")
            self._process = await BrowserProcess.start(command, folder)
            self._reading = asyncio.create_task(self._read(self._process))
            version = await self.command("Browser.getVersion", timeout_s=_START_TIMEOUT_S)
            # As a phone's page: with the microphone allowed every address is gathered, not only the default route's.
            await self.command("Browser.grantPermissions", {"permissions": ["audioCapture"]})
        except BaseException:
            await self.close()
            raise
        self._name = _spoken_name(self._binary, str(version["product"]))

    async def close(self) -> None:
        """End the process and remove its folder. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
            self._fail(None, PeerGone(self._epitaph))
        await self._server.stop()

    async def open_page(self) -> ChromiumPage:
        """Open the peer's page in a new target."""
        target = (await self.command("Target.createTarget", {"url": "about:blank"}))["targetId"]
        attached = await self.command("Target.attachToTarget", {"targetId": target, "flatten": True})
        session = str(attached["sessionId"])
        loaded = self._loading[session] = asyncio.get_running_loop().create_future()
        try:
            for domain in ("Page.enable", "Inspector.enable"):
                await self.command(domain, session=session)
            await self.command("Page.navigate", {"url": self._server.url}, session=session)
            await self._in_time(loaded, "Page.navigate", _CALL_TIMEOUT_S)
        finally:
            self._loading.pop(session, None)
        return ChromiumPage(self, session, target)

    async def command(
        self,
        method: str,
        parameters: dict[str, Any] | None = None,
        *,
        session: str | None = None,
        timeout_s: float = _CALL_TIMEOUT_S,
    ) -> Any:
        """Send one DevTools command and wait for its result. Raises `PeerRefused` with the browser's error."""
        if self._process is None or self._reading is None or self._reading.done():
            raise PeerGone(self._epitaph)
        if session in self._crashed:
            raise PeerGone(f"a page of {self._name} crashed")
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters or {}}
        if session is not None:
            message["sessionId"] = session
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = (session, reply)
        try:
            with contextlib.suppress(ConnectionError):  # the reader sees the end too, and says it better
                self._process.writer.write(json.dumps(message).encode() + b"\0")
                await self._process.writer.drain()
            return await self._in_time(reply, method, timeout_s)
        finally:
            self._waiting.pop(message["id"], None)

    async def _in_time(self, reply: asyncio.Future[Any], what: str, timeout_s: float) -> Any:
        try:
            return await asyncio.wait_for(reply, timeout_s)
        except TimeoutError:
            raise PeerGone(f"{self._name} did not answer {what} within {timeout_s:.0f} s") from None

    async def _read(self, process: BrowserProcess) -> None:
        """Hand out replies until the browser closes its end."""
        try:
            while True:
                text = await process.reader.readuntil(b"\0")
                self._handle(json.loads(text[:-1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._epitaph = f"{self._name} {await process.obituary()}"
            self._fail(None, PeerGone(self._epitaph))

    def _handle(self, message: dict[str, Any]) -> None:
        session = message.get("sessionId")
        if "id" in message:
            _, reply = self._waiting.get(message["id"], (None, None))
            if reply is None or reply.done():
                return
            if "error" in message:
                reply.set_exception(PeerRefused(str(message["error"].get("message"))))
            else:
                reply.set_result(message["result"])
        elif message["method"] == "Page.loadEventFired":
            loaded = self._loading.get(str(session))
            if loaded is not None and not loaded.done():
                loaded.set_result(None)
        elif message["method"] in ("Inspector.targetCrashed", "Inspector.detached"):
            self._crashed.add(str(session))
            self._fail(session, PeerGone(f"a page of {self._name} crashed"))

    def _fail(self, session: str | None, error: PeerGone) -> None:
        """Fail whatever waits on one page, or on any."""
        for waiting_session, reply in self._waiting.values():
            if session in (None, waiting_session) and not reply.done():
                reply.set_exception(error)
        for loading_session, loaded in self._loading.items():
            if session in (None, loading_session) and not loaded.done():
                loaded.set_exception(error)


class ChromiumPage:
    """One target with its session."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self.session = session
        """DevTools' name for the attached page, for commands beside the page's own methods."""
        self._browser = browser
        self._target = target

    async def call(self, method: str, *arguments: Any) -> Any:
        """See `Page.call`."""
        parameters = {
            "expression": call_expression(method, arguments),
            "awaitPromise": True,
            "returnByValue": True,
            "userGesture": True,
        }
        outcome = await self._browser.command("Runtime.evaluate", parameters, session=self.session)
        if "exceptionDetails" in outcome:
            details = outcome["exceptionDetails"]
            raise PeerRefused(str(details.get("exception", {}).get("description") or details.get("text")))
        return json.loads(outcome["result"]["value"])

    async def close(self) -> None:
        """See `Page.close`."""
        await self._browser.command("Target.closeTarget", {"targetId": self._target})


def _spoken_name(binary: Path, product: str) -> str:
    """`HeadlessChrome/156.0.8078.108` as `Chromium 156`, or `Chrome 156` for Google's own build."""
    brand = "Chrome" if "google-chrome" in binary.name else "Chromium"
    return f"{brand} {product.partition('/')[2].partition('.')[0]}"
