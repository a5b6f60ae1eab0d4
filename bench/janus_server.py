"""Janus as a server under test: Debian's daemon, whose VideoCall plugin passes sound from one to one, told of calls by WebSocket.

ICE-lite and one static event loop, which is the fastest that the package can do; its SRTP library is the distribution's. Janus
has no loopback candidates and sends nothing to loopback addresses, so it and the peers are at the machine's own address, which
the kernel reaches over loopback all the same.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.daemon import daemon, free_port, own_address
from bench.load import Leg, Load
from bench.peer_sdp import peer
from bench.rig import Traffic

NAME, PROGRAM = "Janus", "janus"
AT_ONCE = 8
WITHIN_S = 10.0
KEEP_ALIVE_S = 25.0
START_TRIES, START_PAUSE_S = 100, 0.1
Json = dict[str, Any]

MAIN = """\
general: {{
  configs_folder = "{folder}"
  debug_level = 2
  event_loops = 1
  session_timeout = 0
  disable_colors = true
}}
nat: {{
  ice_lite = true
  ice_tcp = false
  ice_enforce_list = "{address}"
}}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
events: {{ broadcast = false }}
"""
WEBSOCKETS = 'general: {{ json = "compact" ws = true ws_port = {port} ws_ip = "127.0.0.1" wss = false }}\n'
OTHER_PLUGINS = "audiobridge duktape echotest lua nosip recordplay sip streaming textroom videoroom voicemail"
OTHER_TRANSPORTS = "http mqtt nanomsg pfunix rabbitmq"


class Api:
    """One session over a WebSocket; all handles are in it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._events: dict[int, asyncio.Queue[Json]] = {}
        self._session = 0

    async def open(self) -> None:
        """Create the session."""
        self._session = (await self.ask(janus="create"))["data"]["id"]

    async def attach(self) -> int:
        """A handle of the plugin; returns its id."""
        handle: int = (await self.ask(janus="attach", plugin="janus.plugin.videocall"))["data"]["id"]
        self._events[handle] = asyncio.Queue()
        return handle

    async def tell(self, handle: int, body: Json, sdp_type: str = "", sdp: str = "") -> None:
        """A message to the plugin; its events follow."""
        jsep = {"jsep": {"type": sdp_type, "sdp": sdp, "trickle": False}} if sdp else {}
        await self.ask(janus="message", handle_id=handle, body=body, **jsep)

    async def event(self, handle: int, name: str) -> Json:
        """The next event of that name. Raises `RuntimeError` when the plugin reports an error, `TimeoutError`."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await self._events[handle].get()
                data = message["plugindata"]["data"]
                if "error" in data:
                    raise RuntimeError(data["error"])
                if data.get("result", {}).get("event") == name:
                    return message

    async def ask(self, **request: Any) -> Json:
        """One request and its acknowledgement. Raises `RuntimeError`, `TimeoutError`."""
        transaction = str(next(self._numbers))
        self._answers[transaction] = asyncio.get_running_loop().create_future()
        session = {"session_id": self._session} if self._session else {}
        await self._socket.send_json({"transaction": transaction, **session, **request})
        answer = await asyncio.wait_for(self._answers[transaction], WITHIN_S)
        del self._answers[transaction]
        if answer["janus"] == "error":
            raise RuntimeError(answer["error"]["reason"])
        return answer

    async def read(self) -> None:
        """Hand out what comes, until the socket closes."""
        async for message in self._socket:
            answer: Json = message.json()
            waiting = self._answers.get(answer.get("transaction", ""))
            if "plugindata" in answer and answer["janus"] == "event":
                self._events[answer["sender"]].put_nowait(answer)
            elif waiting is not None and not waiting.done():
                waiting.set_result(answer)

    async def keep_alive(self) -> None:
        """The session ends without a word now and then."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            await self.ask(janus="keepalive")


@dataclass(slots=True)
class JanusServer:
    """A running daemon."""

    pid: int
    api: Api
    peers_at: str
    name: str = NAME
    made: int = 0
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def add(self, count: int, load: Load, traffic: Traffic) -> list[Leg]:
        """Calls of two WebRTC legs."""
        if traffic is not Traffic.AUDIO:
            raise ValueError("sound only")
        numbers = range(self.made, self.made + count)
        self.made += count
        calls = await asyncio.gather(*(self._call(number, load) for number in numbers))
        return [leg for legs in calls for leg in legs]

    async def _call(self, number: int, load: Load) -> tuple[Leg, Leg]:
        caller, callee = (peer(2 * number + side, load, self.peers_at) for side in (0, 1))
        async with self._limit:
            one, other = await self._registered(f"a{number}"), await self._registered(f"b{number}")
            await self.api.tell(one, {"request": "call", "username": f"b{number}"}, "offer", caller.sdp())
            offered = (await self.api.event(other, "incomingcall"))["jsep"]["sdp"]
            await self.api.tell(other, {"request": "accept"}, "answer", callee.sdp())
            answered = (await self.api.event(one, "accepted"))["jsep"]["sdp"]
        return caller.leg(answered), callee.leg(offered)

    async def _registered(self, name: str) -> int:
        handle = await self.api.attach()
        await self.api.tell(handle, {"request": "register", "username": name})
        await self.api.event(handle, "registered")
        return handle


def is_installed() -> bool:
    """Whether there is one to measure."""
    return shutil.which(PROGRAM) is not None


@asynccontextmanager
async def janus_server(folder: Path) -> AsyncIterator[JanusServer]:
    """The daemon on the first core, ended on the way out. Raises `RuntimeError` if it does not start."""
    port, address = free_port(), own_address()
    plugins = ",".join(f"libjanus_{name}.so" for name in OTHER_PLUGINS.split())
    transports = ",".join(f"libjanus_{name}.so" for name in OTHER_TRANSPORTS.split())
    (folder / "janus.jcfg").write_text(MAIN.format(folder=folder, address=address, plugins=plugins, transports=transports))
    (folder / "janus.transport.websockets.jcfg").write_text(WEBSOCKETS.format(port=port))
    command = [PROGRAM, f"--config={folder / 'janus.jcfg'}", f"--configs-folder={folder}"]
    async with daemon(command, folder) as process, aiohttp.ClientSession() as http:
        api = Api(await _connect(http, f"ws://127.0.0.1:{port}"))
        tasks = [asyncio.create_task(api.read())]
        try:
            await api.open()
            tasks.append(asyncio.create_task(api.keep_alive()))
            yield JanusServer(process.pid, api, address)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _connect(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    for _ in range(START_TRIES):
        try:
            return await http.ws_connect(url, protocols=["janus-protocol"], max_msg_size=0)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(START_PAUSE_S)
    raise RuntimeError("it does not listen")
