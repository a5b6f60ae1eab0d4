"""What is summed up of the engine's figures, and under which names."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from pagecalls.media.protocol import LegStats, TrackCounters
from pagecalls.metrics import MediaMetrics
from pagecalls.types import Side


def leg(recv: TrackCounters, send: TrackCounters | None = None, **more: object) -> LegStats:
    tracks = [recv, send or TrackCounters(track="out", direction="send", packets=0, bytes=0)]
    return LegStats(call="c", leg="b", rev=1, ice="new", dtls="new", tracks=tracks, **more)  # type: ignore[arg-type]


def received(packets: int, lost: int | None = 0, **more: object) -> TrackCounters:
    return TrackCounters(track="in", direction="recv", packets=packets, bytes=packets * 80, lost=lost, **more)  # type: ignore[arg-type]


def reported(reports: int, **more: object) -> TrackCounters:
    figures = {"remote_fraction_lost": 0.02, "remote_jitter_ms": 8.0, "remote_reports": reports} | more
    return TrackCounters(track="out", direction="send", packets=4, bytes=320, **figures)  # type: ignore[arg-type]


class Sums:
    """A registry and a quick look at it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = MediaMetrics(self.registry)
        self.last: LegStats | None = None

    def told(self, now: LegStats, side: Side = Side.BUSINESS) -> None:
        self.metrics.told(side, self.last, now)
        self.last = now

    def of(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"pagecalls_media_{name}", {"side": "business", **labels})


def test_counts_grow_by_what_is_new_and_never_shrink() -> None:
    sums = Sums()
    sent = TrackCounters(track="out", direction="send", packets=4, bytes=320)
    sums.told(leg(received(10, duplicates=1), sent, auth_failures=2, dropped=1))
    sums.told(leg(received(15, duplicates=1), sent, auth_failures=2, dropped=4, path_changes=1))
    sums.told(leg(received(3, duplicates=0), sent))
    assert sums.of("packets_total", direction="recv") == 15
    assert sums.of("bytes_total", direction="recv") == 1200
    assert sums.of("packets_total", direction="send") == 4
    assert (sums.of("duplicates_total"), sums.of("auth_failures_total"), sums.of("dropped_total")) == (1, 2, 4)
    assert sums.of("path_changes_total") == 1


def test_legs_of_both_sides_add_up() -> None:
    sums = Sums()
    for side in (Side.BUSINESS, Side.CONSUMER, Side.CONSUMER):
        sums.metrics.told(side, None, leg(received(10)))
    assert sums.of("packets_total", direction="recv") == 10
    assert sums.of("packets_total", side="consumer", direction="recv") == 20


def test_set_up_times_count_once_when_they_become_known() -> None:
    sums = Sums()
    sums.told(leg(received(0, None)))
    sums.told(leg(received(0, None), ice_ms=80.0))
    sums.told(leg(received(1, first_rtp_ms=300.0), ice_ms=80.0, dtls_ms=30.0))
    sums.told(leg(received(9, first_rtp_ms=300.0), ice_ms=80.0, dtls_ms=30.0))
    assert (sums.of("ice_seconds_count"), sums.of("ice_seconds_sum")) == (1, 0.08)
    assert (sums.of("dtls_seconds_count"), sums.of("dtls_seconds_sum")) == (1, 0.03)
    assert (sums.of("first_packet_seconds_count"), sums.of("first_packet_seconds_sum")) == (1, 0.3)


def test_loss_is_that_since_the_figures_before() -> None:
    sums = Sums()
    for packets, lost in ((90, 10), (190, 10), (190, 10), (240, 60), (245, 55)):
        sums.told(leg(received(packets, lost)))
    # 0.1, then none, then nothing was due, then a half, then late packets made up for it.
    counts = [sums.of("loss_ratio_bucket", direction="recv", le=le) for le in ("0.0", "0.05", "0.1", "0.5", "+Inf")]
    assert counts == [1, 1, 2, 3, 3]


def test_what_the_peer_reports_is_its_own_direction() -> None:
    sums = Sums()
    sums.told(leg(received(4, jitter_ms=2.0), reported(1), rtt_ms=90.0, srtt_ms=100.0, rtt_measurements=1, mos=4.1))
    assert sums.of("loss_ratio_sum", direction="send") == 0.02
    assert sums.of("jitter_seconds_sum", direction="send") == 0.008
    assert sums.of("jitter_seconds_sum", direction="recv") == 0.002
    assert (sums.of("rtt_seconds_sum"), sums.of("mos_sum")) == (0.1, 4.1)


def test_what_is_not_known_is_not_observed() -> None:
    sums = Sums()
    sums.told(leg(received(0, None)))
    for name in ("rtt_seconds_count", "mos_count", "ice_seconds_count", "dtls_seconds_count", "first_packet_seconds_count"):
        assert sums.of(name) in (None, 0)
    for name in ("jitter_seconds_count", "loss_ratio_count"):
        assert sums.of(name, direction="recv") in (None, 0)


def test_what_is_told_again_and_was_not_measured_again_is_not_observed() -> None:
    """A peer that is held or silent adds nothing, however often its last figures are told."""
    sums = Sums()
    last = leg(received(50, jitter_ms=2.0), reported(3), srtt_ms=100.0, rtt_measurements=3)
    for _ in range(120):
        sums.told(last)

    def counts() -> list[float | None]:
        of = [("jitter_seconds_count", direction) for direction in ("recv", "send")] + [("loss_ratio_count", "send")]
        return [sums.of("rtt_seconds_count"), *(sums.of(name, direction=direction) for name, direction in of)]

    assert counts() == [1, 1, 1, 1]
    sums.told(leg(received(51, jitter_ms=2.0), reported(3), srtt_ms=100.0, rtt_measurements=3))
    assert counts() == [1, 2, 1, 1]
    sums.told(leg(received(51, jitter_ms=2.0), reported(4), srtt_ms=100.0, rtt_measurements=3))
    assert counts() == [1, 2, 2, 2]
    sums.told(leg(received(51, jitter_ms=2.0), reported(4), srtt_ms=100.0, rtt_measurements=4))
    assert counts() == [2, 2, 2, 2]
    # New, and too old by now.
    stale = reported(5, remote_fraction_lost=None, remote_jitter_ms=None)
    sums.told(leg(received(51, jitter_ms=2.0), stale, srtt_ms=100.0, rtt_measurements=4))
    assert counts() == [2, 2, 2, 2]
