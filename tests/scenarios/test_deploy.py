"""What is in deploy/, as it is run there: the unit's own command line, environment and signals, and the sample configuration.

No systemd is needed: what it would do with the unit is done here, read from the unit.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import yaml

from pagecalls.clock import SystemClock
from pagecalls.config.load import load
from pagecalls.demo.business import BusinessApp
from pagecalls.demo.device import ConsumerDevice
from pagecalls.dev import DevFile
from pagecalls.settings import Mode, OnStop
from tests.certificates import Authority

from .conftest import CHROMIUM, offered
from .test_processes import is_alive, until_gone

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "pagecalls.service"
PROGRAM = "/opt/pagecalls/bin/pagecalls"
CONFIG = "/etc/pagecalls/pagecalls.toml"
START_WITHIN_S = 20


def unit(name: str) -> list[str]:
    """The values of a key of the unit, in order."""
    lines = [line.partition("=") for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return [value for key, _, value in lines if key == name]


@dataclass
class Etc:
    """/etc/pagecalls: the sample configuration, with a certificate and secrets."""

    folder: Path
    authority: Authority

    @property
    def file(self) -> Path:
        return self.folder / "pagecalls.toml"


@pytest.fixture
def etc(tmp_path: Path) -> Etc:
    folder = tmp_path / "etc"
    for name in ("tls", "secrets"):
        (folder / name).mkdir(parents=True)
    (folder / "pagecalls.toml").write_text((DEPLOY / "pagecalls.toml").read_text())
    (folder / "secrets" / "consumer_key").write_text("a-key-of-the-operators-own\n")
    authority = Authority(tmp_path, SystemClock().now())
    files = authority.issue("calls.example.com", "127.0.0.1", "localhost")
    files.cert.replace(folder / "tls" / "fullchain.pem")
    files.key.replace(folder / "tls" / "privkey.pem")
    return Etc(folder, authority)


def test_the_sample_configuration_is_one_for_production(etc: Etc) -> None:
    settings = load({}, {}, etc.file).settings
    assert settings.mode is Mode.PRODUCTION
    assert settings.on_stop is OnStop.HAND_OVER
    assert settings.data_dir == Path("/var/lib") / unit("StateDirectory")[0]
    assert settings.consumer_key == "a-key-of-the-operators-own"
    assert (settings.tls_cert, settings.tls_key) == (etc.folder / "tls/fullchain.pem", etc.folder / "tls/privkey.pem")


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.ports.yaml"]])
def test_a_container_drains_because_it_cannot_hand_over(etc: Etc, files: list[str]) -> None:
    """With the image's environment and the composition's over the same sample configuration."""
    image = dict(re.findall(r"(PAGECALLS_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    services = [yaml.safe_load((DEPLOY / name).read_text())["services"]["server"] for name in files]
    composed = {name: value for each in services for name, value in each["environment"].items()}
    given = {name: "203.0.113.7" if value.startswith("${PUBLIC_IP") else value for name, value in composed.items()}
    settings = load({}, image | given, etc.file).settings
    assert (settings.mode, settings.on_stop, settings.host) == (Mode.PRODUCTION, OnStop.END, "0.0.0.0")
    assert str(settings.data_dir) in {volume.partition(":")[2] for volume in services[0]["volumes"]}
    assert settings.drain_s < 60 * float(services[0]["stop_grace_period"].removesuffix("m"))
    if len(services) > 1:
        assert settings.public_ips == ("203.0.113.7",)
        last = settings.udp_port + settings.workers - 1
        assert f"{settings.udp_port}-{last}:{settings.udp_port}-{last}/udp" in services[1]["ports"]
        assert f"{settings.media_tcp_port}:{settings.media_tcp_port}/tcp" in services[1]["ports"]
        assert f"{settings.port}:{settings.port}/tcp" in services[1]["ports"]


def test_the_unit_keeps_what_a_restart_needs() -> None:
    """The engine's socket is found under the same path by the next server, which comes within the engine's patience."""
    assert unit("KillMode") == ["process"]
    assert unit("Environment") == [f"XDG_RUNTIME_DIR=/run/{unit('RuntimeDirectory')[0]}"]
    assert unit("RuntimeDirectoryPreserve") == ["yes"]
    assert float(unit("RestartSec")[0]) < load({}, {}).settings.engine_grace_s / 2
    assert unit("ExecReload") == ["/bin/kill -HUP $MAINPID"]


class Manager:
    """Does with the unit what systemd does, as far as the unit says it."""

    def __init__(self, etc: Etc, folder: Path, webhook: str) -> None:
        self._etc = etc
        self._runtime = folder / "run"
        self._runtime.mkdir(mode=0o700)
        self._data = folder / "data"
        self._webhook = webhook
        self._process: asyncio.subprocess.Process | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(folder / "notify"))
        self._listener.setblocking(False)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def dev(self) -> DevFile:
        return msgspec.json.decode((self._data / "dev.json").read_bytes(), type=DevFile)

    def engine(self) -> int:
        """The process that is left of the unit beside the server: in its session alone, as the unit's control group has it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0])

    async def start(self) -> None:
        """`systemctl start` returns when the server says that it is ready."""
        program, *arguments = unit("ExecStart")[0].split()
        assert program == PROGRAM
        line = [str(self._etc.file) if each == CONFIG else each for each in arguments]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pagecalls.cli", *line), env=self._environ(), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(START_WITHIN_S):
            assert await asyncio.get_running_loop().sock_recv(self._listener, 100) == b"READY=1"

    async def stop(self) -> None:
        """`systemctl stop`: by KillMode=process the signal goes to the main process alone, and nothing else is ended."""
        assert unit("KillMode") == ["process"]
        assert unit("KillSignal") == []
        os.kill(self.pid, signal.SIGTERM)
        assert self._process is not None
        async with asyncio.timeout(float(unit("TimeoutStopSec")[0])):
            assert await self._process.wait() == 0

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def reload(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            os.kill(self.pid, signal.SIGINT)
            await self._process.wait()
        self._listener.close()

    def _environ(self) -> Mapping[str, str]:
        """The unit's own, and what lets a test see a call: the development identities, and free ports."""
        ours = {"PAGECALLS_MODE": "development", "PAGECALLS_HOST": "127.0.0.1", "PAGECALLS_WEBHOOK": self._webhook}
        ours |= {"PAGECALLS_PORT": "0", "PAGECALLS_UDP_PORT": "0", "PAGECALLS_DATA_DIR": str(self._data)}
        from_unit = dict(each.split("=", 1) for each in unit("Environment"))
        from_unit["XDG_RUNTIME_DIR"] = str(self._runtime)
        python = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return {**os.environ, **python, **from_unit, **ours, "NOTIFY_SOCKET": str(self._listener.getsockname())}


@asynccontextmanager
async def a_manager(etc: Etc, folder: Path, webhook: str) -> AsyncIterator[Manager]:
    manager = Manager(etc, folder, webhook)
    try:
        yield manager
    finally:
        await manager.end()


@asynccontextmanager
async def a_device(manager: Manager, etc: Etc) -> AsyncIterator[ConsumerDevice]:
    device = ConsumerDevice(tls=etc.authority.trust())
    await device.connect(manager.dev.base_url, manager.dev.consumer.access_token)
    try:
        yield device
    finally:
        await device.close()


async def test_a_restart_of_the_unit_keeps_its_calls(etc: Etc, tmp_path: Path, app: BusinessApp) -> None:
    async with a_manager(etc, tmp_path, app.url) as manager:
        await manager.start()
        dev = manager.dev
        app.use(dev.base_url, dev.page.id, dev.page.access_token, dev.app.secret)
        engine = manager.engine()
        async with a_device(manager, etc) as device:
            call_id = (await device.request("call.start", page_id=dev.page.id, session=offered(CHROMIUM)))["call_id"]
            await app.expect("connect", call_id)
            await manager.restart()
        assert is_alive(engine)
        async with a_device(manager, etc) as device:
            await device.expect("call.resumed", call_id=call_id)
            await manager.reload()
            await device.request("call.hangup", call_id=call_id)
            assert (await app.expect("terminate", call_id)).item["status"] == "Completed"
            assert app.events(call_id) == ["connect", "terminate"]
        await manager.stop()
        await until_gone(engine)


async def test_a_stopped_unit_with_calls_ends_when_nobody_starts_it_again(etc: Etc, tmp_path: Path, app: BusinessApp) -> None:
    with etc.file.open("a") as file:
        file.write("engine_grace_s = 1\n")
    async with a_manager(etc, tmp_path, app.url) as manager:
        await manager.start()
        engine = manager.engine()
        async with a_device(manager, etc) as device:
            await device.request("call.start", page_id=manager.dev.page.id, session=offered(CHROMIUM))
            await manager.stop()
        await until_gone(engine)


def test_the_image_runs_what_its_lock_pins() -> None:
    """The packages of the image are those that are tested."""

    def pinned(name: str) -> set[str]:
        text = (DEPLOY.parent / "requirements" / name).read_text()
        return {line.split()[0] for line in text.splitlines() if "==" in line}

    assert pinned("run.lock")
    assert pinned("run.lock") <= pinned("dev.lock")


def test_the_image_builds_with_the_oldest_rust_that_is_promised() -> None:
    wanted = next(line for line in (DEPLOY.parent / "Cargo.toml").read_text().splitlines() if line.startswith("rust-version"))
    assert f"FROM rust:{wanted.split(chr(34))[1]}-slim" in (DEPLOY / "Dockerfile").read_text()
