"""Stage 2, gate: a running score from the short lags, at every frame, for next to nothing.

Short lags need no correction for clock drift and little memory. Their score decides, loosely, where the later stages
look; its latest value is the level that ``Detector.score`` shows.
"""

from __future__ import annotations

import numpy as np

from airmark.frames import Frames
from airmark.lags import LagGrid, Real

LAGS = 4
"""Longest lag, in repetitions."""


class GateStage:
    """The self-normalised score over lags 1 to LAGS, for a mark that ends with the newest frame."""

    def __init__(self, grid: LagGrid, columns: list[Real]) -> None:
        """columns: of each key, signs (M bands, R)."""
        p = grid.profile
        self.grid = grid
        self.lags = range(1, min(LAGS, p.repetitions - 1) + 1)
        self.signs = [
            {lag: (c[:, lag:] * c[:, :-lag]).reshape(p.blocks, p.bands, -1).transpose(0, 2, 1) for lag in self.lags}
            for c in columns
        ]
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        p = self.grid.profile
        self.frames = np.zeros((self.lags[-1] * p.pattern_frames + 1, len(p.bins)), np.complex64)
        self.products = np.zeros((p.mark_frames, len(self.lags), p.bands))

    def process(self, frame: Frames) -> Real:
        """Take the next frame (bins,); returns the score of each key, (keys,), 0 where there is only silence."""
        p, t = self.grid.profile, self.grid.profile.pattern_frames
        self.frames = np.roll(self.frames, -1, axis=0)
        self.frames[-1] = frame
        earlier = self.frames[-1 - t * np.arange(1, len(self.lags) + 1)]
        sums = self.grid.subband_sums(frame * earlier.conj())
        self.products = np.roll(self.products, -1, axis=0)
        self.products[-1] = self.grid.band_sums(sums)
        blocks = self.products.reshape(p.repetitions, p.blocks, p.block_frames, len(self.lags), p.bands).sum(axis=2)
        q = np.zeros(len(self.signs))
        power = 0.0
        for i, lag in enumerate(self.lags):
            values = blocks[lag:, :, i].swapaxes(0, 1)  # (M, R - lag, bands)
            power += float((values * values).sum())
            for k, signs in enumerate(self.signs):
                q[k] += (signs[lag] * values).sum()
        return q / np.sqrt(power) if power else q
