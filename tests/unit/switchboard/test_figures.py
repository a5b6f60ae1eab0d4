from __future__ import annotations

from pagecalls.media.protocol import LegStats, TrackCounters
from pagecalls.switchboard.figures import Figures, journal_facts
from pagecalls.types import CallId, Side

CALL = CallId("c_1")


def stats(leg: str, packets: int = 0, mos: float | None = None, **more: object) -> LegStats:
    tracks = [TrackCounters(track="sound", direction="recv", packets=packets, bytes=packets * 80, lost=2, jitter_ms=1.2345)]
    return LegStats(call="c_1", leg=leg, rev=1, ice="connected", dtls="connected", mos=mos, tracks=tracks, **more)  # type: ignore[arg-type]


def test_the_latest_figures_stay_when_the_call_ends() -> None:
    figures = Figures()
    figures.told(CALL, Side.BUSINESS, stats("b", 1), 10.0)
    figures.told(CALL, Side.CONSUMER, stats("k", 2), 10.0)
    figures.told(CALL, Side.BUSINESS, stats("b", 5), 15.0)
    for legs in (figures.of(CALL), figures.ended(CALL), figures.of(CALL)):
        assert [(leg.side, leg.stats.tracks[0].packets, leg.at) for leg in legs] == [
            (Side.BUSINESS, 5, 15.0),
            (Side.CONSUMER, 2, 10.0),
        ]
    assert figures.of(CallId("c_2")) == ()
    assert figures.ended(CallId("c_2")) == ()


def test_a_leg_that_was_undone_is_forgotten() -> None:
    figures = Figures()
    figures.told(CALL, Side.BUSINESS, stats("b"), 10.0)
    figures.forget_leg(CALL, "b")
    figures.forget_leg(CallId("c_2"), "b")
    assert figures.of(CALL) == ()


def test_ended_calls_are_bounded() -> None:
    figures = Figures(kept_calls=3)
    calls = [CallId(f"c_{number}") for number in range(5)]
    for call in calls:
        figures.told(call, Side.BUSINESS, stats("b"), 1.0)
        figures.ended(call)
    assert [bool(figures.of(call)) for call in calls] == [False, False, True, True, True]


def test_the_mean_score_is_over_all_that_was_told() -> None:
    figures = Figures()
    for mos in (None, 4.0, None, 3.0, 2.0, None):
        figures.told(CALL, Side.BUSINESS, stats("b", mos=mos), 1.0)
    assert figures.of(CALL)[0].mos_mean == 3.0
    assert figures.of(CALL)[0].stats.mos is None


def test_the_listener_hears_what_was_known_before() -> None:
    figures, heard = Figures(), []
    figures.listener = lambda side, before, now: heard.append(
        (side, before.tracks[0].packets if before else None, now.tracks[0].packets)
    )
    figures.told(CALL, Side.BUSINESS, stats("b", 1), 1.0)
    figures.told(CALL, Side.CONSUMER, stats("k", 7), 1.0)
    figures.told(CALL, Side.BUSINESS, stats("b", 3), 6.0)
    assert heard == [(Side.BUSINESS, None, 1), (Side.CONSUMER, None, 7), (Side.BUSINESS, 1, 3)]


def test_the_journal_gets_what_is_known() -> None:
    figures = Figures()
    figures.told(CALL, Side.BUSINESS, stats("b", 9), 1.0)
    assert journal_facts(figures.of(CALL)[0]) == {"recv_sound_packets": 9, "recv_sound_lost": 2, "recv_sound_jitter_ms": 1.23}
    figures.told(CALL, Side.BUSINESS, stats("b", 9, 4.321, rtt_ms=80.0, srtt_ms=70.5), 1.0)
    assert journal_facts(figures.of(CALL)[0]) == {
        "recv_sound_packets": 9,
        "recv_sound_lost": 2,
        "recv_sound_jitter_ms": 1.23,
        "rtt_ms": 70.5,
        "mos": 4.32,
    }
