"""What score a mark will have in the far field, said before it is played.

The marked stretch is sent through a few synthetic rooms (exponential tails; brown, pink and white noise), always
the same, and scored at its place as the detector would, in all bands together. The mean is the prediction. How loud the
noise is follows the recording and not the mark: a mark in a pause has more of it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from airmark import statistic
from airmark.frames import Frames, one_bit, window
from airmark.keys import Key
from airmark.lags import LagGrid

Real = npt.NDArray[np.float64]

RATE = 16_000
ROOMS = ((0.3, 3.0), (0.5, 0.0), (0.7, -3.0), (0.9, -6.0))
"""RT60 in s, direct to reverberant sound in dB."""
NOISE_DB = 20.0
"""How far the noise is under the recording."""
TAIL = RATE // 2
"""Samples of a room's response."""
LOWEST_HZ = 50.0
"""Under it no noise grows further."""


@cache
def _rooms() -> tuple[Real, ...]:
    rng = np.random.default_rng(20)
    time = np.arange(TAIL) / RATE
    responses = []
    for rt60_s, direct_db in ROOMS:
        tail = rng.standard_normal(TAIL) * 10 ** (-3 * time / rt60_s)
        tail[: RATE // 250] = 0
        tail *= np.sqrt(10 ** (-direct_db / 10) / np.sum(tail**2))
        tail[0] = 1
        responses.append(tail)
    return tuple(responses)


@cache
def _noises(length: int) -> Real:
    """Brown, pink and white noise of power 1, (3, length)."""
    white = np.random.default_rng(21).standard_normal((3, length))
    spectra = np.fft.rfft(white, axis=1)
    hz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), LOWEST_HZ)
    coloured = np.fft.irfft(spectra / hz ** np.array([[1.0], [0.5], [0.0]]), length, axis=1)
    noises: Real = coloured / np.sqrt(np.mean(coloured**2, axis=1, keepdims=True))
    return noises


class Predictor:
    """Predicts scores of marks under one key."""

    def __init__(self, key: Key) -> None:
        """key: the key of the marks."""
        p = key.profile
        self.profile, self.columns, self.grid = p, key.columns, LagGrid(p)
        self.window = window(p.fft)

    def score(self, marked: Real, place: int, power: float) -> float:
        """The mean score over rooms and noises.

        marked: (n,) at RATE; place: first sample of the mark in it; power: the recording's, where it sounds.
        """
        p = self.profile
        length = p.mark_samples + p.fft
        own = float(np.mean(marked[place : place + p.mark_samples] ** 2))
        scores = []
        for i, response in enumerate(_rooms()):
            # Places between the detector's hops: each room sees the mark at another fraction of a hop.
            shift = (i * p.hop) // len(ROOMS) - p.hop // 2
            heard = fftconvolve(marked, response)[: len(marked)]
            start = max(0, place - (p.fft - p.hop) // 2 + shift)
            heard = np.pad(heard[start : start + length], (0, max(0, start + length - len(heard))))
            # The room changes the level of the whole recording as it does that of the mark.
            louder = float(np.mean(heard**2)) / own if own else 0.0
            level = np.sqrt(power * louder * 10 ** (-NOISE_DB / 10))
            scores += [self._score(heard + noise * level) for noise in _noises(length)]
        return float(np.mean(scores))

    def _score(self, heard: Real) -> float:
        values = self.grid.pair_values(self.grid.block_products(self._frames(heard)), 0.0)
        return float(statistic.score(self.grid.gram(values), self.columns))

    def _frames(self, heard: Real) -> Frames:
        """The detector's first frames, with 0 for what it would draw: that is worth nothing in the mean."""
        p = self.profile
        differences = np.diff(heard, prepend=0.0)  # The window is 0 on the first, whose predecessor is cut off.
        stretches = np.lib.stride_tricks.sliding_window_view(differences, p.fft)[:: p.hop][: p.mark_frames]
        spectra = np.fft.rfft(stretches * self.window, axis=1)[:, p.bins.start : p.bins.stop]
        return one_bit(spectra, np.ones(len(p.bins), bool), 0.0)
