"""Stage 3, template: the energy along the key, for every drift, from the one-bit frames alone.

The frames of a stretch are added up along the key's signs, the drift's phase rounded to quarter turns: on one-bit
data a quarter turn is a swap and a negation, so the sum needs counters and no multiplication. The energy of the sum
holds all lags at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from airmark.frames import Frames
from airmark.lags import LagGrid, Real


class TemplateStage:
    """The energy along a key, standardised as if the frames of unmarked sound were independent."""

    def __init__(self, grid: LagGrid, columns: list[Real], used: npt.NDArray[np.bool_]) -> None:
        """columns: of each key, signs (M bands, R); used: the bins that carry something, (bins,)."""
        p = grid.profile
        self.profile = p
        self.parts = 2 * p.blocks * p.block_frames * int(used.sum())
        bins = np.arange(p.bins.start, p.bins.stop)
        band = np.repeat(np.arange(p.subbands) * p.bands // p.subbands, np.diff(grid.edges))
        seconds = np.arange(p.repetitions) * p.pattern_samples / p.rate
        cycles = np.outer(seconds, bins * p.rate / p.fft)
        drifts = np.asarray(p.drifts_ppm)[:, None, None] * 1e-6
        quarters = np.array([1, 1j, -1, -1j], np.complex64)[np.round(4 * drifts * cycles).astype(int) % 4]
        self.quarters = np.ascontiguousarray(quarters.transpose(2, 0, 1))  # (bins, drifts, R)
        signs = [c.reshape(p.blocks, p.bands, p.repetitions)[:, band].transpose(2, 0, 1) for c in columns]
        self.signs = [s[:, :, None].astype(np.float32) for s in signs]  # (R, M, 1, bins)

    def process(self, frames: Frames, key: int) -> Real:
        """frames: (mark_frames, bins) from the place on; key: its index. Returns the score of each drift, (drifts,)."""
        p = self.profile
        x = frames.reshape(p.repetitions, p.blocks, p.block_frames, len(p.bins)) * self.signs[key]
        by_bin = np.ascontiguousarray(x.transpose(3, 0, 1, 2)).reshape(len(p.bins), p.repetitions, -1)
        # Exact in single precision, as is all that counts signs.
        along = self.quarters @ by_bin
        energy = (along.real**2 + along.imag**2).sum(axis=(0, 2), dtype=np.float64)
        r = p.repetitions
        score: Real = (energy - r * self.parts) / np.sqrt(2 * r * (r - 1) * self.parts)
        return score
