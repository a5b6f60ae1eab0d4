from __future__ import annotations

import math
from array import array

import pytest

from pagecalls.demo.peers.tone import AUDIBLE_DBFS, FULL_SCALE, SILENCE_DBFS, level_dbfs, measure, sine

RATE_HZ = 8000


def tone(frequency_hz: float, *, amplitude: float = 0.25, duration_s: float = 1.0, rate_hz: int = RATE_HZ) -> array[int]:
    return sine(frequency_hz, rate_hz=rate_hz, duration_s=duration_s, amplitude=amplitude)


def noise(length: int, amplitude: float) -> array[int]:
    """Repeatable noise from a linear congruential generator."""
    state, samples = 1, array("h")
    for _ in range(length):
        state = (state * 1103515245 + 12345) % 2**31
        samples.append(round((state / 2**30 - 1) * amplitude * FULL_SCALE))
    return samples


@pytest.mark.parametrize("frequency_hz", [300, 440, 523.25, 660, 880, 1000, 1234.5, 1700, 2000])
@pytest.mark.parametrize("rate_hz", [8000, 8820])
def test_frequency_is_right_within_half_a_hertz(frequency_hz: float, rate_hz: int) -> None:
    sound = measure(tone(frequency_hz, rate_hz=rate_hz), rate_hz)
    assert sound.frequency_hz == pytest.approx(frequency_hz, abs=0.5)
    assert sound.purity > 0.99
    assert sound.continuity == 1.0


@pytest.mark.parametrize(("amplitude", "level"), [(1.0, 0.0), (0.5, -6.02), (0.25, -12.04), (0.01, -40.0)])
def test_level_is_relative_to_a_full_scale_sine(amplitude: float, level: float) -> None:
    assert measure(tone(440, amplitude=amplitude), RATE_HZ).level_dbfs == pytest.approx(level, abs=0.1)


def test_silence_has_no_frequency() -> None:
    sound = measure(array("h", bytes(2 * RATE_HZ)), RATE_HZ)
    assert (sound.frequency_hz, sound.level_dbfs, sound.continuity) == (0.0, SILENCE_DBFS, 0.0)
    assert not sound.is_audible
    assert not sound.is_tone(0.0)


def test_nothing_is_silence() -> None:
    assert level_dbfs(array("h")) == SILENCE_DBFS
    assert not measure(array("h"), RATE_HZ).is_audible


def test_faint_sound_is_not_audible() -> None:
    sound = measure(tone(440, amplitude=0.002), RATE_HZ)
    assert SILENCE_DBFS < sound.level_dbfs < AUDIBLE_DBFS
    assert not sound.is_audible


def test_the_tail_of_an_ended_stream_is_not_audible() -> None:
    tail = tone(440, duration_s=0.1) + array("h", bytes(2 * round(0.9 * RATE_HZ)))
    assert measure(tail, RATE_HZ).level_dbfs > AUDIBLE_DBFS
    assert not measure(tail, RATE_HZ).is_audible
    assert measure(tone(440, duration_s=0.3) + tail[: round(0.7 * RATE_HZ)], RATE_HZ).is_audible


def test_noise_is_no_tone() -> None:
    sound = measure(noise(RATE_HZ, 0.3), RATE_HZ)
    assert sound.is_audible
    assert sound.purity < 0.2
    assert not sound.is_tone(sound.frequency_hz)


def test_tone_is_found_under_noise() -> None:
    mixed = array("h", (a + b for a, b in zip(tone(700), noise(RATE_HZ, 0.1), strict=True)))
    assert measure(mixed, RATE_HZ).is_tone(700)


def test_the_stronger_of_two_tones_wins() -> None:
    mixed = array("h", (a + b for a, b in zip(tone(440, amplitude=0.1), tone(880), strict=True)))
    sound = measure(mixed, RATE_HZ)
    assert sound.frequency_hz == pytest.approx(880, abs=0.5)
    assert 0.8 < sound.purity < 0.95


def test_another_tone_is_not_taken_for_it() -> None:
    assert not measure(tone(444), RATE_HZ).is_tone(440)


def test_holes_lower_continuity_and_not_the_frequency() -> None:
    samples = tone(880)
    for start in range(0, len(samples), 1600):  # 40 ms of every 200
        samples[start : start + 320] = array("h", bytes(640))
    sound = measure(samples, RATE_HZ)
    assert sound.continuity == pytest.approx(0.8)
    assert sound.frequency_hz == pytest.approx(880, abs=3)


def test_a_short_stretch_is_enough() -> None:
    assert measure(tone(880, duration_s=0.25), RATE_HZ).is_tone(880)


def test_a_second_of_whole_hertz_can_be_repeated() -> None:
    second = sine(440, rate_hz=48000, duration_s=1.0)
    step = 2 * math.pi * 440 / 48000
    assert len(second) == 48000
    assert abs(second[-1] - round(0.25 * FULL_SCALE * math.sin(-step))) <= 1
    assert second[0] == 0
