"""A server that answers as a script says, right or wrong, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Trouble(Enum):
    """Ways to fail."""

    DROP = auto()
    """Take the request and close."""
    HALF = auto()
    """Promise more than is sent, and close."""
    HALF_CHUNKED = auto()
    """The same without a length."""
    STALL = auto()
    """Take the request and say nothing."""
    STALL_MIDWAY = auto()
    """Send half of the answer and no more."""
    NO_HTTP = auto()
    """Say something else."""
    ENDLESS = auto()
    """Send more than anybody can read."""


@dataclass(frozen=True, slots=True)
class Says:
    """A proper answer. `closes`: and then the connection is over; `politely` says so in the answer."""

    body: object
    status: int = 200
    closes: bool = False
    politely: bool = True
    is_chunked: bool = False

    def text(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = f"HTTP/1.1 {self.status} Some words\r\nContent-Type: application/json\r\n"
        if self.closes and self.politely:
            head += "Connection: close\r\n"
        if self.is_chunked:
            middle = len(body) // 2
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part)
            return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass(slots=True)
class Scripted:
    """`asked` are head and body of each request; `connections` counts those that came."""

    script: list[Says | Trouble]
    base_url: str = ""
    connections: int = 0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a connection has been closed from here."""
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request has come."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while await self.one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.closed.set()

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        self.asked.append((head, await reader.readexactly(length)))
        self.taken.set()
        step = self.script.pop(0)
        if isinstance(step, Says):
            writer.write(step.text())
            await writer.drain()
            return not step.closes
        match step:
            case Trouble.HALF:
                writer.write(Says({"success": True}).text()[:-5])
            case Trouble.HALF_CHUNKED:
                writer.write(Says({"success": True}, is_chunked=True).text()[:-12])
            case Trouble.NO_HTTP:
                writer.write(b"good morning\r\n\r\n")
            case Trouble.STALL_MIDWAY:
                writer.write(Says({"success": True}).text()[:-5])
                await reader.read()
            case Trouble.STALL:
                await reader.read()
            case Trouble.ENDLESS:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    writer.write(b"100000\r\n" + bytes(0x100000) + b"\r\n")
                    await writer.drain()
            case Trouble.DROP:
                pass
        return False


@asynccontextmanager
async def scripted(script: Sequence[Says | Trouble], tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """It listens on loopback."""
    told = Scripted([*script])
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0, ssl=tls)
    told.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield told
    finally:
        server.close()
        for task in told.tasks:
            task.cancel()
        await asyncio.gather(*told.tasks, return_exceptions=True)


def self_signed(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that nobody else has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "page-calls test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path
