"""HTTPS and WSS on the server's one port: whole calls over them, several names, a renewal under load, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from click.testing import CliRunner, Result

from pagecalls import operator_file
from pagecalls.cli import main
from pagecalls.clock import SystemClock
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.demo.serving import serving
from pagecalls.media.fake import FakeEngine
from pagecalls.server import Server, listen, running
from pagecalls.settings import Settings, SettingsError
from tests.certificates import Authority, Files

from .conftest import AIORTC, CHROMIUM, offered


@dataclass
class Secure:
    """A server with a certificate, and who trusts it."""

    server: Server
    authority: Authority
    files: Files
    http: aiohttp.ClientSession
    folder: Path

    @property
    def port(self) -> int:
        return int(self.server.dev.base_url.rpartition(":")[2])

    async def device(self) -> ConsumerDevice:
        device = ConsumerDevice(tls=self.authority.trust())
        await device.connect(self.server.dev.base_url, self.server.dev.consumer.access_token)
        return device

    async def get(self, path: str, token: str | None = None, **headers: str) -> tuple[int, Mapping[str, str], str]:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.http.get(self.server.dev.base_url + path, headers=headers) as response:
            return response.status, response.headers, await response.text()

    async def shown(self, name: str = "localhost") -> bytes:
        """The certificate that a new connection gets."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.authority.trust(), server_hostname=name)
        connection = writer.get_extra_info("ssl_object")
        shown: bytes = connection.getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return shown


@asynccontextmanager
async def a_secure(folder: Path, *names: str, webhook: str | None = None, **chosen: Any) -> AsyncIterator[Secure]:
    clock = SystemClock()
    authority = Authority(folder, clock.now())
    files = authority.issue(*names)
    data = folder / "data"
    settings = Settings(port=0, udp_port=0, data_dir=data, webhook=webhook, tls_cert=files.cert, tls_key=files.key, **chosen)
    connector = aiohttp.TCPConnector(ssl=authority.trust())
    with listen(settings) as listener:
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            running(settings, listener, FakeEngine(clock), clock) as server,
        ):
            task = asyncio.create_task(server.serve(listener))
            yield Secure(server, authority, files, http, data)
            server.ask_to_stop()
            await task


async def test_a_call_over_tls_does_not_notice_a_renewal(tmp_path: Path, app: BusinessApp) -> None:
    async with a_secure(tmp_path, "localhost", "127.0.0.1", webhook=app.url) as site:
        dev = site.server.dev
        assert dev.base_url.startswith("https://127.0.0.1:")
        app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret)
        device = await site.device()
        started = await device.request("call.start", page_id=dev.page.id, session=offered(CHROMIUM))
        await app.expect("connect", started["call_id"])
        before = await site.shown()

        site.authority.issue("localhost", "127.0.0.1", is_rsa=True).move_to(site.files)
        site.server.reload()

        assert await site.shown() != before
        async with site.http.post(
            f"{dev.base_url}/v26.0/{dev.page.id}/calls",
            json={
                "action": "accept",
                "platform": "messenger",
                "call_id": started["call_id"],
                "session": offered(AIORTC),
                "access_token": dev.page.access_token,
            },
        ) as response:
            assert (response.status, (await response.json())["success"]) == (200, True)
        await device.expect("call.accepted", call_id=started["call_id"])
        await device.request("call.hangup", call_id=started["call_id"])
        await device.close()


async def test_a_bad_renewal_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_secure(tmp_path, "localhost", "127.0.0.1") as site:
        before = await site.shown()
        site.files.cert.write_text("spoiled")
        site.server.reload()
        assert await site.shown() == before
        assert "the certificate in use stays: tls_cert" in caplog.text
        assert (await site.get("/_pagecalls/ready"))[0] == 200


async def test_several_names(tmp_path: Path) -> None:
    """The Graph API answers under any name; a name that consumers use must be known as ours."""
    names = ("calls.example.com", "graph.facebook.com", "127.0.0.1")
    async with a_secure(tmp_path, *names, allowed_hosts=frozenset({"calls.example.com"})) as site:
        shown = {await site.shown(name) for name in ("calls.example.com", "graph.facebook.com")}
        assert len(shown) == 1
        page, token = site.server.dev.page.id, site.server.dev.page.access_token
        for host in ("calls.example.com", "graph.facebook.com"):
            assert (await site.get(f"/v26.0/{page}", token, Host=host))[0] == 200
        assert (await site.get("/docs/", Host="calls.example.com"))[0] == 200
        assert (await site.get("/docs/", Host="graph.facebook.com"))[0] == 403


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (("127.0.0.1", "localhost"), "127.0.0.1"),
        (("localhost",), "localhost"),
        (("calls.example.com",), "calls.example.com"),
        (("graph.facebook.com",), "127.0.0.1"),
    ],
)
async def test_the_address_that_is_told_is_one_that_clients_accept(tmp_path: Path, names: tuple[str, ...], host: str) -> None:
    """If there is one that is surely this host: a certificate may be for names that lead elsewhere."""
    async with a_secure(tmp_path, *names, allowed_hosts=frozenset({"calls.example.com"})) as site:
        assert site.server.dev.base_url == f"https://{host}:{site.port}"
        written = json.loads((site.folder / "operator.json").read_bytes())
        assert written["base_url"] == f"https://127.0.0.1:{site.port}"
        assert written["tls_cert"] == str(site.files.cert)


async def test_the_operator_on_this_machine_trusts_the_servers_own_certificate(tmp_path: Path) -> None:
    async with a_secure(tmp_path, "calls.example.com") as site:
        found = operator_file.read(site.folder)
        assert found is not None
        trust = found.trust()
        assert trust is not None
        headers = {"Authorization": f"Bearer {found.admin_token}"}
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{found.base_url}/_pagecalls/clock", headers=headers, ssl=trust) as response:
                assert response.status == 200
            another = Authority(tmp_path, site.server.clock.now()).issue("calls.example.com")
            stranger = operator_file.OperatorFile(found.base_url, "", str(another.cert)).trust()
            assert stranger is not None
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await http.get(f"{found.base_url}/_pagecalls/clock", ssl=stranger)


@pytest.mark.parametrize("is_on", [False, True])
async def test_browsers_are_held_to_https_only_if_asked_for(tmp_path: Path, is_on: bool) -> None:
    async with a_secure(tmp_path, "127.0.0.1", hsts=is_on) as site:
        for path in (f"/v26.0/{site.server.dev.page.id}", "/docs/", "/_pagecalls/health", "/nowhere"):
            headers = (await site.get(path))[1]
            assert headers.get("strict-transport-security") == ("max-age=15552000; preload" if is_on else None)


async def test_metrics_tell_when_the_certificate_expires(tmp_path: Path) -> None:
    async with a_secure(tmp_path, "127.0.0.1") as site:
        _, _, text = await site.get("/metrics", site.server.dev.admin_token)
        (line,) = [each for each in text.splitlines() if each.startswith("pagecalls_tls_expiry_timestamp_seconds ")]
        assert float(line.split()[1]) - site.server.clock.now() == pytest.approx(90 * 86_400, abs=60)


async def test_plain_http_is_not_answered(tmp_path: Path) -> None:
    async with a_secure(tmp_path, "127.0.0.1") as site:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.ClientError):
                await http.get(f"http://127.0.0.1:{site.port}/_pagecalls/health")
        assert (await site.get("/_pagecalls/health"))[0] == 200


async def test_a_bad_certificate_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(port=0, udp_port=0, data_dir=tmp_path / "data", tls_cert=tmp_path / "a", tls_key=tmp_path / "b")
    with listen(settings) as listener, pytest.raises(SettingsError, match="cannot be read"):
        async with running(settings, listener):
            pass
    assert not settings.data_dir.exists()


async def test_the_server_process_reads_its_certificate_again_on_sighup(tmp_path: Path, app: BusinessApp) -> None:
    """In its own event loop: an open device and a call stay, new connections get the new certificate."""
    authority = Authority(tmp_path, SystemClock().now())
    files = authority.issue("localhost", "127.0.0.1")
    options = ["--tls-cert", str(files.cert), "--tls-key", str(files.key), "--log-level", "info"]
    async with serving(tmp_path / "data", app.url, options) as served:
        device = ConsumerDevice(tls=authority.trust())
        await device.connect(served.dev.base_url, served.dev.consumer.access_token)
        started = await device.request("call.start", page_id=served.dev.page.id, session=offered(CHROMIUM))
        port = int(served.dev.base_url.rpartition(":")[2])

        def shown(name: str | None) -> bytes:
            context = authority.trust()
            context.check_hostname = name is not None
            with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
                return tls.getpeercert(binary_form=True) or b""

        before = await asyncio.to_thread(shown, "localhost")
        authority.issue("localhost", "127.0.0.1", is_rsa=True).move_to(files)
        os.kill(served.pid, signal.SIGHUP)
        async with asyncio.timeout(5):
            while await asyncio.to_thread(shown, "localhost") == before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await asyncio.to_thread(shown, None) == await asyncio.to_thread(shown, "localhost")
        await device.request("call.hangup", call_id=started["call_id"])
        await device.close()


async def test_the_operators_commands_trust_the_servers_own_certificate(tmp_path: Path) -> None:
    """Whatever name it bears: they speak to an address of this machine. Another certificate there gets no token."""
    async with a_secure(tmp_path, "calls.example") as site:
        environment = {"PAGECALLS_DATA_DIR": str(site.folder), "PAGECALLS_URL": None, "PAGECALLS_ADMIN_TOKEN": None}

        async def pages() -> Result:
            return await asyncio.to_thread(CliRunner().invoke, main, ["page", "list", "--json"], env=environment)

        listed = await pages()
        assert (listed.exit_code, [page["id"] for page in json.loads(listed.output)]) == (0, [site.server.dev.page.id])
        file = operator_file.read(site.folder)
        assert file is not None
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        stranger = Authority(elsewhere, site.server.clock.now()).issue("calls.example")
        operator_file.publish(site.folder, msgspec.structs.replace(file, tls_cert=str(stranger.cert)))
        refused = await pages()
        assert refused.exit_code == 1
        assert "is not to be trusted" in refused.output
