"""Screen (SPEC 5): short lags, at every frame: where to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from airmark.fixed.frames import WORDS, band_words, popcount
from airmark.fixed.tables import (
    BANDS,
    BLOCK,
    LAGS,
    LOW_BANDS,
    LOW_HANDICAP,
    Ints,
    Rate,
    Span,
    inverse_roots,
    signs,
    used_bins_of_bands,
)


class Candidate(NamedTuple):
    """A place to look at."""

    place: int
    """Number of a mark's first frame."""
    key: int
    span: int
    """0: whole, 1: half."""
    level: int
    """Q8."""


class Gated(NamedTuple):
    """What the screen says of some frames."""

    blocks: Ints
    """c, (frames, LAGS, BANDS)."""
    levels: Ints
    """Q8, (frames, keys, spans)."""
    candidates: list[tuple[int, Candidate]]
    """Each with the number of the frame after which it is one, in their order."""


class ScreenStage:
    """A running score over lags of 1 to LAGS repetitions, for marks that end with the newest frame."""

    def __init__(self, rate: Rate, columns: Sequence[tuple[int, ...]], spans: Sequence[Span]) -> None:
        """columns: each key's four words; spans: what is looked for."""
        self.rate, self.spans = rate, spans
        self.products_of_signs = [np.stack([_products(signs(c, span)) for c in columns]) for span in spans]
        self.keys = len(columns)
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self.count = 0
        self.words = np.zeros((LAGS * BLOCK, 2, BANDS, 2), np.int64)
        self.products = np.zeros((BLOCK - 1, LAGS, BANDS), np.int64)
        longest = max(span.length for span in self.spans)
        self.values = np.full((longest - BLOCK, LAGS, BANDS), -7, np.int64)
        self.levels = np.zeros((2, self.keys, len(self.spans)), np.int64)

    def process(self, frames: Ints) -> Gated:
        """Take the next frames (frames, WORDS)."""
        count = len(frames)
        assert frames.shape[1] == WORDS
        words = np.concatenate([self.words, band_words(frames)])
        earlier = [words[LAGS * BLOCK - BLOCK * lag :][:count] for lag in range(1, LAGS + 1)]
        apart = popcount(np.stack(earlier, axis=1) ^ words[LAGS * BLOCK :, None]).sum(axis=(2, 4))
        products = np.concatenate([self.products, used_bins_of_bands(self.rate) - apart])
        blocks = sum((products[i:][:count] for i in range(1, BLOCK)), products[:count])
        values = np.concatenate([self.values, 2 * np.clip((blocks + 256 >> 3) - 28, 0, 7) - 7])
        levels = np.stack([self._levels(values, count, s) for s in range(len(self.spans))], axis=2)
        everything = np.concatenate([self.levels, levels])
        candidates = self._candidates(everything)
        self.words, self.products, self.values = words[count:], products[count:], values[count:]
        self.levels = everything[count:]
        self.count += count
        return Gated(blocks, levels, candidates)

    def _levels(self, values: Ints, count: int, index: int) -> Ints:
        """Of one span at the last `count` frames, (count, keys). values: v, (frames, LAGS, BANDS)."""
        span, products = self.spans[index], self.products_of_signs[index]
        # Newest repetition first: (count, LAGS, BANDS, R).
        windows = np.lib.stride_tricks.sliding_window_view(values, span.length - BLOCK + 1, axis=0)[..., ::-BLOCK]
        windows = windows[len(windows) - count :]
        agreement = np.einsum("flbi,klbi->fkb", windows, products)
        power = np.einsum("flbi,flbi,lbi->fb", windows, windows, np.abs(products[0]))
        every = self.rate.all_bands
        of_all = level(agreement[..., :every].sum(axis=-1), power[:, None, :every].sum(axis=-1))
        of_low = level(agreement[..., :LOW_BANDS].sum(axis=-1), power[:, None, :LOW_BANDS].sum(axis=-1))
        levels: Ints = np.maximum(np.maximum(of_all, of_low - LOW_HANDICAP), 0)
        come = self.count + 1 + np.arange(count)
        levels[come < span.length] = 0
        return levels

    def _candidates(self, levels: Ints) -> list[tuple[int, Candidate]]:
        """levels: of two frames before the new ones and of these."""
        earlier, before, newest = (levels[i : len(levels) - 2 + i] for i in range(3))
        least = np.array([span.least_level for span in self.spans])
        found = (newest >= least) & (newest > before) & (newest > earlier)
        places = []
        for i, key, s in np.argwhere(found).tolist():
            frame = self.count + i
            place = frame - (self.spans[s].length - 1)
            places.append((frame, Candidate(place, key, s, int(newest[i, key, s]))))
        return places


def _products(of_key: Ints) -> Ints:
    """s[R-1-i] s[R-1-i-l] of a key's signs (R, BANDS), 0 outside: (LAGS, BANDS, R)."""
    newest_first = of_key[::-1]
    out = np.zeros((LAGS, BANDS, len(of_key)), np.int64)
    for lag in range(1, LAGS + 1):
        out[lag - 1, :, : len(of_key) - lag] = (newest_first[:-lag] * newest_first[lag:]).T
    return out


def level(agreement: Ints, power: Ints) -> Ints:
    """level_g of Q and P (SPEC 5.3), element by element."""
    shift = np.zeros_like(power)
    for _ in range(8):
        shift = np.where(power << 2 * shift < 2**14, shift + 1, shift)
    root = inverse_roots()[(power << 2 * shift >> 8) - 64]
    return np.where(agreement > 0, agreement * root >> 14 - shift, 0)
