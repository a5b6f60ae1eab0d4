"""The composition root: the only place that chooses and joins the parts.

`assembly.py` has the order of start; `lifetime.py` serves, drains and stops; `faces.py` puts a service behind each face, and
`router.py` hands them requests; `addresses.py` has the socket and what others are told of it; `options.py` what the settings say
to each part; `verifier.py` proves callbacks.
"""

from __future__ import annotations

from pagecalls.server.addresses import Addresses, listen
from pagecalls.server.assembly import running
from pagecalls.server.lifetime import NoDevelopment, Server, serve_until_stopped

__all__ = ["Addresses", "NoDevelopment", "Server", "listen", "running", "serve_until_stopped"]
