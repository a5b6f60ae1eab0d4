"""What many rounds come to: figures in one line, and whether server or engine have grown."""

from __future__ import annotations

from collections.abc import Sequence

from tests.resilience.figures import Figure, percentile
from tests.resilience.rounds import Round, check

WARM_UP = 4
"""Rounds whose footprints are no measure: caches fill."""
AT_EACH_END = 6
"""Rounds at the beginning and the end of the rest that are compared: a whole turn of victims."""
MORE_DESCRIPTORS = 4
MORE_KIB = 24 * 1024


def growth(rounds: Sequence[Round]) -> tuple[int, int, int, int]:
    """Descriptors and KiB by which server and engine have grown after the warm-up: medians at the beginning and the end."""
    rest = rounds[WARM_UP:]
    first, last = rest[:AT_EACH_END], rest[-AT_EACH_END:]

    def grown(values: list[int], others: list[int]) -> int:
        return int(percentile([float(each) for each in others], 0.5) - percentile([float(each) for each in values], 0.5))

    return (
        grown([each.server.descriptors for each in first], [each.server.descriptors for each in last]),
        grown([each.server.rss_kib for each in first], [each.server.rss_kib for each in last]),
        grown([each.engine.descriptors for each in first], [each.engine.descriptors for each in last]),
        grown([each.engine.rss_kib for each in first], [each.engine.rss_kib for each in last]),
    )


def check_growth(rounds: Sequence[Round]) -> None:
    """Neither process holds more at the end. Raises `AssertionError`."""
    server_fds, server_kib, engine_fds, engine_kib = growth(rounds)
    check(max(server_fds, engine_fds) <= MORE_DESCRIPTORS, f"descriptors: server {server_fds:+}, engine {engine_fds:+}")
    check(max(server_kib, engine_kib) <= MORE_KIB, f"memory: server {server_kib:+} KiB, engine {engine_kib:+} KiB")


def summary(rounds: Sequence[Round]) -> dict[str, Figure]:
    """All rounds of one kind in one line."""
    server_fds, server_kib, engine_fds, engine_kib = growth(rounds)
    figures: dict[str, Figure] = {
        "rounds": len(rounds),
        "other_calls": sum(each.calls for each in rounds),
        "webhooks_repeated": sum(each.repeated for each in rounds),
        "back_s_p50": percentile([each.back_s for each in rounds], 0.5),
        "back_s_max": max(each.back_s for each in rounds),
        "next_call_heard_s_max": max(each.heard_s for each in rounds),
    }
    sounds = {"before": [each.quiet for each in rounds if each.quiet], "across": [each.sound for each in rounds if each.sound]}
    for when, found in sounds.items():
        if found:
            figures |= {
                f"gap_ms_{when}_p50": percentile([each.gap_ms for each in found], 0.5),
                f"gap_ms_{when}_max": max(each.gap_ms for each in found),
                f"late_ms_{when}_max": max(each.late_ms for each in found),
                f"packets_lost_{when}": sum(each.lost for each in found),
            }
    waited = [each.waited_ms for each in rounds if each.sound]
    if waited:
        figures["without_processor_ms_p50"] = percentile(waited, 0.5)
    alone = [each.told_s for each in rounds if each.victim.has_engine and not each.victim.has_server]
    if alone:
        figures |= {"told_s_p50": percentile(alone, 0.5), "told_s_max": max(alone)}
    growths = {"server_fds": server_fds, "server_kib": server_kib, "engine_fds": engine_fds, "engine_kib": engine_kib}
    return figures | {f"{name}_more": value for name, value in growths.items()}
