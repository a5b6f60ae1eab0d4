"""The figures on `/metrics`, gathered from the parts when they are asked for, and the sums of what the engine tells of its legs.

No label ever names a call: there are two sides, two directions, the engine's workers, the states and outcomes that the code
lists, and receivers that fail by their app.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pagecalls.media.protocol import EngineError, LegStats, TrackCounters, WorkerCounters
from pagecalls.store.base import Past
from pagecalls.switchboard.calls import Calls
from pagecalls.switchboard.upkeep import Upkeep
from pagecalls.tls import Tls
from pagecalls.types import Side
from pagecalls.webhooks.outbox import CourierCounters

RTT_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2)
JITTER_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
LOSS = (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOS = (1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.4)
SET_UP_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)


class Metrics(Collector):
    """Counts Graph requests as they are answered; reads everything else at the moment of a scrape."""

    def __init__(
        self, registry: CollectorRegistry, calls: Calls, courier: CourierCounters, upkeep: Upkeep, tls: Tls | None = None
    ) -> None:
        self._calls = calls
        self._upkeep = upkeep
        self._tls = tls
        self._courier = courier
        labels = ("edge", "action")
        self._requests = Counter(
            "pagecalls_graph_requests", "Graph requests by edge, action and status.", (*labels, "status"), registry=registry
        )
        self._seconds = Histogram("pagecalls_graph_seconds", "Time to answer a Graph request.", labels, registry=registry)
        registry.register(self)
        calls.legs.figures.listener = MediaMetrics(registry).told

    def on_request(self, edge: str, action: str, status: int, seconds: float) -> None:
        """One Graph request was answered."""
        self._requests.labels(edge, action, str(status)).inc()
        self._seconds.labels(edge, action).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """The state of the parts, now."""
        legs = GaugeMetricFamily("pagecalls_media_legs", "Legs of live calls by side.", labels=("side",))
        held = self._calls.legs.owners()
        sides = [side.value for _, side in held]
        for side in ("business", "consumer"):
            legs.add_metric((side,), sides.count(side))
        yield legs
        yield GaugeMetricFamily("pagecalls_media_calls", "Live calls with a leg.", len({call for call, _ in held}))
        capacity = self._capacity()
        yield GaugeMetricFamily("pagecalls_media_up", "Whether the media engine answers.", int(capacity is not None))
        yield GaugeMetricFamily("pagecalls_media_capacity_calls", "Calls that the engine takes; 0 without one.", capacity or 0)
        states = CounterMetricFamily("pagecalls_calls", "Calls by the state that they entered.", labels=("state",))
        for state, count in self._calls.entered.items():
            states.add_metric((state.value,), count)
        yield states
        webhooks = CounterMetricFamily("pagecalls_webhooks", "Webhook attempts by outcome.", labels=("outcome",))
        webhooks.add_metric(("delivered",), self._courier.delivered)
        webhooks.add_metric(("failed",), self._courier.failed)
        webhooks.add_metric(("given_up",), self._courier.given_up)
        webhooks.add_metric(("unwanted",), self._courier.unwanted)
        webhooks.add_metric(("replayed",), self._courier.replayed)
        yield webhooks
        yield GaugeMetricFamily("pagecalls_webhooks_in_flight", "Webhook requests under way.", self._courier.in_flight)
        yield GaugeMetricFamily("pagecalls_webhooks_queued", "Webhooks that wait for their turn.", self._courier.queued)
        labels = ("app", "object")
        alerts = GaugeMetricFamily("pagecalls_webhook_alert", "1 for a receiver that has failed for 15 minutes.", labels=labels)
        for receiver in self._courier.alerts:
            alerts.add_metric((receiver.app_id, receiver.object), 1)
        yield alerts
        yield from self._of_the_workers()
        yield from self._of_the_store()
        if self._tls is not None:
            expiry = self._tls.current.not_after
            yield GaugeMetricFamily("pagecalls_tls_expiry_timestamp_seconds", "When the certificate in use expires.", expiry)

    def _of_the_workers(self) -> Iterator[Metric]:
        """Counted by the engine since it began."""
        unsent = CounterMetricFamily(
            "pagecalls_media_unsent", "Datagrams to peers that found no room in a socket or a connection.", labels=("worker",)
        )
        overflowed = CounterMetricFamily(
            "pagecalls_media_overflowed", "Datagrams that found a receive buffer full.", labels=("worker",)
        )
        turned_away = CounterMetricFamily(
            "pagecalls_media_turned_away", "Datagrams that were not looked at.", labels=("worker", "reason")
        )
        for counters in self._calls.engine.workers:
            worker = str(counters.worker)
            unsent.add_metric((worker,), counters.unsent)
            if counters.overflowed is not None:
                overflowed.add_metric((worker,), counters.overflowed)
            for reason, count in _turned_away(counters).items():
                turned_away.add_metric((worker, reason), count)
        yield from (unsent, overflowed, turned_away)

    def _of_the_store(self) -> Iterator[Metric]:
        removed = CounterMetricFamily(
            "pagecalls_rows_removed", "Rows removed because they were over, by table.", labels=("table",)
        )
        for past in Past:
            removed.add_metric((past.value,), self._upkeep.removed[past])
        yield removed
        room = self._upkeep.room
        yield GaugeMetricFamily("pagecalls_database_bytes", "Size of the database file, as of the last upkeep.", room.file_bytes)
        yield GaugeMetricFamily("pagecalls_database_free_bytes", "Of that, free for new rows.", room.free_bytes)
        yield GaugeMetricFamily(
            "pagecalls_upkeep_longest_seconds", "The longest that a portion of rows took to remove.", self._upkeep.longest_s
        )

    def _capacity(self) -> int | None:
        try:
            return self._calls.engine.hello.capacity
        except EngineError:
            return None


class MediaMetrics:
    """What the engine tells of legs, summed up. Times of set-up count once, the rest each time that something new is told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        side, both = ("side",), ("side", "direction")

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            return Counter(f"pagecalls_media_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"pagecalls_media_{name}", text, labels, buckets=buckets, registry=registry)

        self._packets = counter("packets", "RTP packets from (recv) and to (send) peers, copies once.", both)
        self._bytes = counter("bytes", "Payload bytes of these packets.", both)
        self._duplicates = counter("duplicates", "Packets that came twice.", side)
        self._auth_failures = counter("auth_failures", "Packets that SRTP or STUN refused.", side)
        self._dropped = counter("dropped", "Packets that no track wanted, or that could not be sent on.", side)
        self._path_changes = counter("path_changes", "Moves of a peer to another address.", side)
        self._rtt = histogram("rtt_seconds", "Engine to peer and back.", side, RTT_S)
        self._jitter = histogram("jitter_seconds", "At the engine (recv), at the peer (send).", both, JITTER_S)
        self._loss = histogram("loss_ratio", "Peer to engine (recv), the whole way to the peer (send).", both, LOSS)
        self._mos = histogram("mos", "Estimated opinion score of what the peer hears.", side, MOS)
        self._ice = histogram("ice_seconds", "From the first apply to the first valid pair.", side, SET_UP_S)
        self._dtls = histogram("dtls_seconds", "From the first DTLS record to the keys.", side, SET_UP_S)
        self._first = histogram(
            "first_packet_seconds", "From the apply that brought a track to its first packet.", side, SET_UP_S
        )

    def told(self, side: Side, before: LegStats | None, now: LegStats) -> None:
        """New figures of a leg; `before` as they were told last."""
        for counter, count, old in (
            (self._auth_failures, now.auth_failures, before.auth_failures if before else 0),
            (self._dropped, now.dropped, before.dropped if before else 0),
            (self._path_changes, now.path_changes, before.path_changes if before else 0),
        ):
            _grow(counter.labels(side.value), old, count)
        if now.rtt_measurements > (before.rtt_measurements if before else 0):
            _observe_ms(self._rtt.labels(side.value), now.srtt_ms)
        if now.mos is not None:
            self._mos.labels(side.value).observe(now.mos)
        _observe_once(self._ice.labels(side.value), before.ice_ms if before else None, now.ice_ms)
        _observe_once(self._dtls.labels(side.value), before.dtls_ms if before else None, now.dtls_ms)
        known = {(track.track, track.direction): track for track in (before.tracks if before else ())}
        for track in now.tracks:
            self._told_track(side, known.get((track.track, track.direction)), track)

    def _told_track(self, side: Side, before: TrackCounters | None, now: TrackCounters) -> None:
        labels = (side.value, now.direction)
        _grow(self._packets.labels(*labels), before.packets if before else 0, now.packets)
        _grow(self._bytes.labels(*labels), before.bytes if before else 0, now.bytes)
        if now.direction == "recv":
            _grow(self._duplicates.labels(side.value), (before.duplicates if before else 0) or 0, now.duplicates or 0)
            _observe_once(self._first.labels(side.value), before.first_rtp_ms if before else None, now.first_rtp_ms)
            jitter_ms = now.jitter_ms if now.packets > (before.packets if before else 0) else None
            loss = _loss(before, now)
        else:
            is_reported = (now.remote_reports or 0) > ((before.remote_reports if before else 0) or 0)
            jitter_ms, loss = (now.remote_jitter_ms, now.remote_fraction_lost) if is_reported else (None, None)
        _observe_ms(self._jitter.labels(*labels), jitter_ms)
        if loss is not None:
            self._loss.labels(*labels).observe(loss)


def _turned_away(counters: WorkerCounters) -> Mapping[str, int]:
    """By the reason, datagrams that the worker did not look at."""
    return {
        "strangers": counters.strangers,
        "limited": counters.limited,
        "on_others_paths": counters.on_others_paths,
        "handshakes": counters.handshakes,
    }


def _grow(counter: Counter, before: int, now: int) -> None:
    counter.inc(max(0, now - before))


def _observe_ms(histogram: Histogram, ms: float | None) -> None:
    if ms is not None:
        histogram.observe(ms / 1000)


def _observe_once(histogram: Histogram, before_ms: float | None, now_ms: float | None) -> None:
    if before_ms is None:
        _observe_ms(histogram, now_ms)


def _loss(before: TrackCounters | None, now: TrackCounters) -> float | None:
    """Of the packets that were due since the figures before, the part that did not come; `None` if none were due."""
    packets = now.packets - (before.packets if before else 0)
    lost = (now.lost or 0) - ((before.lost if before else 0) or 0)
    due = packets + lost
    return max(0, lost) / due if due > 0 else None
