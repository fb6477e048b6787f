"""Lag products: the received frames compared with themselves one or more repetitions earlier.

``D[t, l, b]`` is the sum over the bins of sub-band b of frame t times the conjugate of frame t - l T. Added up over a
block's frames it is an element of the Gram matrix over repetitions; its phase is what clock drift turns.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from airmark.frames import Frames
from airmark.profile import Profile

Products = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]


class LagGrid:
    """Index tables of a profile: which bins make a sub-band, which lag products make a Gram matrix."""

    def __init__(self, profile: Profile) -> None:
        """profile: the frame grid and the mark's shape."""
        self.profile = profile
        self.edges = np.linspace(0, len(profile.bins), profile.subbands + 1).astype(int)
        if profile.subbands % profile.bands:
            raise ValueError("the sub-bands must divide the bands evenly")

    @cached_property
    def pairs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Earlier and later repetition of every pair, each (R (R - 1) / 2,)."""
        earlier, later = np.triu_indices(self.profile.repetitions, 1)
        return earlier, later

    @cached_property
    def _by_lag(self) -> npt.NDArray[np.int64]:
        earlier, later = self.pairs
        return np.argsort(later - earlier, kind="stable")

    @cached_property
    def _lag_starts(self) -> npt.NDArray[np.int64]:
        r = self.profile.repetitions
        return np.concatenate([[0], np.cumsum(r - np.arange(1, r - 1))]).astype(np.int64)

    @cached_property
    def frequencies_hz(self) -> Real:
        """Middle frequency of each sub-band, (subbands,)."""
        p = self.profile
        middle: Real = (p.bins.start + (self.edges[:-1] + self.edges[1:] - 1) / 2) * p.rate / p.fft
        return middle

    def turns(self, lag: npt.NDArray[np.int64], drifts_ppm: npt.ArrayLike) -> Products:
        """Phase factors that undo a drift. lag: (lags,) in repetitions; returns (drifts, lags, subbands).

        A receiver whose clock runs fast by e takes T (1 + e) of its samples for a repetition: what is found T later is
        e T too early in the pattern, and its phase lags by 2 pi f e T.
        """
        seconds = lag * self.profile.pattern_samples / self.profile.rate
        drift = np.atleast_1d(np.asarray(drifts_ppm, dtype=np.float64)) * 1e-6
        turns: Products = np.exp(2j * np.pi * drift[:, None, None] * seconds[:, None] * self.frequencies_hz)
        return turns

    def subband_sums(self, products: npt.NDArray[np.complex64]) -> Products:
        """Products (..., bins) added up over the sub-bands: (..., subbands). Exact: all terms are small integers."""
        sums: Products = np.add.reduceat(products, self.edges[:-1], axis=-1).astype(np.complex128)
        return sums

    def band_sums(self, products: Products) -> Real:
        """Turned products (..., subbands): their real parts added up over each band of the key, (..., bands)."""
        p = self.profile
        sums: Real = products.real.reshape(*products.shape[:-1], p.bands, p.subbands // p.bands).sum(axis=-1)
        return sums

    def signs_of_pairs(self, columns: Real) -> Real:
        """Products of a key's signs for every pair. columns: (M bands, R); returns (M bands, pairs)."""
        earlier, later = self.pairs
        return columns[:, earlier] * columns[:, later]

    def block_products(self, frames: Frames) -> Products:
        """Products of all pairs of repetitions of a stretch one mark long.

        frames: (mark_frames, bins). Returns (M, pairs, subbands): for each block, later times conjugate of earlier.
        Exact in single precision: all terms are small integers.
        """
        p = self.profile
        earlier, later = self.pairs
        x = frames.reshape(p.repetitions, p.blocks, p.block_frames, len(p.bins)).transpose(1, 2, 0, 3)
        out = np.empty((p.blocks, len(earlier), p.subbands), np.complex64)
        for b, (lo, hi) in enumerate(zip(self.edges[:-1], self.edges[1:], strict=True)):
            # A frame of a block at a time: for larger products OpenBLAS wakes its threads, at a hundred times the cost.
            y = np.ascontiguousarray(x[..., lo:hi])
            out[:, :, b] = (y @ y.conj().swapaxes(2, 3)).sum(axis=1)[:, later, earlier]
        return out.astype(np.complex128)

    def lag_sums(self, products: Products, signs: Real) -> Products:
        """Products (M, pairs, subbands) times signs (M bands, pairs), added up over blocks and the pairs of a lag.

        Returns (R - 1, subbands), lag 1 first.
        """
        p = self.profile
        wide = signs.reshape(p.blocks, p.bands, -1).repeat(p.subbands // p.bands, axis=1).swapaxes(1, 2)
        summed = (products * wide).sum(axis=0)[self._by_lag]
        sums: Products = np.add.reduceat(summed, self._lag_starts, axis=0)
        return sums

    def pair_values(self, products: Products, drift_ppm: float) -> Real:
        """Products (M, pairs, subbands) with the drift undone: real (M bands, pairs)."""
        earlier, later = self.pairs
        turns = self.turns(np.arange(1, self.profile.repetitions), drift_ppm)[0]
        values = self.band_sums(products * turns[later - earlier - 1])  # (M, pairs, bands)
        columns: Real = values.swapaxes(1, 2).reshape(-1, len(earlier))
        return columns

    def gram(self, values: Real) -> Real:
        """Pair values (..., columns, pairs) as symmetric matrices of zero diagonal, (..., columns, R, R)."""
        earlier, later = self.pairs
        r = self.profile.repetitions
        out = np.zeros((*values.shape[:-1], r, r))
        out[..., earlier, later] = out[..., later, earlier] = values
        return out
