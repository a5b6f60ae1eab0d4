"""Our side of a connection as a description: answers and offers look alike but for the BUNDLE group (messenger-calling 6.2, 6.3).

Owns the attribute set of what we send. Refuses to decide anything: directions, codecs and numbers stand in the `Connection`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pagecalls.sdp.codecs import EXTENSION_URIS
from pagecalls.sdp.connection import RTX, Connection, HostCandidate, Line, Transport
from pagecalls.sdp.description import (
    Attribute,
    Candidate,
    Description,
    Extmap,
    Fingerprint,
    Format,
    Group,
    MediaSection,
    Msid,
    Origin,
    SsrcAttribute,
    SsrcGroup,
    serialize,
)

DISCARD_PORT = 9
_NOWHERE = "IN IP4 0.0.0.0"

# Priorities of messenger-calling 6.3, by protocol and whether IPv6, in the order in which candidates are listed.
_PRIORITIES = (
    (("udp", False), 2122260224),
    (("udp", True), 2122262784),
    (("tcp", False), 1518280448),
    (("tcp", True), 1518283008),
)

# Video is written as its registrations write it; some parsers compare the names as they are.
_ENCODINGS = {f"{name.lower()}/90000": f"{name}/90000" for name in ("VP8", "VP9", "H264", "H265", "AV1")}


def render_answer(connection: Connection, resumed: frozenset[str] = frozenset()) -> str:
    """The connection as our answer. A BUNDLE group stands in it only if the peer offered one (RFC 8843 section 7.3).

    `resumed`: mids of the lines whose source is not named this once, though it is the same as before: Chromium 156 gives a page
    the sound of a line that was inactive only if its description names another source, or none.
    """
    if resumed:
        lines = tuple(replace(line, far_ssrc=None) if line.mid in resumed else line for line in connection.lines)
        connection = replace(connection, lines=lines)
    return serialize(_described(connection, with_bundle=connection.bundle))


def render_offer(connection: Connection) -> str:
    """The connection as our offer. All lines share one transport, so it always has a BUNDLE group."""
    return serialize(_described(connection, with_bundle=True))


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every line in use says alike."""

    port: int
    address: str
    candidate_texts: tuple[str, ...]
    fingerprints: tuple[Fingerprint, ...]


def _described(connection: Connection, *, with_bundle: bool) -> Description:
    accepted = tuple(line.mid for line in connection.lines if not line.is_rejected)
    streams = dict.fromkeys(line.far_msid.partition(" ")[0] for line in connection.lines if _names_track(line))
    shared = _shared(connection.transport)
    return Description(
        origin=Origin("-", str(connection.session_id), str(connection.session_version)),
        is_ice_lite=True,
        groups=(Group("BUNDLE", accepted),) if with_bundle else (),
        others=(Attribute("msid-semantic", " ".join((" WMS", *streams))),),
        media=tuple(
            _rejected_section(line, connection, shared) if line.is_rejected else _section(line, connection, shared)
            for line in connection.lines
        ),
    )


def _shared(transport: Transport) -> _Shared:
    v4 = [each for each in transport.candidates if not _is_v6(each)]
    udp = [each for each in (*v4, *transport.candidates) if each.proto == "udp"]
    return _Shared(
        port=udp[0].port if udp else DISCARD_PORT,
        address=f"IN IP4 {v4[0].ip}" if v4 else _NOWHERE,
        candidate_texts=tuple(map(str, _candidates(transport))),
        fingerprints=(Fingerprint("sha-256", transport.fingerprint),),
    )


def _section(line: Line, connection: Connection, shared: _Shared) -> MediaSection:
    formats, ssrcs = _formats(line), _far_ssrcs(line)
    return MediaSection(
        media=line.media,
        port=shared.port,
        protocol=line.protocol,
        format_tokens=tuple([str(fmt.pt) for fmt in formats]),
        connection=shared.address,
        rtcp=f"{DISCARD_PORT} {_NOWHERE}",
        candidate_texts=shared.candidate_texts,
        has_all_candidates=True,
        ufrag=connection.transport.ufrag,
        pwd=connection.transport.pwd,
        fingerprints=shared.fingerprints,
        setup=connection.role,
        mid=line.mid,
        extmaps=tuple([Extmap(extension_id, EXTENSION_URIS[name]) for name, extension_id in line.ext]),
        direction=line.direction,
        # A line on which we do not say that we send names no track: docs/sdp.md.
        msids=(Msid.read(line.far_msid),) if _names_track(line) else (),
        has_rtcp_mux=True,
        has_rtcp_rsize=line.rtcp_rsize,
        formats=formats,
        ssrc_groups=(SsrcGroup("FID", ssrcs),) if len(ssrcs) > 1 else (),
        ssrcs=tuple([SsrcAttribute(ssrc, "cname", line.far_cname) for ssrc in ssrcs]),
    )


def _names_track(line: Line) -> bool:
    return bool(line.far_msid) and line.direction.sends


def _far_ssrcs(line: Line) -> tuple[int, ...]:
    """The sources of what comes here: the media, then its repeats (RFC 5576 section 4.2, `FID`)."""
    if line.far_ssrc is None or not line.carries_far:
        return ()
    return (line.far_ssrc,) if line.far_rtx_ssrc is None else (line.far_ssrc, line.far_rtx_ssrc)


def _rejected_section(line: Line, connection: Connection, shared: _Shared) -> MediaSection:
    """A line with port 0, outside the BUNDLE group. Browsers read no further; aiortc 1.16 wants the rest there too."""
    return MediaSection(
        media=line.media,
        port=0,
        protocol=line.protocol,
        format_tokens=(line.rejected_format,),
        connection=_NOWHERE,
        ufrag=connection.transport.ufrag,
        pwd=connection.transport.pwd,
        fingerprints=shared.fingerprints,
        setup=connection.role,
        mid=line.mid,
        direction=line.direction,
        has_rtcp_mux=True,
        formats=_formats(line),
    )


def _formats(line: Line) -> tuple[Format, ...]:
    """Each codec of the line, and its repeats behind it."""
    found: list[Format] = []
    for codec in line.codecs:
        fmtp = (codec.fmtp,) if codec.fmtp else ()
        found.append(Format(codec.pt, _ENCODINGS.get(codec.key, codec.key), codec.key, fmtp, codec.feedback))
        if codec.rtx_pt is not None:
            found.append(Format(codec.rtx_pt, RTX, RTX, (f"apt={codec.pt}",)))
    return tuple(found)


def _candidates(transport: Transport) -> list[Candidate]:
    """Host candidates of component 1. A second address of the same sort is a little less wanted than the first."""
    sorts: dict[tuple[str, bool], list[HostCandidate]] = {}
    for each in transport.candidates:
        sorts.setdefault((each.proto, _is_v6(each)), []).append(each)
    found: list[Candidate] = []
    for sort, priority in _PRIORITIES:
        for rank, each in enumerate(sorts.get(sort, ())):
            extras = ("tcptype", "passive") if each.proto == "tcp" else ()
            found.append(
                Candidate(str(len(found) + 1), 1, each.proto, priority - (rank << 8), each.ip, each.port, "host", extras)
            )
    return found


def _is_v6(candidate: HostCandidate) -> bool:
    return ":" in candidate.ip
