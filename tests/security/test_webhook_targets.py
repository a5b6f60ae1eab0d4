"""A callback address is a stranger's wish that this server send requests: it reaches nothing inside, however it is written."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pagecalls.store.base import Transaction
from pagecalls.types import AppId
from pagecalls.webhooks.base import Failure
from pagecalls.webhooks.names import LOOKUPS, AddrInfo
from pagecalls.webhooks.sender import AiohttpSender
from pagecalls.webhooks.targets import TargetPolicy, networks
from tests.scenarios.conftest import World

INSIDE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://172.31.0.1:8080/",
    "http://192.168.0.1/",
    "http://0.0.0.0:1/",
    "http://0/",
    "http://[::]:1/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::ffff:0:169.254.169.254]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://169.254.169.254./",
    "http://\uff11\uff16\uff19.254.169.254/",
    "http://user:pass@169.254.169.254/",
    "http://example.com@169.254.169.254/",
    "http://169.254.169.254:80#@example.com/",
    "http://169.254.169.254\\@example.com/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
]

NO_URL = [
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/_HELO",
    "ftp://127.0.0.1/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "//127.0.0.1/",
    "http://",
    "http:///path",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:80:80/",
    "http://[::1/",
    "http://127.0.0.1/\r\nX-Injected: 1",
    "http://127.0.0.1/ HTTP/1.1\r\nHost: x",
    "http://127.0.0.1/\x00",
    "http://127.0.0.1/\u2028",
    "http://127.0.0.1/" + "x" * 2048,
]


async def subscribe(world: World, url: str) -> tuple[int, int, str]:
    app = world.server.dev.app
    body = {"object": "user", "callback_url": url, "verify_token": "v", "fields": "x", "access_token": f"{app.id}|{app.secret}"}
    async with world.http.post(f"{world.base_url}/v26.0/{app.id}/subscriptions", json=body) as response:
        error = json.loads(await response.text())["error"]
        return response.status, error["code"], error["message"]


async def test_no_subscription_reaches_inside(world: World) -> None:
    """The same refusal for all of them: nobody learns from it what is there."""
    said = set()
    for url in INSIDE:
        status, code, message = await subscribe(world, url)
        assert (status, code) in ((400, 2200), (400, 100)), url
        assert "169.254" not in message.replace(url, "")
        if code == 2200:
            said.add(message)
    assert said <= {
        "(#2200) Callback verification failed with the following errors: "
        f"curl_errno = {errno}; curl_error = {error}; HTTP Status Code = 0"
        for errno, error in (
            (7, "Couldn't connect to server: webhooks to this address are not allowed"),
            (6, "Couldn't resolve host name"),
            (3, "URL using bad/illegal format or missing URL"),
        )
    }


async def test_addresses_that_are_never_found_take_nothing_from_owed_webhooks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app asks for as many as are looked up at a time, and each look-up takes as long as its name server likes."""
    over, asked, look_up = threading.Event(), threading.Semaphore(0), socket.getaddrinfo

    def slow(host: str, *args: Any, **named: Any) -> Any:
        if str(host).endswith(".invalid"):
            asked.release()
            over.wait()
        return look_up(host, *args, **named)

    def named(tx: Transaction) -> None:
        for each in tx.app_subscriptions(AppId(world.server.dev.app.id)):
            tx.put_app_subscription(replace(each, callback_url=each.callback_url.replace("127.0.0.1", "localhost")))

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    await world.server.calls.store.write(named)
    hopeless = [asyncio.create_task(subscribe(world, f"http://a{number}.invalid/")) for number in range(LOOKUPS)]
    try:
        for _ in range(LOOKUPS):
            await asyncio.to_thread(asked.acquire)
        call_id = await world.start_call(await world.device())
        await world.app.expect("connect", call_id)
    finally:
        over.set()
    assert {code for _, code, _ in await asyncio.gather(*hopeless)} == {2200}


async def test_no_subscription_of_what_is_no_address_of_a_receiver(world: World) -> None:
    for url in NO_URL:
        assert (await subscribe(world, url))[:2] == (400, 100), url
    app = world.server.dev.app
    token = f"{app.id}|{app.secret}"
    async with world.http.get(f"{world.base_url}/v26.0/{app.id}/subscriptions", params={"access_token": token}) as response:
        assert {each["object"] for each in (await response.json())["data"]} == {"page", "instagram"}


@dataclass(slots=True)
class Listener:
    """A service that answers everything, and counts who came."""

    address: str
    answer: bytes
    port: int = 0
    visits: int = 0
    heard: bytearray = field(default_factory=bytearray)

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, self.address, self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        self.heard += await reader.read(65_536)
        writer.write(self.answer)
        writer.close()


ONE_OPEN = TargetPolicy(allow=networks(["127.0.0.1/32"]))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def sender() -> AsyncIterator[AiohttpSender]:
    """It may reach 127.0.0.1, which stands for the receiver, and nothing else: 127.0.0.2 stands for what is inside."""
    sender = AiohttpSender(ONE_OPEN)
    yield sender
    await sender.close()


async def test_a_name_that_points_elsewhere_the_second_time() -> None:
    """Whatever the name server says, and when: what counts is where the connection goes."""
    answers = itertools.cycle(["127.0.0.1", "127.0.0.2"])

    def lookup(_host: str, port: int, _family: int) -> list[AddrInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    sender = AiohttpSender(ONE_OPEN, lookup=lookup)
    outside, inside = Listener("127.0.0.1", OK), Listener("127.0.0.2", OK)
    async with await outside.open():
        inside.port = outside.port
        async with await inside.open():
            # Names of its own, so that each is looked up; what one look-up gave is otherwise kept for a while.
            outcomes = [await sender.post(f"http://{n}.rebound.example:{outside.port}/", {}, b"{}") for n in range(6)]
    await sender.close()
    assert [outcome.failure for outcome in outcomes] == [None, Failure.NOT_ALLOWED] * 3
    assert (outside.visits, inside.visits) == (3, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_receiver_that_sends_us_inside(sender: AiohttpSender, status: int) -> None:
    inside = Listener("127.0.0.2", OK)
    async with await inside.open():
        answer = f"HTTP/1.1 {status} Elsewhere\r\nLocation: http://127.0.0.2:{inside.port}/\r\nContent-Length: 0\r\n\r\n"
        outside = Listener("127.0.0.1", answer.encode())
        async with await outside.open():
            outcome = await sender.post(f"http://127.0.0.1:{outside.port}/", {}, b"{}")
    assert (outcome.status, outcome.ok, inside.visits) == (status, False, 0)


async def test_what_stands_before_the_host_leads_nowhere_else(sender: AiohttpSender) -> None:
    inside = Listener("127.0.0.2", OK)
    async with await inside.open():
        for url in ("http://127.0.0.1@127.0.0.2:{}/", "http://127.0.0.1%20@127.0.0.2:{}/", "http://a:b@127.0.0.2:{}/"):
            outcome = await sender.post(url.format(inside.port), {}, b"{}")
            assert outcome.failure in (Failure.NOT_ALLOWED, Failure.BAD_URL)
    assert inside.visits == 0


async def test_an_address_writes_no_line_of_the_request(sender: AiohttpSender) -> None:
    receiver = Listener("127.0.0.1", OK)
    async with await receiver.open():
        for path in ("/a\r\nX-Injected: 1", "/a%0d%0aX-Injected:%201", "/?a=\r\nX-Injected: 1", "/#\r\nX-Injected: 1"):
            await sender.post(f"http://127.0.0.1:{receiver.port}{path}", {}, b"{}")
    assert b"\nX-Injected" not in receiver.heard
