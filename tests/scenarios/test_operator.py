"""What an operator does to a server that runs, over HTTP and with the commands: it holds at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner, Result

from pagecalls.cli import main
from pagecalls.demo.business import BusinessApp, GraphRefused
from pagecalls.demo.device import SUBPROTOCOL
from pagecalls.switchboard.base import TOKEN_GONE
from pagecalls.types import PageId, Psid
from tests.scenarios.conftest import World


async def command(world: World, *line: str, stdin: str | None = None) -> Result:
    """`pagecalls ...` on the server's data directory."""
    env = {"PAGECALLS_DATA_DIR": str(world.folder), "PAGECALLS_URL": None, "PAGECALLS_ADMIN_TOKEN": None}
    return await asyncio.to_thread(CliRunner().invoke, main, line, env=env, input=stdin)


async def told(world: World, *line: str) -> Any:
    result = await command(world, *line, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


async def test_a_command_asks_the_server_that_runs(world: World) -> None:
    apps = await told(world, "app", "list")
    assert [app["name"] for app in apps] == ["Development app"]
    made = await told(world, "app", "create", "Desk", "--page", world.page_id)
    second = BusinessApp()
    await second.start()
    second.use(world.base_url, world.page_id, made["page"]["access_token"], made["secret"])
    assert (await second.get(f"/v26.0/{world.page_id}"))["id"] == world.page_id
    await second.close()
    result = await command(world, "app", "show", "404")
    assert (result.exit_code, result.output) == (1, "Error: There is no app 404.\n")


async def test_another_admin_token_is_refused(world: World) -> None:
    result = await command(world, "app", "list", "--admin-token", "wrong")
    assert result.exit_code == 1
    assert "admin token" in result.output


async def test_a_token_that_is_taken_back_stops_working_at_once(world: World) -> None:
    page = f"/v26.0/{world.page_id}"
    assert (await world.app.get(page))["id"] == world.page_id
    result = await command(world, "token", "revoke", "-", "--reason", "app_removed", stdin=world.app.token)
    assert result.exit_code == 0, result.output
    with pytest.raises(GraphRefused) as refused:
        await world.app.get(page)
    assert (refused.value.error["code"], refused.value.error["error_subcode"]) == (190, 458)


async def test_a_rotated_secret_signs_what_leaves_from_then_on(world: World) -> None:
    """The old one proves nothing any more, and the app token made of it is none."""
    old = world.app.secret
    made = await told(world, "app", "rotate", world.server.dev.app.id)
    with pytest.raises(GraphRefused) as refused:
        await subscriptions(world, f"{made['id']}|{old}")
    assert refused.value.error["code"] == 190
    assert await subscriptions(world, f"{made['id']}|{made['secret']}")
    world.app.secret = made["secret"]
    device = await world.device()
    call_id = await world.start_call(device)
    await world.app.expect("connect", call_id)  # which takes nothing that is not signed with its secret


async def subscriptions(world: World, token: str) -> Any:
    url = f"{world.base_url}/v26.0/{world.server.dev.app.id}/subscriptions"
    async with world.http.get(url, params={"access_token": token}) as response:
        answer = await response.json()
    if "error" in answer:
        raise GraphRefused(response.status, answer["error"])
    return answer["data"]


async def test_a_revoked_device_is_sent_away_and_its_token_opens_nothing(world: World) -> None:
    session = await world.session(psid=world.psid)
    device, other = await world.device(session["access_token"]), await world.device()
    person = (await world.admin("GET", f"/_pagecalls/consumers/{world.page_id}/{world.psid}"))["consumer"]
    handle = next(token["handle"] for token in person["tokens"] if token["device_id"] != "development")
    await told(world, "consumer", "revoke", world.psid, "--token", handle)
    assert await device.gone() == TOKEN_GONE
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.http.ws_connect(
            f"{world.base_url}/consumer/v1?access_token={session['access_token']}", protocols=[SUBPROTOCOL]
        )
    assert refused.value.status == 401
    await other.request("ping")


async def test_an_erased_consumers_call_ends_and_nothing_of_them_is_left(world: World, tmp_path: Path) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    await told(world, "consumer", "erase", world.psid, "--page", world.page_id, "--yes")
    await device.expect("call.ended", call_id=call_id)
    assert await device.gone() == TOKEN_GONE
    assert (await world.app.expect("terminate", call_id)).item["status"] == "Failed"
    assert await world.is_clean()
    store = world.server.calls.store
    page_id, psid = PageId(world.page_id), Psid(world.psid)
    left = await store.read(lambda tx: (tx.consumer(page_id, psid), tx.consumer_tokens(page_id, psid), tx.live_calls()))
    assert left == (None, [], [])
    assert (await command(world, "consumer", "show", world.psid)).exit_code == 1


async def test_a_page_with_a_live_call_is_deleted_only_by_force(world: World) -> None:
    device = await world.device()
    call_id = await world.connected(device)
    refused = await command(world, "page", "delete", world.page_id, "--yes")
    assert refused.exit_code == 1
    assert "1 live call" in refused.output
    await told(world, "page", "delete", world.page_id, "--yes", "--force")
    await device.expect("call.ended", call_id=call_id)
    await world.app.expect("terminate", call_id)
    assert await told(world, "page", "list") == []
    with pytest.raises(GraphRefused) as gone:
        await world.app.get(f"/v26.0/{world.page_id}")
    assert gone.value.error["code"] == 190


async def test_an_app_that_owns_a_live_call_stays(world: World) -> None:
    device = await world.device()
    await world.connected(device)
    refused = await command(world, "app", "delete", world.server.dev.app.id, "--yes", "--force")
    assert refused.exit_code == 1
    assert "1 live call" in refused.output
