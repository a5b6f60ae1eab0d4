"""Names of hosts and foreign pages: what Graph paths allow, and other paths do not (graph-platform 1 and 5)."""

from __future__ import annotations

import pytest

from .conftest import World


async def test_graph_paths_take_any_host_name(world: World) -> None:
    """A client that was led here by its name server sends the name that it asked for."""
    url = f"{world.base_url}/v26.0/me?access_token={world.app.token}"
    async with world.http.get(url, headers={"Host": "graph.facebook.com"}) as response:
        assert (response.status, (await response.json())["id"]) == (200, world.page_id)


@pytest.mark.parametrize("path", ["/_pagecalls/health", "/_pagecalls/clock", "/metrics", "/consumer/v1", "/consumer/v1/sessions"])
async def test_other_paths_do_not_share(world: World, path: str) -> None:
    async with world.http.get(world.base_url + path) as response:
        assert "access-control-allow-origin" not in response.headers
