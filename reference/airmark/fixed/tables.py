"""The profile's numbers and the constant tables (SPEC 2 and each stage's formulas)."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError

Ints = npt.NDArray[np.int64]

RATE = 16_000
"""Hz, of frames."""
REPETITIONS = 32
BANDS = 4
BLOCK = 4
"""Frames of a block, which is one repetition."""
FFT = 512
HOP = 256
FIRST_BIN = 10
BINS = 231
EDGES = (0, 57, 115, 173, 231)
"""First bin index of each band, and the end."""
LOW_BANDS = 2
"""Bands of the group ``low``."""
RING = 152
"""Frames remembered."""
LAGS = 4
"""Of the screen, in repetitions."""
QUEUE = 4
LOW_HANDICAP = 77
"""Q8, taken off what the lower bands alone say."""
DRIFTS = 17
DRIFT_STEP = 400
"""Q4 ppm."""
PHASES = 64
BETA = 2.5
"""Of the Kaiser window that filters the input."""


class Span(NamedTuple):
    """What is looked for: a whole mark or its first half."""

    name: str
    repetitions: int
    least_level: int
    """Q8, of a candidate."""

    @property
    def length(self) -> int:
        """In frames."""
        return BLOCK * self.repetitions


WHOLE = Span("whole", 32, least_level=576)
HALF = Span("half", 16, least_level=768)


class Rate(NamedTuple):
    """How an input rate is brought to that of frames."""

    hz: int
    numerator: int
    denominator: int
    """Numerator / denominator: of the input's to the frames' rate."""
    taps: int
    phases: int
    delay: int
    """Input samples."""
    cutoff_hz: int

    @property
    def resampled(self) -> bool:
        """Whether there is a filter; otherwise samples pass unchanged."""
        return self.taps > 0

    @property
    def hop(self) -> int:
        """Samples from frame to frame, of those that the frames are made of."""
        return 128 if self.hz == 8_000 else HOP

    @property
    def length(self) -> int:
        """Samples of a frame, likewise."""
        return 2 * self.hop

    @property
    def slots(self) -> tuple[int, int]:
        """Samples after a frame at which its two slots are due, likewise."""
        return (43, 85) if self.hz == 8_000 else (85, 170)

    @property
    def used_bins(self) -> int:
        """How many bins carry something."""
        return 99 if self.hz == 8_000 else BINS

    @property
    def all_bands(self) -> int:
        """How many bands the screen's group ``all`` has."""
        return LOW_BANDS if self.hz == 8_000 else BANDS


RATES = {
    r.hz: r
    for r in (
        Rate(8_000, 1, 2, 0, 1, 0, 0),
        Rate(16_000, 1, 1, 0, 1, 0, 0),
        Rate(32_000, 2, 1, 24, 1, 12, 7_000),
        Rate(44_100, 441, 160, 24, PHASES, 12, 7_000),
        Rate(48_000, 3, 1, 24, 1, 12, 7_000),
    )
}


def rate_of(hz: int) -> Rate:
    """The row of an input rate. Raises AirmarkError where there is none."""
    if hz not in RATES:
        raise AirmarkError(f"the fixed-point detector does not take {hz} Hz: it takes {', '.join(map(str, RATES))}")
    return RATES[hz]


def constant(values: npt.ArrayLike) -> Ints:
    """A read-only table: values rounded, ties to even."""
    table: Ints = np.rint(np.asarray(values)).astype(np.int64)
    table.setflags(write=False)
    return table


@cache
def filters(hz: int) -> Ints:
    """h[p][k], Q15 (SPEC 3): (phases, taps)."""
    rate = rate_of(hz)
    k = np.arange(rate.taps)
    ahead = np.array([0.5]) if rate.phases == 1 else 1 - (np.arange(rate.phases) + 0.5) / rate.phases
    u = k - rate.taps / 2 + ahead[:, None]
    t = 2 * u / rate.taps
    kaiser = np.where(np.abs(t) <= 1, np.i0(BETA * np.sqrt(np.maximum(0, 1 - t * t))) / np.i0(BETA), 0)
    g = np.sinc(2 * u * rate.cutoff_hz / rate.hz) * kaiser
    return constant(32_700 * g / g.sum(axis=1, keepdims=True))


@cache
def window() -> Ints:
    """w[n], Q15 (SPEC 4.2): (512,)."""
    return constant(32_752 * np.sin(np.pi * np.arange(FFT) / FFT))


@cache
def turns() -> Ints:
    """W (SPEC 4.3): c and s of each 512th of a turn, Q15: (2, 512)."""
    angle = 2 * np.pi * np.arange(FFT) / FFT
    return constant(32_767 * np.stack([np.cos(angle), np.sin(angle)]))


@cache
def reversed_digits() -> Ints:
    """rev(i) (SPEC 4.3): the four base-4 digits of i in reverse order: (256,)."""
    i = np.arange(256)
    return constant((i & 3) << 6 | (i >> 2 & 3) << 4 | (i >> 4 & 3) << 2 | i >> 6)


@cache
def inverse_roots() -> Ints:
    """T[i] (SPEC 5.3): (192,)."""
    return constant(2.0**22 / np.sqrt(256.0 * (np.arange(192) + 64) + 128))


def used_bins_of_bands(rate: Rate) -> Ints:
    """n_b (SPEC 2): (bands,)."""
    edges = np.minimum(EDGES, rate.used_bins)
    return constant(np.diff(edges))


@cache
def band_of_bin() -> Ints:
    """The band of each bin index: (231,)."""
    return constant(np.repeat(np.arange(BANDS), np.diff(EDGES)))


def turn(band: int | Ints, lag: int | Ints, drift: int | Ints) -> Any:
    """Index of W that undoes a drift (Q4 ppm) over a lag in repetitions, in 512ths of a turn (SPEC 7.2)."""
    return (lag * drift * slopes()[band] + 2**19 >> 20) % FFT


def quarter(band: int | Ints, lag: int | Ints, drift: int) -> Any:
    """The same in whole quarter turns (SPEC 7.5)."""
    return (lag * drift * slopes()[band] + 2**26 >> 27) % 4


@cache
def slopes() -> Ints:
    """U: what a band's middle turns in a repetition at 1/16 ppm, in 2^-20 of 512ths of a turn (SPEC 7.2): (BANDS,)."""
    bins = FIRST_BIN + (np.array(EDGES[:-1]) + np.array(EDGES[1:]) - 1) / 2
    hertz = bins * RATE / FFT
    return constant(2**20 * FFT * hertz * BLOCK * HOP / RATE / 16 * 1e-6)


@cache
def template_turns(repetitions: int) -> Ints:
    """(c, s) of each q >= 1, band and drift k (SPEC 7.2): (2, R/4 - 1, bands, 17)."""
    q = np.arange(1, repetitions // 4, dtype=np.int64)[:, None, None]
    drift = DRIFT_STEP * (np.arange(DRIFTS, dtype=np.int64) - DRIFTS // 2)
    return constant(turns()[:, turn(np.arange(BANDS)[:, None], 4 * q, drift)])


@cache
def template_scale(repetitions: int, bins: int) -> int:
    """C_g (SPEC 7.3)."""
    return int(constant(2.0**24 / np.sqrt(repetitions * (repetitions - 1) * bins / 2)))


def signs(columns: tuple[int, ...], span: Span) -> Ints:
    """A key's signs over a span, +-1: (R, bands); columns: its four words (SPEC 2)."""
    r = np.arange(REPETITIONS - 1, REPETITIONS - 1 - span.repetitions, -1)
    return constant(1 - 2 * (np.array(columns, np.int64) >> r[:, None] & 1))
