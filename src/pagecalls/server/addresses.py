"""The HTTP socket of a server, and the addresses that programs and people on this machine are told."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from pagecalls import dev, operator_file
from pagecalls.media.protocol import Candidate, HelloOk
from pagecalls.operator_file import OperatorFile
from pagecalls.settings import Settings, SettingsError
from pagecalls.tls import Tls


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server answers: HTTP for programs on this machine, and media. `dev`: the development identities, if it has some."""

    base_url: str
    media: dev.DevMedia
    dev: dev.DevFile | None


def listen(settings: Settings) -> socket.socket:
    """The HTTP socket. Raises `SettingsError` if the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = "; --port 0 takes any free one" if error.errno == errno.EADDRINUSE else ""
        raise SettingsError(f"port {settings.port} on {settings.host} cannot be had ({why}){hint}") from error
    listener.setblocking(False)
    return listener


def publish(
    settings: Settings,
    dev_file: dev.DevFile | None,
    admin_token: str,
    listener: socket.socket,
    media: dev.DevMedia,
    tls: Tls | None,
) -> Addresses:
    """Write operator.json and dev.json with the addresses of this start."""
    scheme, port = "https" if tls else "http", listener.getsockname()[1]
    cert = str(settings.tls_cert.absolute()) if settings.tls_cert else None
    base_url = f"{scheme}://{_shown_host(listener, settings, tls)}:{port}"
    # The first file of the two, because a directory that has only the other one is production's.
    if dev_file is not None:
        dev_file = dev.publish(settings.data_dir / dev.DEV_FILE, dev_file, base_url, media)
    operator_file.publish(settings.data_dir, OperatorFile(f"{scheme}://{_url_host(listener)}:{port}", admin_token, cert))
    return Addresses(base_url, media, dev_file)


def _shown_host(listener: socket.socket, settings: Settings, tls: Tls | None) -> str:
    """The host of the address that people are told: one that the certificate covers, if there is one that is surely this host."""
    host = _url_host(listener)
    known = [host.strip("[]"), "localhost", *sorted(settings.allowed_hosts)]
    covered = [] if tls is None else [each for each in known if tls.current.covers(each)]
    return host if not covered or covered[0] == known[0] else covered[0]


def media_addresses(hello: HelloOk) -> dev.DevMedia:
    """All workers' UDP addresses; the TCP port is one for all, and its first address stands for it."""

    def address(candidate: Candidate) -> str:
        return f"[{candidate.ip}]:{candidate.port}" if ":" in candidate.ip else f"{candidate.ip}:{candidate.port}"

    candidates = [each for worker in hello.candidates for each in worker]
    tcp = next((address(each) for each in candidates if each.proto == "tcp"), None)
    return dev.DevMedia([address(each) for each in candidates if each.proto == "udp"], tcp)


def _url_host(listener: socket.socket) -> str:
    host: str = listener.getsockname()[0]
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
