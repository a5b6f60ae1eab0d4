"""Tells the service manager how far the server is: systemd's notification protocol (sd_notify(3)).

Without a service manager that asks for it, nothing is sent.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

READY = "READY=1"
SOCKET_VARIABLE = "NOTIFY_SOCKET"


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Send `state`. A service manager that does not listen is no reason to stop."""
    address = environ.get(SOCKET_VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.setblocking(False)
        # An @ stands for the zero byte of an abstract address.
        manager.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
