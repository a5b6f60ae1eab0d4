"""Sound as numbers: makes the tone a peer sends, and says what a stretch of decoded sound is.

Owns the sine generator and the measurement (frequency, level, purity, continuity). Knows nothing of WebRTC:
samples are 16-bit mono, with their rate. Plain Python is fast enough: half a dozen short transforms a second.
"""

from __future__ import annotations

import cmath
import math
from array import array
from dataclasses import dataclass
from functools import lru_cache
from operator import mul

FULL_SCALE = 32767
SILENCE_DBFS = -120.0
"""The lowest level ever reported: digital silence."""
AUDIBLE_DBFS = -50.0
"""From this level on a track counts as heard. Comfort noise and coding noise lie far below."""
TONE_AMPLITUDE = 0.25
"""What peers send: a quarter of full scale, -12 dBFS."""

_AUDIBLE_SHARE = 0.2
_BLOCK = 2048  # about 4 Hz a bin at 8 kHz; interpolation brings that below 0.5 Hz
_LOWEST_HZ = 100.0  # below lie offsets and hum, which no peer sends
_PEAK_BINS = 4  # a Hann window spreads a steady tone over this many bins to each side
_SLICE_S = 0.02  # one Opus frame: what a lost packet leaves out


@dataclass(frozen=True, slots=True)
class Sound:
    """What one stretch of samples holds.

    `frequency_hz` is the strongest tone, 0.0 in silence. `level_dbfs` is relative to a full-scale sine (AES17), so a
    sine of amplitude 0.25 has -12.0. `purity` is the share of power in the strongest tone, `continuity` the share of
    20 ms slices that are audible; both 0..1.
    """

    frequency_hz: float
    level_dbfs: float
    purity: float
    continuity: float

    @property
    def is_audible(self) -> bool:
        """Whether it was heard for a good part of the time: the last packets of a stream that ends are not a sound."""
        return self.level_dbfs >= AUDIBLE_DBFS and self.continuity >= _AUDIBLE_SHARE

    def is_tone(self, frequency_hz: float, *, within_hz: float = 3.0) -> bool:
        """Whether it is this tone, and mostly this tone."""
        return self.is_audible and self.purity >= 0.5 and abs(self.frequency_hz - frequency_hz) <= within_hz


SILENCE = Sound(frequency_hz=0.0, level_dbfs=SILENCE_DBFS, purity=0.0, continuity=0.0)


def sine(frequency_hz: float, *, rate_hz: int, duration_s: float, amplitude: float = TONE_AMPLITUDE) -> array[int]:
    """Samples of a sine that starts at phase 0. With a whole number of hertz, one second of it may be repeated."""
    step = 2 * math.pi * frequency_hz / rate_hz
    scale = amplitude * FULL_SCALE
    return array("h", [round(scale * math.sin(step * n)) for n in range(round(rate_hz * duration_s))])


def level_dbfs(samples: array[int]) -> float:
    """The level in dB relative to a full-scale sine, never below `SILENCE_DBFS`."""
    if not samples:
        return SILENCE_DBFS
    mean_square = sum(map(mul, samples, samples)) / len(samples)
    if mean_square == 0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10 * math.log10(2 * mean_square / FULL_SCALE**2))


def measure(samples: array[int], rate_hz: float) -> Sound:
    """What these samples hold. Half a second is enough for the frequency to be right within 1 Hz."""
    level = level_dbfs(samples)
    if level < AUDIBLE_DBFS:
        return Sound(frequency_hz=0.0, level_dbfs=level, purity=0.0, continuity=_continuity(samples, rate_hz))
    power = _power_spectrum(samples)
    first = max(1, math.ceil(_LOWEST_HZ * _BLOCK / rate_hz))
    peak = max(range(first, len(power) - 1), key=power.__getitem__)
    around = power[max(first, peak - _PEAK_BINS) : peak + _PEAK_BINS + 1]
    return Sound(
        frequency_hz=(peak + _offset(power[peak - 1], power[peak], power[peak + 1])) * rate_hz / _BLOCK,
        level_dbfs=level,
        purity=sum(around) / sum(power[first:]),
        continuity=_continuity(samples, rate_hz),
    )


def _continuity(samples: array[int], rate_hz: float) -> float:
    """The share of audible 20 ms slices."""
    length = round(rate_hz * _SLICE_S)
    starts = range(0, len(samples) - length + 1, length)
    if not starts:
        return 0.0
    return sum(level_dbfs(samples[start : start + length]) >= AUDIBLE_DBFS for start in starts) / len(starts)


def _offset(left: float, peak: float, right: float) -> float:
    """How far, in bins, the true peak lies from the strongest bin: the top of a parabola through the logarithms."""
    if min(left, peak, right) <= 0:
        return 0.0
    a, b, c = math.log(left), math.log(peak), math.log(right)
    curve = a - 2 * b + c
    return 0.5 * (a - c) / curve if curve else 0.0


def _power_spectrum(samples: array[int]) -> list[float]:
    """Power per bin, summed over four windowed blocks spread evenly over the samples (zeros fill a short stretch)."""
    padded = samples if len(samples) >= _BLOCK else samples + array("h", bytes(2 * (_BLOCK - len(samples))))
    last = len(padded) - _BLOCK
    window = _hann(_BLOCK)
    blocks = [[w * s for w, s in zip(window, padded[start : start + _BLOCK], strict=True)] for start in _spread(last)]
    power = [0.0] * (_BLOCK // 2)
    for real, imaginary in zip(blocks[::2], blocks[1::2], strict=True):
        # Two real blocks share one transform: |A|^2 + |B|^2 = (|Z[k]|^2 + |Z[-k]|^2) / 2 with z = a + ib.
        bins = _transform([complex(a, b) for a, b in zip(real, imaginary, strict=True)])
        power = [p + abs(bins[k]) ** 2 + abs(bins[-k]) ** 2 for k, p in enumerate(power)]
    return power


def _spread(last: int) -> tuple[int, int, int, int]:
    """Four starting points from 0 to the last possible one."""
    return (0, last // 3, 2 * last // 3, last)


def _transform(values: list[complex]) -> list[complex]:
    """The discrete Fourier transform of a power of two of values."""
    size = len(values)
    if size == 1:
        return values
    even, odd = _transform(values[::2]), _transform(values[1::2])
    turned = [turn * value for turn, value in zip(_turns(size), odd, strict=True)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [a - b for a, b in zip(even, turned, strict=True)]


@lru_cache(maxsize=16)
def _turns(size: int) -> tuple[complex, ...]:
    return tuple(cmath.exp(-2j * math.pi * k / size) for k in range(size // 2))


@lru_cache(maxsize=1)
def _hann(size: int) -> tuple[float, ...]:
    return tuple(0.5 - 0.5 * math.cos(2 * math.pi * n / size) for n in range(size))
