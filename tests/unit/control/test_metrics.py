from __future__ import annotations

from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.control.support import Desk


async def test_the_page_shows_the_registry() -> None:
    desk = Desk()
    Counter("pagecalls_things", "Things.", ["kind"], registry=desk.registry).labels("round").inc(2)
    for path in ("/metrics", "/_pagecalls/metrics"):
        reply = await desk.ask("GET", path)
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/plain")
        families = text_string_to_metric_families(reply.content.decode())
        found = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
        assert found["pagecalls_things_total"] == ({"kind": "round"}, 2.0)
