"""Finds dialled digits in decoded sound: each is a pair of tones, one of four rows and one of four columns.

Owns the detection (Goertzel's question, asked as two dot products per tone). Browsers render received RFC 4733
events as such tones and offer no other way to see them. Knows nothing of packets: those are read by the aiortc peer.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from operator import mul

from pagecalls.demo.peers.tone import FULL_SCALE

ROWS_HZ = (697.0, 770.0, 852.0, 941.0)
COLUMNS_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD = ("123A", "456B", "789C", "*0#D")

_BLOCK_S = 0.025  # long enough to tell 697 from 770 Hz, short enough to see a gap of 100 ms
_BLOCKS_TO_BEGIN = 2  # 50 ms; shorter bursts are not digits (ITU-T Q.24 wants 40 ms accepted)
_BLOCKS_TO_END = 2  # one lost packet inside a tone does not split it
_LEVEL_FLOOR_DBFS = -45.0
_PAIR_SHARE = 0.7  # of all power must be in the two tones
_TONE_SHARE = 0.1  # and neither may be missing


@dataclass(frozen=True, slots=True)
class HeardDigit:
    """One digit: `digit` is one of 0-9 * # A-D, `at` the start in Unix seconds, both times good to about 50 ms."""

    digit: str
    at: float
    duration_s: float


class DigitDetector:
    """Reads sound block by block. Feed it everything in order; `heard` grows as tones end.

    `pitch_s` is the least time between the starts of two digits: the same digit again within it is the same one, played
    with holes. Zero where the player renders tones whole.
    """

    def __init__(self, rate_hz: float, *, pitch_s: float = 0.0) -> None:
        self._rate_hz = rate_hz
        self._pitch_s = pitch_s
        self._length = round(rate_hz * _BLOCK_S)
        self._tables = [_table(frequency_hz, rate_hz, self._length) for frequency_hz in ROWS_HZ + COLUMNS_HZ]
        self._rest = array("h")
        self._current: str | None = None  # the tone that sounds or may have begun
        self._begun_at = 0.0
        self._matching = 0
        self._missing = 0
        self._finished: list[HeardDigit] = []

    @property
    def heard(self) -> list[HeardDigit]:
        """Every digit so far, with the one that still sounds."""
        return self._with_sounding()

    def feed(self, samples: array[int], ended_at: float) -> None:
        """Take the next samples; `ended_at` is the time of the last one in Unix seconds."""
        self._rest += samples
        begins_at = ended_at - len(self._rest) / self._rate_hz
        whole = len(self._rest) // self._length
        for index in range(whole):
            start = index * self._length
            block = self._rest[start : start + self._length]
            self._step(self._classify(block), begins_at + start / self._rate_hz)
        del self._rest[: whole * self._length]

    def _step(self, digit: str | None, at: float) -> None:
        if digit is not None and digit == self._current:
            self._matching += 1 + self._missing
            self._missing = 0
        elif digit is not None:
            self._finish()
            self._current, self._begun_at, self._matching, self._missing = digit, at, 1, 0
        elif self._current is not None:
            self._missing += 1
            if self._missing >= _BLOCKS_TO_END:
                self._finish()

    def _finish(self) -> None:
        self._finished = self._with_sounding()
        self._current = None

    def _with_sounding(self) -> list[HeardDigit]:
        if self._current is None or self._matching < _BLOCKS_TO_BEGIN:
            return list(self._finished)
        now = HeardDigit(digit=self._current, at=self._begun_at, duration_s=self._matching * _BLOCK_S)
        last = self._finished[-1] if self._finished else None
        if last is None or last.digit != now.digit or now.at - last.at >= self._pitch_s:
            return [*self._finished, now]
        return [*self._finished[:-1], replace(last, duration_s=now.at + now.duration_s - last.at)]

    def _classify(self, block: array[int]) -> str | None:
        """The key whose two tones make up this block."""
        power = sum(map(mul, block, block)) / len(block)
        if power * 2 < FULL_SCALE**2 * 10 ** (_LEVEL_FLOOR_DBFS / 10):
            return None
        tones = [_tone_power(block, table) / power for table in self._tables]
        row, column = (max(range(4), key=part.__getitem__) for part in (tones[:4], tones[4:]))
        weaker, stronger = sorted((tones[row], tones[4 + column]))
        if weaker < _TONE_SHARE or weaker + stronger < _PAIR_SHARE:
            return None
        return KEYPAD[row][column]


_Table = tuple[list[float], list[float]]


def _table(frequency_hz: float, rate_hz: float, length: int) -> _Table:
    step = 2 * math.pi * frequency_hz / rate_hz
    return [math.cos(step * n) for n in range(length)], [math.sin(step * n) for n in range(length)]


def _tone_power(block: array[int], table: _Table) -> float:
    """The mean power that a tone of the table's frequency has in the block."""
    cosine, sine = table
    real, imaginary = sum(map(mul, block, cosine)), sum(map(mul, block, sine))
    return float(2 * (real * real + imaginary * imaginary) / len(block) ** 2)
