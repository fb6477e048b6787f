"""Input (SPEC 3): from the input's rate to that of frames, sample by sample."""

from __future__ import annotations

import numpy as np

from airmark.fixed.tables import Ints, Rate, filters


class InputStage:
    """Resamples, whatever the size of the pieces; 8 and 16 kHz pass unchanged."""

    def __init__(self, rate: Rate) -> None:
        """rate: the input's."""
        self.rate = rate
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.taken = 0
        """Input samples so far."""
        self.given = 0
        """Output samples so far."""
        self.last = np.zeros(max(0, self.rate.taps - 1), np.int64)
        """The input samples that the next output may still need."""

    def arrival(self, m: int) -> int:
        """Number of the input sample with which output sample m is due."""
        return m * self.rate.numerator // self.rate.denominator if self.rate.resampled else m

    def process(self, samples: Ints) -> Ints:
        """Take the next samples; returns the output samples now due."""
        rate = self.rate
        first = self.taken
        self.taken += len(samples)
        if not rate.resampled:
            self.given += len(samples)
            return samples
        x = np.concatenate([self.last, samples])
        self.last = x[len(x) - (rate.taps - 1) :]
        # Output m is due where m N / D < taken.
        due = -(-self.taken * rate.denominator // rate.numerator)
        position = np.arange(self.given, due, dtype=np.int64) * rate.numerator
        self.given = due
        arrived = position // rate.denominator - first
        phase = position % rate.denominator * rate.phases // rate.denominator
        # x starts taps - 1 samples before the first new one.
        if not len(arrived):
            return x[:0]
        heard = np.lib.stride_tricks.sliding_window_view(x, rate.taps)[arrived]
        out: Ints = np.clip((heard * filters(rate.hz)[phase]).sum(axis=1) + 2**14 >> 15, -32_768, 32_767)
        return out
