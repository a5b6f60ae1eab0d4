"""Whether a process that lives through kills or calls holds more afterwards.

Only processes that live through all of it are compared: a new one tells nothing. A server keeps figures of its last thousand
calls and a journal, so it is measured after so many. It holds some 16 KB of such a call, and the engine some 46 KB of a settled
one; a process that let go of none would exceed the limits many times over.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.resilience.processes import Footprint

CALLS = 1_000
"""Made for a server to have all that it keeps, and made again to see whether it grows."""
AT_EACH_END = 3
"""Footprints at the beginning and the end whose medians are compared. The first of all is left out."""
MORE_DESCRIPTORS = 3
"""Pipes of an engine that was killed close when their transport is collected."""
MORE_KIB = 2 * 1024


def growth(footprints: Sequence[Footprint]) -> Footprint:
    """By how much the last ones are larger than the first ones after the first of all. Needs two."""
    first, last = footprints[1:][:AT_EACH_END], footprints[1:][-AT_EACH_END:]
    return Footprint(
        int(statistics.median(each.descriptors for each in last) - statistics.median(each.descriptors for each in first)),
        int(statistics.median(each.rss_kib for each in last) - statistics.median(each.rss_kib for each in first)),
    )


def grown(early: Footprint, late: Footprint) -> Footprint:
    """By how much `late` is larger."""
    return Footprint(late.descriptors - early.descriptors, late.rss_kib - early.rss_kib)


def check_growth(name: str, more: Footprint) -> None:
    """Raises `AssertionError` if that is more than chance does."""
    if more.descriptors > MORE_DESCRIPTORS or more.rss_kib > MORE_KIB:
        raise AssertionError(f"the {name} has grown by {more.descriptors} descriptors and {more.rss_kib} KiB")
