"""`tracks[]` against the m-lines of an offer (messenger-calling 5.2)."""

from __future__ import annotations

import pytest

from pagecalls.errors import ConnectionFault, UnusableConnection
from pagecalls.sdp.connection import Connection
from pagecalls.sdp.description import parse
from pagecalls.sdp.negotiate import answer_first
from pagecalls.sdp.tracks import LabelledLine, enable_only, label_lines, set_tracks
from pagecalls.types import Track, TrackLabel, TrackStatus
from tests.unit.sdp.samples import FAR, SESSION_ID, TRANSPORT, audio, offer_of, small_offer, video

SOUND, PICTURE = TrackLabel.DEFAULT_AUDIO, TrackLabel.DEFAULT_VIDEO
SCREEN_SOUND, SCREEN_PICTURE = TrackLabel.SCREEN_AUDIO, TrackLabel.SCREEN_VIDEO

TWO = parse(small_offer(audio("0", "a=msid:s mic"), video("1", "a=msid:s cam"))).media


@pytest.mark.parametrize("msid", ["s mic", "mic", "s"])
def test_a_line_is_named_by_stream_and_track_by_track_or_by_its_only_stream(msid: str) -> None:
    labelled = label_lines(TWO, [Track(msid, SOUND, TrackStatus.DISABLED)])
    assert labelled["0"] == LabelledLine(SOUND, TrackStatus.DISABLED)


def test_the_stream_names_the_line_of_the_labels_kind() -> None:
    labelled = label_lines(TWO, [Track("s", PICTURE), Track("s", SOUND)])
    assert {mid: entry.label for mid, entry in labelled.items()} == {"0": SOUND, "1": PICTURE}


def test_a_stream_with_two_lines_of_the_kind_names_neither() -> None:
    two = parse(small_offer(audio("0", "a=msid:s a"), audio("1", "a=msid:s b"))).media
    with pytest.raises(UnusableConnection) as error:
        label_lines(two, [Track("s", SOUND)])
    assert (error.value.fault, error.value.detail) == (ConnectionFault.UNKNOWN_MSID, "s")


def test_names_are_compared_exactly() -> None:
    two = parse(small_offer(audio("0", "a=msid:{s} {Mic}"), audio("1", "a=msid:- other"))).media
    assert label_lines(two, [Track("{Mic}", SCREEN_SOUND)])["0"].label is SCREEN_SOUND
    for msid in ("{mic}", "Mic", "{s}  {Mic}", ""):
        with pytest.raises(UnusableConnection):
            label_lines(two, [Track(msid, SOUND)])


def test_an_empty_name_names_nothing() -> None:
    (section,) = parse(small_offer(audio("0", "a=msid:only-a-stream"))).media
    assert label_lines([section], [Track("only-a-stream", SCREEN_SOUND)])["0"].label is SCREEN_SOUND
    with pytest.raises(UnusableConnection, match="track msid"):
        label_lines([section], [Track("", SCREEN_SOUND)])


def test_the_name_may_stand_with_the_source() -> None:
    (section,) = parse(small_offer(audio("0", "a=ssrc:7 msid:s mic"))).media
    assert label_lines([section], [Track("mic", SOUND)])["0"].alias == ""


def test_an_unknown_name_of_a_default_label_is_an_alias_of_the_only_line_left() -> None:
    assert label_lines(TWO, [Track("fresh-microphone", SOUND)]) == {
        "0": LabelledLine(SOUND, TrackStatus.ENABLED, "fresh-microphone"),
        "1": LabelledLine(PICTURE),
    }


def test_an_alias_takes_what_the_listed_names_leave() -> None:
    two = parse(small_offer(audio("0", "a=msid:s a"), audio("1", "a=msid:s b"))).media
    labelled = label_lines(two, [Track("unknown", SOUND), Track("a", SCREEN_SOUND)])
    assert (labelled["0"].label, labelled["1"]) == (SCREEN_SOUND, LabelledLine(SOUND, TrackStatus.ENABLED, "unknown"))


@pytest.mark.parametrize("label", [SCREEN_SOUND, SCREEN_PICTURE])
def test_screen_labels_have_no_alias(label: TrackLabel) -> None:
    with pytest.raises(UnusableConnection, match="track msid"):
        label_lines(TWO, [Track("unknown", label)])


def test_a_line_that_does_not_send_has_no_alias() -> None:
    (section,) = parse(small_offer(audio("0", direction="recvonly"))).media
    with pytest.raises(UnusableConnection, match="track msid"):
        label_lines([section], [Track("unknown", SOUND)])


@pytest.mark.parametrize(
    "tracks",
    [
        pytest.param([Track("cam", SOUND)], id="label of another kind"),
        pytest.param([Track("mic", SOUND), Track("s mic", SCREEN_SOUND)], id="two labels on one line"),
        pytest.param([Track("mic", SOUND), Track("mic", SOUND)], id="twice the same"),
        pytest.param([Track("mic", SCREEN_SOUND), Track("cam", SCREEN_SOUND)], id="one label, two kinds"),
    ],
)
def test_labels_fit_and_stand_once(tracks: list[Track]) -> None:
    with pytest.raises(UnusableConnection) as error:
        label_lines(TWO, tracks)
    assert error.value.fault is ConnectionFault.LABEL_MISFIT


def test_one_label_names_one_line() -> None:
    two = parse(small_offer(audio("0", "a=msid:s a"), audio("1", "a=msid:s b"))).media
    with pytest.raises(UnusableConnection, match="label"):
        label_lines(two, [Track("a", SOUND), Track("b", SOUND)])


def test_five_tracks_are_too_many() -> None:
    with pytest.raises(UnusableConnection) as error:
        label_lines(TWO, [Track(f"t{number}", SOUND) for number in range(5)])
    assert error.value.fault is ConnectionFault.TOO_MANY_TRACKS


def test_lines_that_are_not_listed_are_labelled_in_order() -> None:
    labelled = label_lines(offer_of("chrome-156-screen").media, [])
    assert {mid: entry.label for mid, entry in labelled.items()} == {
        "0": SOUND,
        "1": PICTURE,
        "2": SCREEN_PICTURE,
        "3": SCREEN_SOUND,
    }


def test_a_third_line_of_a_kind_has_no_label() -> None:
    three = parse(small_offer(audio("0"), audio("1"), audio("2"))).media
    assert set(label_lines(three, [])) == {"0", "1"}


def test_listed_labels_are_not_given_away_again() -> None:
    two = parse(small_offer(audio("0", "a=msid:s a"), audio("1", "a=msid:s b"))).media
    labelled = label_lines(two, [Track("b", SOUND)])
    assert (labelled["0"].label, labelled["1"].label) == (SCREEN_SOUND, SOUND)


def test_a_silent_line_is_labelled_only_if_listed() -> None:
    (section,) = parse(small_offer(audio("0", "a=msid:s a", direction="recvonly"))).media
    assert label_lines([section], []) == {}
    assert label_lines([section], [Track("a", SOUND)])["0"].label is SOUND


# --- without a description --------------------------------------------------------------------------------------------


def call(*tracks: Track) -> Connection:
    """A peer with microphone, camera and screen, and a line on which it is silent."""
    offer = small_offer(
        audio("0", "a=msid:s mic"),
        video("1", "a=msid:s cam"),
        video("2", "a=msid:x screen"),
        audio("3", "a=msid:y quiet", direction="recvonly"),
        bundle="0 1 2 3",
    )
    return answer_first(parse(offer), tracks=tracks, transport=TRANSPORT, session_id=SESSION_ID, far=FAR)


def statuses(connection: Connection) -> dict[str, TrackStatus]:
    return {track.label.value: track.status for track in connection.peer_tracks()}


ON, OFF = TrackStatus.ENABLED, TrackStatus.DISABLED


@pytest.mark.parametrize("msid", ["s cam", "cam", "s"])
def test_a_known_track_is_disabled_and_enabled(msid: str) -> None:
    before = call()
    disabled = set_tracks(before, [Track(msid, PICTURE, OFF)])
    assert statuses(disabled) == {"default_audio": ON, "default_video": OFF, "screen_video": ON}
    # Received it is all the same, and no new description comes of it.
    assert [line.direction for line in disabled.lines] == [line.direction for line in before.lines]
    assert disabled.session_version == before.session_version
    assert set_tracks(disabled, [Track(msid, PICTURE)]) == before


def test_an_alias_is_a_known_name() -> None:
    before = call(Track("fresh", SOUND))
    assert statuses(set_tracks(before, [Track("fresh", SOUND, OFF)]))["default_audio"] is OFF
    assert statuses(set_tracks(before, [Track("mic", SOUND, OFF)]))["default_audio"] is OFF


def test_known_tracks_may_change_labels() -> None:
    swapped = set_tracks(call(), [Track("cam", SCREEN_PICTURE), Track("screen", PICTURE, OFF)])
    assert [(track.msid, track.label, track.status) for track in swapped.peer_tracks()][1:] == [
        ("s cam", SCREEN_PICTURE, ON),
        ("x screen", PICTURE, OFF),
    ]


def test_a_silent_line_gives_its_label_up() -> None:
    before = call(Track("quiet", SCREEN_SOUND))
    assert before.line("3").peer_label is SCREEN_SOUND
    after = set_tracks(before, [Track("mic", SCREEN_SOUND)])
    assert (after.line("0").peer_label, after.line("3").peer_label) == (SCREEN_SOUND, None)


@pytest.mark.parametrize(
    ("tracks", "fault"),
    [
        pytest.param([Track("nobody", SOUND)], ConnectionFault.UNKNOWN_MSID, id="no alias without a description"),
        pytest.param([Track("", SOUND)], ConnectionFault.UNKNOWN_MSID, id="no name"),
        pytest.param([Track("quiet", SCREEN_SOUND)], ConnectionFault.UNKNOWN_MSID, id="a line that does not send"),
        pytest.param([Track("cam", SOUND)], ConnectionFault.LABEL_MISFIT, id="another kind"),
        pytest.param([Track("cam", SCREEN_PICTURE)], ConnectionFault.LABEL_MISFIT, id="a label that another line has"),
        pytest.param([Track("cam", PICTURE), Track("s cam", PICTURE)], ConnectionFault.LABEL_MISFIT, id="twice"),
        pytest.param([Track("cam", PICTURE)] * 5, ConnectionFault.TOO_MANY_TRACKS, id="too many"),
    ],
)
def test_what_cannot_be_set(tracks: list[Track], fault: ConnectionFault) -> None:
    with pytest.raises(UnusableConnection) as error:
        set_tracks(call(), tracks)
    assert error.value.fault is fault


@pytest.mark.parametrize(
    ("msids", "enabled"),
    [
        ([], set()),
        (["cam"], {"default_video"}),
        (["s cam", "mic"], {"default_video", "default_audio"}),
        (["x"], {"screen_video"}),
    ],
)
def test_the_old_list_enables_what_it_names_and_nothing_else(msids: list[str], enabled: set[str]) -> None:
    connection = enable_only(call(Track("screen", SCREEN_PICTURE, OFF)), msids)
    assert {label for label, status in statuses(connection).items() if status is ON} == enabled


@pytest.mark.parametrize("msid", ["nobody", "quiet", "s"])
def test_the_old_list_names_known_tracks_exactly(msid: str) -> None:
    with pytest.raises(UnusableConnection) as error:
        enable_only(call(), [msid])
    assert error.value.fault is ConnectionFault.UNKNOWN_MSID
