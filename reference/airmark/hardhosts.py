"""Hosts that repeat themselves: sounds, made here, that come as near to a mark as sound without one can.

Each is at 16 kHz on a 16-bit grid. T is the pattern's length, of which the default profile's block is as long.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.signal import chirp, max_len_seq

from airmark import audio
from airmark.assets import data_path
from airmark.profile import profile

Signal = npt.NDArray[np.float64]
Samples = npt.NDArray[np.int64]
"""Sample numbers."""

RATE = 16_000
SECONDS = 12.0
SPEECH = "speech/libri_F_2007_2817.flac"
PERIODS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0)
"""Of loops, in T."""
DIALLED = "150915905159"
DTMF = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "0": (941, 1336)}


def names() -> list[str]:
    """The hosts that ``make`` makes."""
    return list(_table())


def make(name: str, seconds: float = SECONDS) -> Signal:
    """The host of that name, (n,) of full scale 1 at RATE."""
    samples = _table()[name](np.arange(round(seconds * RATE)))
    return np.asarray(np.round(np.clip(samples, -1, 1) * 32767) / 32768)


Maker = Callable[[Samples], Signal]


def _table() -> dict[str, Maker]:
    """The hosts as functions of the sample number."""
    pattern = profile().pattern_samples
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 32 * pattern)
    quiet_noise = rng.uniform(-0.5, 0.5, round(SECONDS * RATE))
    table: dict[str, Maker] = {"digital silence": lambda n: np.zeros(len(n))}
    table["white noise"] = partial(_loop, quiet_noise)
    for hz in (100, 440, 1000, 3000):
        table[f"tone of {hz} Hz"] = partial(_tone, hz)
    for hz in (50, 60, 200):
        table[f"hum of {hz} Hz with all harmonics"] = partial(_buzz, hz)
    for hz in (100, 1000):
        table[f"clipped square of {hz} Hz"] = partial(_square, hz)
    for blocks in range(7, 17):
        table[f"hum gated every {blocks} T"] = partial(_gated_buzz, 200, blocks * pattern)
        table[f"metronome every {blocks} T"] = partial(_clicks, noise[:640], blocks * pattern)
    for period in PERIODS:
        length = round(period * pattern)
        table[f"hum gated every {period:.3g} T"] = partial(_gated_buzz, 200, length)
        table[f"loop of noise of {period:.3g} T"] = partial(_loop, noise[:length])
        table[f"loop of speech of {period:.3g} T"] = partial(_speech_loop, length)
    table["siren, a sweep up and down every 1 s"] = partial(_siren, RATE)
    table["siren, a sweep up and down every 16 T"] = partial(_siren, 16 * pattern)
    table["telephone keys, 80 ms each with pauses"] = partial(_dtmf, 1280, DIALLED)
    table["telephone keys, T each with pauses"] = partial(_dtmf, pattern, DIALLED)
    table["telephone key held down"] = partial(_dtmf, 1 << 40, "5")
    table["sweep over the band in 12 s"] = partial(_sweep, 12 * RATE)
    table["sweep over the band every 4 T"] = partial(_sweep, 4 * pattern)
    mls = 0.8 * max_len_seq(10)[0] - 0.4
    table["maximum length sequence of 1023"] = partial(_loop, mls)
    table["maximum length sequence of 1023 every 1024"] = partial(_loop, np.append(mls, 0))
    for total in (1024, 512):
        a, b = _golay(total)
        pause = np.zeros(total)
        table[f"Golay pair of {total} in turn"] = partial(_loop, np.concatenate([a, b]))
        table[f"Golay pair of {total} with pauses"] = partial(_loop, np.concatenate([a, pause, b, pause]))
    click = np.array([0.9])
    table["silence with a click every second"] = partial(_clicks, click, RATE)
    table["silence with a click every T"] = partial(_clicks, click, pattern)
    table["silence with a click every 7.5 T"] = partial(_clicks, click, round(7.5 * pattern))
    return table


def _loop(shape: Signal, n: Samples) -> Signal:
    return shape[n % len(shape)]


def _tone(hz: float, n: Samples) -> Signal:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * n / RATE))


def _square(hz: float, n: Samples) -> Signal:
    return np.asarray(2 * np.sign(_tone(hz, n)))


def _buzz(hz: float, n: Samples) -> Signal:
    """All harmonics up to 7,800 Hz, equally strong, in phases that keep the peak low (Schroeder's)."""
    harmonics = np.arange(1, int(7800 / hz) + 1)
    phases = np.pi * harmonics**2 / len(harmonics)
    total = sum(np.sin(2 * np.pi * hz * k * n / RATE + phase) for k, phase in zip(harmonics, phases, strict=True))
    return np.asarray(0.4 * total / np.sqrt(len(harmonics)))


def _gated_buzz(hz: float, period: int, n: Samples) -> Signal:
    return _buzz(hz, n) * (n % period < period / 2)


def _clicks(shape: Signal, period: int, n: Samples) -> Signal:
    at = n % period
    length = len(shape)
    return np.where(at < length, shape[np.minimum(at, length - 1)] * np.exp(-5 * at / length), 0.0)


def _speech_loop(period: int, n: Samples) -> Signal:
    return _loop(audio.read(data_path(SPEECH)).samples[RATE : RATE + period, 0], n)


def _siren(period: int, n: Samples) -> Signal:
    """600 to 1,500 Hz and back, with harmonics."""
    hz = 1050 - 450 * np.cos(2 * np.pi * n / period)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return np.asarray(sum(0.3 / k * np.sin(k * phase) for k in range(1, 5)))


def _sweep(period: int, n: Samples) -> Signal:
    seconds = period / RATE
    return np.asarray(0.5 * chirp(n % period / RATE, 100, seconds, 7800, "logarithmic"))


def _dtmf(length: int, digits: str, n: Samples) -> Signal:
    place = n // length
    pairs = np.array([DTMF[digit] for digit in digits])[place // 2 % len(digits)]
    on = place % 2 == 0
    return np.asarray(0.3 * on * np.sin(2 * np.pi * pairs * n[:, None] / RATE).sum(axis=1))


def _golay(length: int) -> tuple[Signal, Signal]:
    a = b = np.full(1, 0.4)
    while len(a) < length:
        a, b = np.concatenate([a, b]), np.concatenate([a, -b])
    return a, b
