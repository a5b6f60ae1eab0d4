"""Both clients against servers that answer, fail, stall and close: the same script, the same outcome."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import aiohttp
import pytest

from pagecalls.client import AppProof, AsyncClient, Client, Collision, SdpType, TerminateRequest, Track, TrackLabel, sync
from pagecalls.client import errors as e
from pagecalls.client.face import LONGEST_REPLY_BYTES
from pagecalls.client.results import Ended
from tests.unit.client.scripted import Says, Scripted, Trouble, scripted, self_signed

OFFER = "v=0\r\n"
SESSION = {"sdp_response": {"sdp_type": "answer", "sdp": "v=0\r\nanswer\r\n"}, "version": 0}
CONNECTED = {"success": True, "call_id": "c_1", "session": SESSION}
DONE = {"success": True, "call_id": "c_1"}
SENT = {"recipient_id": "2002", "message_id": "m_1"}
SHORT_S = 0.2


class Ask(Protocol):
    """Calls a method of a client, whichever it is, and closes it after the test."""

    async def __call__(self, server: Scripted, method: str, *arguments: Any, client: Any = None, **named: Any) -> Any: ...

    def make(self, base_url: str, **options: Any) -> Any: ...


class Asker:
    def __init__(self, kind: type[Client] | type[AsyncClient]) -> None:
        self.kind = kind
        self.clients: list[Client | AsyncClient] = []

    def make(self, base_url: str, **options: Any) -> Any:
        client = self.kind("EAApage", page_id="1001", base_url=base_url, **options)
        self.clients.append(client)
        return client

    async def __call__(self, server: Scripted, method: str, *arguments: Any, client: Any = None, **named: Any) -> Any:
        client = client or self.make(server.base_url)
        if isinstance(client, Client):
            return await asyncio.to_thread(getattr(client, method), *arguments, **named)
        return await getattr(client, method)(*arguments, **named)

    async def close(self) -> None:
        for client in self.clients:
            if isinstance(client, Client):
                client.close()
            else:
                await client.close()


@pytest.fixture(params=[Client, AsyncClient])
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[Ask]:
    asker = Asker(request.param)
    yield asker
    await asker.close()


async def test_every_method_sends_its_request(ask: Ask) -> None:
    update, permission = Says({"success": True, "version": 1}), Says({"permission": {"status": "x"}})
    calls = [Says(CONNECTED), Says(CONNECTED), Says(DONE), Says(DONE), update]
    async with scripted([*calls, permission, Says(SENT), Says(SENT)]) as server:
        client = ask.make(server.base_url)
        await ask(server, "connect", "2002", OFFER, client=client)
        await ask(server, "accept", "c_1", OFFER, client=client)
        await ask(server, "reject", "c_1", client=client)
        await ask(server, "terminate", "c_1", client=client)
        camera = Track("t", TrackLabel.DEFAULT_VIDEO)
        await ask(server, "media_update", "c_1", tracks=[camera], from_version=0, to_version=1, client=client)
        await ask(server, "permission", "2002", client=client)
        await ask(server, "send_message", "2002", "Hello", client=client)
        await ask(server, "request_permission", "2002", human_agent=True, client=client)
    lines = [head.partition("\r\n")[0] for head, _ in server.asked]
    assert lines == [
        *["POST /v26.0/1001/calls HTTP/1.1"] * 5,
        "GET /v26.0/1001/messenger_call_permissions?psid=2002 HTTP/1.1",
        *["POST /v26.0/1001/messages HTTP/1.1"] * 2,
    ]
    assert [body.count(b'"action"') for _, body in server.asked] == [1, 1, 1, 1, 1, 0, 0, 0]
    assert [json.loads(body).get("tag") for _, body in server.asked[-2:]] == [None, "HUMAN_AGENT"]
    assert all("Authorization: Bearer EAApage\r\n" in head for head, _ in server.asked)


async def test_what_is_read_and_reported_beside_the_calls(ask: Ask) -> None:
    issued, app = Says({"access_token": "EAAnew", "expires_in": 7200}), AppProof(app_id="9001", app_secret="hush")
    answers = [
        Says({"success": True}),
        Says({"data": [{"feature": "messenger_api_calling", "status": "ENABLED"}]}),
        *[issued] * 3,
        Says({"data": {"is_valid": True, "type": "APP"}}),
        Says({"id": "3001", "name": "Grace"}),
        Says({"data": []}),
    ]
    async with scripted(answers) as server:
        client = ask.make(server.base_url)
        await ask(server, "report", "c_1", "HANGUP_CALL", 17.5, audio_stats={"jitter": 0.5}, client=client)
        features = await ask(server, "features", client=client)
        await ask(server, "app_token", app, client=client)
        token = await ask(server, "redeem_code", app, "AQ", redirect_uri="https://x.example/", client=client)
        await ask(server, "exchange_token", app, "EAAold", client=client)
        facts = await ask(server, "inspect_token", "EAAold", client=client)
        user = await ask(server, "user", client=client)
        accounts = await ask(server, "accounts", after="MQ", limit=5, client=client)
    assert [unquote(head.partition(" HTTP")[0]) for head, _ in server.asked] == [
        "POST /v26.0/1001/call_metrics",
        "POST /v26.0/1001/business_messaging_feature_status",
        *["POST /v26.0/oauth/access_token"] * 3,
        "GET /v26.0/debug_token?input_token=EAAold",
        "GET /v26.0/me?fields=id,name",
        "GET /v26.0/me/accounts?fields=access_token,name,tasks&after=MQ&limit=5",
    ]
    bodies = [json.loads(body) for _, body in server.asked[:5]]
    assert bodies[0] == {
        "call_id": "c_1",
        "end_call_reason": "HANGUP_CALL",
        "call_ended_time": 17.5,
        "audio_stats": {"jitter": 0.5},
    }
    assert bodies[3] == {"client_id": "9001", "client_secret": "hush", "code": "AQ", "redirect_uri": "https://x.example/"}
    assert bodies[4]["fb_exchange_token"] == "EAAold"
    assert features.is_enabled("messenger_api_calling")
    assert (token.access_token, token.expires_in_s, facts.kind, user.name, accounts.pages) == ("EAAnew", 7200, "APP", "Grace", ())
    assert "hush" not in repr(app)
    assert "EAAnew" not in repr(token)


@pytest.mark.parametrize(
    ("method", "arguments", "times"),
    [
        ("report", ("c_1", "UNKNOWN", 1.0), 1),
        ("redeem_code", (AppProof(app_id="9001", app_secret="s"), "AQ"), 1),
        ("exchange_token", (AppProof(app_id="9001", app_secret="s"), "EAA"), 2),
        ("features", (), 2),
    ],
)
async def test_which_of_them_are_sent_twice(ask: Ask, method: str, arguments: tuple[Any, ...], times: int) -> None:
    async with scripted([Trouble.DROP, Trouble.DROP]) as server:
        with pytest.raises(e.ReplyLost):
            await ask(server, method, *arguments)
    assert len(server.asked) == times


async def test_all_arguments_of_an_update_arrive(ask: Ask) -> None:
    async with scripted([Says({"success": True})]) as server:
        named = {"sdp_type": SdpType.ANSWER, "enabled_tracks": ["t"], "from_version": 3, "to_version": 4}
        await ask(server, "media_update", "c_1", "v=0", **named)
    (_, body) = server.asked[0]
    for part in (b'"sdp_type":"answer"', b'"enabled_tracks":["t"]', b'"from_version":3', b'"to_version":4'):
        assert part in body


async def test_refusals_are_raised(ask: Ask) -> None:
    error = {"error": {"message": "gone", "code": 2018396, "error_subcode": 9901302}}
    async with scripted([Says(error, 400), Says({"success": False, "version": 4})]) as server:
        client = ask.make(server.base_url)
        with pytest.raises(e.CallOverError):
            await ask(server, "terminate", "c_1", client=client)
        with pytest.raises(Collision) as raised:
            await ask(server, "media_update", "c_1", OFFER, client=client)
    assert raised.value.current_version == 4
    assert server.connections == 1


async def test_a_batch(ask: Ask) -> None:
    async with scripted([Says([{"code": 200, "body": '{"success":true}'}, None])]) as server:
        requests = [TerminateRequest(call_id="c_1"), TerminateRequest(call_id="c_2")]
        client = ask.make(server.base_url)
        assert await ask(server, "batch", [], client=client) == []
        first, second = await ask(server, "batch", requests, client=client)
    assert first == Ended("c_1")
    assert isinstance(second, e.NotExecuted)
    assert len(server.asked) == 1


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_connection_serves_many_requests(ask: Ask, is_chunked: bool) -> None:
    async with scripted([Says(DONE, is_chunked=is_chunked)] * 3) as server:
        client = ask.make(server.base_url)
        for _ in range(3):
            assert await ask(server, "terminate", "c_1", client=client) == Ended("c_1")
    assert server.connections == 1


@pytest.mark.parametrize("politely", [True, False])
async def test_a_connection_that_the_server_closed_is_not_used(ask: Ask, politely: bool) -> None:
    """`connect` must not meet it: it would be lost, and may not be repeated."""
    async with scripted([Says(CONNECTED, closes=True, politely=politely), Says(CONNECTED)]) as server:
        client = ask.make(server.base_url)
        await ask(server, "connect", "2002", OFFER, client=client)
        await server.closed.wait()
        for _ in range(10):  # so that the client's transport hears of it
            await asyncio.sleep(0)
        await ask(server, "connect", "2002", OFFER, client=client)
    assert server.connections == 2


async def test_an_old_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp sees to that itself."""
    monkeypatch.setattr(sync, "IDLE_CONNECTION_S", 0.0)
    async with scripted([Says(DONE)] * 2) as server:
        with Client("EAApage", base_url=server.base_url) as client:
            for _ in range(2):
                await asyncio.to_thread(client.terminate, "c_1")
    assert server.connections == 2


async def test_requests_at_the_same_time_have_a_connection_each(ask: Ask) -> None:
    async with scripted([Trouble.STALL, Says(DONE)]) as server:
        client = ask.make(server.base_url, timeout_s=0.5, repeats=False)
        slow = asyncio.create_task(ask(server, "connect", "2002", OFFER, client=client))
        await server.taken.wait()
        assert await ask(server, "terminate", "c_1", client=client) == Ended("c_1")
        with pytest.raises(e.TimedOut):
            await slow
    assert server.connections == 2


LOST = [Trouble.DROP, Trouble.HALF, Trouble.HALF_CHUNKED]


@pytest.mark.parametrize("trouble", LOST, ids=lambda trouble: trouble.name)
async def test_a_lost_answer_is_asked_for_again_where_that_is_safe(ask: Ask, trouble: Trouble) -> None:
    async with scripted([trouble, Says(DONE)]) as server:
        assert await ask(server, "terminate", "c_1") == Ended("c_1")
    (first_head, first), (second_head, second) = server.asked
    assert (first_head, first) == (second_head, second)


@pytest.mark.parametrize("trouble", LOST, ids=lambda trouble: trouble.name)
async def test_where_it_is_not_the_loss_is_told(ask: Ask, trouble: Trouble) -> None:
    async with scripted([trouble, Says(CONNECTED)]) as server:
        with pytest.raises(e.ReplyLost):
            await ask(server, "connect", "2002", OFFER)
    assert len(server.asked) == 1


async def test_there_is_no_third_attempt(ask: Ask) -> None:
    async with scripted([Trouble.DROP, Trouble.DROP, Says(DONE)]) as server:
        with pytest.raises(e.ReplyLost):
            await ask(server, "terminate", "c_1")
    assert len(server.asked) == 2


async def test_repeats_can_be_turned_off(ask: Ask) -> None:
    async with scripted([Trouble.DROP, Says(DONE)]) as server:
        with pytest.raises(e.ReplyLost):
            await ask(server, "terminate", "c_1", client=ask.make(server.base_url, repeats=False))
    assert len(server.asked) == 1


async def test_a_refusal_is_never_repeated(ask: Ask) -> None:
    async with scripted([Says({"error": {"message": "later", "code": 2}}, 503), Says(DONE)]) as server:
        with pytest.raises(e.ServerFault):
            await ask(server, "terminate", "c_1")
    assert len(server.asked) == 1


@pytest.mark.parametrize("trouble", [Trouble.STALL, Trouble.STALL_MIDWAY], ids=lambda trouble: trouble.name)
async def test_an_answer_in_good_time_or_none(ask: Ask, trouble: Trouble) -> None:
    async with scripted([trouble]) as server:
        with pytest.raises(e.TimedOut):
            await ask(server, "connect", "2002", OFFER, client=ask.make(server.base_url, timeout_s=SHORT_S))


async def test_nobody_listens(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(e.NotConnected):
        await ask(Scripted([], base_url), "terminate", "c_1")


async def test_no_tls_where_tls_is_expected(ask: Ask) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(e.NotConnected):
            await ask(Scripted([], base_url), "terminate", "c_1")


async def test_a_certificate_of_its_own(ask: Ask, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    at_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    at_server.load_cert_chain(certificate)
    async with scripted([Says(DONE)], at_server) as server:
        trusts = ssl.create_default_context(cafile=str(certificate))
        assert await ask(server, "terminate", "c_1", client=ask.make(server.base_url, ssl_context=trusts)) == Ended("c_1")
        with pytest.raises(e.NotConnected):
            await ask(server, "terminate", "c_1")


async def test_something_else_than_http(ask: Ask) -> None:
    async with scripted([Trouble.NO_HTTP]) as server:
        with pytest.raises(e.TransportError):
            await ask(server, "connect", "2002", OFFER)


@pytest.mark.parametrize("status", [302, 502])
async def test_a_proxy_in_between(ask: Ask, status: int) -> None:
    async with scripted([Says(b"<html>", status)]) as server:
        with pytest.raises(e.UnreadableReply) as raised:
            await ask(server, "connect", "2002", OFFER)
    assert raised.value.http_status == status


async def test_an_endless_answer_is_given_up(ask: Ask) -> None:
    async with scripted([Trouble.ENDLESS]) as server:
        with pytest.raises(e.UnreadableReply, match="too long"):
            await ask(server, "connect", "2002", OFFER)
    assert LONGEST_REPLY_BYTES > 50 * 64 * 1024  # a batch of the largest answers fits


async def test_they_close_what_they_opened() -> None:
    async with scripted([Says(DONE)] * 3) as server:
        with Client("t", base_url=server.base_url) as blocking:
            await asyncio.to_thread(blocking.terminate, "c_1")
        await server.closed.wait()
        server.closed.clear()
        async with AsyncClient("t", base_url=server.base_url) as client:
            await client.terminate("c_1")
        await server.closed.wait()
        async with aiohttp.ClientSession() as http:
            async with AsyncClient("t", base_url=server.base_url, http=http) as client:
                await client.terminate("c_1")
            assert not http.closed


def test_both_have_the_same_methods() -> None:
    def methods(kind: type[Client] | type[AsyncClient]) -> dict[str, list[tuple[str, object, object]]]:
        found: dict[str, Callable[..., Any]] = dict(inspect.getmembers(kind, inspect.isfunction))
        return {
            name: [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]
            for name, method in found.items()
            if not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)
    assert set(methods(Client)) > {"connect", "accept", "reject", "terminate", "media_update", "permission", "batch", "send"}
