"""Stage 2, screen: a running score from the short lags, at every frame, for next to nothing.

Short lags need no correction for clock drift and little memory. Their score decides, loosely, where the later stages
look; its latest value is the level that ``Detector.score`` shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from airmark.frames import Frames
from airmark.lags import LagGrid, Real

LAGS = 4
"""Longest lag, in repetitions."""


class ScreenStage:
    """The self-normalised score over lags 1 to LAGS, for a mark that ends with the newest frame."""

    def __init__(self, grid: LagGrid, columns: list[Real]) -> None:
        """columns: of each key, signs (M bands, R)."""
        p = grid.profile
        self.grid = grid
        self.lags = range(1, min(LAGS, p.repetitions - 1) + 1)
        inside = np.arange(p.repetitions)[:, None] >= self.lags  # (R, lags)
        self.inside = np.broadcast_to(inside[:, None, :, None], (p.repetitions, p.blocks, len(self.lags), p.bands))
        signs = []
        for c in columns:
            rows = c.T.reshape(p.repetitions, p.blocks, 1, p.bands)
            # What comes round from the end is not inside.
            signs.append(np.concatenate([rows * np.roll(rows, lag, axis=0) for lag in self.lags], axis=2) * self.inside)
        self.signs = np.stack(signs).reshape(len(columns), -1)
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        p = self.grid.profile
        # Rings written twice, half their length apart, so that all that counts is one slice.
        self.frames = np.zeros((2, self.lags[-1] * p.pattern_frames + 1, len(p.bins)), np.complex64)
        self.blocks = np.zeros((2, p.mark_frames, len(self.lags), p.bands))
        self.products = np.zeros((p.block_frames, len(self.lags), p.bands))
        self.count = 0

    def process(self, frame: Frames) -> Real:
        """Take the next frame (bins,); returns the score of each key, (keys,), 0 where there is only silence."""
        p = self.grid.profile
        frames = _put(self.frames, self.count, frame)
        earlier = frames[len(frames) - 1 - p.pattern_frames :: -p.pattern_frames]
        sums = self.grid.subband_sums(frame * earlier.conj())
        self.products[self.count % p.block_frames] = self.grid.band_sums(sums)
        ended = _put(self.blocks, self.count, self.products.sum(axis=0))
        self.count += 1
        blocks = ended[p.block_frames - 1 :: p.block_frames].reshape(self.inside.shape) * self.inside
        values = blocks.ravel()
        q: Real = self.signs @ values
        power = values @ values
        return q / np.sqrt(power) if power else q


def _put(ring: npt.NDArray[Any], count: int, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Write item number ``count`` into a ring (2, length, ...); returns the last ``length`` items, oldest first."""
    length = ring.shape[1]
    slot = count % length
    ring[:, slot] = value
    last: npt.NDArray[Any] = ring.reshape(2 * length, *ring.shape[2:])[slot + 1 : slot + 1 + length]
    return last
