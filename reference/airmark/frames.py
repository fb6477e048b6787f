"""Stage 1, frames: the received sound as one-bit frames.

Every ``hop`` samples a frame of ``fft`` samples is windowed (root of a periodic Hann), transformed, and of each bin in
the band only the signs of the real and the imaginary part are kept. Level, gain control and the colour of loudspeaker
and microphone drop out; 5 to 10 % of the score is lost against full phase (measured).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from airmark.profile import Profile

Signal = npt.NDArray[np.floating[Any]]
Frames = npt.NDArray[np.complex64]

ZERO = 2.0**-16
"""A part of a bin smaller than this (full scale 1, transform not normalised) counts as zero: half a 16-bit step."""

DRAWN_SIGNS = 4096
"""Length of the table from which the signs of zeros are drawn; frames step through it by an odd stride."""


def window(length: int) -> Signal:
    """Root of a periodic Hann window: its square overlaps to a constant at half its length. (length,) float64."""
    return np.asarray(np.sin(np.pi * np.arange(length) / length))


def drawn_signs() -> npt.NDArray[np.float32]:
    """The fixed pseudo-random signs that stand for the sign of zero. (DRAWN_SIGNS, 2) float32.

    A constant sign would repeat from frame to frame, so that digital silence would agree with itself.
    """
    return np.random.default_rng(0x41).choice(np.array([-1, 1], np.float32), (DRAWN_SIGNS, 2))


class FrameStage:
    """Turns samples at ``profile.rate`` into one-bit frames, whatever the size of the pieces they come in."""

    def __init__(self, profile: Profile, highest_hz: float | None = None) -> None:
        """highest_hz: bins above it carry nothing (a slower input's), and are kept as zeros."""
        self.profile = profile
        self.window = window(profile.fft)
        self.bins = np.arange(profile.bins.start, profile.bins.stop)
        self.used = self.bins * profile.rate / profile.fft <= (highest_hz or profile.rate)
        self.drawn = drawn_signs()
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.pending = np.zeros(0)
        self.count = 0

    def process(self, samples: Signal) -> Frames:
        """Take samples (n,), full scale 1; returns the frames now complete, (frames, bins) of (+-1 +-1j)."""
        fft, hop = self.profile.fft, self.profile.hop
        self.pending = np.concatenate([self.pending, samples])
        complete = max(0, (len(self.pending) - fft) // hop + 1)
        out = np.zeros((complete, len(self.bins)), np.complex64)
        for i in range(complete):
            out[i] = self.frame(self.pending[i * hop : i * hop + fft])
        self.pending = self.pending[complete * hop :]
        return out

    def frame(self, samples: Signal) -> Frames:
        """One frame: samples (fft,) to (bins,) of (+-1 +-1j), and the count of frames goes on by one.

        One transform a call, always of this shape: batches of another size may round differently, and a rounded zero
        would then change its sign with the size of the pieces.
        """
        spectrum = np.fft.rfft(samples * self.window)[self.bins[0] : self.bins[-1] + 1]
        at = (self.count * 1237 + np.arange(len(self.bins))) % DRAWN_SIGNS
        drawn = self.drawn[at]
        real = np.where(np.abs(spectrum.real) < ZERO, drawn[:, 0], np.sign(spectrum.real))
        imag = np.where(np.abs(spectrum.imag) < ZERO, drawn[:, 1], np.sign(spectrum.imag))
        self.count += 1
        return ((real + 1j * imag) * self.used).astype(np.complex64)


class InputStage:
    """Brings any input to one channel at ``profile.rate``, whatever the size of the pieces."""

    PIECE = 480

    def __init__(self, rate: int, profile: Profile) -> None:
        """rate: the input's, Hz."""
        self.rate, self.profile = rate, profile
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.pending = np.zeros(0)
        self.resampler = (
            None
            if self.rate == self.profile.rate
            else soxr.ResampleStream(self.rate, self.profile.rate, 1, dtype="float64", quality="HQ")
        )

    def process(self, samples: npt.NDArray[Any]) -> Signal:
        """samples: (n,) or (n, channels), int16 or float of full scale 1; returns (m,) float64 at ``profile.rate``."""
        if samples.dtype == np.int16:
            samples = samples / 32768.0
        mono = np.asarray(samples if samples.ndim == 1 else samples.mean(axis=1), dtype=np.float64)
        if self.resampler is None:
            return mono
        # The resampler is fed in pieces of one size, so that its output cannot depend on the caller's.
        self.pending = np.concatenate([self.pending, mono])
        whole = len(self.pending) // self.PIECE * self.PIECE
        pieces = [self.resampler.resample_chunk(p) for p in self.pending[:whole].reshape(-1, self.PIECE)]
        self.pending = self.pending[whole:]
        return np.concatenate([np.zeros(0), *pieces])
