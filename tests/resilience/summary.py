"""What many rounds come to, and the ends at which nothing may have grown: figures in one line."""

from __future__ import annotations

from collections.abc import Sequence

from tests.resilience.figures import Figure, percentile
from tests.resilience.growth import CALLS, check_growth, grown, growth
from tests.resilience.processes import Footprint
from tests.resilience.rounds import ENGINE_ALONE, ENGINE_ROUNDS, Round, play
from tests.resilience.world import World

ALONE_ROUNDS = range(6_000, 6_000 + 12 * len(ENGINE_ROUNDS), len(ENGINE_ROUNDS))
"""Kills of engines that one server sees. By these numbers they can be played again by themselves."""


async def grown_by_calls(world: World, rounds: Sequence[Round]) -> dict[str, Figure]:
    """After rounds that their engine has survived: has it grown by them, and do calls make it or its server grow?

    Returns by how much. Raises `AssertionError`.
    """
    across = growth([each.engine for each in rounds])
    check_growth("engine, by servers that were killed,", across)
    await world.hang_up()
    await world.brief_calls(CALLS)
    early = world.footprints()
    await world.brief_calls(CALLS)
    server, engine = (grown(*each) for each in zip(early, world.footprints(), strict=True))
    check_growth(f"server, by {CALLS} calls,", server)
    check_growth(f"engine, by {CALLS} calls,", engine)
    return _named("engine_by_kills", across) | _named("server_by_calls", server) | _named("engine_by_calls", engine)


async def grown_by_crashes(world: World, seed: int) -> dict[str, Figure]:
    """Do engines that are killed, one after the other, make their server grow?

    Returns by how much. Raises `RoundFailed`, `AssertionError`.
    """
    await world.hang_up()
    await world.brief_calls(CALLS)
    server = growth([(await play(world, seed, number, ENGINE_ALONE)).server for number in ALONE_ROUNDS])
    check_growth("server, by engines that were killed,", server)
    return _named("server_by_crashes", server)


def _named(what: str, more: Footprint) -> dict[str, Figure]:
    return {f"{what}_fds_more": more.descriptors, f"{what}_kib_more": more.rss_kib}


def summary(rounds: Sequence[Round]) -> dict[str, Figure]:
    """All rounds of one kind in one line."""
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
    alone = [each for each in rounds if each.victim.has_engine and not each.victim.has_server]
    if alone:
        figures |= {
            "told_s_p50": percentile([each.told_s for each in alone], 0.5),
            "told_s_max": max(each.told_s for each in alone),
            "devices_told_s_max": max(each.devices_told_s for each in alone),
        }
    return figures
