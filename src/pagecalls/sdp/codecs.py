"""Payload types, codecs and header extensions: what of an m-line's list we use.

Owns the tables of what is carried at all, and the choice of exactly one media codec for each m-line (messenger-calling 6.3,
6.4), so that the peer's answer to a later offer of ours holds no choice. Refuses to know directions, tracks and text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import assert_never

from pagecalls.sdp.attributes import Format
from pagecalls.sdp.connection import LineCodec, MediaSettings
from pagecalls.sdp.description import Description, MediaSection
from pagecalls.types import MediaKind

OPUS = "opus/48000/2"
EVENTS = ("telephone-event/48000", "telephone-event/8000")
"""Digits (RFC 4733): Opus's clock first; Firefox has only the other (messenger-calling 6.4)."""

EXTENSION_URIS: Mapping[str, str] = MappingProxyType(
    {
        "level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    }
)
"""The header extensions that audio lines use, by our short names (messenger-calling 6.4; no transport-cc: ruling 20)."""

MAX_EXTENSION_ID = 14
MAX_MID_BYTES = 16
"""What the one-byte form of RFC 8285 can carry: ids 1 to 14, values up to 16 bytes."""


def carried(kind: MediaKind) -> tuple[str, ...]:
    """The media codecs that we carry, best first."""
    match kind:
        case MediaKind.AUDIO:
            return (OPUS,)
        case MediaKind.VIDEO:
            return ()
        case _:
            assert_never(kind)


def media_kind(section: MediaSection) -> MediaKind | None:
    """The kind of an m-line; `None` for data channels and whatever else there may be."""
    match section.media:
        case "audio":
            return MediaKind.AUDIO
        case "video":
            return MediaKind.VIDEO
        case _:
            return None


def media_format(section: MediaSection) -> Format | None:
    """The one media codec for this m-line, or `None` if it lists none that we carry."""
    kind = media_kind(section)
    return None if kind is None else _first(section.formats, carried(kind))


def line_codecs(section: MediaSection, settings: MediaSettings) -> tuple[LineCodec, ...]:
    """The codecs of our line: the media codec, then the digits if the peer offered them. Empty if there is no media codec."""
    media = media_format(section)
    if media is None:
        return ()
    if media.key != OPUS:
        return (LineCodec(media.key, media.pt),)
    codec = LineCodec(OPUS, media.pt, settings.opus_fmtp)
    events = _first(section.formats, EVENTS)
    # The events are listed only for a peer that lists its own.
    return (codec, LineCodec(events.key, events.pt, "0-15" if events.fmtp else "")) if events else (codec,)


def line_extensions(section: MediaSection) -> tuple[tuple[str, int], ...]:
    """The header extensions of our line, by id: offered for both ways, and within the one-byte form."""
    found: dict[int, str] = {}
    for name, uri in EXTENSION_URIS.items():
        if name == "mid" and len(section.mid.encode()) > MAX_MID_BYTES:
            continue
        for extmap in section.extmaps:
            if extmap.uri == uri and extmap.is_both_ways and extmap.id <= MAX_EXTENSION_ID and extmap.id not in found:
                found[extmap.id] = name
                break
    return tuple((name, extension_id) for extension_id, name in sorted(found.items()))


def listed_pts(description: Description) -> tuple[tuple[int, str], ...]:
    """Every payload type of the description with its codec, in order."""
    return tuple(sorted({(fmt.pt, fmt.key) for section in description.media for fmt in section.formats if fmt.key}))


def _first(formats: Iterable[Format], keys: tuple[str, ...]) -> Format | None:
    """The first format with the earliest of these keys."""
    found: dict[str, Format] = {}
    for fmt in formats:
        # On a shared port the numbers from 64 to 95 look like RTCP (RFC 5761 section 4).
        if fmt.key in keys and not 64 <= fmt.pt <= 95:
            found.setdefault(fmt.key, fmt)
    return next((found[key] for key in keys if key in found), None)
