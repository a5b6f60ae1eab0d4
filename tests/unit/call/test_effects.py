"""Every effect is a value, and the union names all of them."""

from __future__ import annotations

import inspect
from typing import get_args

from pagecalls.call import effects


def test_the_union_is_complete() -> None:
    classes = {value for value in vars(effects).values() if inspect.isclass(value) and value.__module__ == effects.__name__}
    assert classes - {effects.Audience, effects.Carrier} == set(get_args(effects.Effect))


def test_effects_are_frozen_values() -> None:
    for effect in get_args(effects.Effect):
        assert effect.__dataclass_params__.frozen, effect
        assert "__slots__" in vars(effect), effect
