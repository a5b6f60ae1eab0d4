from __future__ import annotations

from array import array

import pytest

from pagecalls.demo.peers.digits import COLUMNS_HZ, KEYPAD, ROWS_HZ, DigitDetector
from pagecalls.demo.peers.tone import sine

RATE_HZ = 8000
STARTED_AT = 1_790_000_000.0


def silence(duration_s: float) -> array[int]:
    return array("h", bytes(2 * round(duration_s * RATE_HZ)))


def key(digit: str, duration_s: float = 0.5, *, detune: float = 1.0, twist: float = 1.0) -> array[int]:
    row = next(index for index, keys in enumerate(KEYPAD) if digit in keys)
    low = sine(ROWS_HZ[row] * detune, rate_hz=RATE_HZ, duration_s=duration_s, amplitude=0.1)
    high_hz = COLUMNS_HZ[KEYPAD[row].index(digit)] * detune
    high = sine(high_hz, rate_hz=RATE_HZ, duration_s=duration_s, amplitude=0.1 * twist)
    return array("h", (a + b for a, b in zip(low, high, strict=True)))


def dialled(digits: str, *, tone_s: float = 0.5, gap_s: float = 0.1) -> array[int]:
    sound = silence(gap_s)
    for digit in digits:
        sound += key(digit, tone_s) + silence(gap_s)
    return sound


def heard(sound: array[int], *, pitch_s: float = 0.0, piece: int | None = None) -> DigitDetector:
    """Feed the sound in pieces, as it arrives."""
    detector = DigitDetector(RATE_HZ, pitch_s=pitch_s)
    step = piece or len(sound)
    for start in range(0, len(sound), step):
        part = sound[start : start + step]
        detector.feed(part, STARTED_AT + (start + len(part)) / RATE_HZ)
    return detector


def text(detector: DigitDetector) -> str:
    return "".join(digit.digit for digit in detector.heard)


@pytest.mark.parametrize("piece", [None, 160, 320, 777])
def test_every_key_is_told_apart(piece: int | None) -> None:
    assert text(heard(dialled("123A456B789C*0#D"), piece=piece)) == "123A456B789C*0#D"


def test_a_repeated_digit_counts_twice() -> None:
    assert text(heard(dialled("9955"))) == "9955"


def test_start_and_length_are_right_within_two_blocks() -> None:
    first, second = heard(dialled("15")).heard
    assert first.at == pytest.approx(STARTED_AT + 0.1, abs=0.05)
    assert second.at == pytest.approx(STARTED_AT + 0.7, abs=0.05)
    assert [first.duration_s, second.duration_s] == pytest.approx([0.5, 0.5], abs=0.05)


def test_a_digit_counts_while_it_sounds() -> None:
    assert text(heard(silence(0.1) + key("7", 0.2))) == "7"


def test_digits_follow_each_other_without_silence() -> None:
    assert text(heard(key("1") + key("2"))) == "12"


def test_tones_slightly_off_pitch_are_accepted() -> None:
    # What a browser renders for 5 is 764 and 1335 Hz.
    assert text(heard(key("5", detune=0.992))) == "5"


def test_a_lost_packet_does_not_split_a_digit() -> None:
    sound = dialled("8")
    sound[2000:2160] = silence(0.02)
    assert text(heard(sound)) == "8"


@pytest.mark.parametrize("frequency_hz", [440, 770, 852, 1336, 1000])
def test_a_single_tone_is_no_digit(frequency_hz: float) -> None:
    assert text(heard(sine(frequency_hz, rate_hz=RATE_HZ, duration_s=1.0))) == ""


def test_one_strong_and_one_missing_tone_is_no_digit() -> None:
    assert text(heard(key("5", twist=0.1))) == ""


def test_a_faint_or_short_pair_is_no_digit() -> None:
    faint = array("h", (sample // 64 for sample in key("5")))
    assert text(heard(faint)) == ""
    assert text(heard(silence(0.1) + key("5", 0.03) + silence(0.1))) == ""


def test_pieces_within_the_pitch_are_one_digit() -> None:
    pieces = silence(0.1) + key("9", 0.12) + silence(0.2) + key("9", 0.1) + silence(0.18) + key("9", 0.12) + silence(0.1)
    assert text(heard(pieces)) == "999"
    merged = heard(pieces, pitch_s=0.55)
    assert text(merged) == "99"
    assert merged.heard[0].duration_s == pytest.approx(0.42, abs=0.06)


def test_another_digit_within_the_pitch_is_another_digit() -> None:
    assert text(heard(dialled("9595", tone_s=0.1), pitch_s=0.55)) == "9595"
