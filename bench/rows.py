"""What is measured of a server as rows of the table, the same for every server. A budget stands where design.md 8 sets one."""

from __future__ import annotations

from bench.figure import Figure
from bench.load import Srtp
from bench.rig import Ceiling, Played, SetUp


def packet_rows(
    name: str, srtp: Srtp, played: Played, *, how: str = "", budget: str = "4", at: str | None = None
) -> list[Figure]:
    """What a window of traffic says; `at` stands for the number of calls where that is not the same each time."""
    title = f"{name}, {at or _calls(played.calls)}, {srtp.name}{how}"
    note = played.why if played.is_load_bound else ""
    is_many = played.calls > 1
    p99_budget = "1" if played.calls == 500 and budget else ""
    return [
        Figure(f"{title}: forwarded packet", played.packet_us, "us CPU", budget if is_many else "", digits=2),
        Figure(f"{title}: loss", played.loss_percent, "%", "0" if budget else "", digits=3, note=note),
        Figure(f"{title}: added latency, median", played.p50_us / 1000, "ms", digits=3, note=note),
        Figure(f"{title}: added latency, p99", played.p99_us / 1000, "ms", p99_budget, digits=3, note=note),
        Figure(f"{title}: the load late, p99", played.late_us / 1000, "ms", digits=3),
        Figure(f"{title}: the load's core", played.load_busy * 100, "% busy"),
    ]


def set_up_rows(name: str, srtp: Srtp, calls: int, set_up: SetUp, budget: str = "2.8") -> list[Figure]:
    """What the last calls took to come up."""
    title = f"{name}, {_calls(calls)}, {srtp.name}"
    return [
        Figure(f"{title}: set-up of both legs", set_up.ms_cpu_per_call, "ms CPU", budget, digits=2),
        Figure(f"{title}: set-ups a second, load included", set_up.calls_per_s, ""),
    ]


def rest_rows(
    name: str,
    srtp: Srtp,
    calls: int,
    idle_us: float,
    kb: float,
    rest_s: float,
    *,
    how: str = "",
    idle_budget: str = "20",
    kb_budget: str = "64",
) -> list[Figure]:
    """What calls cost that do nothing."""
    title = f"{name}, {_calls(calls)}, {srtp.name}{how}"
    return [
        Figure(f"{title}: idle connected call", idle_us, "us CPU/s", idle_budget, digits=1),
        Figure(f"{title}: memory per call after {rest_s:.0f} s at rest", kb, "KB", kb_budget),
    ]


def ceiling_rows(name: str, srtp: Srtp, ceiling: Ceiling, budget: str = "") -> list[Figure]:
    """How many calls a core carries; the budget stands at the figure that counts."""
    budgets = ("", budget) if ceiling.is_load_bound else (budget, "")
    rows = packet_rows(name, srtp, ceiling.best, budget="", at="at the ceiling") if ceiling.best else []
    title = f"{name}, at the ceiling, {srtp.name}"
    note = f"by CPU: as at {ceiling.best.calls} calls" if ceiling.best else "by CPU: as at calls that did not go well"
    return [
        Figure(f"{title}: most calls, p99 < 20 ms, loss < 0.1 %", ceiling.calls, "", budgets[0], note=ceiling.why),
        Figure(f"{title}: calls a core by CPU for a packet", ceiling.by_cpu, "", budgets[1], note=note),
        *rows,
    ]


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"
