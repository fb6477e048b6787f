"""What score a mark will have in the far field, said before it is played.

The marked stretch is sent through a few synthetic rooms (exponential tails, brown noise) that are always the same, and
scored at its place as the detector would. The mean over the rooms is the prediction.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve, lfilter

from airmark import statistic
from airmark.frames import window
from airmark.keys import Key
from airmark.lags import LagGrid

Real = npt.NDArray[np.float64]

RATE = 16_000
ROOMS = ((0.3, 3.0, 20.0), (0.5, 0.0, 15.0), (0.7, -3.0, 15.0), (0.9, -6.0, 10.0))
"""RT60 in s, direct to reverberant sound in dB, sound to noise in dB."""
TAIL = RATE // 2
"""Samples of a room's response."""


@cache
def _rooms() -> tuple[Real, ...]:
    rng = np.random.default_rng(20)
    time = np.arange(TAIL) / RATE
    responses = []
    for rt60_s, direct_db, _ in ROOMS:
        tail = rng.standard_normal(TAIL) * 10 ** (-3 * time / rt60_s)
        tail[: RATE // 250] = 0
        tail *= np.sqrt(10 ** (-direct_db / 10) / np.sum(tail**2))
        tail[0] = 1
        responses.append(tail)
    return tuple(responses)


@cache
def _noise(length: int) -> Real:
    white = np.random.default_rng(21).standard_normal((len(ROOMS), length))
    brown = np.asarray(lfilter([1], [1, -0.98], white, axis=1))
    noise: Real = brown / np.sqrt(np.mean(brown**2, axis=1, keepdims=True))
    return noise


class Predictor:
    """Predicts scores of marks under one key."""

    def __init__(self, key: Key) -> None:
        """key: the key of the marks."""
        p = key.profile
        self.profile, self.columns, self.grid = p, key.columns, LagGrid(p)
        self.window = window(p.fft)

    def score(self, marked: Real, place: int) -> float:
        """The mean score over the rooms. marked: (n,) at RATE; place: first sample of the mark in it."""
        p = self.profile
        length = p.mark_samples + p.fft
        scores = []
        for i, ((_, _, noise_db), response) in enumerate(zip(ROOMS, _rooms(), strict=True)):
            # Places between the detector's hops: each room sees the mark at another fraction of a hop.
            shift = (i * p.hop) // len(ROOMS) - p.hop // 2
            heard = fftconvolve(marked, response)[: len(marked)]
            start = max(0, place - (p.fft - p.hop) // 2 + shift)
            heard = np.pad(heard[start : start + length], (0, max(0, start + length - len(heard))))
            power = float(np.mean(heard**2)) * 10 ** (-noise_db / 10)
            scores.append(self._score(heard + _noise(length)[i] * np.sqrt(power)))
        return float(np.mean(scores))

    def _score(self, heard: Real) -> float:
        p = self.profile
        stretches = np.lib.stride_tricks.sliding_window_view(heard, p.fft)[:: p.hop][: p.mark_frames]
        spectra = np.fft.rfft(stretches * self.window, axis=1)[:, p.bins.start : p.bins.stop]
        frames = (np.sign(spectra.real) + 1j * np.sign(spectra.imag)).astype(np.complex64)
        values = self.grid.pair_values(self.grid.block_products(frames), 0.0)
        return float(statistic.score(self.grid.gram(values), self.columns))
