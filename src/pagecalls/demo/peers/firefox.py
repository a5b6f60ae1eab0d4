"""Headless Firefox, driven over its Marionette port.

Owns the preferences, the framing (`length:JSON`) and the one-at-a-time use of the session: Marionette has one current
window, so switching to a page and calling into it must not be interleaved with another page's call.
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
_POLL_S = 0.05
# Firefox takes digits only on an 8 kHz clock, and then plays 500 ms as short pieces: it counts the duration in the 48 kHz
# of Opus. Digits of a call start at least 600 ms apart (messenger-calling 10), so pieces within less are one digit.
_DIGIT_PITCH_S = 0.55
_READ_LIMIT = 64 * 1024 * 1024

_PREFERENCES: dict[str, bool | int | str] = {
    "marionette.port": 0,  # a free one; Firefox writes it into the profile
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,  # an mDNS name helps no peer outside a browser
    # A page that may use the microphone, as a phone may, gathers every address; without, only the default route's, and
    # where there is no route gathering never ends.
    "permissions.default.microphone": 1,
    "media.peerconnection.ice.default_address_only": False,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.block-autoplay-until-in-foreground": False,
    # A sound device that exists only inside Firefox: without any device an AudioContext never begins to run, and with a
    # real one the proof would be audible.
    "media.cubeb.force_mock_context": True,
    # Tabs behind the first one go on as if they were seen: pictures are drawn and shown there.
    "layout.throttled_frame_rate": 60,
    "dom.timeout.enable_budget_timer_throttling": False,
    "media.suspend-background-video.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "privacy.resistFingerprinting": False,
    "network.proxy.type": 0,
    "network.manage-offline-status": False,  # a machine with loopback alone is not offline to us
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "browser.tabs.remote.autostart": True,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "dom.min_background_timeout_value": 4,
    "extensions.update.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",  # no downloads of lists
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
}

# The page's promise is awaited inside the browser; its words come back as data, so that they are not mistaken for
# Marionette's own errors.
_CALL_SCRIPT = """
const done = arguments[arguments.length - 1];
%s.then((text) => done({ text }), (error) => done({ error: String(error) }));
"""


class Firefox:
    """One browser process. Peers are its tabs: `browser.peer(tone_hz=440)`. Use as an async context manager."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._name = "Firefox"
        self._server = PageServer()
        self._process: BrowserProcess | None = None
        self._link: Marionette | None = None
        self.first_window = ""  # stays open and empty, so that there is always a current window

    @property
    def name(self) -> str:
        """`Firefox 153`, once started."""
        return self._name

    def peer(self, *, tone_hz: int, amplitude: float = TONE_AMPLITUDE) -> BrowserPeer:
        """A peer in a tab of its own; not started yet."""
        return BrowserPeer(self, tone_hz=tone_hz, amplitude=amplitude, digit_pitch_s=_DIGIT_PITCH_S)

    @property
    def pid(self) -> int | None:
        """Of the browser's main process while it is started."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Firefox:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the process. Raises `PeerGone` when the browser does not come up, and leaves nothing behind then."""
        try:
            await self._server.start()
            folder = BrowserFolder()
            (folder.profile / "user.js").write_text(_preferences())
            command = (str(self._binary), "--headless", "--no-remote", "--marionette", "--profile", str(folder.profile))
            environment = {"MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_HEADLESS": "1"}
            self._process = await BrowserProcess.start(command, folder, environment=environment)
            self._link = await Marionette.connect(await self._port(self._process), self._process)
            session = await self._link.command("WebDriver:NewSession", {"capabilities": {}}, timeout_s=_START_TIMEOUT_S)
            self.first_window = str((await self._link.command("WebDriver:GetWindowHandle"))["value"])
        except BaseException:
            await self.close()
            raise
        self._name = f"Firefox {str(session['capabilities']['browserVersion']).partition('.')[0]}"

    async def close(self) -> None:
        """End the process and remove its folder. May be called twice."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
        await self._server.stop()

    async def open_page(self) -> FirefoxPage:
        """Open the peer's page in a new tab."""
        link = self.link
        async with link.turn:
            handle = str((await link.command("WebDriver:NewWindow", {"type": "tab", "focus": False}))["handle"])
            await link.command("WebDriver:SwitchToWindow", {"handle": handle, "focus": False})
            await link.command("WebDriver:Navigate", {"url": self._server.url})
        return FirefoxPage(self, handle)

    @property
    def link(self) -> Marionette:
        """The open connection. Raises `PeerGone` without one."""
        if self._link is None:
            raise PeerGone(f"{self._name} is closed")
        return self._link

    async def _port(self, process: BrowserProcess) -> int:
        """Wait until Firefox has written which port it chose."""
        file = process.folder.profile / "MarionetteActivePort"
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline and not process.has_ended:
            with contextlib.suppress(OSError, ValueError):  # not there yet, or not written yet
                return int(file.read_text())
            await asyncio.sleep(_POLL_S)
        raise PeerGone(f"Firefox did not open its Marionette port; it {await process.obituary()}")


class FirefoxPage:
    """One tab."""

    def __init__(self, browser: Firefox, handle: str) -> None:
        self._browser = browser
        self._handle = handle

    async def call(self, method: str, *arguments: Any) -> Any:
        """See `Page.call`."""
        script = _CALL_SCRIPT % call_expression(method, arguments)
        link = self._browser.link
        async with link.turn:
            await link.command("WebDriver:SwitchToWindow", {"handle": self._handle, "focus": False})
            outcome = await link.command("WebDriver:ExecuteAsyncScript", {"script": script, "args": [], "sandbox": None})
        if "error" in outcome["value"]:
            raise PeerRefused(str(outcome["value"]["error"]))
        return json.loads(outcome["value"]["text"])

    async def close(self) -> None:
        """See `Page.close`."""
        link = self._browser.link
        async with link.turn:
            await link.command("WebDriver:SwitchToWindow", {"handle": self._handle, "focus": False})
            await link.command("WebDriver:CloseWindow")
            await link.command("WebDriver:SwitchToWindow", {"handle": self._browser.first_window, "focus": False})


class Marionette:
    """The connection: commands `[0, id, name, parameters]`, replies `[1, id, error, result]`, one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: BrowserProcess) -> None:
        self._reader = reader
        self._writer = writer
        self._process = process
        self._last_id = 0
        self._broken = False
        self.turn = asyncio.Lock()
        """Held by whoever uses the current window."""

    @classmethod
    async def connect(cls, port: int, process: BrowserProcess) -> Marionette:
        """Connect and read the greeting."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_READ_LIMIT)
        except OSError:
            raise PeerGone(f"Firefox {await process.obituary()}") from None
        link = cls(reader, writer, process)
        await link._in_time(link._read(), "its greeting", _START_TIMEOUT_S)
        return link

    async def command(self, name: str, parameters: dict[str, Any] | None = None, *, timeout_s: float = _CALL_TIMEOUT_S) -> Any:
        """Send one command and wait for its result. Raises `PeerRefused` with Firefox's error."""
        if self._broken:
            raise PeerGone(f"Firefox {await self._process.obituary()}")
        self._last_id += 1
        text = json.dumps([0, self._last_id, name, parameters or {}]).encode()
        with contextlib.suppress(ConnectionError):  # the read that follows finds the end and says it better
            self._writer.write(b"%d:%s" % (len(text), text))
            await self._writer.drain()
        _, _, error, result = await self._in_time(self._read(), name, timeout_s)
        if error is not None:
            raise PeerRefused(f"{error.get('error')}: {error.get('message')}")
        return result

    async def close(self) -> None:
        """Close the connection; Firefox itself runs on."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> Any:
        length = await self._reader.readuntil(b":")
        return json.loads(await self._reader.readexactly(int(length[:-1])))

    async def _in_time(self, reading: Any, what: str, timeout_s: float) -> Any:
        """A reply that is cut off or late leaves the connection out of step: it is not used again."""
        try:
            return await asyncio.wait_for(reading, timeout_s)
        except TimeoutError:
            self._broken = True
            raise PeerGone(f"Firefox did not answer {what} within {timeout_s:.0f} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            self._broken = True
            raise PeerGone(f"Firefox {await self._process.obituary()}") from None
        except asyncio.CancelledError:
            self._broken = True
            raise


def _preferences() -> str:
    """The profile's user.js."""
    return "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _PREFERENCES.items())
