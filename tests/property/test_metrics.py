"""Times and figures of a report on a call: every form of one moment is that moment, and no value is more than a typed error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from pagecalls.call.metrics import CallEndCause, find_cause
from pagecalls.graph.metrics import read_number, read_time
from pagecalls.http import Json

seconds = st.integers(1, 10**11)
zones = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(seconds)
def test_seconds_and_their_text(moment: int) -> None:
    assert read_time(moment) == read_time(float(moment)) == read_time(str(moment)) == moment


@given(st.integers(10**8 + 1, 253_402_300_799))
def test_milliseconds(moment: int) -> None:
    assert read_time(moment * 1000) == read_time(str(moment * 1000)) == moment


@given(st.integers(1, 250_000_000_000), zones, st.booleans())
def test_iso_8601_in_every_zone(moment: int, zone: timezone, is_basic: bool) -> None:
    shown = datetime.fromtimestamp(moment, UTC).astimezone(zone)
    text = shown.strftime("%Y%m%dT%H%M%S%z") if is_basic and shown.year > 999 else shown.isoformat()
    assert read_time(text) == moment


@given(st.integers(1, 250_000_000_000))
def test_iso_8601_without_a_zone_is_utc(moment: int) -> None:
    shown = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
    assert read_time(shown.isoformat()) == read_time(shown.isoformat(" ")) == moment


@given(json_values)
def test_whatever_comes(value: Json) -> None:
    moment, number = read_time(value), read_number(value)
    assert moment is None or 0 <= moment <= 253_402_300_799
    assert number is None or abs(number) < float("inf")


@given(st.sampled_from(CallEndCause), st.randoms(use_true_random=False))
def test_reasons_in_any_spelling(cause: CallEndCause, rng: object) -> None:
    draw = getattr(rng, "random")  # noqa: B009
    text = "".join(letter.lower() if draw() < 0.5 else letter for letter in cause.value if letter != "_" or draw() < 0.5)
    assert find_cause(text) is cause
