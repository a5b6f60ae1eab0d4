"""What every answer and every offer of ours keeps to, whatever the peer sent. Standard library only: the fuzzer uses it too.

The checks raise `AssertionError` by hand, so that they also work where `assert` is switched off.
"""

from __future__ import annotations

from pagecalls.sdp.connection import Connection
from pagecalls.sdp.description import Description, MediaSection, Setup, parse, serialize
from pagecalls.sdp.negotiate import render_answer, render_offer


def check_answer(offer: Description, connection: Connection) -> None:
    """Our first answer against the offer (RFC 3264, RFC 8843, messenger-calling 6.2 to 6.4)."""
    answer = _readable(render_answer(connection))
    _demand("same m-lines", _shape(answer) == _shape(offer))
    for ours, theirs in zip(answer.media, offer.media, strict=True):
        _demand("what was refused stays refused", ours.port == 0 or theirs.is_live)
        _demand("we send only where they receive", theirs.direction.receives or not ours.direction.sends)
        _demand("we receive only what they send", theirs.direction.sends or not ours.direction.receives)
        _demand("no codec that was not offered", _codecs(ours) <= _codecs(theirs))
        _demand("no extension that was not offered", _extensions(ours) <= _extensions(theirs))
        _demand("rsize only if offered", theirs.has_rtcp_rsize or not ours.has_rtcp_rsize)
    _demand("a bundle only if offered", bool(answer.bundles) <= bool(offer.bundles))
    _demand("no source is named in an answer", not any(section.ssrcs for section in answer.media))
    _check_ours(answer, connection)


def check_offer_of_ours(before: Connection, connection: Connection) -> None:
    """Our offer after `before` (messenger-calling 6.5)."""
    offer = _readable(render_offer(connection))
    old = [line.mid for line in before.lines]
    mids = [section.mid for section in offer.media]
    _demand("earlier lines stay where they are", mids[: len(old)] == old)
    _demand("every mid is used once", len(set(mids)) == len(mids))
    _demand("one more description", connection.session_version == before.session_version + 1)
    _demand("an offer bundles", len(offer.bundles) == 1)
    for line, section in zip(connection.lines, offer.media, strict=True):
        _demand("only our lines send", line.is_ours or not section.direction.sends)
        if line.is_ours:
            named = {source.ssrc for source in section.ssrcs}
            _demand("our line names its source and its track", named == {line.far_ssrc} and section.msid is not None)
            _demand("our line uses the peer's numbers", _codecs(section) <= set(connection.seen_pts))
    _check_ours(offer, connection)


def _check_ours(description: Description, connection: Connection) -> None:
    transport = connection.transport
    live = [section for section in description.media if section.is_live]
    _demand("we are lite", description.is_ice_lite)
    _demand("the group names the live lines", all(group.mids == tuple(s.mid for s in live) for group in description.bundles))
    for section in description.media:
        _demand("one transport", (section.ufrag, section.pwd) == (transport.ufrag, transport.pwd))
        _demand("one fingerprint", [print_.value for print_ in section.fingerprints] == [transport.fingerprint])
        _demand("we are the DTLS server", section.setup is Setup.PASSIVE)
        _demand("RTCP is on the same port", section.has_rtcp_mux)
        _demand("every number has a name", all(fmt.encoding for fmt in section.formats) or not section.is_live)
        _demand("refused lines are inactive", section.is_live or section.direction.value == "inactive")
        _demand("a track where we send, and nowhere else", bool(section.msids) == section.direction.sends)
    for section in live:
        _demand("one media codec, and digits", [fmt.key.partition("/")[0] for fmt in section.formats] in _CODEC_LISTS)


_CODEC_LISTS = (["opus"], ["opus", "telephone-event"])


def _readable(text: str) -> Description:
    _demand("CRLF line ends", text.endswith("\r\n") and text.count("\n") == text.count("\r") == text.count("\r\n"))
    description = parse(text)
    _demand("printed again it is the same", parse(serialize(description)) == description)
    return description


def _shape(description: Description) -> list[tuple[str, str, str]]:
    return [(section.media, section.protocol, section.mid) for section in description.media]


def _codecs(section: MediaSection) -> set[tuple[int, str]]:
    return {(fmt.pt, fmt.key) for fmt in section.formats}


def _extensions(section: MediaSection) -> set[tuple[int, str]]:
    return {(extmap.id, extmap.uri) for extmap in section.extmaps}


def _demand(rule: str, holds: bool) -> None:
    if not holds:
        raise AssertionError(rule)
