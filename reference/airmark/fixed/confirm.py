"""Confirm (SPEC 8): all pairs of repetitions at one place, the drift undone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from airmark.fixed.frames import WORDS, band_words, popcount
from airmark.fixed.tables import BLOCK, Ints, Rate, turn, turns, used_bins_of_bands


class Band(NamedTuple):
    """The statistics of one band (SPEC 8.2)."""

    q: int
    v: int
    t: int


def pairs(frames: Ints, band: int, drift: int, rate: Rate) -> Ints:
    """c[x][y] of one band (SPEC 8.1), 0 where x >= y: (R, R).

    frames: those of a place, (4 R, WORDS); drift: Q4 ppm.
    """
    assert frames.shape[1] == WORDS
    repetitions = len(frames) // BLOCK
    x, y = np.triu_indices(repetitions, 1)
    # (R, 4 frames and 2 words)
    real, imaginary = np.moveaxis(band_words(frames)[:, :, band], 1, 0).reshape(2, repetitions, 2 * BLOCK)
    a, b, c = real[x] ^ real[y], imaginary[x] ^ imaginary[y], real[y] ^ imaginary[x]
    p = a ^ b
    apart, both, across = (popcount(w).sum(axis=1) for w in (p, a & b, c & p))
    rho = BLOCK * int(used_bins_of_bands(rate)[band]) - apart - 2 * both
    iota = 2 * across - apart
    cos, sin = turns()[:, turn(band, (y - x).astype(np.int64), drift)]
    out = np.zeros((repetitions, repetitions), np.int64)
    out[x, y] = rho * cos - iota * sin + 2**15 >> 16
    return out


def statistics(c: Ints, signs: Ints) -> Band:
    """Q, V and T of a band. c: its pairs; signs: the key's in it, (R,)."""
    # c is 0 on and under the diagonal, so that (c @ c)[x, w] is the sum over the y between x and w.
    return Band(int(signs @ c @ signs), int((c * c).sum()), int(((c @ c) * c).sum()))
