"""One offered m-line answered: the parts that first and later answers share.

Owns how a line is accepted or refused, and which mid comes next. Refuses to know what earlier lines were, and what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pagecalls.sdp.codecs import Terms, media_kind, without_transport_cc
from pagecalls.sdp.connection import Direction, Line, LineCodec
from pagecalls.sdp.description import MediaSection
from pagecalls.sdp.tracks import LabelledLine
from pagecalls.types import TrackLabel, TrackStatus

MAX_NAMED_SSRCS = 16
"""Most sources of one line that are kept; a line has one, or a few layers, and the rest is found by its MID."""


def answered(section: MediaSection, terms: Terms, entry: LabelledLine | None, sound_msid: str = "") -> Line:
    """Our half of an offered line: what has a label, and a reader, is received.

    `sound_msid`: the stream and track of the A-stream, if it goes here; else we send nothing.
    """
    receives = section.direction.sends and entry is not None and terms.is_wanted
    repeats = section.repeat_ssrcs[:MAX_NAMED_SSRCS] if terms.codecs[0].rtx_pt is not None else ()
    return Line(
        mid=section.mid,
        media=section.media,
        kind=media_kind(section),
        protocol=section.protocol,
        direction=Direction.of(sends=bool(sound_msid), receives=receives),
        codecs=terms.codecs,
        ext=terms.ext,
        rtcp_rsize=section.has_rtcp_rsize,
        peer_label=entry.label if entry else None,
        peer_msid=str(section.msid or ""),
        peer_alias=entry.alias if entry else "",
        peer_status=entry.status if entry else TrackStatus.ENABLED,
        peer_ssrcs=section.media_ssrcs[:MAX_NAMED_SSRCS],
        peer_rtx_ssrcs=repeats,
        far_label=TrackLabel.DEFAULT_AUDIO if sound_msid else None,
        far_msid=sound_msid,
    )


def rejected(section: MediaSection) -> Line:
    """A line with port 0. It repeats one format, by name: aiortc 1.16 refuses an audio or video line that has none it knows."""
    first = next((fmt for fmt in section.formats if fmt.encoding), None)
    return Line(
        mid=section.mid,
        media=section.media,
        kind=media_kind(section),
        protocol=section.protocol,
        direction=Direction.INACTIVE,
        is_rejected=True,
        rejected_format=str(first.pt) if first else section.format_tokens[0],
        codecs=(LineCodec(first.key, first.pt),) if first else (),
    )


def one_id_each(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The same lines, with one id for each header extension across all of them (RFC 8843 section 9.4); the earlier line wins."""
    pairs = {each for line in lines for each in line.ext}
    if len(pairs) == len(dict(pairs)) == len({number for _, number in pairs}):
        return tuple(lines)
    ids: dict[str, int] = {}
    names: dict[int, str] = {}
    result = []
    for line in lines:
        ext = tuple(
            (name, number) for name, number in line.ext if ids.setdefault(name, number) == number and _owns(names, number, name)
        )
        if ext != line.ext:
            has_numbers = any(name == "twcc" for name, _ in ext)
            line = replace(line, ext=ext, codecs=line.codecs if has_numbers else without_transport_cc(line.codecs))
        result.append(line)
    return tuple(result)


def _owns(names: dict[int, str], number: int, name: str) -> bool:
    return names.setdefault(number, name) == name


def highest_mid(mids: Iterable[str], before: int = -1) -> int:
    """The highest number among the mids. Those too long for a header extension do not count as numbers."""
    return max([before, *(int(mid) for mid in mids if mid.isascii() and mid.isdigit() and len(mid) < 16)])
