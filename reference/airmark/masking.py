"""What the host hides: its spectrum, spread over frequency, held down before attacks.

The level of a bin is the host's power spread over half-Bark bands. The slopes are steeper than those of simultaneous
masking (27 dB a Bark towards low frequencies, about 15 towards high ones): at the same score in rooms that was worth
0.16 PESQ on speech, which hears noise in the valleys between formants. The loud parts of a frame's spectrum give a
little to the weak ones, where as much energy hides and more bins carry it (another 0.1 PESQ, 2 dB less energy).
Within a frame the level follows the quietest moment rather than the mean, because noise that sounds before an attack
is heard; what follows a loud moment is hidden for a while. Where the host is digital silence the level is zero.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError, is_number

Real = npt.NDArray[np.float64]

RATE = 16_000
"""Hz; marks are made at this rate, whatever the host's."""
LOUDEST_DB = -6.0
"""Highest strength that may be asked for, and of ``auto``: 8 of 1,000 marks stood there, the others needed less or
were heard before (Zimtohrli under 4.95)."""
QUIETEST_DB = -60.0
"""Strength below which a mark is lost in rounding; none asked for may be lower."""
SLOPE_DB = 60.0
"""Fall of the level towards lower and higher frequencies, dB a Bark."""
FLATTENING = 0.15
"""Share, in dB, by which a bin's level is drawn to the mean of its frame."""
MOMENT = 128
"""Samples of a moment (8 ms): shorter than what is heard as pre-echo."""
MOMENT_STEP = MOMENT // 2
AFTER_DB_A_MS = 0.35
"""Fall of masking after a loud moment, dB a millisecond."""
AFTER_MOMENTS = 8
"""Moments over which that is followed, so that the level at a place depends on a bounded stretch before it."""
QUIETEST_GAIN = 2.0
"""Power by which the level may exceed the quietest moment's."""
MOMENT_EDGES_HZ = (0.0, 300.0, 800.0, 1600.0, 3000.0, 5000.0, RATE / 2 + 1)
"""Bands in which moments are compared."""
HISTORY = MOMENT_STEP * AFTER_MOMENTS
"""Samples needed before the first frame."""


def bark(hz: Real) -> Real:
    """Critical-band rate (Zwicker and Terhardt 1980). hz: any shape; returns the same shape, Bark."""
    return np.asarray(13 * np.arctan(0.00076 * hz) + 3.5 * np.arctan((hz / 7500) ** 2))


@cache
def _spreading(frame: int) -> tuple[npt.NDArray[np.int64], Real]:
    """Half-Bark band of every bin (bins,), and the matrix from band power to level a bin (bands, bands)."""
    band = (2 * bark(np.arange(frame // 2 + 1) * RATE / frame)).astype(np.int64)
    band = np.unique(band, return_inverse=True)[1]
    count = np.bincount(band)
    centre = np.arange(len(count)) / 2
    spread = 10 ** (-SLOPE_DB * np.abs(centre[None, :] - centre[:, None]) / 10)
    return band, spread / spread.sum(axis=0) / count


@cache
def _moment_sums() -> Real:
    hz = np.arange(MOMENT // 2 + 1) * RATE / MOMENT
    edges = np.asarray(MOMENT_EDGES_HZ)
    return ((hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])).astype(np.float64)


def levels(host: Real, first: int, count: int, window: Real, spectra: npt.NDArray[np.complex128]) -> Real:
    """The level of every bin of every frame: power per bin, on the scale of ``spectra``.

    host: (n,) at RATE, with HISTORY samples before ``first`` and a whole frame from the last frame's start. Frames
    start at first + t hop, t < count, with hop half the window's length. spectra: (count, bins), the windowed host's.
    Returns (count, bins).
    """
    frame = len(window)
    hop = frame // 2
    band, spread = _spreading(frame)
    power = np.abs(spectra) ** 2
    banded = np.add.reduceat(power, np.flatnonzero(np.diff(band, prepend=-1)), axis=1)
    smooth = (banded @ spread)[:, band]
    hz = np.arange(frame // 2 + 1) * RATE / frame
    mean = smooth[:, hz >= MOMENT_EDGES_HZ[1]].mean(axis=1, keepdims=True)
    smooth = smooth ** (1 - FLATTENING) * mean**FLATTENING
    moments = _moment_powers(host[first - HISTORY : first + (count - 1) * hop + frame])
    fall = 10 ** (-AFTER_DB_A_MS * 1e3 * MOMENT_STEP / RATE / 10)
    held = moments.copy()
    for back in range(1, AFTER_MOMENTS + 1):
        held[back:] = np.maximum(held[back:], moments[:-back] * fall**back)
    inside = frame // MOMENT_STEP - 1
    starts = AFTER_MOMENTS + np.arange(count) * (hop // MOMENT_STEP)
    index = starts[:, None] + np.arange(inside)
    usual = moments[index].mean(axis=1)
    quietest = QUIETEST_GAIN * held[index].min(axis=1)
    factor = np.minimum(1.0, np.divide(quietest, usual, out=np.zeros_like(usual), where=usual > 0))
    level: Real = smooth * factor[:, np.searchsorted(MOMENT_EDGES_HZ, hz, side="right") - 1]
    return level


def _moment_powers(host: Real) -> Real:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MOMENT) / MOMENT)
    moments = np.lib.stride_tricks.sliding_window_view(host, MOMENT)[::MOMENT_STEP] * window
    powers: Real = (np.abs(np.fft.rfft(moments, axis=1)) ** 2) @ _moment_sums()
    return powers


def check_strength(strength: float | None, auto: str = "None for auto") -> None:
    """Raises AirmarkError for a strength, dB relative to the level, that is audible, none at all or no number.

    auto: how one asks for auto, which is None here; empty: one can't.
    """
    if strength is None and auto:
        return
    instead = f", or {auto}" if auto else ""
    if strength is None or not is_number(strength) or math.isnan(strength):
        limits = f"{QUIETEST_DB:g} to {LOUDEST_DB:g} dB"
        raise AirmarkError(f"a strength of {strength} is not a number: give {limits}{instead}")
    if strength > LOUDEST_DB:
        raise AirmarkError(f"a strength of {strength:g} dB is audible: give at most {LOUDEST_DB:g}{instead}")
    if strength < QUIETEST_DB:
        raise AirmarkError(
            f"a strength of {strength:g} dB leaves nothing to find: give {QUIETEST_DB:g} to {LOUDEST_DB:g}"
        )
