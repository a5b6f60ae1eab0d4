"""What the settings say to each part. Knows the parts' options and builds no part, but what consumers' tokens are judged by."""

from __future__ import annotations

import contextlib
import socket

from pagecalls.clock import Clock
from pagecalls.connections.limits import ConnectionLimits
from pagecalls.consumer.identity.claims import JwtRules
from pagecalls.consumer.identity.devices import JwtOptions, key_source
from pagecalls.consumer.identity.keys import KeyFault
from pagecalls.consumer.identity.sources import KeySource
from pagecalls.media.launch import EngineSettings
from pagecalls.settings import Settings, SettingsError, media_hosts


def consumer_keys(settings: Settings, clock: Clock) -> KeySource | None:
    """The keys of the operator's own tokens for consumers, where they are set up. Raises `SettingsError`."""
    try:
        return key_source(JwtOptions(settings.consumer_jwt_key, settings.consumer_jwks, settings.consumer_jwks_url), clock)
    except KeyFault as fault:
        raise SettingsError(str(fault)) from fault


def consumer_rules(settings: Settings) -> JwtRules:
    """What such a token must say besides."""
    return JwtRules(settings.consumer_jwt_issuer, settings.consumer_jwt_audience)


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The bounds of connections."""
    return ConnectionLimits(
        connections=settings.max_connections,
        per_peer=settings.max_connections_per_peer,
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        stall_timeout_s=settings.stall_timeout_s,
    )


def engine_settings(settings: Settings) -> EngineSettings:
    """How the engine is started. Looks whether the host has IPv6."""
    return EngineSettings(
        data_dir=settings.data_dir,
        host=media_hosts(settings.host, _has_ipv6_loopback()),
        udp_port=settings.udp_port,
        tcp_port=settings.media_tcp_port,
        workers=settings.workers,
        max_calls=settings.max_calls,
        public_ips=settings.public_ips,
        grace_s=settings.engine_grace_s,
        binary=settings.engine_binary,
    )


def _has_ipv6_loopback() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False
