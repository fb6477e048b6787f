"""Golden vectors: what the integer model gives, stage by stage, for sound that any program can make.

``python -m airmark.fixed.vectors DIR`` writes them: a JSON file a case and index.json. tests/vectors/README.md
describes the files; all input is a recipe in integers, so that a microcontroller can make it as it goes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError
from airmark.fixed import NUMERIC_VERSION
from airmark.fixed.detector import DriftTap, FixedDetector, RawDetection, Taps
from airmark.fixed.screen import Candidate
from airmark.fixed.tables import LOW_BANDS

Samples = npt.NDArray[np.int16]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
Columns = tuple[int, int, int, int]

FORMAT = 1
"""Of the files; another number where a reader has to change."""
WORD = 0xFFFFFFFF
FIRST = 8
"""How many values of each stage are in the files."""
STAGES = ("input", "frames", "screen", "candidates", "drift", "place", "confirm", "statistic", "peaks")
"""In the order of AM_TAP_INPUT and so on in airmark_internal.h."""


# Recipes


def xorshift(x: int) -> Iterator[int]:
    """Words of 32 bits after x, without end."""
    while True:
        x ^= x << 13 & WORD
        x ^= x >> 17
        x ^= x << 5 & WORD
        yield x


@cache
def _noise(seed: int, count: int) -> Ints:
    """The upper 16 bits of the first words, signed."""
    words = np.fromiter(xorshift(seed), np.uint32, count)
    return (words >> 16).astype(np.uint16).astype(np.int16).astype(np.int64)


@dataclass(frozen=True)
class Layer:
    """A part of a recipe: what is added to the samples from `start` on."""

    start: int
    length: int

    @property
    def kind(self) -> str:
        """As the files name it."""
        return type(self).__name__.lower()

    def values(self, count: int) -> Ints:
        """Its first values."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Layer):
    """One value; a click where it is one sample long."""

    value: int

    def values(self, count: int) -> Ints:
        """Its first values."""
        return np.full(count, self.value, np.int64)


@dataclass(frozen=True)
class Square(Layer):
    """`high` in the first half of each period, then `low`; step: of 2^32 that are a period, a sample's part."""

    step: int
    high: int
    low: int

    def values(self, count: int) -> Ints:
        """Its first values."""
        phase = np.arange(count, dtype=np.int64) * self.step & WORD
        return np.where(phase >> 31, self.low, self.high).astype(np.int64)


@dataclass(frozen=True)
class Ramp(Layer):
    """A sawtooth: `step` more each sample, the low 16 bits taken as a signed number."""

    first: int
    step: int

    def values(self, count: int) -> Ints:
        """Its first values."""
        sums = self.first + self.step * np.arange(count, dtype=np.int64)
        values: Ints = sums.astype(np.uint16).astype(np.int16).astype(np.int64)
        return values


@dataclass(frozen=True)
class Noise(Layer):
    """White noise of the generator that begins with `seed`; anew each `period` samples, if that is not 0.

    Then only the first `burst` samples of a period are not zero.
    """

    seed: int
    amplitude: int
    period: int = 0
    burst: int = 0

    def values(self, count: int) -> Ints:
        """Its first values."""
        if not self.period:
            return _noise(self.seed, count) * self.amplitude >> 15
        once = np.zeros(self.period, np.int64)
        once[: self.burst] = _noise(self.seed, self.burst) * self.amplitude >> 15
        return np.resize(once, count)


CARRIERS = (76, 191, 306, 423)
"""Periods a repetition of the square tone that brings a band's noise to the band's middle."""
REPETITION = 1024


@dataclass(frozen=True)
class Mark(Layer):
    """A mark without a host: in each band noise that repeats 32 times under the key's signs, on its carrier.

    step: of the repetitions' samples (16 kHz) in a sample of the input, Q16; it sets rate and drift.
    """

    columns: Columns
    seed: int
    amplitudes: Columns
    step: int = 1 << 16

    def values(self, count: int) -> Ints:
        """Its first values."""
        position = np.arange(count, dtype=np.int64) * self.step
        at, part = position >> 16, position >> 4 & 0xFFF
        x = self._whole()
        here, next_one = x[np.minimum(at, len(x) - 1)], x[np.minimum(at + 1, len(x) - 1)]
        values: Ints = here + ((next_one - here) * part >> 12)
        return values

    def _whole(self) -> Ints:
        """All samples at 16 kHz, and a zero."""
        generator = xorshift(self.seed)
        n = np.arange(32 * REPETITION, dtype=np.int64)
        repetition, n = n // REPETITION, n % REPETITION
        total = np.zeros(len(n) + 1, np.int64)
        for band in range(4):
            words = np.array([next(generator) for _ in range(4)], np.int64)
            # A bit of the noise lasts eight samples.
            bit = words[n >> 8] >> (n >> 3 & 31) & 1
            negative = bit ^ n * CARRIERS[band] >> 9 & 1 ^ self.columns[band] >> 31 - repetition & 1
            total[:-1] += np.where(negative, -self.amplitudes[band], self.amplitudes[band])
        return total


def sound(layers: Sequence[Layer], length: int) -> Samples:
    """The samples of a recipe: its layers' sum, limited to 16 bits."""
    total = np.zeros(length, np.int64)
    for layer in layers:
        end = min(length, layer.start + layer.length)
        if end > layer.start:
            total[layer.start : end] += layer.values(end - layer.start)
    return np.clip(total, -32_768, 32_767).astype(np.int16)


# Cases


@dataclass(frozen=True)
class Event:
    """Something done to the detector before sample `at`: a reset, or where there are keys a new one with these."""

    at: int
    keys: tuple[Columns, ...] = ()


@dataclass(frozen=True)
class Case:
    """What a detector is given, and why."""

    name: str
    why: str
    keys: tuple[Columns, ...]
    length: int
    layers: tuple[Layer, ...]
    rate: int = 16_000
    early: bool = False
    threshold_q8: int = 1659
    first_sample: int = 0
    events: tuple[Event, ...] = ()

    def samples(self) -> Samples:
        """Its input."""
        return sound(self.layers, self.length)


@dataclass
class Result:
    """What a detector gives."""

    stages: dict[str, Words]
    """The values of each of STAGES, as words of 32 bits."""
    detections: list[RawDetection] = field(default_factory=list)
    score_q8: int = 0
    """At the end."""
    dropped: int = 0


def run(case: Case, block: int | None = None) -> Result:
    """What the model gives; block: samples a push, all up to the next event where it is None."""
    taps = Taps()
    samples = case.samples()
    options: dict[str, Any] = {
        "early": case.early,
        "threshold_q8": case.threshold_q8,
        "first_sample": case.first_sample,
        "taps": taps,
    }
    detector = FixedDetector(case.keys, case.rate, **options)
    detections = []
    events = {event.at: event for event in case.events}
    for start, end in pairwise([0, *events, case.length]):
        if start in events:
            keys = events[start].keys
            if keys:
                detector = FixedDetector(keys, case.rate, **options)
            else:
                detector.reset()
        for at in range(start, end, block or max(1, end - start)):
            detections += detector.push(samples[at : min(end, at + (block or end))])
    return Result(stages(taps), detections, detector.score_q8, detector.dropped)


def stages(taps: Taps) -> dict[str, Words]:
    """Everything tapped as words of 32 bits, in the order of tests/vectors/README.md."""

    def of_candidate(candidate: Candidate) -> tuple[int, ...]:
        return (candidate.place, candidate.key, candidate.span, candidate.level)

    drifts, places = [], []
    for tap in taps.template:
        if isinstance(tap, DriftTap):
            passed = tap.drift is not None
            drifts.append((*of_candidate(tap.candidate), *tap.all, *tap.low, tap.z, passed, tap.drift or 0))
        else:
            places.append((*of_candidate(tap.candidate), *tap.energies, tap.place, tap.offset))
    # Sums over the bands of a group so far; T has 64 bits, the low word first.
    bands: list[tuple[int, ...]] = []
    q = v = t = 0
    for c in taps.confirm:
        q, v, t = (c.q, c.v, c.t) if c.band % LOW_BANDS == 0 else (q + c.q, v + c.v, t + c.t)
        bands.append((*of_candidate(c.candidate), c.place, c.band, q, v, t & WORD, t >> 32, c.crc))
    scores = [(*of_candidate(s.candidate), s.place, s.score_all, s.score_low, s.score) for s in taps.statistic]
    values: dict[str, Iterator[int]] = {
        "input": iter(taps.input),
        "frames": chain.from_iterable(taps.frames),
        "screen": chain.from_iterable((*tap.blocks, *chain.from_iterable(tap.levels)) for tap in taps.screen),
        "candidates": chain.from_iterable(map(of_candidate, taps.candidates)),
        "drift": chain.from_iterable(drifts),
        "place": chain.from_iterable(places),
        "confirm": chain.from_iterable(bands),
        "statistic": chain.from_iterable(scores),
        "peaks": chain.from_iterable((*of_candidate(p.candidate), p.place, p.new, p.told) for p in taps.peaks),
    }
    return {stage: np.array([int(v) & WORD for v in values[stage]], np.uint32) for stage in STAGES}


@cache
def keys(count: int) -> tuple[Columns, ...]:
    """Keys of these vectors, of random signs."""
    generator = xorshift(0x6B657973)
    return tuple((next(generator), next(generator), next(generator), next(generator)) for _ in range(count))


EVEN = (1500, 1500, 1500, 1500)
MARK = 32 * REPETITION
"""Samples of a mark at 16 kHz."""


def _hiss(length: int, amplitude: int, seed: int = 0x9E3779B9) -> Noise:
    return Noise(0, length, seed, amplitude)


def _with_mark(name: str, why: str, *, start: int = 4000, noise: int = 16_000, **options: Any) -> Case:
    """A mark of the first key in noise; options: of the mark (amplitudes, step) and of the case."""
    step = options.pop("step", 1 << 16)
    amplitudes = options.pop("amplitudes", EVEN)
    of_mark = (MARK << 16) // step
    length = options.pop("length", start + of_mark + options.get("rate", 16_000) // 2)
    mark = Mark(start, of_mark, keys(1)[0], 1, amplitudes, step)
    return Case(name, why, keys(1), length, (_hiss(length, noise), mark), **options)


def _crowd(columns: tuple[Columns, ...], start: int, amplitude: int) -> tuple[Mark, ...]:
    """A mark of each key, one 700 samples after the other."""
    return tuple(Mark(start + 700 * i, MARK, key, 3 + i, (amplitude,) * 4) for i, key in enumerate(columns))


def _near(key: Columns, count: int) -> Columns:
    """The key with so many of its signs turned, all of them in its first half."""
    columns = list(key)
    for i in range(count):
        columns[i % 4] ^= 1 << 31 - 5 * i % 16
    return (columns[0], columns[1], columns[2], columns[3])


def _slow(repetition: int) -> Columns:
    """A key with one negative sign a band: to such keys a sound that repeats is full of marks."""
    word = 1 << 31 - repetition
    return (word, word, word, word)


def _of_queue() -> Iterator[Case]:
    """What becomes of candidates that wait: keys that differ in a few signs make several of a mark."""
    key = keys(8)
    # First halves of two marks at 44.1 kHz, the weaker one two frames earlier, and again after the reset.
    reset, length, half = 74_049, 146_600, 45_158
    layers = [
        Mark(start + at, half, key[5], seed, (amplitude // part,) * 4, 23_772)
        for at, part in ((0, 1), (reset, 2))
        for start, seed, amplitude in ((3935, 1, 1500), (2558, 2, 700))
    ]
    yield Case(
        "crowd-again",
        "a full queue gives up the lowest, the oldest of several, a first one too, but none that is begun; after a "
        "reset the same marks, weaker, are told again, and what was dropped before does not count",
        tuple(_near(key[5], count) for count in (3, 6, 3, 3, 4, 1, 0, 6)),
        length,
        (_hiss(length, 500, 20_035), *layers),
        rate=44_100,
        early=True,
        threshold_q8=1400,
        events=(Event(reset),),
    )
    yield Case(
        "hardly-higher",
        "faint marks of four keys: a begun candidate stays the first where another's level is just 64 above its own",
        key[:4],
        32_571,
        (_hiss(32_571, 4000, 21_325), *_crowd(key[:4], 1000, 600)),
        early=True,
        threshold_q8=1000,
    )
    yield Case(
        "just-too-dear",
        "marks of two keys at 8 kHz: a step of confirm lacks the least for its last thing; who waits keeps its order",
        tuple(_near(key[of], count) for of, count in ((3, 3), (3, 1), (7, 4), (7, 2))),
        20_100,
        (
            _hiss(20_100, 4000, 16_714),
            Mark(787, MARK // 2, key[7], 1, (3000,) * 4, 131_069),
            Mark(811, MARK // 2, key[3], 2, (3000,) * 4, 131_069),
        ),
        rate=8000,
        threshold_q8=1000,
    )
    yield Case(
        "just-too-old",
        "candidates whose turn comes when they are just too old, and when they are just not",
        (_near(key[1], 4), _near(key[1], 6), key[1]),
        21_000,
        (
            _hiss(21_000, 500, 31_219),
            Mark(1115, MARK // 2, key[1], 1, EVEN, 131_072),
            Mark(603, MARK // 2, key[6], 2, EVEN, 131_072),
        ),
        rate=8000,
        threshold_q8=1400,
    )
    yield Case(
        "too-old-at-once",
        "too old before it is begun: the next one is, in the same slot; too old in confirm: that slot is over",
        tuple(_near(key[of], count) for of, count in ((0, 1), (0, 6), (5, 3), (5, 3), (0, 0), (0, 1))),
        43_700,
        (
            _hiss(43_700, 500, 30_069),
            Mark(2466, MARK, key[0], 1, (600,) * 4),
            Mark(1954, MARK, key[5], 2, (600,) * 4),
        ),
        early=True,
        threshold_q8=700,
    )


def _of_limits() -> Iterator[Case]:
    """Where a number is just at a rule's limit."""
    key = keys(8)
    b0, b1, b2, b3 = ((word >> 16) * 0x10001 for word in key[5])
    steady = Mark(659, 22_528, _slow(31), 1, EVEN, 65_524)
    yield Case(
        "half-a-span-apart",
        "to a slow key a sound that repeats is full of marks: one just half a span after the last one told is not new",
        (_slow(0), _slow(18)),
        28_400,
        (_hiss(28_400, 8000, 27_414), replace(steady, start=828, step=65_517)),
        early=True,
        threshold_q8=1400,
    )
    yield Case(
        "places-alike",
        "keys that are slow in the upper bands: at one of many places two pairs of chains differ alike, but in sign",
        tuple((*key[i][:2], *_slow(repetition)[2:]) for i, repetition in enumerate((0, 25, 6))),
        28_400,
        (_hiss(28_400, 2000, 37_165), replace(steady, start=199)),
        early=True,
        threshold_q8=700,
    )
    yield Case(
        "no-skew",
        "slow keys and a sound that repeats in the upper bands: T of the lower ones is below 0, the skew is the least",
        (_slow(9), _slow(23), _slow(22)),
        25_300,
        (_hiss(25_300, 4000, 52_456), Mark(649, 26_624, _slow(31), 1, (0, 0, 300, 300))),
        early=True,
        threshold_q8=700,
    )
    yield Case(
        "half-far",
        "the second half is the first again, which is drowned: told 64 frames after the whole's place, which is not",
        ((b0, b1, b2, b3),),
        39_400,
        (
            _hiss(39_400, 2000, 49_055),
            Mark(145, MARK, (b0, b1, b2, b3), 1, (1100,) * 4, 65_524),
            Noise(145, MARK // 2, 3, 20_000),
        ),
        early=True,
        threshold_q8=1400,
    )


def _only(case: Case) -> RawDetection:
    """The one detection of a case."""
    (found,) = run(case).detections
    return found


@cache
def cases() -> tuple[Case, ...]:
    """All of them. Some depend on what the model gives: a threshold, a length."""
    one, two, eight = keys(1), keys(2), keys(8)
    second = 16_000
    long = 5 * second // 2
    flips = Square(0, long, 1 << 31, 32_767, -32_768)
    plain = _with_mark("mark", "a mark in noise at 16 kHz", threshold_q8=1400)
    score = _only(plain).score_q8
    at_once = _with_mark("window-just-full", "a mark at sample 0, and the last sample is the one that tells", start=0)
    just_full = replace(at_once, length=_only(at_once).at)
    early = _with_mark("early", "a mark told early; its end, found too, is not told again", early=True, noise=8000)
    middle = 4000 + MARK // 2
    after = replace(early.layers[1], start=4000 + MARK + 4000)
    change = 4000 + 3 * MARK // 4
    b0, b1, b2, b3 = ((word >> 16) * 0x10001 for word in one[0])
    of_halves = (b0, b1, b2, b3)
    other_mark = Mark(change + 1000, MARK, two[1], 2, EVEN)
    crowd = _crowd(eight, 3000, 700)
    faint, early_faint = (
        Case(
            f"least-level{name}",
            f"eight faint marks in noise; levels peak at the least that makes a candidate of a {span}, and at one less",
            eight,
            length,
            (Noise(0, length, seed, 16_000), *_crowd(eight, start, amplitude)),
            early=bool(name),
        )
        for name, span, length, seed, start, amplitude in (
            ("", "whole mark", 7900 + MARK + 20_000, 1018, 3266, 450),
            ("-early", "half", 7900 + MARK + 4000, 1571, 3327, 600),
        )
    )
    found = [
        Case("full-scale-flips", "differences that saturate: from -32768 to 32767 and back", one, long, (flips,)),
        Case(
            "slow-flips",
            "a square tone of full scale whose period is no whole number of samples",
            one,
            long,
            (replace(flips, step=0x01234567),),
        ),
        Case("dc", "all differences 0 but the first: silent frames after it", one, long, (Constant(0, long, -32_768),)),
        Case("silence", "silent frames: every sign drawn", two, long, (), early=True, threshold_q8=256),
        Case(
            "one-click",
            "one loud sample: two frames with large differences, faint parts between",
            one,
            long,
            (Constant(20_000, 1, 32_767),),
        ),
        Case("white-noise", "no mark: what the screen says of noise", two, long, (_hiss(long, 32_768),), early=True),
        Case("last-bits", "noise of -1 and 0: the least level", two, long, (_hiss(long, 1),), early=True),
        Case("sawtooth", "a ramp of full scale that wraps", one, long, (Ramp(0, long, -32_768, 977),)),
        Case(
            "zero-bins",
            "a square tone with 16 periods a frame: most bins are faint, many exactly 0",
            one,
            long,
            (Square(0, long, 1 << 27, 8000, -8000),),
        ),
        plain,
        replace(
            plain,
            name="threshold-met",
            why="the threshold is exactly the score: found",
            threshold_q8=score,
        ),
        replace(
            plain,
            name="threshold-missed",
            why="the threshold is the score and 1/256: not found",
            threshold_q8=score + 1,
        ),
        just_full,
        replace(
            just_full,
            name="window-not-full",
            why="the same stream without its last sample: nothing is told",
            length=just_full.length - 1,
        ),
        _with_mark(
            "sample-not-negative",
            "a mark at the first sample of a resampled stream: told at 0, not before",
            start=0,
            rate=48_000,
            step=21_845,
        ),
        replace(
            plain,
            name="sample-2-32",
            why="the number of a sample passes 2^32 within the mark",
            first_sample=2**32 - middle,
        ),
        replace(
            plain,
            name="sample-2-40",
            why="the number of a sample passes 2^40, 2^32 frames, within the mark",
            first_sample=2**40 - middle,
        ),
        _with_mark(
            "sample-2-32-resampled",
            "the same with a ratio that leaves a rest",
            rate=44_100,
            step=23_777,
            first_sample=2**32 - 50_000,
        ),
        early,
        replace(
            early,
            name="reset-in-mid-mark",
            why="a reset in the middle of a mark: that one is not found, the next one is",
            length=early.length + MARK + 4000,
            layers=(_hiss(early.length + MARK + 4000, 8000), early.layers[1], after),
            events=(Event(middle),),
        ),
        Case(
            "key-change",
            "another key in mid-mark, which is a new detector: it counts from first_sample again",
            one,
            change + MARK + 8000,
            (_hiss(change + MARK + 8000, 8000), plain.layers[1], other_mark),
            events=(Event(change, two[1:]),),
            first_sample=1000,
        ),
        Case(
            "two-keys",
            "marks of two keys that overlap",
            two,
            22_000 + MARK,
            (_hiss(22_000 + MARK, 8000), plain.layers[1], replace(other_mark, start=15_000)),
        ),
        Case(
            "displaced",
            "a candidate that is begun gives way to one of a higher level, and is too old when its turn comes again",
            two,
            16_000 + MARK,
            (_hiss(16_000 + MARK, 4000), plain.layers[1], replace(other_mark, start=4150)),
        ),
        Case(
            "kept",
            "the same, but likely when the other comes: it is gone on with, and both are told",
            two,
            16_000 + MARK,
            (_hiss(16_000 + MARK, 4000), plain.layers[1], replace(other_mark, start=6500)),
        ),
        replace(
            plain,
            name="mark-twice",
            why="two marks of a key, one right after the other: each told",
            length=plain.length + MARK,
            layers=(_hiss(plain.length + MARK, 16_000), plain.layers[1], replace(plain.layers[1], start=4000 + MARK)),
        ),
        Case(
            "eight-keys",
            "eight keys' marks at once, halves too: more candidates than the queue holds, some dropped",
            eight,
            16_000 + MARK,
            crowd,
            early=True,
            threshold_q8=700,
        ),
        Case(
            "equals",
            "seven keys alike, whose candidates come at once: the one begun, by then the highest, and three more stay",
            (one[0], *[two[1]] * 7),
            16_000 + MARK,
            (
                _hiss(16_000 + MARK, 2000, 8806),
                Mark(3191, MARK, one[0], 1, (900, 900, 900, 900)),
                Mark(4082, MARK, two[1], 2, EVEN),
            ),
            early=True,
            threshold_q8=700,
        ),
        Case(
            "equal-halves",
            "a key whose second half is its first again: that half is told twice, the whole is not",
            (of_halves,),
            16_000 + MARK,
            (_hiss(16_000 + MARK, 8000), Mark(3000, MARK, of_halves, 1, EVEN)),
            early=True,
            threshold_q8=1200,
        ),
        _with_mark("rate-8000", "a mark at 8 kHz: only the lower bands are there", rate=8000, step=131_072),
        _with_mark("rate-32000", "a mark at 32 kHz: one phase, two samples a step", rate=32_000, step=32_768),
        _with_mark("rate-44100", "a mark at 44.1 kHz: 64 phases", rate=44_100, step=23_777),
        _with_mark("rate-48000", "a mark at 48 kHz: one phase, three samples a step", rate=48_000, step=21_845),
        _with_mark("rate-8000-early", "both spans at 8 kHz", rate=8000, step=131_072, early=True, noise=8000),
        _with_mark("drift-fast", "the receiver's clock runs 107 ppm fast", step=65_529),
        _with_mark(
            "drift-slow",
            "the receiver's clock runs 124 ppm slow; a step of confirm just affords its last thing",
            start=4165,
            step=65_544,
        ),
        _with_mark("drift-far", "215 ppm, beyond the drifts that are looked for", step=65_522, noise=8000),
        faint,
        early_faint,
        _with_mark(
            "just-likely",
            "a faint mark whose level and energy along the key are just enough",
            start=3056,
            amplitudes=(712, 712, 712, 712),
        ),
        _with_mark(
            "just-unlikely",
            "another, of which they lack the least",
            start=3322,
            amplitudes=(650, 650, 650, 650),
        ),
        _with_mark(
            "likely-to-the-end",
            "a faint mark whose energy along the key is just enough at the template's end, too",
            start=3011,
            amplitudes=(671, 671, 671, 671),
        ),
        _with_mark(
            "unlikely-at-the-end",
            "another, which lacks the least there",
            start=3120,
            amplitudes=(668, 668, 668, 668),
        ),
        _with_mark(
            "drifts-alike",
            "a faint mark whose energy is highest at two drifts: the first counts",
            start=3944,
            amplitudes=(862, 862, 862, 862),
            early=True,
            length=3944 + MARK + 4000,
        ),
        _with_mark(
            "low-bands",
            "only the lower bands are marked: their group says more",
            amplitudes=(1300, 1300, 0, 0),
            noise=20_000,
        ),
        _with_mark(
            "too-loud",
            "a mark that is cut off at full scale",
            amplitudes=(12_000, 12_000, 12_000, 12_000),
            noise=32_768,
        ),
        Case(
            "metronome",
            "a hard host: a burst every 1024 samples, the pattern's period, agrees at all lags",
            eight,
            3 * second,
            (_hiss(3 * second, 100), Noise(0, 3 * second, 77, 20_000, REPETITION, 200)),
            early=True,
            threshold_q8=256,
        ),
        Case(
            "loop",
            "a hard host: noise that repeats with the pattern's period, other noise over two repetitions of eight; to "
            "a key with hardly a negative sign it is full of marks, two of which agree alike",
            (*eight[:7], (1, 1, 1, 1)),
            3 * second,
            (
                Noise(0, 3 * second, 78, 20_000, REPETITION, REPETITION),
                Noise(0, 3 * second, 79, 32_000, 8 * REPETITION, 2 * REPETITION),
            ),
            early=True,
            threshold_q8=256,
        ),
        *_of_queue(),
        *_of_limits(),
    ]  # fmt: skip
    return tuple(found)


# Files


def _hex(word: int) -> str:
    return f"0x{word:08X}"


def _hex_keys(of: Sequence[Columns]) -> list[list[str]]:
    return [[_hex(word) for word in column] for column in of]


def signed(words: Words) -> list[int]:
    """The same bits as signed numbers."""
    return [int(v) for v in words.astype(np.uint32).view(np.int32)]


def checksum(words: Words) -> int:
    """CRC32 over the words, each with its low byte first."""
    return crc32(words.astype("<u4").tobytes())


def document(case: Case, result: Result) -> dict[str, Any]:
    """What the file of a case holds."""
    recipe = []
    for layer in case.layers:
        fields = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(layer).items()}
        if isinstance(layer, Mark):
            fields["columns"] = [_hex(word) for word in layer.columns]
        recipe.append({"kind": layer.kind, **fields})
    return {
        "name": case.name,
        "why": case.why,
        "keys": _hex_keys(case.keys),
        "rate": case.rate,
        "early": case.early,
        "threshold_q8": case.threshold_q8,
        "first_sample": case.first_sample,
        "length": case.length,
        "input": recipe,
        "events": [
            {"at": e.at, "do": "init", "keys": _hex_keys(e.keys)} if e.keys else {"at": e.at, "do": "reset"}
            for e in case.events
        ],
        "stages": {
            stage: {"count": len(words), "crc32": _hex(checksum(words)), "first": signed(words[:FIRST])}
            for stage, words in result.stages.items()
        },
        "detections": [detection._asdict() for detection in result.detections],
        "score_q8": result.score_q8,
        "dropped": result.dropped,
    }


def text(value: Any, indent: str = "") -> str:
    """JSON with a line for each layer and stage, and for each innermost list or object."""
    inner = indent + "  "
    parts = list(value.values() if isinstance(value, dict) else value) if isinstance(value, (dict, list)) else []
    if not any(isinstance(part, (dict, list)) for part in parts) and (indent or not isinstance(value, dict)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and ("kind" in value or "crc32" in value):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(name)}: {text(part, inner)}" for name, part in value.items()]
    else:
        lines = [inner + text(part, inner) for part in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), indent + closing])


def files(tell: Callable[[Case], object] = lambda case: None) -> dict[str, str]:
    """Name and text of every file; tell: called after each case."""
    out = {}
    for case in cases():
        out[f"{case.name}.json"] = text(document(case, run(case))) + "\n"
        tell(case)
    index = {
        "numeric_version": NUMERIC_VERSION,
        "format": FORMAT,
        "stages": list(STAGES),
        "cases": [{"file": f"{case.name}.json", "why": case.why} for case in cases()],
    }
    out["index.json"] = text(index) + "\n"
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m airmark.fixed.vectors", description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the files go; it is made where it is missing")
    parser.add_argument("--force", action="store_true", help="overwrite files, and remove those of cases that are gone")
    options = parser.parse_args(argv)
    folder: Path = options.folder
    try:
        existing = sorted(folder.glob("*.json"))
        if existing and not options.force:
            raise AirmarkError(f"{existing[0]} exists already (--force overwrites)")
        made = files()
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (folder / name).write_text(content, encoding="utf-8")
        for path in existing:
            if path.name not in made:
                path.unlink()
    except (AirmarkError, OSError) as error:
        print(f"airmark.fixed.vectors: {error}", file=sys.stderr)
        return 2
    print(f"{len(made)} files, {sum(len(content.encode()) for content in made.values())} bytes in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
