"""The figures on `/metrics`, gathered from the parts when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pagecalls.switchboard.calls import Calls
from pagecalls.webhooks.outbox import CourierCounters


class Metrics(Collector):
    """Counts Graph requests as they are answered; reads everything else at the moment of a scrape."""

    def __init__(self, registry: CollectorRegistry, calls: Calls, courier: CourierCounters) -> None:
        self._calls = calls
        self._courier = courier
        labels = ("edge", "action")
        self._requests = Counter(
            "pagecalls_graph_requests", "Graph requests by edge, action and status.", (*labels, "status"), registry=registry
        )
        self._seconds = Histogram("pagecalls_graph_seconds", "Time to answer a Graph request.", labels, registry=registry)
        registry.register(self)

    def on_request(self, edge: str, action: str, status: int, seconds: float) -> None:
        """One Graph request was answered."""
        self._requests.labels(edge, action, str(status)).inc()
        self._seconds.labels(edge, action).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """The state of the parts, now."""
        legs = GaugeMetricFamily("pagecalls_media_legs", "Legs of live calls by side.", labels=("side",))
        sides = [side.value for _, side in self._calls.legs.values()]
        for side in ("business", "consumer"):
            legs.add_metric((side,), sides.count(side))
        yield legs
        states = CounterMetricFamily("pagecalls_calls", "Calls by the state that they entered.", labels=("state",))
        for state, count in self._calls.entered.items():
            states.add_metric((state.value,), count)
        yield states
        webhooks = CounterMetricFamily("pagecalls_webhooks", "Webhook attempts by outcome.", labels=("outcome",))
        webhooks.add_metric(("delivered",), self._courier.delivered)
        webhooks.add_metric(("failed",), self._courier.failed)
        webhooks.add_metric(("given_up",), self._courier.given_up)
        webhooks.add_metric(("unwanted",), self._courier.unwanted)
        yield webhooks
        yield GaugeMetricFamily("pagecalls_webhooks_in_flight", "Webhook requests under way.", self._courier.in_flight)
        yield GaugeMetricFamily("pagecalls_webhooks_queued", "Webhooks that wait for their turn.", self._courier.queued)
