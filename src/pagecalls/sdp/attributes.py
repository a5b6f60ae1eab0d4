"""Attribute values: each a frozen type that reads itself from its text and prints itself back.

Owns the inner grammar of the attributes that calls need. Refuses to know lines, levels and what an answer must hold. A value that
cannot be read raises `grammar.Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pagecalls.sdp.grammar import TOKEN, Unreadable, decimal, words

MAX_SSRC = 2**32 - 1
MAX_PAYLOAD_TYPE = 127

STATIC_KEYS: Mapping[int, str] = MappingProxyType(
    {0: "pcmu/8000", 3: "gsm/8000", 4: "g723/8000", 8: "pcma/8000", 9: "g722/8000", 13: "cn/8000", 18: "g729/8000"}
)
"""The audio payload types that need no rtpmap (RFC 3551 table 4), as far as they are met."""

_RTPMAP = re.compile(rf"([0-9]{{1,3}})\s+({TOKEN}/[0-9]{{1,9}}(?:/\S+)?)(?:\s|$)")


class Direction(StrEnum):
    """Which way media flows on an m-line, seen by the side that wrote it (RFC 8866 section 6.7).

    `sends`: whether the writer sends; `receives`: whether it receives.
    """

    sends: bool
    receives: bool

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    def __init__(self, value: str) -> None:
        self.sends = value.startswith("send")
        self.receives = value in ("sendrecv", "recvonly")

    @classmethod
    def read(cls, value: str) -> Direction:
        """From `recvonly`."""
        try:
            return cls(value)
        except ValueError:
            raise Unreadable("a direction is unknown") from None

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        """The direction with these two halves."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE


class Setup(StrEnum):
    """Who opens the DTLS handshake (RFC 8842 section 5.2)."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"
    HOLDCONN = "holdconn"

    @classmethod
    def read(cls, value: str) -> Setup:
        """From `actpass`."""
        try:
            return cls(value)
        except ValueError:
            raise Unreadable("setup has an unknown role") from None


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that nothing here needs, kept as it came. `value` is `None` for a flag."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`a=fingerprint` (RFC 8122): `algorithm` in lower case, `value` in upper-case hex with colons."""

    algorithm: str
    value: str

    @classmethod
    def read(cls, value: str) -> Fingerprint:
        """From `sha-256 AA:BB`; the case of neither word matters."""
        algorithm, digest = words(value, 2, "fingerprint")[:2]
        return cls(algorithm.lower(), digest.upper())

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True, slots=True)
class Extmap:
    """`a=extmap` (RFC 8285 section 5). `direction` is `None` where not written, which means both ways."""

    id: int
    uri: str
    direction: Direction | None = None
    parameters: str = ""

    @classmethod
    def read(cls, value: str) -> Extmap:
        """From `4 urn:x` or `2/recvonly urn:x`."""
        head, uri, *rest = words(value, 2, "extmap")
        id_text, slash, way = head.partition("/")
        extension_id = decimal(id_text, "extmap id", 65_535, 1)
        return cls(extension_id, uri, Direction.read(way) if slash else None, " ".join(rest))

    @property
    def is_both_ways(self) -> bool:
        """Whether both sides may use it."""
        return self.direction is None or self.direction is Direction.SENDRECV

    def __str__(self) -> str:
        way = f"/{self.direction}" if self.direction else ""
        return f"{self.id}{way} {self.uri}{f' {self.parameters}' if self.parameters else ''}"


def read_rtpmap(value: str) -> tuple[int, str]:
    """`a=rtpmap` (RFC 8866 section 6.6), from `111 opus/48000/2`: payload type and encoding as written."""
    found = _RTPMAP.match(value)
    if not found or (pt := int(found[1])) > MAX_PAYLOAD_TYPE:
        raise Unreadable("rtpmap is not a payload type, a name and a clock rate")
    return pt, found[2]


def codec_key(encoding: str) -> str:
    """The one spelling of a codec, `opus/48000/2` or `telephone-event/8000`: lower case, a single channel not written."""
    key = encoding.lower()
    return key[:-2] if key.endswith("/1") and key.count("/") == 2 else key


@dataclass(frozen=True, slots=True)
class Format:
    """Everything that an m-line says about one of its payload types.

    `encoding` is its rtpmap as written, empty if it has none; `key` the codec in its one spelling, for the payload types of
    RFC 3551 without an rtpmap too, empty if nothing says.
    """

    pt: int
    encoding: str = ""
    key: str = ""
    fmtp: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """`a=candidate` (RFC 8839 section 5.1). `protocol` in lower case; `extras` is what follows the type, word by word."""

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    type: str
    extras: tuple[str, ...] = ()

    @classmethod
    def read(cls, value: str) -> Candidate:
        """From `1 1 udp 2122260224 192.0.2.10 40012 typ host`."""
        foundation, component, protocol, priority, address, port, typ, kind, *extras = words(value, 8, "candidate")
        if typ != "typ":
            raise Unreadable("candidate has no type")
        return cls(
            foundation,
            decimal(component, "component", 256, 1),
            protocol.lower(),
            decimal(priority, "priority", 2**32 - 1),
            address,
            decimal(port, "port", 65_535),
            kind,
            tuple(extras),
        )

    def __str__(self) -> str:
        head = f"{self.foundation} {self.component} {self.protocol} {self.priority} {self.address} {self.port} typ {self.type}"
        return " ".join((head, *self.extras)) if self.extras else head


@dataclass(frozen=True, slots=True)
class Msid:
    """`a=msid` (RFC 8830), or the older `a=ssrc:<n> msid:`. `track` is empty where not written. Braces belong to the ids."""

    stream: str
    track: str = ""

    @classmethod
    def read(cls, value: str) -> Msid:
        """From `<stream> <track>`."""
        found = words(value, 1, "msid")
        return cls(found[0], found[1] if len(found) > 1 else "")

    def __str__(self) -> str:
        return f"{self.stream} {self.track}" if self.track else self.stream


@dataclass(frozen=True, slots=True)
class SsrcAttribute:
    """`a=ssrc` (RFC 5576): one attribute of one source. `value` is `None` for a flag."""

    ssrc: int
    name: str
    value: str | None = None

    @classmethod
    def read(cls, value: str) -> SsrcAttribute:
        """From `1379106125 cname:abc`."""
        ssrc_text, _, rest = value.partition(" ")
        name, colon, content = rest.strip().partition(":")
        return cls(decimal(ssrc_text, "ssrc", MAX_SSRC), name, content if colon else None)

    def __str__(self) -> str:
        return f"{self.ssrc} {self.name}" if self.value is None else f"{self.ssrc} {self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    """`a=ssrc-group` (RFC 5576): sources that belong together, such as `FID` for a stream and its repeats."""

    semantics: str
    ssrcs: tuple[int, ...]

    @classmethod
    def read(cls, value: str) -> SsrcGroup:
        """From `FID 1 2`."""
        semantics, *ssrcs = words(value, 1, "ssrc-group")
        return cls(semantics, tuple(decimal(ssrc, "ssrc", MAX_SSRC) for ssrc in ssrcs))

    def __str__(self) -> str:
        return " ".join((self.semantics, *map(str, self.ssrcs)))


@dataclass(frozen=True, slots=True)
class Group:
    """`a=group` (RFC 5888): m-lines that belong together, by their mids."""

    semantics: str
    mids: tuple[str, ...]

    @classmethod
    def read(cls, value: str) -> Group:
        """From `BUNDLE 0 1`."""
        semantics, *mids = words(value, 1, "group")
        return cls(semantics, tuple(mids))

    def __str__(self) -> str:
        return " ".join((self.semantics, *self.mids))
