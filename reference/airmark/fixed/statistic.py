"""Statistic (SPEC 9): the score of a place, how unlikely the key's agreement is on such a host."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

from airmark.fixed.confirm import Band
from airmark.fixed.tables import HALF, LOW_BANDS, LOW_HANDICAP, Rate, Span

LEAST_SKEW = 4096
"""Q20."""
FREE_LOGARITHM = 2382
"""Of a variance, as handicap counts it: 1.5 times that of random signs (1.45 at 8 kHz)."""
NARROW_LOGARITHM = 313
"""An 8 kHz input has fewer used bins."""
MOST_HOST_HANDICAP = 192
"""Q8."""
HALF_HANDICAP = 102
"""Q8."""


class Scores(NamedTuple):
    """Of a place, Q8."""

    all: int
    low: int
    place: int
    """The place's own: the higher one, handicaps taken off."""


def score(q: int, v: int, t: int) -> int:
    """The score of a group of bands, Q8."""
    if q <= 0 or v == 0:
        return 0
    r = isqrt(v << 20)
    z = (q << 26) // r
    a = (max(t, 0) << 16) // v
    skew = max(98_304 * a // r, LEAST_SKEW)
    y = 2**36 + (z * skew >> 1)
    root = cube_root(y << 21)
    return (root - 2**19) * 3072 // skew + (skew * 10923 >> 28)


def cube_root(v: int) -> int:
    """The greatest integer whose cube is at most v, v below 2^64."""
    root = 0
    for bit in reversed(range(22)):
        if (root | 1 << bit) ** 3 <= v:
            root |= 1 << bit
    return root


def handicap(v: int, span: Span, rate: Rate) -> int:
    """What a place's score is lowered by, Q8: a whole mark's where the host agrees with itself. v: V of all bands."""
    if span is HALF:
        return HALF_HANDICAP
    shifts = max(0, v.bit_length() - 9)
    logarithm = 256 * shifts + (v >> shifts)
    if rate.hz == 8_000:
        logarithm += NARROW_LOGARITHM
    return min(max(0, logarithm - FREE_LOGARITHM), MOST_HOST_HANDICAP)


def scores_of_bands(bands: Sequence[Band], span: Span, rate: Rate) -> Scores:
    """The scores of a place: of all bands, of the lower ones, and what comes of them."""
    groups = [bands, bands[:LOW_BANDS]]
    of_all, of_low = (score(*map(sum, zip(*group, strict=True))) for group in groups)
    lower = handicap(sum(band.v for band in bands), span, rate)
    return Scores(of_all, of_low, max(of_all, of_low - LOW_HANDICAP) - lower)


def agreement(bands: Sequence[Band]) -> int:
    """Q of all bands, 1 at least."""
    return max(1, sum(band.q for band in bands))
