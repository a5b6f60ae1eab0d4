"""CPU that the impairment relay takes for a datagram: 5,000 a second, as many as 50 calls have in both directions together, or as
all their peers send.

    PYTHONPATH=src python -m bench.bench_impair

The relay runs as a command of its own, with loss, delay and jitter on. Its CPU is all of the process, timers and system calls
included; this process sends each millisecond what is due, from a hundred sockets, and is not counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack

from bench.figure import Figure, cpu_s

PEERS, PACKETS_PER_S, SECONDS = 100, 5_000, 5.0
TICK_S = 0.001
OPTIONS = ("--loss", "1%", "--delay", "20", "--jitter", "5", "--json")


async def figures() -> list[Figure]:
    """The relay at the load of 50 calls."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pagecalls.testing.impair", "--to", f"127.0.0.1:{sink.getsockname()[1]}", *OPTIONS),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if process.stdout is None:
            raise RuntimeError("started without a pipe")
        ready = json.loads(await process.stdout.readline())
        host, _, port = ready["address"].rpartition(":")
        try:
            before = cpu_s(process.pid)
            sent = await asyncio.to_thread(send, (host, int(port)), SECONDS)
            used = cpu_s(process.pid) - before
        finally:
            process.send_signal(signal.SIGINT)
            rest = await process.stdout.read()
            await process.wait()
    came = json.loads(rest.splitlines()[-1])["up"]["kinds"]["rtp"]["received"]
    return [
        Figure("Impairment relay: datagram", used / sent * 1e6, "us CPU", "100", 1),
        Figure("Impairment relay: of a core at 5,000 a second", used / SECONDS * 100, "%", "50", 0),
        Figure("Impairment relay: datagrams that came", came / sent * 100, "%", "100", 1),
    ]


def send(to: tuple[str, int], seconds: float) -> int:
    """RTP-like datagrams, evenly from all peers; returns how many."""
    with ExitStack() as stack:
        peers = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(PEERS)]
        return _send(peers, to, seconds)


def _send(peers: list[socket.socket], to: tuple[str, int], seconds: float) -> int:
    begun, sent = time.monotonic(), 0
    while sent < PACKETS_PER_S * seconds:
        due = int((time.monotonic() - begun) * PACKETS_PER_S)
        while sent < due:
            peer, number = sent % PEERS, sent // PEERS
            head = b"\x80\x6f" + (number & 0xFFFF).to_bytes(2, "big") + bytes(4) + peer.to_bytes(4, "big")
            peers[peer].sendto(head + bytes(100), to)
            sent += 1
        time.sleep(TICK_S)
    return sent


def main() -> None:
    """Print the figures."""
    for figure in asyncio.run(figures()):
        print(f"{figure.what:45}{figure.value:8.{figure.digits}f} {figure.unit}")


if __name__ == "__main__":
    main()
