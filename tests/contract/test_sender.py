"""The contract of the sender, on the scripted one and on the real one against a receiver on loopback.

What only a network has follows after that, on the real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest
import pytest_asyncio
from aiohttp import web

from pagecalls.clock import SystemClock
from pagecalls.webhooks.base import MAX_RESPONSE_BYTES, Failure, Outcome, Sender
from pagecalls.webhooks.fake import FakeSender
from pagecalls.webhooks.names import LOOKUPS, AddrInfo, Lookup, ThreadedNames
from pagecalls.webhooks.sender import AiohttpSender
from pagecalls.webhooks.targets import TargetPolicy, networks

OPEN = TargetPolicy(allow_loopback=True)


class Receiver(Protocol):
    """A receiver that says what it is told to, and remembers what it got."""

    sender: Sender
    url: str

    def answer(self, status: int, reason: str, body: bytes) -> None:
        """What it says next."""
        ...

    def received(self) -> list[tuple[str, dict[str, str], bytes]]:
        """Method, headers and body of each request."""
        ...

    async def close(self) -> None:
        """Give everything back."""
        ...


class ScriptedReceiver:
    def __init__(self) -> None:
        self.url = "http://receiver.example/hook"
        self.fake = FakeSender(SystemClock())
        self.sender: Sender = self.fake

    def answer(self, status: int, reason: str, body: bytes) -> None:
        self.fake.script(self.url, Outcome(status, reason, body))

    def received(self) -> list[tuple[str, dict[str, str], bytes]]:
        return [(request.method, dict(request.headers), request.body) for request in self.fake.requests]

    async def close(self) -> None:
        pass


class LoopbackReceiver:
    def __init__(self) -> None:
        self.url = ""
        self.real = AiohttpSender(OPEN)
        self.sender: Sender = self.real
        self._answers: list[tuple[int, str, bytes]] = []
        self._received: list[tuple[str, dict[str, str], bytes]] = []
        self._runner: web.AppRunner | None = None

    async def open(self) -> LoopbackReceiver:
        app = web.Application()
        app.router.add_route("*", "/hook", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def _handle(self, request: web.Request) -> web.Response:
        self._received.append((request.method, dict(request.headers), await request.read()))
        status, reason, body = self._answers.pop(0) if self._answers else (200, "OK", b"")
        headers = {"Location": self.url, "Set-Cookie": "a=b"}
        return web.Response(status=status, reason=reason, body=body, headers=headers)

    def answer(self, status: int, reason: str, body: bytes) -> None:
        self._answers.append((status, reason, body))

    def received(self) -> list[tuple[str, dict[str, str], bytes]]:
        return self._received

    async def close(self) -> None:
        await self.real.close()
        if self._runner is not None:
            await self._runner.cleanup()


@pytest_asyncio.fixture(params=["scripted", "loopback"])
async def receiver(request: pytest.FixtureRequest) -> AsyncIterator[Receiver]:
    made: Receiver = ScriptedReceiver() if request.param == "scripted" else await LoopbackReceiver().open()
    yield made
    await made.close()


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_an_acknowledgement(receiver: Receiver, status: int) -> None:
    receiver.answer(status, "Fine", b"")
    outcome = await receiver.sender.post(receiver.url, {}, b"{}")
    assert outcome.ok
    assert (outcome.status, outcome.reason, outcome.failure) == (status, "Fine", None)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 503])
async def test_nothing_else_is_and_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer(status, "Not fine", b"x")
    outcome = await receiver.sender.post(receiver.url, {}, b"{}")
    assert not outcome.ok
    assert (outcome.status, outcome.body) == (status, b"x")
    assert len(receiver.received()) == 1


async def test_headers_and_bytes_arrive_as_they_are(receiver: Receiver) -> None:
    body = bytes(range(256))
    await receiver.sender.post(receiver.url, {"Content-Type": "application/json", "X-Hub-Signature": "sha1=0"}, body)
    ((method, headers, received),) = receiver.received()
    assert (method, received) == ("POST", body)
    assert (headers["Content-Type"], headers["X-Hub-Signature"]) == ("application/json", "sha1=0")


@pytest.mark.parametrize("length", [0, 1, MAX_RESPONSE_BYTES, MAX_RESPONSE_BYTES + 1, 5 * MAX_RESPONSE_BYTES])
async def test_a_response_is_read_up_to_a_limit(receiver: Receiver, length: int) -> None:
    receiver.answer(200, "OK", b"x" * length)
    receiver.answer(200, "OK", b"next")
    assert (await receiver.sender.get(receiver.url)).body == b"x" * min(length, MAX_RESPONSE_BYTES)
    assert (await receiver.sender.post(receiver.url, {}, b"")).body == b"next"


async def test_a_get_has_no_body_and_keeps_its_query(receiver: Receiver) -> None:
    receiver.answer(200, "OK", b"123")
    outcome = await receiver.sender.get(f"{receiver.url}?hub.challenge=123")
    assert outcome.body == b"123"
    ((method, _, body),) = receiver.received()
    assert (method, body) == ("GET", b"")


# --- the real one -----------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[AiohttpSender]:
    made = AiohttpSender(OPEN)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def loopback() -> AsyncIterator[LoopbackReceiver]:
    made = await LoopbackReceiver().open()
    yield made
    await made.close()


Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest_asyncio.fixture
async def raw() -> AsyncIterator[Callable[[bytes, bool], Awaitable[str]]]:
    """A receiver that writes given bytes, and then ends the connection or keeps it silent."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(answer: bytes, stays: bool) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if not stays:
                writer.close()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        return f"http://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}/"

    yield serve
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_only_the_wanted_headers_and_no_cookies_are_sent(loopback: LoopbackReceiver, named: Named) -> None:
    sender = named("127.0.0.1")
    url = loopback.url.replace("127.0.0.1", "receiver.example")
    headers = {"Content-Type": "application/json", "User-Agent": "facebookexternalua", "Accept": "*/*"}
    for _ in range(2):
        await sender.post(url, headers, b"{}")
        sent = loopback.received()[-1][1]
        assert sent.keys() == {"Host", "Content-Type", "User-Agent", "Accept", "Content-Length"}
    await sender.get(url)
    assert loopback.received()[-1][1].keys() == {"Host", "User-Agent", "Accept"}


async def test_the_proxy_of_the_environment_is_not_used(loopback: LoopbackReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await loopback.sender.post(loopback.url, {}, b"{}")).ok


async def test_a_closed_port(sender: AiohttpSender) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        outcome = await sender.post(f"http://127.0.0.1:{placeholder.getsockname()[1]}/", {}, b"{}")
    assert (outcome.status, outcome.failure) == (None, Failure.CONNECT)
    assert outcome.error


async def test_a_silent_receiver(sender: AiohttpSender, raw: Callable[[bytes, bool], Awaitable[str]]) -> None:
    outcome = await sender.post(await raw(b"", True), {}, b"{}", total_timeout_s=0.05)
    assert outcome.failure is Failure.TIMEOUT
    assert outcome.latency_s >= 0.05
    assert (await sender.get(await raw(b"", True), total_timeout_s=0.05)).failure is Failure.TIMEOUT


@pytest.mark.parametrize("stays", [False, True])
async def test_a_status_counts_although_its_body_never_ends(
    sender: AiohttpSender, raw: Callable[[bytes, bool], Awaitable[str]], stays: bool
) -> None:
    url = await raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", stays)
    outcome = await sender.post(url, {}, b"{}", total_timeout_s=0.3)
    assert outcome.ok
    assert outcome.body == b"part"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_not_http(sender: AiohttpSender, raw: Callable[[bytes, bool], Awaitable[str]], answer: bytes) -> None:
    assert (await sender.post(await raw(answer, False), {}, b"{}")).failure is Failure.BROKEN


async def test_a_packed_body_stays_packed(sender: AiohttpSender, raw: Callable[[bytes, bool], Awaitable[str]]) -> None:
    url = await raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", False)
    assert (await sender.get(url)).body == b"\x1f\x8b\x08\x00"


async def test_tls_to_a_receiver_without_it(sender: AiohttpSender, loopback: LoopbackReceiver) -> None:
    outcome = await sender.post(loopback.url.replace("http:", "https:"), {}, b"{}")
    assert outcome.failure is Failure.TLS


@pytest.mark.parametrize(
    "url", ["", "hook", "ftp://127.0.0.1/", "http://", "http://[::1/", "http://127.0.0.1:99999/", "file:///etc"]
)
async def test_a_bad_url(sender: AiohttpSender, url: str) -> None:
    assert (await sender.post(url, {}, b"{}")).failure is Failure.BAD_URL


class Names:
    """Every name has these addresses; counts how often it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    def __call__(self, host: str, port: int, family: int) -> list[AddrInfo]:
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


Named = Callable[..., AiohttpSender]


@pytest_asyncio.fixture
async def named() -> AsyncIterator[Named]:
    """Makes senders to which every name has the given addresses."""
    made: list[AiohttpSender] = []

    def make(*addresses: str, policy: TargetPolicy = OPEN, lookup: Lookup | None = None) -> AiohttpSender:
        made.append(AiohttpSender(policy, lookup=lookup or Names(*addresses)))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


async def test_a_name_without_address(named: Named) -> None:
    assert (await named().post("http://nowhere.example/", {}, b"{}")).failure is Failure.NAME


@pytest.mark.parametrize("addresses", [["169.254.169.254"], ["10.0.0.1", "192.168.0.1"]])
async def test_a_name_that_points_inside(named: Named, addresses: list[str]) -> None:
    outcome = await named(*addresses).post("http://innocent.example/", {}, b"{}")
    assert outcome.failure is Failure.NOT_ALLOWED
    assert not any(address in outcome.error for address in addresses)


async def test_an_address_that_is_allowed_is_tried_after_one_that_is_not(loopback: LoopbackReceiver, named: Named) -> None:
    sender = named("10.0.0.1", "127.0.0.1")
    assert (await sender.post(loopback.url.replace("127.0.0.1", "innocent.example"), {}, b"{}")).ok


async def test_an_address_that_is_not_allowed_is_not_tried_after_one_that_fails(named: Named) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        outcome = await named("127.0.0.1", "10.0.0.1").post(f"http://innocent.example:{port}/", {}, b"{}")
    assert outcome.failure in (Failure.CONNECT, Failure.NOT_ALLOWED)
    assert outcome.latency_s < 4.5  # an attempt to reach it would have lasted until the time-out


async def test_a_name_that_changes_its_mind_gains_nothing(loopback: LoopbackReceiver, named: Named) -> None:
    """Rebinding: there is one look-up, and what it gave is both judged and connected to."""
    names = Names("127.0.0.1")
    sender = named(lookup=names)
    url = loopback.url.replace("127.0.0.1", "innocent.example")
    assert (await sender.post(url, {}, b"{}")).ok
    assert names.asked == 1
    names.addresses = ("169.254.169.254",)
    again = named(lookup=names)
    assert (await again.post(url, {}, b"{}")).failure is Failure.NOT_ALLOWED
    assert len(loopback.received()) == 1


async def test_a_redirect_inside_is_not_followed(named: Named, raw: Callable[[bytes, bool], Awaitable[str]]) -> None:
    names = Names("127.0.0.1")
    head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://metadata.example/\r\nContent-Length: 0\r\n\r\n"
    url = (await raw(head, False)).replace("127.0.0.1", "innocent.example")
    assert (await named(lookup=names).post(url, {}, b"{}")).status == 307
    assert names.asked == 1


async def test_names_whose_servers_are_silent_do_not_hold_up_others(loopback: LoopbackReceiver, named: Named) -> None:
    begun, answered = threading.Semaphore(0), threading.Event()

    def lookup(host: str, port: int, family: int) -> list[AddrInfo]:
        if host.startswith("silent"):
            begun.release()
            answered.wait(30)
        return Names("127.0.0.1")(host, port, family)

    sender = named(lookup=lookup)
    url = loopback.url.replace("127.0.0.1", "{}.example")
    waiting = [asyncio.create_task(sender.post(url.format(f"silent{number}"), {}, b"{}")) for number in range(LOOKUPS - 1)]
    for _ in waiting:
        await asyncio.to_thread(begun.acquire)
    assert (await sender.post(url.format("prompt"), {}, b"{}")).ok
    assert not any(task.done() for task in waiting)
    answered.set()
    assert all(outcome.ok for outcome in await asyncio.gather(*waiting))


async def test_a_look_up_that_is_given_up_frees_its_place_when_it_ends() -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()

    def lookup(host: str, port: int, family: int) -> list[AddrInfo]:
        begun.release()
        may_end.wait(30)
        return []

    names = ThreadedNames(lookup)
    given_up = [asyncio.create_task(names.resolve("silent.example")) for _ in range(LOOKUPS)]
    for task in given_up:
        await asyncio.to_thread(begun.acquire)
        task.cancel()
    late = asyncio.create_task(names.resolve("prompt.example"))
    await asyncio.wait(given_up)
    assert not late.done()
    may_end.set()
    assert await asyncio.wait_for(late, 10) == []


async def test_a_thread_that_cannot_start_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names = ThreadedNames(Names("127.0.0.1"))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(LOOKUPS):
            with pytest.raises(RuntimeError):
                await names.resolve("busy.example")
    (found,) = await asyncio.wait_for(names.resolve("calm.example"), 2)
    assert found["host"] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "10.0.0.1"])
async def test_addresses_inside_are_refused_however_they_are_written(loopback: LoopbackReceiver, host: str) -> None:
    closed = AiohttpSender(TargetPolicy())
    outcome = await closed.post(loopback.url.replace("127.0.0.1", host), {}, b"{}")
    assert outcome.failure is Failure.NOT_ALLOWED
    assert loopback.received() == []
    await closed.close()


async def test_an_allow_list_lets_in(loopback: LoopbackReceiver) -> None:
    listed = AiohttpSender(TargetPolicy(allow=networks(["127.0.0.0/8"])))
    assert (await listed.post(loopback.url, {}, b"{}")).ok
    await listed.close()


HANGING = 100
"""More requests than one app has in flight."""


class Doors:
    """One port with two paths: `/silent` answers when told to, `/prompt` at once."""

    def __init__(self) -> None:
        self.speak = asyncio.Event()
        self.silent = asyncio.Semaphore(0)
        """One for each request that came to `/silent`."""

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/silent":
            self.silent.release()
            await self.speak.wait()
        return web.Response()


@pytest_asyncio.fixture
async def doors() -> AsyncIterator[tuple[Doors, str]]:
    made, app = Doors(), web.Application()
    app.router.add_post("/{path}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    made.speak.set()
    await runner.cleanup()


async def test_a_silent_callback_holds_up_no_other_one_of_its_host(sender: AiohttpSender, doors: tuple[Doors, str]) -> None:
    doors_, base = doors
    hanging = [asyncio.create_task(sender.post(f"{base}silent", {}, b"{}")) for _ in range(HANGING)]
    await asyncio.sleep(0)  # they ask for their connections first
    assert (await sender.post(f"{base}prompt", {}, b"{}", total_timeout_s=5.0)).ok
    assert not any(task.done() for task in hanging)
    doors_.speak.set()
    assert all(outcome.ok for outcome in await asyncio.gather(*hanging))


async def test_connections_of_a_host_can_be_bounded(doors: tuple[Doors, str]) -> None:
    doors_, base = doors
    visitor = AiohttpSender(OPEN, per_host=1)
    first = asyncio.create_task(visitor.post(f"{base}silent", {}, b"{}"))
    await doors_.silent.acquire()
    assert (await visitor.post(f"{base}prompt", {}, b"{}", total_timeout_s=0.05)).failure is Failure.TIMEOUT
    doors_.speak.set()
    assert (await first).ok
    assert (await visitor.post(f"{base}prompt", {}, b"{}")).ok
    await visitor.close()


async def test_closing_twice_is_closing_once(loopback: LoopbackReceiver) -> None:
    await loopback.sender.post(loopback.url, {}, b"{}")
    await loopback.real.close()
    await loopback.real.close()


async def test_a_connection_is_left_before_the_receiver_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many receivers end an idle connection after 5 s, and a POST that crosses that is lost."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n{}")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    now = 1000.0
    monkeypatch.setattr("aiohttp.connector.monotonic", lambda: now)
    server, sender = await asyncio.start_server(serve, "127.0.0.1"), AiohttpSender(OPEN)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    used = []
    for idle_s in (0.0, 3.5, 4.5):
        now += idle_s
        assert (await sender.post(url, {}, b"{}")).ok
        used.append(len(connections))
    assert used == [1, 1, 2]
    await sender.close()
    server.close()
    for writer in connections:
        writer.close()
    await server.wait_closed()
