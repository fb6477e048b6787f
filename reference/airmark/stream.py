"""The causal pattern and the live embedder: marks sound while it plays.

Frames of 16 ms are marked one by one. The pattern of a repetition comes from the component along the key of what was
played already, host and mark; the first one's is noise. Everything that depends on the size of the caller's blocks is
kept out: sound is worked on in pieces of one size, so the same samples come out however they are pushed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal.windows import kaiser

from airmark import masking
from airmark.audio import check_channels, check_loudest, check_rate, checked
from airmark.errors import AirmarkError
from airmark.grid import Grid, Spectra
from airmark.keys import Key, check_key
from airmark.limiter import REACH_S, without_clipping
from airmark.pattern import LOUDNESS, RAMP, SHORT_FRAME, emphasis, hidden, noise_phases, unit

Real = npt.NDArray[np.float64]

FRAME = SHORT_FRAME
"""Samples of the causal embedder's frame, 16 ms: what it looks ahead."""
LIVE_DB = -9.25
"""Strength of the live embedder, which can't judge a mark before it is played."""
AGREED_POWER = 0.4
"""What a bin gets of the mark's power where the repetitions agree as much as chance has it, or where it was silent."""
LEAST_POWER = 0.04
"""What it gets besides, and all it gets where they cancel."""
MOST_POWER = 2.5
"""What no bin gets more than, pattern.EMPHASIS_DB apart. By it the level rises by 4 dB at most and the mark, by what
OWN leaves of that, by 2.8; a mark begins with AGREED_POWER + LEAST_POWER, 2.5 dB down."""
DELAY_S = 0.032
"""From a sample that goes in to the same sample, marked, that comes out."""
FILTER_S = 0.0018
"""Half the length of the rate converters' response."""
PIECE_S = 0.002
"""Sound is worked on in pieces of this length."""
PHASES = 4096
"""Most phases a rate converter keeps; beyond, the nearest is taken (at most 1/8192 of a sample that comes in off)."""


class CausalPattern:
    """Makes the mark frame by frame: each from the component along the key of the repetitions played before it."""

    def __init__(self, key: Key) -> None:
        """key: the key of the marks."""
        self.grid = Grid(key.profile, FRAME)
        self.signs = self.grid.signs(key.columns)
        self.repetitions = key.profile.repetitions
        self.repetition = key.profile.pattern_samples // self.grid.hop
        # Of each frame and bin of the pattern, (repetition, bins): the sum along the key, and that of its weights.
        self.noise = noise_phases((self.repetition, FRAME // 2 + 1))
        self.along = np.zeros(self.noise.shape, dtype=np.complex128)
        self.emphasis = emphasis("causal", FRAME)
        self.weight = np.zeros(self.noise.shape)
        self.count = 0

    def process(self, hosts: Real) -> Real:
        """One frame of the mark at 0 dB, to be added up with its neighbours.

        hosts: (channels, HISTORY + FRAME) at masking.RATE, the frame and what comes before it. Returns (channels,
        FRAME).
        """
        grid = self.grid
        spectra = np.fft.rfft(hosts[:, masking.HISTORY :] * grid.window, axis=1)
        signs, j = self.signs[self.count % grid.count], self.count % self.repetition
        phases, shares = self._heard_along(j)
        phases, shares = phases * signs, self.emphasis * shares
        marks = np.empty((len(hosts), FRAME))
        played = spectra.mean(axis=0)
        for mark, host, spectrum in zip(marks, hosts, spectra, strict=True):
            level = shares * masking.levels(host, masking.HISTORY, 1, grid.window, spectrum[None])[0]
            shaped = hidden(phases, level, spectrum)
            # At LIVE_DB whatever the strength, which then scales the mark and changes nothing else; a little too much,
            # for in what is synthesised the window counts twice.
            played += 10 ** (LIVE_DB / 20) / len(hosts) * shaped
            mark[:] = np.fft.irfft(shaped, FRAME) * grid.window
        weights = np.abs(played) ** LOUDNESS
        if self._marks_and_repetitions()[1] == 0:
            # A mark must follow its own host, which may be fainter than the last one's.
            self.weight[j] = np.minimum(self.weight[j], weights)
            self.along[j] = unit(self.along[j]) * self.weight[j]
        self.along[j] += signs * unit(played) * weights
        self.weight[j] += weights
        self.count += 1
        if self.count % grid.count == 0:
            # The next mark begins with this one's pattern at the weight of one repetition.
            self.weight /= self.repetitions
            self.along = unit(self.along) * self.weight
        return marks

    def _marks_and_repetitions(self) -> tuple[int, int]:
        """Whole marks made before this frame, and whole repetitions of this one."""
        return divmod(self.count // self.repetition, self.repetitions)

    def _heard_along(self, j: int) -> tuple[Spectra, Real]:
        """As pattern.heard_along, of what frame j of the pattern has heard so far; (bins,) each.

        The power grows with the square of the agreement: bins that agree get more of it, so do later repetitions, and
        what sounds after a pause or after what was louder, for what is faint is lost and others have to carry it.
        """
        marks, repetitions = self._marks_and_repetitions()
        heard = max(1, repetitions + (marks > 0))
        along, weight = self.along[j], self.weight[j]
        phases = np.where(along == 0, self.noise[j], unit(along))
        agreed = np.divide(np.abs(along), weight, out=np.full_like(weight, heard**-0.5), where=weight > 0)
        return phases, np.minimum(LEAST_POWER + AGREED_POWER * agreed**2 * heard, MOST_POWER)


def causal_mark(hosts: Real, key: Key, place: int) -> Real:
    """One causal mark at 0 dB. hosts: (channels, n) at masking.RATE; place: its first sample.

    Returns (channels, mark_samples).
    """
    maker = CausalPattern(key)
    hop, lead = maker.grid.hop, maker.grid.lead
    first = place - lead - masking.HISTORY
    out = np.zeros((len(hosts), (maker.grid.count + 1) * hop))
    for t in range(maker.grid.count):
        at = first + t * hop
        out[:, t * hop : t * hop + FRAME] += maker.process(hosts[:, at : at + masking.HISTORY + FRAME])
    marks = out[:, lead : lead + key.profile.mark_samples].copy()
    ramp = (np.arange(RAMP) + 0.5) / RAMP
    marks[:, :RAMP] *= ramp
    marks[:, -RAMP:] *= ramp[::-1]
    return np.asarray(marks)


class RateConverter:
    """Converts a stream's rate with a short symmetric filter.

    A library's converters look ahead by 40 ms and more in a stream; this one, good to -60 dB, by FILTER_S. Only the
    analysis and the mark pass through it, never the host.
    """

    def __init__(self, rate: int, new_rate: int, channels: int) -> None:
        """From rate to new_rate, Hz."""
        self.rate, self.new_rate = rate, new_rate
        shared = gcd(rate, new_rate)
        self.up, self.down = new_rate // shared, rate // shared
        self.half = int(np.ceil(FILTER_S * rate))
        self.piece = max(1, round(PIECE_S * new_rate))
        phases = min(self.up, PHASES)
        time = (np.arange(-self.half, self.half + 1)[None, :] - (np.arange(phases) / phases)[:, None]) / rate
        cut = 0.97 * min(rate, new_rate)
        fine = kaiser(8193, 5.65)
        taper = np.interp(time / (self.half / rate), np.linspace(-1, 1, 8193), fine, left=0, right=0)
        self.taps = np.sinc(cut * time) * taper
        self.taps /= self.taps.sum(axis=1, keepdims=True)
        self.pending = np.zeros((self.half, channels))
        self.start = -self.half
        self.made = 0

    def process(self, samples: Real) -> Iterator[Real]:
        """Take samples (n, channels); gives pieces of one size, (piece, channels), as they become complete."""
        if self.rate == self.new_rate:
            yield from self._unchanged(samples)
            return
        self.pending = np.concatenate([self.pending, samples])
        end = self.start + len(self.pending)
        while True:
            at = (self.made + np.arange(self.piece)) * self.down
            # To the nearest phase, which may be the next sample's first.
            nearest = (2 * (at % self.up) * len(self.taps) + self.up) // (2 * self.up)
            middle = at // self.up + nearest // len(self.taps)
            if middle[-1] + self.half >= end:
                break
            phase = nearest % len(self.taps)
            index = (middle - self.half - self.start)[:, None] + np.arange(2 * self.half + 1)
            # One product of this shape for every piece: a sum of another size could round differently.
            yield (self.taps[phase][:, None, :] @ self.pending[index])[:, 0]
            self.made += self.piece
        drop = (self.made * self.down) // self.up - self.half - self.start
        self.pending, self.start = self.pending[drop:], self.start + drop

    def _unchanged(self, samples: Real) -> Iterator[Real]:
        self.pending = np.concatenate([self.pending[self.half * (self.start < 0) :], samples])
        self.start = 0
        while len(self.pending) >= self.piece:
            yield self.pending[: self.piece]
            self.pending = self.pending[self.piece :]


class StreamEmbedder:
    """Marks sound while it plays: mark follows mark from the first block that is not silent.

    Push blocks of any size, get as many samples back, ``delay`` samples later; the first ``delay`` are zeros. The
    samples do not depend on the blocks' sizes, and memory is constant.
    """

    def __init__(self, key: Key, rate: int, channels: int, *, strength: float = LIVE_DB) -> None:
        """rate: 8,000 to 192,000 Hz; strength: dB, see airmark.masking. Raises AirmarkError."""
        check_key(key)
        check_rate(rate, "the stream")
        masking.check_strength(strength, auto="")
        check_channels(channels, "the stream")
        self.key, self.rate, self.channels = key, rate, channels
        self.gain = 10 ** (strength / 20)
        self.delay = int(DELAY_S * rate)
        """Samples at ``rate`` from input to output."""
        self._reach = max(1, round(REACH_S * rate))
        self._down = RateConverter(rate, masking.RATE, channels)
        self._up = RateConverter(masking.RATE, rate, channels)
        self._pattern = CausalPattern(key)
        self._at_16k = np.zeros((masking.HISTORY, channels))
        self._tail = np.zeros((FRAME, channels))
        self._sounding = False
        self._host = np.zeros((0, channels))
        self._mark = np.zeros((2 * self._reach, channels))
        self._before = np.zeros((2 * self._reach, channels))
        self._out = np.zeros((self.delay, channels))
        self._ready: list[Real] = []

    @property
    def marks(self) -> int:
        """Marks begun so far."""
        return -(-self._pattern.count // self._pattern.grid.count)

    def process(self, samples: npt.NDArray[Any]) -> Real:
        """Take samples (n,) or (n, channels), int16 or float of full scale 1; returns (n, channels) float64."""
        samples = checked(samples, "the sound")
        if samples.dtype == np.int16:
            samples = samples / 32768.0
        block = np.asarray(samples if samples.ndim == 2 else samples[:, None], dtype=np.float64)
        check_loudest(block, "the sound")
        if block.shape[1] != self.channels:
            raise AirmarkError(f"the block has {block.shape[1]} channels, the stream {self.channels}")
        self._host = np.concatenate([self._host, block])
        for piece in self._down.process(block):
            for mark in self._frames(piece):
                for part in self._up.process(mark):
                    self._add(part)
        ready = np.concatenate([self._out, *self._ready])
        self._ready.clear()
        out, self._out = ready[: len(block)], ready[len(block) :]
        return out

    def flush(self) -> Real:
        """End of the stream: returns the last ``delay`` samples."""
        return self.process(np.zeros((self.delay, self.channels)))

    def _frames(self, piece: Real) -> Iterator[Real]:
        self._at_16k = np.concatenate([self._at_16k, piece])
        hop = self._pattern.grid.hop
        while len(self._at_16k) >= masking.HISTORY + FRAME:
            window = self._at_16k[: masking.HISTORY + FRAME]
            self._sounding = self._sounding or bool(window[masking.HISTORY :].any())
            if self._sounding:
                self._tail += self._pattern.process(np.ascontiguousarray(window.T)).T * self.gain
            yield self._tail[:hop]
            self._tail = np.concatenate([self._tail[hop:], np.zeros((hop, self.channels))])
            self._at_16k = self._at_16k[hop:]

    def _add(self, part: Real) -> None:
        """Add a piece of the mark to its host, lowered where the sum would clip."""
        # The pieces before and after are needed to lower the mark smoothly: work lags by twice the reach.
        reach, n = 2 * self._reach, len(part)
        self._mark = np.concatenate([self._mark, part])
        if len(self._mark) < 2 * reach + n:
            return
        mark = self._mark[: 2 * reach + n]
        behind = np.concatenate([self._before, self._host[: n + reach]])
        lowered = without_clipping(behind, mark, 1 - 2.0**-15, self._reach)[reach : reach + n]
        host = self._host[:n]
        self._ready.append(host + lowered)
        self._before = np.concatenate([self._before, host])[-reach:]
        self._host, self._mark = self._host[n:], self._mark[n:]
