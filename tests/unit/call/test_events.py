"""Every event is a value, and the union names all of them."""

from __future__ import annotations

import inspect
from typing import get_args

from pagecalls.call import events


def test_the_union_is_complete() -> None:
    classes = {value for value in vars(events).values() if inspect.isclass(value) and value.__module__ == events.__name__}
    assert classes == set(get_args(events.Event))


def test_events_are_frozen_values() -> None:
    for event in get_args(events.Event):
        assert event.__dataclass_params__.frozen, event
        assert "__slots__" in vars(event), event
