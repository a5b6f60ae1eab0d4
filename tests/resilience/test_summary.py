"""What many rounds come to."""

from __future__ import annotations

from dataclasses import replace

from tests.resilience.hearing import Sound
from tests.resilience.processes import Footprint
from tests.resilience.rounds import Round, Victim
from tests.resilience.summary import summary

ROUND = Round(0, Victim.SERVER, 1.0, 0.5, Footprint(10, 1_000), Footprint(5, 500), 3, 0)
QUIET = Sound(packets=1_000, lost=0, most_lost=0, gap_ms=20.0, late_ms=1.0, p99_ms=0.5, median_p99_ms=0.4)


def test_a_line_has_sound_where_calls_go_on_and_the_news_where_they_end() -> None:
    went_on = [replace(ROUND, quiet=QUIET, sound=replace(QUIET, gap_ms=30.0, lost=1), waited_ms=5.0), ROUND]
    figures = summary(went_on)
    assert (figures["gap_ms_before_max"], figures["gap_ms_across_max"], figures["packets_lost_across"]) == (20.0, 30.0, 1)
    assert "told_s_max" not in figures
    alone = replace(ROUND, victim=Victim.ENGINE, told_s=0.2, devices_told_s=0.3)
    ended = summary([alone, replace(ROUND, victim=Victim.BOTH, told_s=9.0)])
    assert (ended["told_s_max"], ended["devices_told_s_max"]) == (0.2, 0.3)
    assert "gap_ms_across_max" not in ended
