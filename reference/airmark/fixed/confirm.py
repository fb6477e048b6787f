"""Confirm (SPEC 8): all pairs of rows at one place, the drift undone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from airmark.fixed.frames import unpack
from airmark.fixed.tables import BLOCK, EDGES, Ints, Rate, turn, turns

ROWS = 16
STEPS_A_BAND = 5
FRAMES = 10
"""That come while a place is looked at."""


class Band(NamedTuple):
    """The statistics of one band (SPEC 8.3)."""

    q: int
    v: int
    t: int


def rows(frames: Ints, band: int, signs: Ints, rate: Rate) -> Ints:
    """Z of one band (SPEC 8.1): (ROWS, BLOCK, 2 strings, used lanes) of -1, 0, 1.

    frames: those of a place, (4 R, WORDS); signs: the key's in the band, (R,).
    """
    used = slice(EDGES[band], max(EDGES[band], min(EDGES[band + 1], rate.used_bins)))
    parts = 1 - 2 * unpack(frames)[..., used]
    merged = len(signs) // ROWS
    turned = parts.reshape(ROWS, merged, BLOCK, 2, -1) * signs.reshape(ROWS, merged, 1, 1, 1)
    # As the first repetition has it.
    z: Ints = turned.sum(axis=1) // merged * signs[::merged, None, None, None]
    return z


def pairs(z: Ints, band: int, drift: int, merged: int) -> Ints:
    """c[x][y] of one band (SPEC 8.2), 0 where x > y, and on the diagonal d[x] or 0 (8.3): (ROWS, ROWS).

    z: of rows; drift: Q4 ppm; merged: repetitions that a row is the mean of.
    """
    real, imaginary = z[:, :, 0].reshape(ROWS, -1), z[:, :, 1].reshape(ROWS, -1)
    rho = real @ real.T + imaginary @ imaginary.T
    iota = real @ imaginary.T - imaginary @ real.T
    x, y = np.triu_indices(ROWS, 1)
    cos, sin = turns()[:, turn(band, merged * (y - x).astype(np.int64), drift)]
    out = np.zeros((ROWS, ROWS), np.int64)
    out[x, y] = rho[x, y] * cos - iota[x, y] * sin + 2**14 >> 15
    if merged > 1:
        # Of 8 n_b parts half are 0 by chance.
        out[np.diag_indices(ROWS)] = np.abs(z).sum(axis=(1, 2, 3)) - z[0].size // 2 + 1 >> 1
    return out


def statistics(c: Ints, signs: Ints) -> Band:
    """Q, V and T of a band (SPEC 8.3). c: its pairs; signs: of its rows, (ROWS,)."""
    above = np.triu(c, 1)
    # Nothing is on or under the diagonal, so that (above @ above)[x, w] is the sum over the y between x and w.
    return Band(int(signs @ c @ signs), int((c * c).sum()), int(((above @ above) * above).sum()))
