"""`operator.json` in the data directory: where this machine's operator finds the server, and the token that it asks for.

Written at every start, in both modes, for this user alone (0600). Knows the file and how to trust the server that it names, and
sends nothing.
"""

from __future__ import annotations

import secrets
import ssl
from pathlib import Path

import msgspec

from pagecalls.data_dir import write_private

OPERATOR_FILE = "operator.json"
TOKEN_BYTES = 24


class OperatorFile(msgspec.Struct, frozen=True):
    """The whole file. `base_url` is for programs on this machine. `tls_cert`: the PEM file of the server's certificate; `None`
    without TLS."""

    base_url: str
    admin_token: str
    tls_cert: str | None = None

    def __repr__(self) -> str:
        return f"OperatorFile({self.base_url!r})"

    def trust(self) -> ssl.SSLContext | None:
        """How to trust the server: its own certificate counts, whoever signed it and whatever name it bears, because a program
        here speaks to an address of this machine. `None` without TLS. Raises `OSError`."""
        if self.tls_cert is None:
            return None
        context = ssl.create_default_context(cafile=self.tls_cert)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


def read(data_dir: Path) -> OperatorFile | None:
    """What the last start has written; `None` if there is no such file, or none that can be read."""
    try:
        return msgspec.json.decode((data_dir / OPERATOR_FILE).read_bytes(), type=OperatorFile)
    except (OSError, msgspec.MsgspecError):
        return None


def publish(data_dir: Path, file: OperatorFile) -> None:
    """Write it."""
    write_facts(data_dir / OPERATOR_FILE, file)


def admin_token(data_dir: Path, given: str | None) -> str:
    """The token of a server without development identities: as given, else that of the start before, else a new one."""
    if given is not None:
        return given
    before = read(data_dir)
    return before.admin_token if before and before.admin_token else secrets.token_hex(TOKEN_BYTES)


def write_facts(path: Path, facts: msgspec.Struct) -> None:
    """As JSON that people can read, for this user alone."""
    write_private(path, msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n")
