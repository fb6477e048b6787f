"""The embedder's frames: overlapping windows on the host in which a mark is shaped and added up again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from airmark.frames import window
from airmark.lags import LagGrid
from airmark.profile import Profile

Real = npt.NDArray[np.float64]
Spectra = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Grid:
    """Frames of ``frame`` samples every half frame, windowed alike before and after, so that they add up to one.

    They stand a quarter of a frame before the mark's first sample: so the overlap in which one block's sign passes
    into the next lies on both sides of the block's edge.
    """

    profile: Profile
    frame: int

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return self.frame // 2

    @property
    def lead(self) -> int:
        """Samples by which the first frame starts before the mark."""
        return self.hop // 2

    @property
    def count(self) -> int:
        """Frames of a mark."""
        return self.profile.mark_samples // self.hop

    @cached_property
    def window(self) -> Real:
        """(frame,): root of a Hann window."""
        return np.asarray(window(self.frame), dtype=np.float64)

    @cached_property
    def band_of_bin(self) -> npt.NDArray[np.int64]:
        """Band of the key in which each bin lies, (bins,); -1 outside the profile's band."""
        p = self.profile
        grid = LagGrid(p)
        edges_hz = (p.bins.start + grid.edges[:: p.subbands // p.bands] - 0.5) * p.rate / p.fft
        hz = np.arange(self.frame // 2 + 1) * p.rate / self.frame
        band = np.searchsorted(edges_hz, hz, side="right") - 1
        return np.where((band < 0) | (band >= p.bands), -1, band)

    def signs(self, columns: Real) -> Real:
        """The key's signs as the frames and bins of a mark need them, zero outside the band. Returns (count, bins)."""
        p = self.profile
        block = np.arange(self.count) * self.hop // p.block_samples
        rows = columns.reshape(p.blocks, p.bands, p.repetitions)[block % p.blocks, :, block // p.blocks]
        return np.where(self.band_of_bin >= 0, rows[:, np.maximum(self.band_of_bin, 0)], 0.0)

    def analyse(self, host: Real, first: int, count: int) -> Spectra:
        """Spectra of frames that start at first + t hop. host: (n,); returns (count, bins)."""
        frames = np.lib.stride_tricks.sliding_window_view(host[first : first + (count + 1) * self.hop], self.frame)
        return np.asarray(np.fft.rfft(frames[:: self.hop] * self.window, axis=1))

    def synthesise(self, spectra: Spectra) -> Real:
        """Frames added up. spectra: (count, bins); returns ((count + 1) hop,), from the first frame's start."""
        frames = np.fft.irfft(spectra, self.frame, axis=1) * self.window
        out = np.zeros((len(frames) + 1, self.hop))
        out[:-1] += frames[:, : self.hop]
        out[1:] += frames[:, self.hop :]
        return out.ravel()
