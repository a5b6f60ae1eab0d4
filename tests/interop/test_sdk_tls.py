"""Meta's Python SDK over HTTPS: it asks for graph.facebook.com and finds this server, unchanged but for whom it trusts."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from facebook_business.adobjects.page import Page
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession
from requests.exceptions import SSLError

from pagecalls.clock import SystemClock
from pagecalls.demo.serving import Served, serving
from tests.certificates import Authority

pytestmark = pytest.mark.asyncio(loop_scope="package")

HOST = "graph.facebook.com"
# The SDK has no types of its own.
AnyPage: Any = Page
AnyApi: Any = FacebookAdsApi
AnySession: Any = FacebookSession


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The host's name leads here."""
    look_up = socket.getaddrinfo

    def here(host: Any, *arguments: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host == HOST else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    return Authority(tmp_path, SystemClock().now())


def page_of(served: Served, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    port = served.dev.base_url.rpartition(":")[2]
    monkeypatch.setattr(FacebookSession, "GRAPH", f"https://{HOST}:{port}")
    session = AnySession(served.dev.app.id, served.dev.app.secret, served.dev.page.access_token)
    return AnyPage(served.dev.page.id, api=AnyApi(session)), session


async def test_it_reads_and_writes_under_the_platforms_own_name(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = authority.issue(HOST, "127.0.0.1")
    options = ["--tls-cert", str(files.cert), "--tls-key", str(files.key)]
    async with serving(tmp_path / "data", "http://127.0.0.1:9/webhook", options) as served:
        page, session = page_of(served, monkeypatch)
        with pytest.raises(SSLError):
            await asyncio.to_thread(page.get_subscribed_apps)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        found = await asyncio.to_thread(lambda: [each["id"] for each in page.get_subscribed_apps()])
        assert found == [served.dev.app.id]
        await asyncio.to_thread(page.delete_subscribed_apps)
        assert await asyncio.to_thread(lambda: list(page.get_subscribed_apps())) == []
        session.requests.close()
