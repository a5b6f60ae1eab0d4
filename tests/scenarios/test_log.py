"""The log of a whole call at its most verbose: found by call, Page and request, and without anything that opens a door."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import DeviceRefused

from .conftest import AIORTC, CHROMIUM, offered
from .test_processes import Host, a_host

OPTIONS = ["--log-level", "debug", "--log-format", "json"]
SECRET_LINES = re.compile(r"a=(?:ice-pwd:|fingerprint:\S+ )(\S+)")


def secrets_of(value: Any) -> set[str]:
    """Passwords and fingerprints of every description in an answer."""
    return set(SECRET_LINES.findall(json.dumps(value).replace("\\r", " ").replace("\\n", " ")))


async def a_talk(host: Host, app: BusinessApp) -> tuple[str, str, set[str]]:
    """A call with an update and a few mistakes; its id, a refused request's trace id, and what must stay out of the log."""
    dev = host.server.dev
    secrets = {dev.app.secret, dev.page.access_token, dev.verify_token, dev.admin_token, dev.consumer.access_token}
    secrets |= secrets_of([CHROMIUM, AIORTC])
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{dev.base_url}/consumer/v1/sessions", json={"page_id": dev.page.id}) as response:
            secrets.add((await response.json())["access_token"])
        stranger = "EAA" + "5ec7e7" * 8
        async with http.get(f"{dev.base_url}/v26.0/{dev.page.id}?access_token={stranger}") as response:
            assert response.status == 400
        secrets.add(stranger)
        subscription = {"object": "page", "callback_url": app.url, "fields": "calls", "verify_token": "wrong-5ec7e7"}
        token = {"access_token": f"{dev.app.id}|{dev.app.secret}"}
        async with http.post(f"{dev.base_url}/v26.0/{dev.app.id}/subscriptions", data=subscription | token) as response:
            assert response.status == 400
        secrets.add("wrong-5ec7e7")
    started = await host.device.request("call.start", page_id=dev.page.id, session=offered(CHROMIUM))
    call_id = started["call_id"]
    accepted = await app.call("accept", call_id=call_id, session=offered(AIORTC))
    told = await host.device.expect("call.accepted", call_id=call_id)
    with pytest.raises(GraphRefused) as refused:
        await app.call("media_update", call_id=call_id, session=offered("v=0\r\na=ice-pwd:5ec7e75ec7e75ec7e75ec7e7\r\n"))
    with pytest.raises(DeviceRefused):
        await host.device.request("call.media_update", call_id=call_id, session=offered("v=0"))
    await app.call("terminate", call_id=call_id)
    await app.expect("terminate", call_id)
    secrets |= secrets_of(started) | secrets_of(accepted) | secrets_of(told.params) | {"5ec7e75ec7e75ec7e75ec7e7"}
    return call_id, refused.value.error["fbtrace_id"], secrets


async def test_a_whole_call_leaves_no_secret_in_the_log(tmp_path: Path, app: BusinessApp) -> None:
    log: list[str] = []
    async with a_host(tmp_path, app, OPTIONS, log) as host:
        call_id, trace_id, secrets = await a_talk(host, app)
    assert len(secrets) >= 14
    text = "\n".join(log)
    assert not [secret for secret in secrets if secret in text]
    assert not SECRET_LINES.search(text)
    lines = [json.loads(line) for line in log]
    for line in lines:
        assert list(line)[:4] == ["ts", "level", "logger", "message"]
    of_call = [line for line in lines if line.get("call_id") == call_id]
    assert {"pagecalls.journal", "pagecalls.webhooks.outbox"} <= {line["logger"] for line in of_call}
    assert host.server.dev.page.id in {line.get("page_id") for line in of_call}
    assert [line["level"] for line in lines if line.get("trace_id") == trace_id] == ["info"]
    assert "Traceback" not in text
