"""Intervals of shares and other figures, 95 % each.

Trials on one recording are not independent, so besides Wilson's interval, which takes them to be, recordings are drawn
again as a whole (bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

RESAMPLED = 2000
"""Bootstrap samples."""
Interval = tuple[float, float]


def wilson(count: int, trials: int) -> Interval:
    """Wilson's score interval of the share count / trials; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    z2 = float(norm.ppf(0.975)) ** 2
    share = count / trials
    middle = share + z2 / (2 * trials)
    half = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2)))
    # At the ends the formula is exact, but its rounding isn't.
    low = 0.0 if count == 0 else (middle - half) / (1 + z2 / trials)
    high = 1.0 if count == trials else (middle + half) / (1 + z2 / trials)
    return low, high


def share_by_recordings(hits: Sequence[bool], recordings: Sequence[Hashable], seed: int = 0) -> Interval:
    """The interval of the share of hits when recordings, not trials, are drawn again; (0, 1) without trials."""
    if not hits:
        return 0.0, 1.0
    rows = _rows(recordings)
    counts = np.zeros((rows.max() + 1, 2))
    np.add.at(counts, rows, np.stack([np.asarray(hits, float), np.ones(len(hits))], axis=1))
    drawn = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), RESAMPLED)
    again = drawn @ counts
    low, high = np.percentile(again[:, 0] / again[:, 1], (2.5, 97.5))
    return float(low), float(high)


def share(hits: Sequence[bool], recordings: Sequence[Hashable]) -> Interval:
    """The wider ends of Wilson's interval and of the one by recordings."""
    by_trials, by_recordings = wilson(sum(hits), len(hits)), share_by_recordings(hits, recordings)
    return min(by_trials[0], by_recordings[0]), max(by_trials[1], by_recordings[1])


def by_recordings(
    statistic: Callable[[npt.NDArray[Any]], float],
    values: npt.NDArray[Any],
    recordings: Sequence[Hashable],
    seed: int = 0,
    resampled: int = 500,
) -> Interval:
    """The interval of any statistic of values (n, …) when recordings are drawn again; NaN without values."""
    if not len(values):
        return math.nan, math.nan
    rows = _rows(recordings)
    members = [np.flatnonzero(rows == row) for row in range(rows.max() + 1)]
    rng = np.random.default_rng(seed)
    again = [
        statistic(values[np.concatenate([members[row] for row in rng.integers(len(members), size=len(members))])])
        for _ in range(resampled)
    ]
    low, high = np.nanpercentile(again, (2.5, 97.5)) if np.isfinite(again).any() else (math.nan, math.nan)
    return float(low), float(high)


def _rows(recordings: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """The recordings numbered from 0 on."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in recordings])
