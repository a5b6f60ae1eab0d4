"""Video codecs: when two of them are the same, which one a line gets, and what the line says of it (messenger-calling 6.4).

Owns identity, choice, parameters, feedback and repeats. Refuses to know sound, directions and tracks. Nothing is transcoded, so
a choice is final: what one side sends, the other must be able to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pagecalls.sdp.attributes import Format
from pagecalls.sdp.connection import RTX, FarSide, LineCodec
from pagecalls.sdp.description import MediaSection

VP8 = "vp8/90000"
H264 = "h264/90000"
_VP9, _H265, _AV1 = "vp9/90000", "h265/90000", "av1/90000"
CARRIED = frozenset({VP8, _VP9, H264, _H265, _AV1})
"""The video codecs that we carry (messenger-calling 6.4)."""

FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
"""The feedback that is relayed, or, transport-wide, given for each hop (ruling 20)."""

DEFAULT_CODEC = LineCodec(VP8, 0)
"""What every WebRTC peer has (RFC 7742 section 5); its number here means nothing."""

Identity = tuple[str, ...]
"""What makes two codecs the same: the key, and the parameters that no receiver may take liberties with."""

_DEFAULT_PROFILE_LEVEL = "42e01f"
_BASIC_H264: Identity = (H264, "constrained baseline", "1")
"""The H264 that is preferred: profile 42e01f, packetization mode 1 (messenger-calling 6.4; the level does not matter)."""

_KEPT_PARAMETERS = frozenset({"profile-id", "profile", "level-idx", "tier", "tier-flag", "level-id", "tx-mode"})
"""What an answer repeats of VP9, AV1 and H265. Limits such as `max-fs` are the peer's as a receiver, and not ours."""

# Profiles of H264 by profile_idc, with the bits of profile-iop that count and their values (RFC 6184 table 5, RFC 7742).
_H264_PROFILES = (
    (0x42, 0x4F, 0x40, "constrained baseline"),
    (0x4D, 0x8F, 0x80, "constrained baseline"),
    (0x58, 0xCF, 0xC0, "constrained baseline"),
    (0x42, 0x4F, 0x00, "baseline"),
    (0x58, 0xCF, 0x80, "baseline"),
    (0x4D, 0xAF, 0x00, "main"),
    (0x64, 0xFF, 0x00, "high"),
    (0x64, 0xFF, 0x0C, "constrained high"),
    (0xF4, 0xFF, 0x00, "predictive high 4:4:4"),
)


def is_usable_pt(pt: int) -> bool:
    """Whether a payload type may be used on a shared port: those from 64 to 95 look like RTCP there (RFC 5761 section 4)."""
    return not 64 <= pt <= 95


def identity(key: str, fmtp: str) -> Identity | None:
    """What the codec is the same by; `None` for one that we do not carry, or whose parameters make no sense."""
    if key == VP8:
        return (VP8,)
    if key not in CARRIED:
        return None
    parameters = _parameters(fmtp)
    if key == H264:
        profile = _h264_profile(parameters.get("profile-level-id", _DEFAULT_PROFILE_LEVEL))
        return (H264, profile, parameters.get("packetization-mode", "0")) if profile else None
    if key == _VP9:
        return (_VP9, parameters.get("profile-id", "0"))
    if key == _AV1:
        return (_AV1, parameters.get("profile", "0"))
    return (_H265, parameters.get("profile-id", "1"), parameters.get("tx-mode", "SRST"))


def usable(codecs: Iterable[LineCodec]) -> list[LineCodec]:
    """Those among listed codecs that a line may have."""
    return [codec for codec in codecs if codec.key in CARRIED and is_usable_pt(codec.pt)]


def choose(codecs: Sequence[LineCodec], far_side: FarSide | None, kept: LineCodec | None = None) -> LineCodec | None:
    """The codec of a line among the usable ones that it lists, in the peer's order; `None` if none will do.

    `kept`: the codec that the line had; it stays while both sides have it. VP9, H265 and AV1 are taken only where the far side
    has listed them.
    """
    if kept is not None and has_codec(far_side, kept):
        stays = find(codecs, kept)
        if stays is not None:
            return stays
    if far_side is None:
        basic = next((codec for codec in codecs if codec.key == VP8), None)
        return basic or _best_h264([codec for codec in codecs if codec.key == H264])
    known = {identity(codec.key, codec.fmtp) for codec in far_side.codecs} - {None}
    common = [codec for codec in codecs if identity(codec.key, codec.fmtp) in known]
    if common and common[0].key == H264:
        return _best_h264([codec for codec in common if codec.key == H264])
    return common[0] if common else None


def find(codecs: Iterable[LineCodec], wanted: LineCodec) -> LineCodec | None:
    """The first of the codecs that is the same as `wanted`."""
    same_as = identity(wanted.key, wanted.fmtp)
    if same_as is None:
        return None
    return next((codec for codec in codecs if codec.key == wanted.key and identity(codec.key, codec.fmtp) == same_as), None)


def has_codec(far_side: FarSide | None, codec: LineCodec) -> bool:
    """Whether the far side has this codec; one that is not known yet is given the benefit of the doubt."""
    return far_side is None or find(far_side.codecs, codec) is not None


def has_repeats(far_side: FarSide | None, codec: LineCodec) -> bool:
    """Whether the far side has repeats for this codec, or is not known yet (messenger-calling 6.4)."""
    if far_side is None:
        return True
    found = find(far_side.codecs, codec)
    return found is not None and found.rtx_pt is not None


def line_fmtp(key: str, fmtp: str) -> str:
    """What our line says of a codec that the peer listed with `fmtp`."""
    if key == H264:
        parameters = _parameters(fmtp)
        profile = parameters.get("profile-level-id")
        mode = parameters.get("packetization-mode", "0")
        return f"level-asymmetry-allowed=1;packetization-mode={mode}" + (f";profile-level-id={profile}" if profile else "")
    if key == VP8:
        return ""
    return ";".join(f"{name}={value}" for name, value in _parameters(fmtp).items() if name in _KEPT_PARAMETERS)


def listed(section: MediaSection) -> list[LineCodec]:
    """The payload types of an m-line as codecs, in its order: video with parameters, feedback and repeats, the rest by name.

    A number that nothing names has an empty key: it is taken all the same.
    """
    repeats = _repeats(section.formats) if section.media == "video" else {}
    return [_listed(fmt, section, repeats) for fmt in section.formats]


def _listed(fmt: Format, section: MediaSection, repeats: dict[int, int]) -> LineCodec:
    if fmt.key not in CARRIED:
        return LineCodec(fmt.key, fmt.pt)
    return LineCodec(fmt.key, fmt.pt, ";".join(fmt.fmtp), _feedback(fmt, section), repeats.get(fmt.pt))


def _feedback(fmt: Format, section: MediaSection) -> tuple[str, ...]:
    offered = fmt.feedback + section.feedback_for_all if section.feedback_for_all else fmt.feedback
    return tuple([each for each in FEEDBACK if each in offered]) if offered else ()


def _repeats(formats: Iterable[Format]) -> dict[int, int]:
    """The number of the repeats, by the number of what they repeat (RFC 4588 section 8.6)."""
    found: dict[int, int] = {}
    for fmt in formats:
        if fmt.key == RTX and is_usable_pt(fmt.pt):
            apt = _parameters(";".join(fmt.fmtp)).get("apt", "")
            if apt.isascii() and apt.isdigit() and len(apt) <= 3:
                found.setdefault(int(apt), fmt.pt)
    return found


def _best_h264(codecs: Sequence[LineCodec]) -> LineCodec | None:
    """The preferred profile and mode, else the first that makes sense."""
    sensible = [(codec, same_as) for codec in codecs if (same_as := identity(codec.key, codec.fmtp)) is not None]
    return next((codec for codec, same_as in sensible if same_as == _BASIC_H264), sensible[0][0] if sensible else None)


def _h264_profile(profile_level_id: str) -> str:
    """The name of the profile, empty if there is none such."""
    if len(profile_level_id) != 6 or not profile_level_id.isalnum():
        return ""
    try:
        profile_idc, iop = bytes.fromhex(profile_level_id)[:2]
    except ValueError:
        return ""
    return next((name for idc, mask, bits, name in _H264_PROFILES if profile_idc == idc and iop & mask == bits), "")


def _parameters(fmtp: str) -> dict[str, str]:
    """`a=1;b=2` as names, in lower case, and values."""
    found: dict[str, str] = {}
    for part in fmtp.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip())
    return found
