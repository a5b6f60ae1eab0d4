"""What many rounds come to, and that growth is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.resilience.hearing import Sound
from tests.resilience.processes import Footprint
from tests.resilience.rounds import Round, Victim
from tests.resilience.summary import AT_EACH_END, WARM_UP, check_growth, summary

ROUND = Round(0, Victim.SERVER, 1.0, 0.5, Footprint(10, 1_000), Footprint(5, 500), 3, 0)
QUIET = Sound(packets=1_000, lost=0, most_lost=0, gap_ms=20.0, late_ms=1.0, p99_ms=0.5, median_p99_ms=0.4)
ROUNDS = [replace(ROUND, number=number) for number in range(WARM_UP + 2 * AT_EACH_END)]


def test_what_stays_the_same_is_no_growth_and_one_odd_round_is_none() -> None:
    odd = replace(ROUND, server=Footprint(99, 999_999))
    check_growth([*ROUNDS[:-1], odd])


@pytest.mark.parametrize(
    "grown", [{"server": Footprint(20, 1_000)}, {"server": Footprint(10, 99_000)}, {"engine": Footprint(5, 99_000)}]
)
def test_growth_is_seen(grown: dict[str, Footprint]) -> None:
    later = [Round(**{name: getattr(each, name) for name in Round.__slots__} | grown) for each in ROUNDS[-AT_EACH_END:]]
    with pytest.raises(AssertionError, match=r"descriptors|memory"):
        check_growth([*ROUNDS[:-AT_EACH_END], *later])


def test_a_line_has_sound_where_calls_go_on_and_the_news_where_they_end() -> None:
    went_on = [replace(ROUND, quiet=QUIET, sound=replace(QUIET, gap_ms=30.0, lost=1), waited_ms=5.0), ROUND]
    figures = summary(went_on)
    assert (figures["gap_ms_before_max"], figures["gap_ms_across_max"], figures["packets_lost_across"]) == (20.0, 30.0, 1)
    assert "told_s_max" not in figures
    ended = summary([replace(ROUND, victim=Victim.ENGINE, told_s=0.2), replace(ROUND, victim=Victim.BOTH, told_s=9.0)])
    assert ended["told_s_max"] == 0.2
    assert "gap_ms_across_max" not in ended
