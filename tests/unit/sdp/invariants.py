"""What every answer and every offer of ours keeps to, whatever the peer sent. Standard library only: the fuzzer uses it too.

The checks raise `AssertionError` by hand, so that they also work where `assert` is switched off.
"""

from __future__ import annotations

from pagecalls.sdp.connection import Connection, Direction, NextAnswer
from pagecalls.sdp.description import Description, MediaSection, Setup, parse, serialize
from pagecalls.sdp.negotiate import render_answer, render_offer


def check_answer(offer: Description, connection: Connection) -> None:
    """Our first answer against the offer (RFC 3264, RFC 8843, messenger-calling 6.2 to 6.4)."""
    answer = _check_answer(offer, connection)
    _demand("no source is named in a first answer", not any(section.ssrcs for section in answer.media))


def check_next_answer(before: Connection, offer: Description, found: NextAnswer) -> None:
    """Our answer to a later offer (messenger-calling 6.5, 6.6)."""
    connection = found.connection
    _check_answer(offer, connection)
    _demand("one more description", connection.session_version == before.session_version + 1)
    _demand("one session", connection.session_id == before.session_id)
    _demand("mids go up", connection.highest_mid >= before.highest_mid)
    kept = before.lines[: len(before.lines) - len(found.withdrawn)]
    _demand("what was withdrawn was ours", all(line.is_ours and not line.is_offered for line in found.withdrawn))
    _demand("what was withdrawn was behind", before.lines[len(kept) :] == found.withdrawn)
    for old, new in zip(kept, connection.lines, strict=False):
        _demand("lines in use keep their place", old.is_rejected or (old.mid, old.media) == (new.mid, new.media))
        _demand("a source never moves", new.far_ssrc in (None, old.far_ssrc) or new.is_rejected)
    _demand("what is resumed is received", found.resumed <= found.confirmed)
    _demand("every line has been offered now", all(line.is_offered for line in connection.lines))
    for line in connection.lines:
        _demand("confirmed is what is received of ours", (line.mid in found.confirmed) is (line.is_ours and line.carries_far))


def check_offer_of_ours(before: Connection, connection: Connection) -> None:
    """Our offer after `before` (messenger-calling 6.5)."""
    offer = _readable(render_offer(connection))
    old = [line.mid for line in before.lines]
    mids = [section.mid for section in offer.media]
    _demand("earlier lines stay where they are", mids[: len(old)] == old)
    _demand("every mid is used once", len(set(mids)) == len(mids))
    _demand("new mids are above all others", all(int(mid) > before.highest_mid for mid in mids[len(old) :]))
    _demand("one more description", connection.session_version == before.session_version + 1)
    _demand("an offer bundles", len(offer.bundles) == 1)
    numbers = {(codec.pt, codec.key) for codec in (*connection.listed, *connection.numbered)}
    # A peer may contradict itself: what one of its lines was answered with holds too.
    numbers |= {(codec.pt, codec.key) for line in before.lines for codec in line.codecs}
    for line, section in zip(connection.lines, offer.media, strict=True):
        _demand("only our lines send", line.is_ours or not section.direction.sends)
        _demand("our line uses known numbers", not line.is_ours or _codecs(section) <= numbers)
    labels = [line.far_label for line in connection.lines if line.carries_far]
    _demand("each label is shown once", len(labels) == len(set(labels)))
    _check_ours(offer, connection)


def _check_answer(offer: Description, connection: Connection) -> Description:
    answer = _readable(render_answer(connection))
    _demand("same m-lines", _shape(answer) == _shape(offer))
    for ours, theirs in zip(answer.media, offer.media, strict=True):
        _demand("what was refused stays refused", ours.port == 0 or theirs.is_live)
        _demand("we send only where they receive", theirs.direction.receives or not ours.direction.sends)
        _demand("we receive only what they send", theirs.direction.sends or not ours.direction.receives)
        _demand("no codec that was not offered", _codecs(ours) <= _codecs(theirs))
        _demand("no extension that was not offered", _extensions(ours) <= _extensions(theirs))
        _demand("no feedback that was not offered", _feedback(ours) <= _feedback(theirs))
        _demand("rsize only if offered", theirs.has_rtcp_rsize or not ours.has_rtcp_rsize)
    _demand("a bundle only if offered", bool(answer.bundles) <= bool(offer.bundles))
    labels = [line.peer_label for line in connection.lines if line.carries_peer]
    _demand("each label of the peer is received once", len(labels) == len(set(labels)))
    _check_ours(answer, connection)
    return answer


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
        names = [fmt.key.partition("/")[0] for fmt in section.formats]
        _demand("one media codec, and what belongs to it", section.media == "video" or names in _SOUND_LISTS)
        _demand("one video codec, and its repeats", section.media == "audio" or (names[0] in _PICTURES and names[1:] in _REPEATS))
        _demand("transport-wide feedback and its numbers stand together, on video", _is_per_hop(section))
    for line, section in zip(connection.lines, description.media, strict=True):
        named = {source.ssrc for source in section.ssrcs}
        wanted = {line.far_ssrc, line.far_rtx_ssrc} - {None} if line.carries_far else set()
        _demand("a line names the sources that it carries", named == wanted)
        _demand("repeats have a source and a number, or neither", line.far_rtx_ssrc is None or line.codecs[0].rtx_pt is not None)
        _demand("a refused line does nothing", not line.is_rejected or line.direction is Direction.INACTIVE)
    ids = {(extmap.id, extmap.uri) for section in live for extmap in section.extmaps}
    _demand("one id for each extension", len({uri for _, uri in ids}) == len(ids) == len({number for number, _ in ids}))


_SOUND_LISTS = (["opus"], ["opus", "telephone-event"])
_PICTURES = ("vp8", "vp9", "h264", "h265", "av1")
_REPEATS: tuple[list[str], ...] = ([], ["rtx"])
_TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


def _is_per_hop(section: MediaSection) -> bool:
    has_feedback = any("transport-cc" in fmt.feedback for fmt in section.formats)
    has_numbers = any(extmap.uri == _TWCC for extmap in section.extmaps)
    return has_feedback is has_numbers and (section.media == "video" or not has_feedback)


def _readable(text: str) -> Description:
    _demand("CRLF line ends", text.endswith("\r\n") and text.count("\n") == text.count("\r") == text.count("\r\n"))
    description = parse(text)
    _demand("printed again it is the same", parse(serialize(description)) == description)
    return description


def _shape(description: Description) -> list[tuple[str, str, str]]:
    return [(section.media, section.protocol, section.mid) for section in description.media]


def _codecs(section: MediaSection) -> set[tuple[int, str]]:
    return {(fmt.pt, fmt.key) for fmt in section.formats}


def _feedback(section: MediaSection) -> set[tuple[int, str]]:
    return {(fmt.pt, each) for fmt in section.formats for each in (*fmt.feedback, *section.feedback_for_all)}


def _extensions(section: MediaSection) -> set[tuple[int, str]]:
    return {(extmap.id, extmap.uri) for extmap in section.extmaps}


def _demand(rule: str, holds: bool) -> None:
    if not holds:
        raise AssertionError(rule)
