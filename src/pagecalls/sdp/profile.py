"""What an offer must hold, rule by rule (messenger-calling 6.1).

Owns the demands, their order and their reasons. Refuses to know the call: an offer is judged by itself, before any lock is
taken. The same rules hold for the business and for the consumer's device.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pagecalls.errors import ConnectionFault, MalformedSdp, UnusableConnection
from pagecalls.sdp.codecs import media_kind, opus_format
from pagecalls.sdp.connection import PeerTransport
from pagecalls.sdp.description import Description, Fingerprint, MediaSection, Setup

PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF"})
"""The spellings of SRTP with feedback, keyed by DTLS, that are met in practice."""

_DIGEST_BYTES: Mapping[str, int] = MappingProxyType({"sha-256": 32, "sha-384": 48, "sha-512": 64})
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_DIGEST = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2})*")


def media_lines(description: Description) -> list[MediaSection]:
    """The audio and video lines in use. Data channels are always refused, so nothing is asked of them."""
    return [section for section in description.media if section.is_live and media_kind(section) is not None]


def transport_line(description: Description, taken: Sequence[MediaSection]) -> MediaSection | None:
    """The line whose transport carries everything: of those that are taken, the first of the BUNDLE group, else the first.

    A line that is refused hands its part to the next (RFC 8843 section 7.3.1). Lines without credentials of their own stand back.
    """
    by_mid = {section.mid: section for section in taken}
    bundled = [by_mid[mid] for group in description.bundles for mid in group.mids if mid in by_mid]
    lines = [*bundled, *taken]
    return next((line for line in lines if line.ufrag and line.pwd and line.fingerprints), lines[0] if lines else None)


def peer_transport(line: MediaSection) -> PeerTransport:
    """The peer's credentials. Raises `UnusableConnection` (RFC 8839 section 5.4, RFC 8122 section 5)."""
    if not _UFRAG.fullmatch(line.ufrag or ""):
        raise UnusableConnection(ConnectionFault.NO_CREDENTIALS, "ice-ufrag")
    if not _PWD.fullmatch(line.pwd or ""):
        raise UnusableConnection(ConnectionFault.NO_CREDENTIALS, "ice-pwd")
    trusted = dict.fromkeys((each.algorithm, each.value) for each in line.fingerprints if _is_trusted(each))
    if not trusted:
        raise UnusableConnection(ConnectionFault.NO_CREDENTIALS, "fingerprint")
    return PeerTransport(line.ufrag or "", line.pwd or "", tuple(trusted))


def _is_trusted(fingerprint: Fingerprint) -> bool:
    """Whether the algorithm is good enough to know a certificate by, and the value complete."""
    size = _DIGEST_BYTES.get(fingerprint.algorithm)
    return size is not None and len(fingerprint.value) == 3 * size - 1 and _DIGEST.fullmatch(fingerprint.value) is not None


# --- the rules --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules look at: the lines in use, those among them with sound, and the one whose transport counts."""

    description: Description
    media: tuple[MediaSection, ...]
    sound: tuple[MediaSection, ...]
    carrier: MediaSection | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand. `broken` names what breaks it (empty where there is nothing to name), and gives `None` if it holds."""

    fault: ConnectionFault
    reason: str
    broken: Callable[[Judged], str | None]


def check_offer(description: Description) -> None:
    """Judge an offer, before anything is done about it.

    Raises `MalformedSdp` for a protocol that is not SRTP with feedback, else `UnusableConnection` for the first rule that does
    not hold.
    """
    media = media_lines(description)
    for section in media:
        if section.protocol not in PROTOCOLS:
            raise MalformedSdp(section.line, "the protocol of an audio or video line is UDP/TLS/RTP/SAVPF")
    sound = [section for section in media if opus_format(section)]
    judged = Judged(description, tuple(media), tuple(sound), transport_line(description, sound))
    for rule in RULES:
        detail = rule.broken(judged)
        if detail is not None:
            raise UnusableConnection(rule.fault, detail)


def _no_sound(offer: Judged) -> str | None:
    return None if offer.sound else ""


def _not_bundled(offer: Judged) -> str | None:
    needed = {section.mid for section in offer.media}
    if len(needed) == 1 or any(needed.issubset(group.mids) for group in offer.description.bundles):
        return None
    return ""


def _not_muxed(offer: Judged) -> str | None:
    return next((f"mid {section.mid}" for section in offer.media if not section.has_rtcp_mux), None)


def _no_credentials(offer: Judged) -> str | None:
    if offer.carrier is None:
        return ""
    try:
        peer_transport(offer.carrier)
    except UnusableConnection as error:
        return error.detail
    return None


def _wrong_role(offer: Judged) -> str | None:
    setup = offer.carrier.setup if offer.carrier else None
    if setup in (Setup.ACTPASS, Setup.ACTIVE):
        return None
    return f"setup:{setup}" if setup else "setup"


RULES: tuple[Rule, ...] = (
    Rule(ConnectionFault.NO_OPUS, "a call is sound, and Opus is what both sides of every call have", _no_sound),
    Rule(ConnectionFault.NO_BUNDLE, "a leg has one transport for all its lines", _not_bundled),
    Rule(ConnectionFault.NO_RTCP_MUX, "RTP and RTCP share that transport's one port", _not_muxed),
    Rule(ConnectionFault.NO_CREDENTIALS, "without them nobody can tell the peer from a stranger", _no_credentials),
    Rule(ConnectionFault.DTLS_ROLE, "we are the DTLS server, so the peer must be ready to be the client", _wrong_role),
)
"""In the order of messenger-calling 6.1. The case "m-lines of its own removed or reordered" belongs to later offers."""
