"""What one forwarded packet costs the engine itself, in instructions: no sockets, no system calls, no noise.

`crates/pagecalls-media/examples/relay.rs` forwards packets between two legs within its process, and callgrind counts what its
`relay_packets` runs, down into OpenSSL. Callgrind shows every x86-64 processor with AVX2 as the same model, without instructions
for SHA, so the figure is a guard and not what a packet takes on a given machine. `docs/bench.md` says how to read it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Figure

ROOT = Path(__file__).parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
PACKETS = 1_000


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets of one size under one SRTP profile."""

    profile: str
    payload_bytes: int
    kind: str = "audio"
    """`video` is with RTX and transport-wide numbers on both sides, `video-to-plain` towards a receiver without RTX."""


COMMITTED = {
    Flow("SRTP_AES128_CM_SHA1_80", 80): 10_600,
    Flow("SRTP_AES128_CM_SHA1_80", 1_100): 40_800,
    Flow("SRTP_AEAD_AES_128_GCM", 80): 9_100,
    Flow("SRTP_AEAD_AES_128_GCM", 1_100): 14_250,
    Flow("SRTP_AES128_CM_SHA1_80", 1_100, "video"): 41_400,
    Flow("SRTP_AEAD_AES_128_GCM", 1_100, "video"): 14_900,
    Flow("SRTP_AEAD_AES_128_GCM", 1_100, "video-to-plain"): 14_950,
}
"""Instructions for a packet when somebody last looked: with OpenSSL 3.0.19 and valgrind 3.19."""


class Unmeasured(Exception):
    """The relay or callgrind did not do what was asked; the text is what they said."""


async def figures() -> list[Figure]:
    """All flows, with the committed figure in place of a budget."""
    build()
    return [
        Figure(
            f"engine alone, {flow.profile.removeprefix('SRTP_')}, {flow.payload_bytes} B {flow.kind}: forwarded packet",
            await instructions(flow),
            "instructions",
            str(committed),
        )
        for flow, committed in COMMITTED.items()
    ]


def build() -> None:
    """Compile the relay; takes no time if it is there. Raises `CalledProcessError`."""
    command = "cargo build --release --locked --quiet --package pagecalls-media --example relay"
    subprocess.run(command.split(), check=True, cwd=ROOT)


async def instructions(flow: Flow) -> float:
    """Instructions for one packet of this flow. Raises `Unmeasured`."""
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "tool": "callgrind",
            "callgrind-out-file": f"{folder}/out",
            # Collection is on within this function alone; its name in the binary has the crate before it and a hash behind it.
            "toggle-collect": "*relay_packets*",
        }
        said = await _output(
            "valgrind",
            *(f"--{name}={value}" for name, value in options.items()),
            str(RELEASE / "examples" / "relay"),
            flow.profile,
            str(flow.payload_bytes),
            str(PACKETS),
            flow.kind,
        )
    collected = re.search(r"Collected : (\d+)", said)
    result = re.search(r"^\{.*\}$", said, re.MULTILINE)
    if collected is None or result is None:
        raise Unmeasured(said)
    forwarded = json.loads(result.group())["forwarded"]
    if forwarded != PACKETS:
        raise Unmeasured(f"{forwarded} of {PACKETS} packets were forwarded")
    return int(collected.group(1)) / PACKETS


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    text = said.decode("utf-8", "replace")
    if process.returncode != 0:
        raise Unmeasured(text)
    return text
