"""What of an m-line's list we use: exactly one media codec, what goes with it, and the header extensions.

Owns the tables of sound, digits and extensions, and the notes of what a peer has listed (messenger-calling 6.3, 6.4). One
codec for each m-line, so that the peer's answer to a later offer of ours holds no choice. Refuses to know directions, tracks
and text; which video codec is `video.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from pagecalls.sdp import video
from pagecalls.sdp.attributes import Format
from pagecalls.sdp.connection import FarSide, Line, LineCodec, MediaSettings
from pagecalls.sdp.description import Description, MediaSection
from pagecalls.types import MediaKind

OPUS = "opus/48000/2"
EVENTS = ("telephone-event/48000", "telephone-event/8000")
"""Digits (RFC 4733): Opus's clock first; Firefox has only the other (messenger-calling 6.4)."""

EXTENSION_URIS: Mapping[str, str] = MappingProxyType(
    {
        "level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
        "twcc": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "ctype": "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
        "rot": "urn:3gpp:video-orientation",
    }
)
"""The header extensions that lines use, by our short names (messenger-calling 6.4)."""

_EXTENSION_NAMES: Mapping[str, str] = MappingProxyType({uri: name for name, uri in EXTENSION_URIS.items()})

SOUND_EXTENSIONS = ("level", "mid")
PICTURE_EXTENSIONS = ("mid", "twcc", "ctype", "rot")
"""Transport-wide numbers are on video lines alone (ruling 20)."""

TRANSPORT_CC = "transport-cc"
MAX_EXTENSION_ID = 14
MAX_MID_BYTES = 16
"""What the one-byte form of RFC 8285 can carry: ids 1 to 14, values up to 16 bytes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a line is accepted with. `is_wanted`: the far side can read what the peer sends in this codec."""

    codecs: tuple[LineCodec, ...]
    ext: tuple[tuple[str, int], ...]
    is_wanted: bool = True


def media_kind(section: MediaSection) -> MediaKind | None:
    """The kind of an m-line; `None` for data channels and whatever else there may be."""
    match section.media:
        case "audio":
            return MediaKind.AUDIO
        case "video":
            return MediaKind.VIDEO
        case _:
            return None


def opus_format(section: MediaSection) -> Format | None:
    """Opus as this m-line lists it, or `None`."""
    return _first(section.formats, (OPUS,)) if section.media == "audio" else None


def line_terms(
    section: MediaSection, settings: MediaSettings, far_side: FarSide | None = None, before: Line | None = None
) -> Terms | None:
    """What an offered line is accepted with, or `None` if it lists no codec for us.

    `before`: the line as it stood. A line that is in use is never refused for its codec: one that the far side cannot read, it
    only stays silent (messenger-calling 6.5).
    """
    match media_kind(section):
        case MediaKind.AUDIO:
            codecs = _sound_codecs(section, settings)
            return Terms(codecs, _extensions(section, SOUND_EXTENSIONS)) if codecs else None
        case MediaKind.VIDEO:
            return _picture_terms(section, far_side, None if before is None or before.is_rejected else before)
        case _:
            return None


def note_listed(description: Description, before: tuple[LineCodec, ...] = ()) -> tuple[LineCodec, ...]:
    """Every payload type of the description as a codec, after those of earlier ones; the later word holds."""
    fresh: dict[int, LineCodec] = {}
    shown: list[tuple[Format, ...]] = []
    for section in description.media:
        # Browsers repeat the same list on every line of a kind.
        if section.formats and section.formats not in shown:
            shown.append(section.formats)
            for codec in video.listed(section):
                fresh.setdefault(codec.pt, codec)
    return tuple(({codec.pt: codec for codec in before} | fresh).values()) if before else tuple(fresh.values())


def note_extensions(description: Description, before: tuple[tuple[str, int], ...] = ()) -> tuple[tuple[str, int], ...]:
    """Every header extension id of the description by our name, empty where we have none, after those of earlier ones."""
    fresh: dict[int, str] = {}
    for section in description.media:
        for extmap in section.extmaps:
            name = _EXTENSION_NAMES.get(extmap.uri, "") if extmap.is_both_ways else ""
            if not fresh.get(extmap.id):
                fresh[extmap.id] = name
    ids = {extension_id: name for name, extension_id in before} | fresh
    return tuple((name, extension_id) for extension_id, name in sorted(ids.items()))


def without_transport_cc(codecs: tuple[LineCodec, ...]) -> tuple[LineCodec, ...]:
    """The same codecs without transport-wide feedback: it is nothing without the numbers in the packets."""
    return tuple(replace(codec, feedback=tuple(each for each in codec.feedback if each != TRANSPORT_CC)) for codec in codecs)


def _sound_codecs(section: MediaSection, settings: MediaSettings) -> tuple[LineCodec, ...]:
    """Opus, then the digits if the peer offered them."""
    media = opus_format(section)
    if media is None:
        return ()
    codec = LineCodec(OPUS, media.pt, settings.opus_fmtp)
    events = _first(section.formats, EVENTS)
    # The events are listed only for a peer that lists its own.
    return (codec, LineCodec(events.key, events.pt, "0-15" if events.fmtp else "")) if events else (codec,)


def _picture_terms(section: MediaSection, far_side: FarSide | None, before: Line | None) -> Terms | None:
    offered = video.usable(video.listed(section))
    kept = before.codecs[0] if before is not None else None
    # What we send on a line goes on in the codec that the far side sends it in.
    chosen = video.find(offered, kept) if kept is not None and before is not None and before.far_ssrc is not None else None
    chosen = chosen or video.choose(offered, far_side, kept)
    is_wanted = chosen is not None and video.has_codec(far_side, chosen)
    if chosen is None and before is not None:
        chosen = video.choose(offered, FarSide(tuple(offered)), kept)
    if chosen is None:
        return None
    has_repeats = _has_repeats(chosen, far_side, before)
    ext = _extensions(section, PICTURE_EXTENSIONS)
    codec = LineCodec(
        chosen.key,
        chosen.pt,
        video.line_fmtp(chosen.key, chosen.fmtp),
        chosen.feedback,
        chosen.rtx_pt if has_repeats else None,
    )
    if TRANSPORT_CC not in codec.feedback:
        return Terms((codec,), tuple(each for each in ext if each[0] != "twcc"), is_wanted)
    has_numbers = any(name == "twcc" for name, _ in ext)
    return Terms((codec,) if has_numbers else without_transport_cc((codec,)), ext, is_wanted)


def _has_repeats(chosen: LineCodec, far_side: FarSide | None, before: Line | None) -> bool:
    """Whether the line has repeats: both sides do, or what runs there has had them."""
    if before is not None and before.far_ssrc is not None and before.peer_label is None:
        return before.far_rtx_ssrc is not None
    had = before is not None and bool(before.codecs) and before.codecs[0].rtx_pt is not None
    return had or video.has_repeats(far_side, chosen)


def _extensions(section: MediaSection, names: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The header extensions of a line, by id: offered for both ways, and within the one-byte form."""
    found: dict[int, str] = {}
    for name in names:
        if name == "mid" and len(section.mid.encode()) > MAX_MID_BYTES:
            continue
        uri = EXTENSION_URIS[name]
        for extmap in section.extmaps:
            if extmap.uri == uri and extmap.is_both_ways and extmap.id <= MAX_EXTENSION_ID and extmap.id not in found:
                found[extmap.id] = name
                break
    return tuple((name, extension_id) for extension_id, name in sorted(found.items()))


def _first(formats: Iterable[Format], keys: tuple[str, ...]) -> Format | None:
    """The first format with the earliest of these keys."""
    fitting = [fmt for fmt in formats if fmt.key in keys and video.is_usable_pt(fmt.pt)]
    return min(fitting, key=lambda fmt: keys.index(fmt.key), default=None)
