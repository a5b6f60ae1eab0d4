"""What an operator can choose. Read once at start, frozen, handed down in pieces."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from pagecalls.logs import LogFormat, LogLevel

DEFAULT_PORT = 8080
DEFAULT_UDP_PORT = 40_000


MIN_SECRET_CHARACTERS = 20

MAX_WORKERS = 64
"""The media engine tells its workers apart by one character of 64."""


class Mode(Enum):
    """For whom the server is there. In `DEVELOPMENT` it brings an app, a Page and a consumer, and anybody may open a consumer's
    session; in `PRODUCTION` there is only what the operator has made."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class OnStop(Enum):
    """What an orderly stop does with live calls: they end, or the engine keeps them for the next server (ruling 14)."""

    END = "end"
    HAND_OVER = "hand_over"


class CallingDefault(Enum):
    """Whether a Page that never set anything takes calls (messenger-calling 9.1)."""

    ON = "on"
    OFF = "off"


class SettingsError(Exception):
    """Settings that cannot work; the text says which and what would, a line for each."""


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/pagecalls`, or its usual place in the home folder."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "pagecalls"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one server; what each is for stands in `config/keys.py`, and so does what it may hold.

    `port`, `udp_port` and `media_tcp_port` 0: any free one; `media_tcp_port` `None`: no media over TCP. `max_calls` `None`: as
    many as the media workers take.

    The limits of graph-platform 8, `None` is off: `app_calls_per_hour` of an app's and its users' tokens, `page_calls_per_s` of a
    Page's own token in each use case, on average over ten seconds. `call_rate_per_consumer_24h` and `strict_reach`: ruling 19.
    `swap_codes`: ruling 1. `escape_slashes`: webhooks as an older platform wrote them (graph-platform 7.6).

    `admin_token`: for `/_pagecalls/`; `None`: made at the first start. `consumer_key`: whoever holds it may open consumers'
    sessions; `None`: anybody in development, nobody in production.

    `retention_days`: how long ended calls and webhooks that are done with are kept (messenger-calling 3.3: at least one day;
    calls stay for two, see `switchboard/upkeep.py`);
    `retention_rows`: how many such webhooks at most. `auto_migrate`: bring the database to this version's schema at the start,
    instead of refusing it.

    What HTTP and WebSocket connections may take (docs/security.md): `max_connections` in all, `max_connections_per_peer` of one
    peer (`None` is off); `head_timeout_s` and `body_timeout_s` for a request to arrive, `idle_timeout_s` between two requests,
    `stall_timeout_s` for a peer that does not read.
    """

    mode: Mode = Mode.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    udp_port: int = DEFAULT_UDP_PORT
    media_tcp_port: int | None = None
    public_ips: tuple[str, ...] = ()
    data_dir: Path = field(default_factory=default_data_dir)
    webhook: str | None = None
    is_exposed: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    hsts: bool = False
    max_connections: int = 10_000
    max_connections_per_peer: int | None = 1_000
    head_timeout_s: float = 10
    body_timeout_s: float = 30
    idle_timeout_s: float = 75
    stall_timeout_s: float = 30
    webhook_networks: tuple[str, ...] = ()
    admin_token: str | None = field(default=None, repr=False)
    consumer_key: str | None = field(default=None, repr=False)
    consumer_jwt_key: str | None = field(default=None, repr=False)
    consumer_jwks: Path | None = None
    consumer_jwks_url: str | None = None
    consumer_jwt_issuer: str | None = None
    consumer_jwt_audience: str | None = None
    dev_seed: str | None = field(default=None, repr=False)
    engine_binary: Path | None = None
    engine_grace_s: int = 30
    drain_s: float = 0
    on_stop: OnStop = OnStop.END
    workers: int = 1
    max_calls: int | None = None
    app_calls_per_hour: int | None = 5_000
    page_calls_per_s: int | None = 300
    call_rate_per_consumer_24h: int | None = None
    strict_reach: bool = False
    swap_codes: bool = False
    calling_default: CallingDefault = CallingDefault.ON
    escape_slashes: bool = False
    retention_days: int = 7
    retention_rows: int = 100_000
    auto_migrate: bool = True
    log_format: LogFormat = LogFormat.TEXT
    log_level: LogLevel = LogLevel.WARNING

    def check(self) -> None:
        """Whether the settings fit together. Raises `SettingsError`."""
        if self.udp_port and self.udp_port + self.workers - 1 > 65_535:
            raise SettingsError(f"{self.workers} workers need as many UDP ports from {self.udp_port} on, and the last is 65535")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("tls_cert and tls_key are needed together")
        if self.hsts and self.tls_cert is None:
            raise SettingsError("hsts needs a certificate: tls_cert and tls_key")
        if self.on_stop is OnStop.HAND_OVER and self.drain_s:
            raise SettingsError("on_stop = hand_over leaves live calls to the next server and waits for none; drain_s must go")
        self._check_jwt()
        if self.mode is Mode.PRODUCTION:
            self._check_production()
        elif not self.is_exposed and not is_loopback(self.host):
            raise SettingsError(
                f"development mode listens on loopback only: anyone who reaches {self.host} could open consumer sessions. "
                "Add --expose-development if that is what you want"
            )

    def _check_jwt(self) -> None:
        keys = [key for key in (self.consumer_jwt_key, self.consumer_jwks, self.consumer_jwks_url) if key is not None]
        if len(keys) > 1:
            raise SettingsError("consumer_jwt_key, consumer_jwks and consumer_jwks_url: one of them is enough")
        if not keys and (self.consumer_jwt_issuer or self.consumer_jwt_audience):
            raise SettingsError(
                "consumer_jwt_issuer and consumer_jwt_audience need a key: consumer_jwt_key, consumer_jwks or consumer_jwks_url"
            )
        parts = urlsplit(self.consumer_jwks_url or "")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise SettingsError("consumer_jwks_url must begin with https://, so that nobody on the way can exchange the keys")

    def _check_production(self) -> None:
        for name, is_given in (("webhook", self.webhook), ("expose_development", self.is_exposed), ("dev_seed", self.dev_seed)):
            if is_given:
                raise SettingsError(f"{name} is for development; production has no development app, Page or consumer")
        for name, secret in (("admin_token", self.admin_token), ("consumer_key", self.consumer_key)):
            if secret is not None and len(secret) < MIN_SECRET_CHARACTERS:
                raise SettingsError(f"{name} is too easy to guess: it needs {MIN_SECRET_CHARACTERS} characters or more")


def default_workers() -> int:
    """Media workers: one core is left to the server itself."""
    return max(1, min(MAX_WORKERS, len(os.sched_getaffinity(0)) - 1))


def media_hosts(host: str, has_ipv6_loopback: bool) -> str:
    """Where the media engine listens for a server on `host`, with commas: on loopback both families, if it has both."""
    if host not in ("localhost", "127.0.0.1"):
        return host
    return "127.0.0.1,::1" if has_ipv6_loopback else "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
