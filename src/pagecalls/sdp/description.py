"""A session description as a value: `parse` makes one from text, `serialize` prints it.

Owns what stands where: session level, m-lines, attributes, and the inheritance from the session level, which `parse`
resolves, so that every m-line says for itself what holds for it. What is not understood is kept as it came. Refuses to know
what we demand of an offer (`profile.py`) and how one is answered (`negotiate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pagecalls.errors import MalformedSdp
from pagecalls.sdp.attributes import (
    Attribute,
    Candidate,
    Direction,
    Extmap,
    Fingerprint,
    Format,
    Group,
    Msid,
    Setup,
    SsrcAttribute,
    SsrcGroup,
)
from pagecalls.sdp.draft import Draft, MediaDraft, SessionDraft
from pagecalls.sdp.grammar import Unreadable, join_lines, read_lines

__all__ = [
    "Attribute",
    "Candidate",
    "Description",
    "Direction",
    "Extmap",
    "Fingerprint",
    "Format",
    "Group",
    "MediaSection",
    "Msid",
    "Origin",
    "Setup",
    "SsrcAttribute",
    "SsrcGroup",
    "parse",
    "serialize",
]

MAX_MEDIA_SECTIONS = 16
"""Most m-lines that are read (messenger-calling 6.1)."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line. The two numbers stay text: peers write up to 64 bits, and some more."""

    username: str
    session_id: str
    session_version: str
    address: str = "IN IP4 127.0.0.1"

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.session_version} {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSection:
    """One m-line and what holds for it, values of the session level included.

    `mid` is never empty: an m-line without one gets the first free number from its own index on. `format_tokens` are the
    words of the m-line; `formats` has one entry for each payload type of an RTP line. `line` is the number of the m-line in
    the text it came from.
    """

    media: str
    port: int
    protocol: str
    format_tokens: tuple[str, ...]
    port_count: int = 1
    connection: str | None = None
    other_lines: tuple[tuple[str, str], ...] = ()
    mid: str
    direction: Direction = Direction.SENDRECV
    rtcp: str | None = None
    candidate_texts: tuple[str, ...] = ()
    has_all_candidates: bool = False
    ufrag: str | None = None
    pwd: str | None = None
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: Setup | None = None
    extmaps: tuple[Extmap, ...] = ()
    msids: tuple[Msid, ...] = ()
    has_rtcp_mux: bool = False
    has_rtcp_rsize: bool = False
    is_bundle_only: bool = False
    formats: tuple[Format, ...] = ()
    feedback_for_all: tuple[str, ...] = ()
    ssrc_groups: tuple[SsrcGroup, ...] = ()
    ssrcs: tuple[SsrcAttribute, ...] = ()
    others: tuple[Attribute, ...] = ()
    line: int = field(default=0, compare=False)

    @property
    def is_rtp(self) -> bool:
        """Whether the line carries RTP."""
        return "RTP/" in self.protocol

    @property
    def is_live(self) -> bool:
        """Whether the line is in use: port 0 means refused, unless it is bundle-only (RFC 8843 section 6)."""
        return self.port != 0 or self.is_bundle_only

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates that can be read, read only now: nothing is done with a peer's in a call (messenger-calling 6.1)."""
        found = []
        for text in self.candidate_texts:
            with suppress(Unreadable):
                found.append(Candidate.read(text))
        return tuple(found)

    @property
    def msid(self) -> Msid | None:
        """The line's track: `a=msid`, else the first `a=ssrc:<n> msid:` (messenger-calling 5.2, 1)."""
        if self.msids:
            return self.msids[0]
        for ssrc in self.ssrcs:
            if ssrc.name == "msid" and ssrc.value and ssrc.value.strip():
                return Msid.read(ssrc.value)
        return None

    @property
    def media_ssrcs(self) -> tuple[int, ...]:
        """The sources that carry media, in order. Left out: repeats (`FID`), repair (`FEC-FR`), and all layers but the first of
        a simulcast (`SIM`)."""
        beside = {ssrc for group in self.ssrc_groups if group.semantics in _BESIDE for ssrc in group.ssrcs[1:]}
        return tuple(dict.fromkeys(ssrc.ssrc for ssrc in self.ssrcs if ssrc.ssrc not in beside))

    @property
    def repeat_ssrcs(self) -> tuple[int, ...]:
        """The sources that carry the repeats of `media_ssrcs` (RFC 4588), in order."""
        repeats = {
            group.ssrcs[0]: group.ssrcs[1] for group in self.ssrc_groups if group.semantics == "FID" and len(group.ssrcs) > 1
        }
        return tuple(repeats[ssrc] for ssrc in self.media_ssrcs if ssrc in repeats) if repeats else ()


_BESIDE = frozenset({"FID", "FEC-FR", "SIM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A whole description. Session-level values that m-lines inherit are found in the m-lines alone."""

    origin: Origin
    name: str = "-"
    timing: str = "0 0"
    connection: str | None = None
    other_lines: tuple[tuple[str, str], ...] = ()
    is_ice_lite: bool = False
    groups: tuple[Group, ...] = ()
    others: tuple[Attribute, ...] = ()
    media: tuple[MediaSection, ...] = ()

    @property
    def bundles(self) -> tuple[Group, ...]:
        """The groups of m-lines that share one transport (RFC 8843)."""
        return tuple(group for group in self.groups if group.semantics == "BUNDLE")


# --- text to value ----------------------------------------------------------------------------------------------------


def parse(text: str) -> Description:
    """Read a description. Raises `MalformedSdp`; never anything else, whatever the text."""
    lines = read_lines(text)
    if not lines or lines[0][1:] != ("v", "0"):
        raise MalformedSdp(lines[0][0] if lines else 0, "a description starts with v=0")
    session = SessionDraft(lines[0][0])
    sections: list[MediaDraft] = []
    draft: Draft = session
    for number, letter, value in lines[1:]:
        try:
            if letter == "a":
                draft.add_attribute(value)
            elif letter != "m":
                draft.add_line(letter, value)
            elif len(sections) == MAX_MEDIA_SECTIONS:
                raise Unreadable(f"there are more than {MAX_MEDIA_SECTIONS} m-lines")
            else:
                draft = MediaDraft(number, value)
                sections.append(draft)
        except Unreadable as error:
            raise MalformedSdp(number, str(error)) from None
    return _description(session, sections)


def _description(session: SessionDraft, sections: Sequence[MediaDraft]) -> Description:
    if not session.origin:
        raise MalformedSdp(session.number, "there is no o= line")
    username, session_id, version, *address = session.origin
    return Description(
        origin=Origin(username, session_id, version, " ".join(address)),
        name=session.name,
        timing=session.timing,
        connection=session.connection,
        other_lines=tuple(session.other_lines),
        is_ice_lite=session.is_ice_lite,
        groups=tuple(session.groups),
        others=tuple(session.others),
        media=tuple(_section(draft, session, mid) for draft, mid in zip(sections, _mids(sections), strict=True)),
    )


def _section(draft: MediaDraft, session: SessionDraft, mid: str) -> MediaSection:
    """The m-line with what it inherits from the session level."""
    return MediaSection(
        media=draft.media,
        port=draft.port,
        port_count=draft.port_count,
        protocol=draft.protocol,
        format_tokens=draft.format_tokens,
        connection=draft.connection,
        other_lines=tuple(draft.other_lines),
        mid=mid,
        direction=draft.direction or session.direction or Direction.SENDRECV,
        rtcp=draft.rtcp,
        candidate_texts=tuple(draft.candidates),
        has_all_candidates="end-of-candidates" in draft.flags,
        ufrag=session.ufrag if draft.ufrag is None else draft.ufrag,
        pwd=session.pwd if draft.pwd is None else draft.pwd,
        fingerprints=tuple(draft.fingerprints or session.fingerprints),
        setup=draft.setup or session.setup,
        extmaps=tuple(draft.extmaps + session.extmaps),
        msids=tuple(draft.msids),
        has_rtcp_mux="rtcp-mux" in draft.flags,
        has_rtcp_rsize="rtcp-rsize" in draft.flags,
        is_bundle_only="bundle-only" in draft.flags,
        formats=draft.formats,
        feedback_for_all=tuple(draft.feedback_for_all),
        ssrc_groups=tuple(draft.ssrc_groups),
        ssrcs=tuple(draft.ssrcs),
        others=tuple(draft.others),
        line=draft.number,
    )


def _mids(sections: Sequence[MediaDraft]) -> list[str]:
    """The mid of each m-line; those without one are numbered. Raises `MalformedSdp` where a mid stands twice."""
    seen: set[str] = set()
    for section in sections:
        if section.mid is not None:
            if section.mid in seen:
                raise MalformedSdp(section.number, "its mid belongs to an earlier m-line")
            seen.add(section.mid)
    mids: list[str] = []
    for index, section in enumerate(sections):
        mid = section.mid
        if mid is None:
            mid = next(free for free in map(str, range(index, index + MAX_MEDIA_SECTIONS)) if free not in seen)
            seen.add(mid)
        mids.append(mid)
    return mids


# --- value to text ----------------------------------------------------------------------------------------------------


def serialize(description: Description) -> str:
    """The text of a description, CRLF line ends, in the order of messenger-calling 6.8; parsing it gives an equal value."""
    lines = ["v=0", f"o={description.origin}", f"s={description.name}"]
    if description.connection is not None:
        lines.append(f"c={description.connection}")
    lines.append(f"t={description.timing}")
    lines += [f"{letter}={value}" for letter, value in description.other_lines]
    lines += [f"a=group:{group}" for group in description.groups]
    lines += [f"a={attribute}" for attribute in description.others]
    if description.is_ice_lite:
        lines.append("a=ice-lite")
    for section in description.media:
        lines += _section_lines(section)
    return join_lines(lines)


def _section_lines(section: MediaSection) -> list[str]:
    count = f"/{section.port_count}" if section.port_count != 1 else ""
    lines = [f"m={section.media} {section.port}{count} {section.protocol} {' '.join(section.format_tokens)}"]
    if section.connection is not None:
        lines.append(f"c={section.connection}")
    lines += [f"{letter}={value}" for letter, value in section.other_lines]
    lines += _transport_lines(section)
    lines.append(f"a=mid:{section.mid}")
    lines += [f"a=extmap:{extmap}" for extmap in section.extmaps]
    lines.append(f"a={section.direction}")
    lines += [f"a=msid:{msid}" for msid in section.msids]
    lines += [
        line
        for line, is_set in (
            ("a=rtcp-mux", section.has_rtcp_mux),
            ("a=rtcp-rsize", section.has_rtcp_rsize),
            ("a=bundle-only", section.is_bundle_only),
        )
        if is_set
    ]
    for fmt in section.formats:
        lines += _format_lines(fmt)
    lines += [f"a=rtcp-fb:* {feedback}" for feedback in section.feedback_for_all]
    lines += [f"a=ssrc-group:{group}" for group in section.ssrc_groups]
    lines += [f"a=ssrc:{ssrc}" for ssrc in section.ssrcs]
    lines += [f"a={attribute}" for attribute in section.others]
    return lines


def _transport_lines(section: MediaSection) -> list[str]:
    lines = [] if section.rtcp is None else [f"a=rtcp:{section.rtcp}"]
    lines += [f"a=candidate:{text}" for text in section.candidate_texts]
    if section.has_all_candidates:
        lines.append("a=end-of-candidates")
    if section.ufrag is not None:
        lines.append(f"a=ice-ufrag:{section.ufrag}")
    if section.pwd is not None:
        lines.append(f"a=ice-pwd:{section.pwd}")
    lines += [f"a=fingerprint:{fingerprint}" for fingerprint in section.fingerprints]
    if section.setup is not None:
        lines.append(f"a=setup:{section.setup}")
    return lines


def _format_lines(fmt: Format) -> list[str]:
    lines = [f"a=rtpmap:{fmt.pt} {fmt.encoding}"] if fmt.encoding else []
    lines += [f"a=rtcp-fb:{fmt.pt} {feedback}" for feedback in fmt.feedback]
    lines += [f"a=fmtp:{fmt.pt} {parameters}" for parameters in fmt.fmtp]
    return lines
