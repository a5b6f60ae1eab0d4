"""The OpenAPI documents of a running server, and Schemathesis over each of them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from pagecalls.call.states import Action
from pagecalls.graph.openapi.contract import VERSIONS
from pagecalls.graph.openapi.document import build, to_json
from pagecalls.graph.openapi.edges import EDGES

from .conftest import World

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
"""The contract contradicts the others. It takes what a schema does not list: unknown members are ignored, numbers may be text,
values of a closed set may be in any case (`negative_data_rejection`). It refuses what fits the schema, because a call or a person
must exist (`positive_data_acceptance`). A missing token is a 400 and so is a verb that the edge lacks, not 401 and 405
(`ignored_auth`, `unsupported_method`). The rest look for headers and for resources that are made, read and deleted."""


async def test_the_documents_are_served(world: World) -> None:
    for prefix in ("", *(f"/{version}" for version in VERSIONS)):
        async with world.http.get(f"{world.base_url}{prefix}/openapi.json") as response:
            document = await response.json()
        assert document["servers"][0]["url"] == f"{world.base_url}/{prefix.strip('/') or 'v26.0'}"
        async with world.http.get(f"{world.base_url}{prefix}/openapi.yaml") as response:
            assert (await response.text()).startswith('openapi: "3.1.0"\n')


INSIDER = """
[generation]
with-security-parameters = false
[parameters]
"path.page_id" = "me"
"""
"""With the Page's token in the header, so that requests get as far as the call; without it tokens and Pages are made up too."""


async def schemathesis(folder: Path, document: str, *options: str, config: str = "") -> tuple[int, str]:
    """Run the command in a process of its own: its exit code and what it printed."""
    path = folder / "schemathesis.toml"
    path.write_text(config)
    command = (sys.executable, "-m", "schemathesis.cli", "--config-file", str(path), "--no-color", "run", document)
    bounds = ("--checks", CHECKS, "--seed", "1", "--max-examples", "25", "--generation-database", "none", "--warnings", "off")
    process = await asyncio.create_subprocess_exec(
        *command, *bounds, *options, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def answered(world: World) -> set[tuple[str, str]]:
    """Actions and statuses that the server has answered requests of the calls edge with."""
    headers = {"Authorization": f"Bearer {world.server.dev.admin_token}"}
    async with world.http.get(f"{world.base_url}/metrics", headers=headers) as response:
        text = await response.text()
    found = re.findall(r'pagecalls_graph_requests_total\{action="(\w*)",edge="calls",status="(\d+)"\}', text)
    return set(found)


@pytest.mark.parametrize("version", VERSIONS)
async def test_schemathesis_finds_nothing(world: World, tmp_path: Path, version: str) -> None:
    await world.grant()
    document = f"{world.base_url}/{version}/openapi.json"
    code, printed = await schemathesis(tmp_path, document, "--header", f"Authorization: Bearer {world.app.token}", config=INSIDER)
    assert code == 0, printed
    assert f"{world.base_url}/{version}\n" in printed
    # It got as far as each action, and the examples of the document as far as a call.
    seen = await answered(world)
    assert {action for action, _ in seen} >= {action.value for action in Action}
    assert ("connect", "200") in seen
    assert not [status for _, status in seen if status.startswith("5")]


async def test_schemathesis_finds_nothing_on_the_edges_around_it(world: World, tmp_path: Path) -> None:
    whole = json.loads(to_json(build("v26.0", world.base_url, EDGES)))
    del whole["paths"]["/{page_id}/calls"]
    path = tmp_path / "openapi-all.json"
    path.write_text(json.dumps(whole))
    options = ("--url", f"{world.base_url}/v26.0", "--header", f"Authorization: Bearer {world.app.token}")
    code, printed = await schemathesis(tmp_path, str(path), *options, config=INSIDER)
    assert code == 0, printed


async def test_schemathesis_finds_nothing_as_a_stranger(world: World, tmp_path: Path) -> None:
    code, printed = await schemathesis(tmp_path, f"{world.base_url}/openapi.yaml")
    assert code == 0, printed
    assert {status for _, status in await answered(world)} == {"400"}


async def test_schemathesis_would_find_something(world: World, tmp_path: Path) -> None:
    """A document that keeps a status to itself, and one that promises a member that is not sent."""
    document = build("v26.0", world.base_url)
    silent = json.loads(to_json(document))
    del silent["paths"]["/{page_id}/calls"]["post"]["responses"]["400"]
    wrong = json.loads(to_json(document))
    wrong["components"]["schemas"]["StandardError"]["required"].append("error_subcode_text")
    for doctored, words in ((silent, "Undocumented status code"), (wrong, "Response violates schema")):
        path = tmp_path / "openapi.json"
        path.write_text(json.dumps(doctored))
        code, printed = await schemathesis(tmp_path, str(path), "--url", f"{world.base_url}/v26.0", "--phases", "examples")
        assert code == 1, printed
        assert words in printed
