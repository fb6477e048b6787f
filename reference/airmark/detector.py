"""The detector: finds marks in a stream of sound, knowing only the keys.

Two engines share the stages and the signature. ``full`` compares all lags at every place and is the yardstick.
``float`` decides in stages (gate, template, confirm), as a small part must, and is the one the fixed-point detector
freezes: only a place that passes the cheap stages is compared at all lags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from airmark import thresholds
from airmark.audio import check_rate
from airmark.confirm import Confirmed, ConfirmStage
from airmark.errors import AirmarkError
from airmark.frames import FrameStage, InputStage
from airmark.gate import GateStage
from airmark.keys import Key, keys_of_one_profile
from airmark.lags import LagGrid
from airmark.peaks import Peak, PeakStage
from airmark.template import TemplateStage

ENGINES = ("full", "float")
GATE_THRESHOLD = 1.2
"""Gate score from which a place is looked at; standard deviation 1 on unmarked sound."""
TEMPLATE_THRESHOLD = 2.0
"""Template score from which a place is compared at all lags."""


@dataclass(frozen=True)
class Detection:
    """A mark that was found."""

    sample: int
    """First sample of the mark, counted from 0 at the input's rate and clock."""
    time_s: float
    """The same in seconds of the input's clock."""
    score: float
    """Standard normal on unmarked sound; see airmark.statistic."""
    drift_ppm: float
    """The receiver's clock against the sender's, positive when it runs fast."""
    key: int
    """Index of the key in ``Detector.keys``."""


class Detector:
    """Finds the marks of several keys in a stream of sound; memory and work a sample are constant."""

    def __init__(
        self,
        keys: Sequence[Key] | Key,
        rate: int = 16_000,
        *,
        threshold: float | None = None,
        false_alarms_per_day: float | None = None,
        engine: str = "float",
    ) -> None:
        """Listen for marks.

        keys: one or more of one profile. rate: of the input, Hz, 8,000 to 192,000. threshold: lowest score that is
        reported; by default the one that gives ``false_alarms_per_day`` (one a year), all keys together.
        Raises AirmarkError for keys of several profiles, a rate out of range, an engine unknown, and a threshold that
        is no number or given in both ways.
        """
        self.keys = [keys] if isinstance(keys, Key) else list(keys)
        if not self.keys:
            raise AirmarkError("the detector needs at least one key")
        if len(set(self.keys)) < len(self.keys):
            raise AirmarkError("the same key is given twice: each would report the same marks")
        check_rate(rate, "the detector's input")
        if engine not in ENGINES:
            raise AirmarkError(f"no engine '{engine}': there are {', '.join(ENGINES)}")
        self.profile = keys_of_one_profile(self.keys)
        self.rate, self.engine = rate, engine
        if threshold is not None and false_alarms_per_day is not None:
            raise AirmarkError("give a threshold or the false alarms a day, not both: one follows from the other")
        if threshold is None:
            per_day = thresholds.ONE_A_YEAR if false_alarms_per_day is None else false_alarms_per_day
            threshold = thresholds.threshold(per_day, len(self.keys))
        if not np.isfinite(threshold):
            raise AirmarkError(f"a threshold of {threshold} is no score: give a number, such as 6.5")
        self.threshold = threshold
        grid = LagGrid(self.profile)
        columns = [k.columns for k in self.keys]
        self._input = InputStage(rate, self.profile)
        self._frames = FrameStage(self.profile, highest_hz=0.475 * rate)
        self._gate = GateStage(grid, columns)
        self._template = TemplateStage(grid, columns, self._frames.used)
        self._confirm = ConfirmStage(grid, columns)
        self._peaks = [PeakStage(self.profile, threshold) for _ in self.keys]
        self._grid = grid
        self.reset()

    def reset(self) -> None:
        """Forget all sound: the next sample is sample 0."""
        self._input.reset()
        self._frames.reset()
        self._gate.reset()
        for peaks in self._peaks:
            peaks.reset()
        self._ring = np.zeros((2 * self.profile.mark_frames, len(self.profile.bins)), np.complex64)
        self._count = 0
        self._level = np.zeros(len(self.keys))

    @property
    def score(self) -> float:
        """A running level: the first stage's score (short lags only), the highest of all keys; 0 before it has one."""
        return float(self._level.max())

    def process(self, samples: npt.NDArray[Any]) -> list[Detection]:
        """Take the next samples; returns the marks now certain, in order of their place.

        samples: (n,) or (n, channels), int16 or float of full scale 1; channels are averaged. However the stream is
        cut into calls, the detections are the same. Raises AirmarkError where a sample is not finite.
        """
        if samples.dtype != np.int16 and not np.isfinite(samples).all():
            raise AirmarkError("the sound has samples that are not finite (NaN or infinite): repair it first")
        found: list[Detection] = []
        for frame in self._frames.process(self._input.process(samples)):
            found += self._step(frame)
        return found

    def flush(self) -> list[Detection]:
        """End of the stream: returns the marks that only wait for their neighbourhood. Call ``reset`` to go on."""
        tail = self.profile.fft + 8 * self.profile.hop
        return self.process(np.zeros(tail * self.rate // self.profile.rate + 4 * InputStage.PIECE + self.rate // 4))

    def _step(self, frame: npt.NDArray[np.complex64]) -> list[Detection]:
        frames = self.profile.mark_frames
        # Written twice, half a ring apart, so that every window of a mark's length is one slice.
        slot = self._count % frames
        self._ring[slot] = self._ring[slot + frames] = frame
        self._count += 1
        self._level = self._gate.process(frame)
        place = self._count - frames
        if place < 0:
            return []
        window = self._ring[slot + 1 : slot + 1 + frames]
        found = []
        products = None
        for key, peaks in enumerate(self._peaks):
            confirmed: Confirmed | None = None
            if self.engine == "full" or self._passes(window, key):
                products = self._grid.block_products(window) if products is None else products
                confirmed = self._confirm.score(products, key)
            peak = peaks.process(place, confirmed)
            if peak is not None:
                found.append(self._detection(peak, key))
        return sorted(found, key=lambda d: d.sample)

    def _passes(self, window: npt.NDArray[np.complex64], key: int) -> bool:
        if self._level[key] < GATE_THRESHOLD:
            return False
        return bool(self._template.process(window, key).max() >= TEMPLATE_THRESHOLD)

    def _detection(self, peak: Peak, key: int) -> Detection:
        p = self.profile
        # A frame agrees best with a block when the middles of their stretches coincide: a quarter of a frame early.
        sample = ((peak.frame + peak.offset()) * p.hop + (p.fft - p.hop) / 2) * self.rate / p.rate
        at = max(0, round(sample))
        return Detection(at, at / self.rate, peak.confirmed.score, peak.confirmed.drift_ppm, key)
