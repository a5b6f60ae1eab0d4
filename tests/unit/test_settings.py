"""What an operator chooses: the rules between the settings, and the defaults that depend on the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pagecalls.settings import MAX_WORKERS, OnStop, Settings, SettingsError, default_workers, media_hosts


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(udp_port=65_530, workers=7), "7 workers need as many UDP ports"),
        (Settings(host="192.0.2.1"), "--expose-development"),
        (Settings(tls_cert=Path("cert.pem")), "tls_cert and tls_key are needed together"),
        (Settings(tls_key=Path("key.pem")), "tls_cert and tls_key are needed together"),
        (Settings(hsts=True), "hsts needs a certificate"),
        (Settings(on_stop=OnStop.HAND_OVER, drain_s=5), "drain_s must go"),
        (Settings(consumer_jwt_key="k", consumer_jwks=Path("s")), "one of them is enough"),
        (Settings(consumer_jwks=Path("s"), consumer_jwks_url="https://id.example"), "one of them is enough"),
        (Settings(consumer_jwt_issuer="https://id.example"), "need a key"),
        (Settings(consumer_jwt_audience="calls"), "need a key"),
        (Settings(consumer_jwks_url="http://id.example/keys"), "must begin with https://"),
    ],
)
def test_what_cannot_work_is_said(settings: Settings, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        settings.check()


def test_what_works() -> None:
    Settings(udp_port=65_530, workers=6).check()
    Settings(consumer_jwks_url="http://127.0.0.1:9/keys", consumer_jwt_issuer="i", consumer_jwt_audience="a").check()
    Settings(consumer_jwks_url="https://id.example/keys").check()
    Settings(udp_port=0, workers=MAX_WORKERS, media_tcp_port=0).check()
    Settings(tls_cert=Path("cert.pem"), tls_key=Path("key.pem"), hsts=True, on_stop=OnStop.HAND_OVER).check()


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
