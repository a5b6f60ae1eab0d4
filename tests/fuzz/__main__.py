"""All fuzz targets for a while each, as many at a time as there are processors: `python -m tests.fuzz --seconds 30 [target ...]`.

The engine's targets are built here with the stable compiler: coverage comes from LLVM's pass and libFuzzer from its crate, so no
further tool is needed; arithmetic and assertions are checked. What was found stays in `fuzz/corpus`, an input that fails in
`fuzz/artifacts`. Ends with status 1 if any target failed, and shows the end of what it said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.fuzz.seeds import seeds

ROOT = Path(__file__).parents[2]
CRATE = ROOT / "crates" / "pagecalls-media" / "fuzz"
PYTHON = {
    "sdp": "tests.fuzz.fuzz_sdp",
    "graph": "tests.fuzz.fuzz_graph",
    "client": "tests.fuzz.fuzz_client",
    "jwt": "tests.fuzz.fuzz_jwt",
    "connections": "tests.fuzz.fuzz_connections",
    "engine": "tests.fuzz.fuzz_engine",
}
"""Targets that are no libFuzzer programs, and their modules."""
LONGEST_INPUT = 4_096
SPARE_S = 60
"""How much longer than its time a target may take before it counts as hanging."""
COVERAGE = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "--cfg=fuzzing",
)
LAST_LINES = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one target ended."""

    target: str
    inputs: int
    status: int
    output: str

    @property
    def failed(self) -> bool:
        """Whether it found a fault, or tried nothing at all."""
        return self.status != 0 or self.inputs == 0


def targets() -> list[str]:
    """Every target: the engine's by their files, and those in Python."""
    return [*sorted(path.stem for path in (CRATE / "fuzz_targets").glob("*.rs")), *PYTHON]


def build() -> Path:
    """Compile the engine's targets; the folder where they are. Raises `CalledProcessError`."""
    said = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.removeprefix("host: ") for line in said.splitlines() if line.startswith("host: "))
    folder = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "fuzz"
    # With a target named, the flags stay away from build scripts, which do not link with libFuzzer.
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target", host]
    environ = {**os.environ, "RUSTFLAGS": " ".join(COVERAGE), "CARGO_TARGET_DIR": str(folder)}
    subprocess.run(command, check=True, cwd=CRATE, env=environ)
    return folder / host / "release"


def command(target: str, seconds: int, seed: int, folder: Path) -> list[str]:
    """What runs a target."""
    if target in PYTHON:
        return [sys.executable, "-m", PYTHON[target], "--seconds", str(seconds), "--seed", str(seed)]
    corpus, artifacts = CRATE / "corpus" / target, CRATE / "artifacts" / target
    for place in (corpus, artifacts):
        place.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(data)
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": LONGEST_INPUT,
        "timeout": 10,
        "print_final_stats": 1,
        "verbosity": 0,
    }
    return [
        str(folder / target),
        str(corpus),
        f"-artifact_prefix={artifacts}/",
        *(f"-{name}={value}" for name, value in options.items()),
    ]


async def run(target: str, seconds: int, seed: int, folder: Path) -> Outcome:
    """One target, to its end or a minute past its time."""
    process = await asyncio.create_subprocess_exec(
        *command(target, seconds, seed, folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(seconds + SPARE_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Outcome(target, 0, 1, "hangs")
    text = said.decode("utf-8", "replace")
    count = re.search(r"number_of_executed_units: (\d+)|^(\d+) inputs", text, re.MULTILINE)
    inputs = int(count.group(1) or count.group(2)) if count else 0
    return Outcome(target, inputs, process.returncode or 0, text)


async def run_all(names: list[str], seconds: int, seed: int, folder: Path) -> list[Outcome]:
    """As many at a time as there are processors."""
    room = asyncio.Semaphore(len(os.sched_getaffinity(0)))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"fuzzing {len(names)} targets, {seconds} s each", total=len(names))

        async def one(target: str) -> Outcome:
            async with room:
                outcome = await run(target, seconds, seed, folder)
            progress.advance(task)
            return outcome

        return list(await asyncio.gather(*(one(name) for name in names)))


def report(outcomes: list[Outcome], console: Console) -> None:
    """A table, and the last words of those that failed."""
    table = Table(title="Fuzzing", title_justify="left")
    for title, side in (("target", "left"), ("inputs", "right"), ("", "left")):
        table.add_column(title, justify="right" if side == "right" else "left")
    for outcome in outcomes:
        table.add_row(outcome.target, f"{outcome.inputs:,}", "FAILED" if outcome.failed else "no fault")
    console.print(table)
    for outcome in outcomes:
        if outcome.failed:
            console.print(f"{outcome.target} ended with status {outcome.status}:", markup=False)
            console.print("\n".join(outcome.output.splitlines()[-LAST_LINES:]), markup=False)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", default=[], metavar="target", help=", ".join(targets()))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same inputs again, as far as the time goes (0: others each time)"
    )
    options = parser.parse_args()
    names: list[str] = options.targets or targets()
    if unknown := set(names) - set(targets()):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets())}")
    seed = options.seed or secrets.randbelow(2**31 - 1) + 1
    folder = build()
    outcomes = asyncio.run(run_all(names, options.seconds, seed, folder))
    report(outcomes, Console())
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
