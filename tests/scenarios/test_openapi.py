"""The OpenAPI documents of a running server, and Schemathesis over each of them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from pagecalls.graph.openapi.contract import VERSIONS

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


async def schemathesis(folder: Path, url: str, config: str) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    path = folder / "schemathesis.toml"
    path.write_text(config)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(path), "run", url, "--checks", CHECKS, "--seed", "1",
        "--max-examples", "40", "--no-color",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


@pytest.mark.parametrize("version", VERSIONS)
async def test_schemathesis_finds_nothing(world: World, tmp_path: Path, version: str) -> None:
    raise NotImplementedError
