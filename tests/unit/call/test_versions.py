"""The version protocol, rule by rule (messenger-calling 4.1 to 4.4)."""

from __future__ import annotations

import pytest

from pagecalls.call.versions import Advance, Applied, Collided, Counter, Repeated, advance_of, judge
from pagecalls.errors import InvalidValue, MediaConflict


def after(counter: Counter, advance: Advance | None, digest: str = "d") -> Counter:
    verdict = judge(counter, advance, digest)
    assert isinstance(verdict, Counter)
    return verdict


def test_numbers_come_in_pairs() -> None:
    assert advance_of(None, None) is None
    assert advance_of(1, 2) == Advance(1, 2)
    for pair, missing in (((1, None), "to_version"), ((None, 2), "from_version")):
        with pytest.raises(InvalidValue) as caught:
            advance_of(*pair)
        assert caught.value.parameter == missing


def test_without_numbers_it_goes_one_on() -> None:
    """Rule 1: read as V, V + 1, so nothing collides and nothing is a repeat."""
    once = after(Counter(3), None)
    assert once == Counter(4, Applied(Advance(3, 4), "d"))
    assert after(once, None).current == 5


@pytest.mark.parametrize("advance", [Advance(2, 2), Advance(2, 4), Advance(2, 1), Advance(1, 5), Advance(0, 0)])
def test_a_step_is_one(advance: Advance) -> None:
    """Rule 2, before every other."""
    with pytest.raises(MediaConflict) as caught:
        judge(Counter(2), advance, "d")
    assert caught.value.current_version == 2


def test_from_the_current_version() -> None:
    """Rule 3."""
    assert after(Counter(2), Advance(2, 3)) == Counter(3, Applied(Advance(2, 3), "d"))


def test_the_last_update_again_is_a_repeat_whatever_came_after_it() -> None:
    """Rule 4."""
    counter = after(Counter(0), Advance(0, 1))
    assert judge(counter, Advance(0, 1), "d") == Repeated()
    assert judge(counter.offered().offered(), Advance(0, 1), "d") == Repeated()


def test_the_same_numbers_for_something_else_collide() -> None:
    counter = after(Counter(0), Advance(0, 1))
    assert judge(counter, Advance(0, 1), "another") == Collided()
    assert judge(after(counter, Advance(1, 2)), Advance(0, 1), "d") == Collided()


def test_from_an_older_version() -> None:
    """Rule 5."""
    assert judge(Counter(1), Advance(0, 1), "d") == Collided()


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_side_that_began_to_count_earlier_is_followed_once(ahead: int) -> None:
    """Rule 6: such clients counted their first offer, or that and the offer of accept."""
    counter = after(Counter(1), Advance(1 + ahead, 2 + ahead))
    assert counter.current == 2 + ahead
    assert judge(counter, Advance(1 + ahead, 2 + ahead), "d") == Repeated()
    with pytest.raises(MediaConflict):
        judge(counter, Advance(3 + ahead, 4 + ahead), "d")


def test_too_far_ahead() -> None:
    with pytest.raises(MediaConflict) as caught:
        judge(Counter(1), Advance(4, 5), "d")
    assert caught.value.current_version == 1


def test_the_base_is_adopted_before_the_first_update_only() -> None:
    counter = after(Counter(0), None)
    with pytest.raises(MediaConflict):
        judge(counter, Advance(2, 3), "d")


def test_our_offers_count_and_forget_no_update() -> None:
    counter = after(Counter(0), Advance(0, 1))
    assert counter.offered() == Counter(2, counter.last)
