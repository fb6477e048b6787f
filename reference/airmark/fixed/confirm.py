"""Confirm (SPEC 8): all pairs of repetitions at one place, the drift undone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from airmark.fixed.frames import unpack
from airmark.fixed.tables import BANDS, BLOCK, EDGES, Ints, Rate, Span, turn, turns

ROWS = 8
"""Of a block of pairs."""
MOST = 1450
"""What a step may cost; here and below in the units of SPEC 8.3."""
NARROW_COST = 30
"""So much less at 8 kHz."""
BLOCK_COST = 49
ROW_COST = 13
PAIR_COST = 9
TURNED_PAIR_COST = 17
STATISTICS_ROW_COST = 11
SCORE_COST = 215


class Band(NamedTuple):
    """The statistics of one band (SPEC 8.2)."""

    q: int
    v: int
    t: int


def next_quarter(t: Ints) -> Ints:
    """a of turns t: the next quarter turn (SPEC 8.1)."""
    return (t + 64 >> 7) % 4


def off_quarter(t: Ints) -> npt.NDArray[np.bool_]:
    """Which turns are over 31.6 degrees from a quarter turn (SPEC 8.1)."""
    return (t + 45) % 128 > 90


def pairs(frames: Ints, band: int, drift: int, rate: Rate) -> Ints:
    """c[x][y] of one band (SPEC 8.1), 0 unless x < y: (R, R).

    frames: those of a place, (4 R, WORDS); drift: Q4 ppm.
    """
    repetitions = len(frames) // BLOCK
    used = slice(EDGES[band], max(EDGES[band], min(EDGES[band + 1], rate.used_bins)))
    parts = 1 - 2 * unpack(frames)[..., used]
    real, imaginary = parts[:, 0].reshape(repetitions, -1), parts[:, 1].reshape(repetitions, -1)
    x, y = np.triu_indices(repetitions, 1)
    # Sums of an even number of +-1.
    rho = (real @ real.T + imaginary @ imaginary.T >> 1)[x, y]
    iota = (real @ imaginary.T - imaginary @ real.T >> 1)[x, y]
    t = turn(band, (y - x).astype(np.int64), drift)
    cos, sin = turns()[:, t]
    v = np.choose(next_quarter(t), [rho, -iota, -rho, iota])
    out = np.zeros((repetitions, repetitions), np.int64)
    out[x, y] = np.where(off_quarter(t), rho * cos - iota * sin + 2**15 >> 16, v + 1 >> 1)
    return out


def in_order(c: Ints) -> bytes:
    """The pairs x < y of a band, by x and then by y, a byte each."""
    return c[np.triu_indices(len(c), 1)].astype(np.int8).tobytes()


def statistics(c: Ints, signs: Ints) -> Band:
    """Q, V and T of a band (SPEC 8.2). c: its pairs; signs: the key's in the band, (R,)."""
    # Nothing is on or under the diagonal, so that (c @ c)[x, w] is the sum over the y between x and w.
    return Band(int(signs @ c @ signs), int((c * c).sum()), int(((c @ c) * c).sum()))


def schedule(span: Span, drift: int, rate: Rate) -> list[list[int]]:
    """The steps (SPEC 8.3) of a place: of each the bands whose statistics it ends, most often none."""
    repetitions = span.repetitions
    lags = np.arange(repetitions, dtype=np.int64)
    done: list[list[int]] = [[]]
    most = MOST if rate.all_bands == BANDS else MOST - NARROW_COST
    cost = 0

    def take(*costs: int) -> None:
        """Do a thing whose cost comes last; to go on with it in another step costs what comes before, too."""
        nonlocal cost
        cost += costs[-1]
        if cost > most:
            done.append([])
            cost = sum(costs)

    for band in range(rate.all_bands):
        of_pair = np.where(off_quarter(turn(band, lags, drift)), TURNED_PAIR_COST, PAIR_COST).tolist()
        for first in range(0, repetitions, ROWS):
            take(BLOCK_COST)
            for y in range(first + 1, repetitions):
                take(BLOCK_COST, ROW_COST)
                for x in range(first, min(first + ROWS, y)):
                    take(BLOCK_COST, ROW_COST, of_pair[y - x])
        for others in range(repetitions - 1, 0, -1):
            take((27 * others**2 >> 8) + STATISTICS_ROW_COST)
        done[-1].append(band)
    take(SCORE_COST)
    return done
