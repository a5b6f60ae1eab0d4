"""Attribute values: read, printed back, and refused where they cannot be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pagecalls.sdp.attributes import (
    Candidate,
    Direction,
    Extmap,
    Fingerprint,
    Group,
    Msid,
    Setup,
    SsrcAttribute,
    SsrcGroup,
    codec_key,
    read_rtpmap,
)
from pagecalls.sdp.grammar import Unreadable

READ_AND_PRINTED: list[tuple[Callable[[str], object], str, object]] = [
    (Fingerprint.read, "sha-256 AA:0F", Fingerprint("sha-256", "AA:0F")),
    (Extmap.read, "4 urn:x", Extmap(4, "urn:x")),
    (Extmap.read, "2/recvonly urn:x a=b c", Extmap(2, "urn:x", Direction.RECVONLY, "a=b c")),
    (
        Candidate.read,
        "1 1 udp 2122260224 192.0.2.10 40012 typ host",
        Candidate("1", 1, "udp", 2122260224, "192.0.2.10", 40012, "host"),
    ),
    (
        Candidate.read,
        "2561029847 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active generation 0",
        Candidate("2561029847", 1, "tcp", 1518214911, "192.0.2.2", 9, "host", ("tcptype", "active", "generation", "0")),
    ),
    (Msid.read, "- 607b", Msid("-", "607b")),
    (Msid.read, "{a} {b}", Msid("{a}", "{b}")),
    (Msid.read, "only-a-stream", Msid("only-a-stream")),
    (SsrcAttribute.read, "4294967295 cname:a:b c", SsrcAttribute(4294967295, "cname", "a:b c")),
    (SsrcAttribute.read, "1 flag", SsrcAttribute(1, "flag")),
    (SsrcGroup.read, "FID 1 2", SsrcGroup("FID", (1, 2))),
    (Group.read, "BUNDLE 0 audio", Group("BUNDLE", ("0", "audio"))),
    (Group.read, "LS", Group("LS", ())),
    (Setup.read, "actpass", Setup.ACTPASS),
]


@pytest.mark.parametrize(("read", "text", "value"), READ_AND_PRINTED)
def test_values_are_read_and_printed_back(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value
    assert str(value) == text


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (Fingerprint.read, "sha-256"),
        (Extmap.read, "4"),
        (Extmap.read, "0 urn:x"),
        (Extmap.read, "4/sideways urn:x"),
        (Extmap.read, "x urn:x"),
        (Candidate.read, "1 1 udp 1 192.0.2.10 40012 typ"),
        (Candidate.read, "1 1 udp 1 192.0.2.10 40012 type host"),
        (Candidate.read, "1 0 udp 1 192.0.2.10 40012 typ host"),
        (Candidate.read, "1 1 udp 4294967296 192.0.2.10 40012 typ host"),
        (Candidate.read, "1 1 udp 1 192.0.2.10 65536 typ host"),
        (Msid.read, " "),
        (SsrcAttribute.read, "x cname:a"),
        (SsrcAttribute.read, "4294967296 cname:a"),
        (SsrcGroup.read, "FID x"),
        (SsrcGroup.read, ""),
        (Group.read, ""),
        (Setup.read, "someday"),
        (Direction.read, "sideways"),
        (read_rtpmap, "111"),
        (read_rtpmap, "111 opus"),
        (read_rtpmap, "128 opus/48000/2"),
        (read_rtpmap, "111 opus/fast"),
        (read_rtpmap, "111 op us/48000"),
        (read_rtpmap, "9999 opus/48000/2"),
    ],
)
def test_what_cannot_be_read_says_so(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


def test_a_fingerprint_has_one_spelling() -> None:
    assert Fingerprint.read("SHA-256 aa:0f") == Fingerprint("sha-256", "AA:0F")


def test_a_candidate_has_one_spelling_of_its_protocol() -> None:
    assert Candidate.read("0 1 UDP 2122187007 192.0.2.2 40088 typ host").protocol == "udp"


def test_rtpmap_keeps_the_spelling_and_the_key_has_one() -> None:
    assert read_rtpmap("9 G722/8000/1") == (9, "G722/8000/1")
    assert codec_key("G722/8000/1") == "g722/8000"
    assert codec_key("opus/48000/2") == "opus/48000/2"
    assert codec_key("VP8/90000") == "vp8/90000"
    # A clock of 1 Hz is nonsense, and no number of channels.
    assert codec_key("VP8/1") == "vp8/1"


@pytest.mark.parametrize(
    ("extmap", "is_both_ways"),
    [
        ("1 urn:x", True),
        ("1/sendrecv urn:x", True),
        ("1/recvonly urn:x", False),
        ("1/sendonly urn:x", False),
        ("1/inactive urn:x", False),
    ],
)
def test_extension_ways(extmap: str, is_both_ways: bool) -> None:
    assert Extmap.read(extmap).is_both_ways is is_both_ways


@pytest.mark.parametrize("direction", list(Direction))
def test_a_direction_is_its_two_halves(direction: Direction) -> None:
    assert Direction.of(sends=direction.sends, receives=direction.receives) is direction


def test_direction_halves() -> None:
    assert [(each.sends, each.receives) for each in Direction] == [(True, True), (True, False), (False, True), (False, False)]
