"""`pagecalls config` and the flags of `pagecalls serve`, as their user sees them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pagecalls.cli import COMMANDS, main
from pagecalls.clock import SystemClock
from pagecalls.config.keys import KEYS
from pagecalls.settings import Settings
from tests.certificates import Authority

KEY = "a-consumer-key-of-the-operator"


def run(*line: str, **environ: str) -> Result:
    return CliRunner().invoke(main, line, env={"PAGECALLS_MEDIA_BIN": None, **environ})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "pagecalls.toml"
    file.write_text(f'mode = "production"\nallow_host = ["a.example", "b.example"]\nconsumer_key = "{KEY}"\n')
    file.chmod(0o600)
    return file


def served(monkeypatch: pytest.MonkeyPatch, *line: str, **environ: str) -> Settings:
    """The settings that `serve` would start with."""
    taken: list[Settings] = []

    async def serve(settings: Settings, as_json: bool) -> None:
        taken.append(settings)

    serve_module = importlib.import_module("pagecalls.cli.serve")
    monkeypatch.setattr(serve_module, "_serve", serve)
    monkeypatch.setattr(serve_module, "start_logging", lambda *_: None)
    result = run("serve", *line, **environ)
    assert result.exit_code == 0, result.output
    return taken[0]


def test_an_example_that_passes_the_check(tmp_path: Path) -> None:
    file = tmp_path / "pagecalls.toml"
    file.write_text(run("config", "example").output)
    result = run("config", "check", "--config", str(file))
    assert (result.exit_code, "0 keys set" in result.output) == (0, True)


def test_a_check(file: Path) -> None:
    good = run("config", "check", "--config", str(file))
    assert (good.exit_code, good.output) == (0, f"{file} is fine: 3 keys set, all known and in range.\n")
    file.write_text("prot = 1\nport = 99999\n")
    bad = run("config", "check", "--config", str(file))
    assert bad.exit_code == 1
    assert "Error: several settings cannot work:\n" in bad.output
    assert "prot is no key; did you mean port?" in bad.output
    assert "No file is named" in run("config", "check").output


def test_a_check_looks_at_the_certificate_too(tmp_path: Path) -> None:
    files = Authority(tmp_path, SystemClock().now()).issue("localhost")
    file = tmp_path / "pagecalls.toml"
    file.write_text(f'tls_cert = "{files.cert.name}"\ntls_key = "{files.key.name}"\n')
    assert run("config", "check", "--config", str(file)).exit_code == 0
    files.key.write_text("no key")
    bad = run("config", "check", "--config", str(file))
    assert (bad.exit_code, "holds no private key in PEM" in bad.output) == (1, True)


def test_what_is_in_force_and_from_where(file: Path) -> None:
    result = run("config", "show", "--config", str(file), PAGECALLS_PORT="1234")
    words = [line.split() for line in result.output.splitlines()]
    assert ["mode", "production", "pagecalls.toml"] in words
    assert ["port", "1234", "PAGECALLS_PORT"] in words
    assert ["allow_host", "a.example,", "b.example", "pagecalls.toml"] in words
    assert ["consumer_key", "(hidden)", "pagecalls.toml"] in words
    assert "workers" not in result.output
    assert "workers" in run("config", "show", "--all").output
    assert "Everything has its default" in run("config", "show").output


def test_the_same_for_machines(file: Path) -> None:
    result = run("config", "show", "--config", str(file), "--json")
    facts: dict[str, Any] = json.loads(result.output)
    assert set(facts) == {key.name for key in KEYS}
    assert facts["mode"] == {"value": "production", "source": "pagecalls.toml"}
    assert facts["allow_host"]["value"] == ["a.example", "b.example"]
    assert facts["admin_token"] == {"value": None, "source": "default"}
    assert KEY not in result.output


def test_flags_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = served(monkeypatch, "--port", "0", "--public-ip", "::1", "--public-ip", "127.0.0.2", PAGECALLS_PORT="1")
    assert (settings.port, settings.public_ips) == (0, ("::1", "127.0.0.2"))
    assert served(monkeypatch, PAGECALLS_PORT="1").port == 1


def test_a_switch_can_be_turned_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert served(monkeypatch, "--strict-reach").strict_reach
    assert served(monkeypatch, PAGECALLS_STRICT_REACH="yes").strict_reach
    assert not served(monkeypatch, "--no-strict-reach", PAGECALLS_STRICT_REACH="yes").strict_reach


@pytest.mark.parametrize(
    ("line", "environ", "format_", "level"),
    [
        ((), {}, "text", "warning"),
        (("--json",), {}, "json", "warning"),
        (("-v",), {"PAGECALLS_LOG_FORMAT": "json"}, "json", "info"),
        (("-v", "--json", "--log-format", "text", "--log-level", "debug"), {}, "text", "debug"),
    ],
)
def test_how_much_is_logged(
    monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], environ: dict[str, str], format_: str, level: str
) -> None:
    settings = served(monkeypatch, *line, **environ)
    assert (settings.log_format.value, settings.log_level.value) == (format_, level)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("--port", "x"), "Invalid value for '--port': 'x' does not fit; it must be a port"),
        (("--webhook", "example.com"), "it must be a URL that begins with"),
        (("--media-tcp-port", "never"), 'or "off"'),
        (("--workers", "65"), "from 1 to 64"),
        (("--consumer-key", "x"), "No such option"),
        (("--config", "/nowhere/x.toml"), "cannot be read"),
        (("--host", "0.0.0.0"), "--expose-development"),
    ],
)
def test_what_serve_refuses(line: tuple[str, ...], says: str) -> None:
    result = run("serve", *line)
    assert result.exit_code != 0
    assert says in result.output


def test_help_shows_every_flag_under_its_heading() -> None:
    text = run("serve", "--help").output
    for key in KEYS:
        assert (f"  {key.flag} " in text) == (not key.is_secret), key.name
    for heading in {key.section.value for key in KEYS}:
        assert f"\n{heading}:\n" in text


def test_every_command_is_there_and_a_probe_loads_no_server() -> None:
    listed = run("--help").output
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        assert run(name, "--help").exit_code == 0
    assert "No such command" in run("nonsense").output
    probe = (
        "import sys, pagecalls.cli.ready; print(*sorted({'pagecalls.server', 'uvicorn', 'aiohttp', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True)
    assert done.stdout == b"\n"
