from __future__ import annotations

from tests.unit.control.support import Desk


async def test_probes_need_no_token_and_take_any_bare_address() -> None:
    for host in ("127.0.0.1", "10.0.0.9:8080", "[fd00::1]:8080", "calls.example"):
        reply = await Desk().ask("GET", "/_pagecalls/health", authorization="", host=host)
        assert (reply.status, reply.json) == (200, {"status": "ok"})
        reply = await Desk().ask("GET", "/_pagecalls/ready", authorization="", host=host)
        assert (reply.status, reply.json) == (200, {"status": "ready"})


async def test_not_ready() -> None:
    desk = Desk(reason="the media engine is gone")
    reply = await desk.ask("GET", "/_pagecalls/ready", authorization="")
    assert (reply.status, reply.json) == (503, {"status": "not ready", "reason": "the media engine is gone"})
    assert (await desk.ask("GET", "/_pagecalls/health", authorization="")).status == 200


async def test_probes_by_head() -> None:
    assert (await Desk().ask("HEAD", "/_pagecalls/health", authorization="")).status == 200
    assert (await Desk(reason="draining").ask("HEAD", "/_pagecalls/ready", authorization="")).status == 503
