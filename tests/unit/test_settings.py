"""What an operator chooses: the rules between the settings, and the defaults that depend on the machine."""

from __future__ import annotations

import os

import click
import pytest

from pagecalls.cli.serve import Limit, tcp_port
from pagecalls.settings import MAX_WORKERS, Settings, SettingsError, default_workers, media_hosts


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(media_tcp_port=70_000), "70000 is not a port"),
        (Settings(workers=0), "--workers 0"),
        (Settings(workers=MAX_WORKERS + 1), "--workers 65"),
        (Settings(udp_port=65_530, workers=7), "7 workers need as many UDP ports"),
        (Settings(host="192.0.2.1"), "--expose-development"),
        (Settings(app_calls_per_hour=0), "0 is no limit"),
        (Settings(page_calls_per_s=-1), "-1 is no limit"),
        (Settings(call_rate_per_consumer_24h=0), "0 is no limit"),
    ],
)
def test_what_cannot_work_is_said(settings: Settings, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        settings.check()


def test_what_works() -> None:
    Settings(udp_port=65_530, workers=6).check()
    Settings(udp_port=0, workers=MAX_WORKERS, media_tcp_port=0).check()
    Settings(app_calls_per_hour=None, page_calls_per_s=1, call_rate_per_consumer_24h=1).check()


def test_limits_on_the_command_line() -> None:
    limit = Limit()
    assert (limit.convert("off", None, None), limit.convert("1", None, None), limit.convert(300, None, None)) == (None, 1, 300)
    for text in ("0", "-1", "many", "1.5", ""):
        with pytest.raises(click.BadParameter):
            limit.convert(text, None, None)


def test_media_over_tcp_has_the_number_of_the_udp_port_unless_told_otherwise() -> None:
    assert [tcp_port(asked, 40_000) for asked in (None, "off", 0, 3478)] == [40_000, None, 0, 3478]
    assert tcp_port(None, 0) == 0


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (4, 3), (500, MAX_WORKERS)])
def test_one_core_is_left_to_the_server(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    assert default_workers() == workers


def test_media_listens_on_both_loopbacks() -> None:
    for host in ("localhost", "127.0.0.1"):
        assert media_hosts(host, has_ipv6_loopback=True) == "127.0.0.1,::1"
        assert media_hosts(host, has_ipv6_loopback=False) == "127.0.0.1"
    for host in ("::1", "192.0.2.1", "::"):
        assert media_hosts(host, has_ipv6_loopback=True) == host
