"""A foreign server as a child process on the first core, with a folder of its own, ended by its process id."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.load import SERVER_CORE, on_core

END_WITHIN_S = 5.0


@asynccontextmanager
async def daemon(command: Sequence[str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The running process. What it prints goes to `log` in the folder; `RuntimeError` shows its end if something goes wrong."""
    _allow_files()
    log = folder / "log"
    with log.open("wb") as output, on_core(SERVER_CORE):
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, cwd=folder)
    try:
        yield process
    except Exception as error:
        raise RuntimeError(f"{command[0]}: {error}; its last words: {log.read_text(errors='replace')[-600:]}") from error
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), END_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def _allow_files() -> None:
    """As many open files as the system lets us have: these servers open several sockets for each call. Children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def own_address() -> str:
    """The machine's own IPv4 address that is not a loopback one. Raises `RuntimeError` if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel only chooses the address that it would send from (RFC 5737: nobody has the other one).
            probe.connect(("198.51.100.1", 9))
        except OSError as error:
            raise RuntimeError("the machine has no address but loopback ones") from error
        address: str = probe.getsockname()[0]
        return address
