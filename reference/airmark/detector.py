"""The detector: finds marks in a stream of sound, knowing only the keys.

Four engines share the signature. ``full`` compares all lags at every place and is the yardstick. ``float`` decides in
stages (screen, template, confirm), as a small part must: only a place that passes the cheap stages is compared at all
lags. ``fixed`` is the fixed-point detector (reference/SPEC.md) as a model in integers, ``c`` the same in C, bit by bit.
The last two take keys of the default profile only. Unless one is named, it is ``c`` where that can be, else ``float``.

All look for whole marks and, where asked to answer a second sooner, for first halves too. The scores share one
scale and one threshold: a half's is lowered, so that the many more looks cost few false alarms. A place is told once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from airmark import thresholds
from airmark.audio import check_rate, checked
from airmark.confirm import Confirmed, ConfirmStage
from airmark.errors import AirmarkError, is_number
from airmark.frames import Frames, FrameStage, InputStage
from airmark.keys import Key, keys_of_one_profile, list_of_keys
from airmark.lags import LagGrid, Real
from airmark.peaks import Peak, PeakStage
from airmark.profile import Profile, profile
from airmark.screen import ScreenStage
from airmark.template import TemplateStage

if TYPE_CHECKING:
    from array import array

    from airmark.fixed.detector import RawDetection

    Pcm = bytes | bytearray | memoryview | array[int]

ENGINES = ("full", "float", "fixed", "c")
SCREEN_THRESHOLD = 1.2
"""Screen score from which a place is looked at; standard deviation 1 on unmarked sound."""
TEMPLATE_THRESHOLD = 2.0
"""Template score from which a place is compared at all lags."""
EARLY_HANDICAP = 0.4
"""What the score of a mark's first half is lowered by: with it and the lower bands' handicap the looks a day rose from
5.6e7 to 5.85e7 only (airmark.thresholds)."""
PIECE = 1 << 17
"""Samples that are worked on at a time, so that memory does not grow with what is handed over."""
FLUSH_FRAMES = 96
"""Of silence, after which the integer engines have decided on all they heard: AIRMARK_FLUSH_FRAMES of airmark.h."""


@dataclass(frozen=True)
class Detection:
    """A mark that was found."""

    sample: int
    """First sample of the mark, counted from the detector's ``first_sample``, at the input's rate and clock."""
    time_s: float
    """The same in seconds of the input's clock."""
    score: float
    """Standard normal on unmarked sound; see airmark.statistic."""
    drift_ppm: float
    """The receiver's clock against the sender's, positive when it runs fast."""
    key: int
    """Index of the key in ``Detector.keys``."""
    early: bool = False
    """Told from the mark's first half; place, score and drift are then the half's."""


class Detector:
    """Finds the marks of several keys in a stream of sound; memory and work a sample are constant."""

    def __init__(
        self,
        keys: Sequence[Key] | Key,
        rate: int = 16_000,
        *,
        threshold: float | None = None,
        false_alarms_per_day: float | None = None,
        engine: str | None = None,
        early: bool = False,
        first_sample: int = 0,
    ) -> None:
        """Listen for marks.

        keys: one or more of one profile. rate: of the input, Hz, 8,000 to 192,000. threshold: lowest score that is
        reported; by default the one that gives ``false_alarms_per_day`` (one a year), all keys together; the integer
        engines round it up to 1/256 and take none under 1. engine: one of ENGINES; None: that of ``default_engine``.
        early: report a mark a second before its end where its first half is enough; place, score and drift are then the
        half's, and the place may be a hop further off. No clean mark's half scores more than about 6.7: with five keys
        or more at one false alarm a year nothing is told early. first_sample: number of the first sample. Raises
        AirmarkError for what is no key, keys of several profiles, a rate or a first sample out of range, an engine
        unknown, not built or not made for such keys, and a threshold that is no number or given in both ways.
        """
        self.keys = list_of_keys(keys)
        if not self.keys:
            raise AirmarkError("the detector needs at least one key")
        if len(set(self.keys)) < len(self.keys):
            raise AirmarkError("the same key is given twice: each would report the same marks")
        check_rate(rate, "the detector's input")
        self.profile = keys_of_one_profile(self.keys)
        engine = default_engine(self.keys) if engine is None else engine
        if engine not in ENGINES:
            raise AirmarkError(f"no engine '{engine}': there are {', '.join(ENGINES)}")
        self.rate, self.engine = rate, engine
        if threshold is not None and false_alarms_per_day is not None:
            raise AirmarkError("give a threshold or the false alarms a day, not both: one follows from the other")
        if threshold is None:
            per_day = thresholds.ONE_A_YEAR if false_alarms_per_day is None else false_alarms_per_day
            threshold = thresholds.threshold(per_day, len(self.keys), engine)
        if not is_number(threshold) or not math.isfinite(threshold):
            raise AirmarkError(f"a threshold of {threshold} is no score: give a number, such as 6.5")
        self.threshold = threshold
        if not isinstance(first_sample, (int, np.integer)) or not 0 <= first_sample < 1 << 63:
            raise AirmarkError(f"a first sample of {first_sample}: give a whole number from 0 to 2^63 - 1")
        self.first_sample = first_sample
        self._integers: _Integers | None = None
        if engine in _INTEGER_ENGINES:
            self._integers = _Integers(self.keys, rate, threshold, engine, early, first_sample)
            return
        columns = [k.columns for k in self.keys]
        self._input = InputStage(rate, self.profile)
        self._frames = FrameStage(self.profile, highest_hz=0.475 * rate)
        self._whole = _Span(self.profile, columns, self._frames.used, threshold, engine)
        self._spans = [self._whole]
        half = self.profile.early
        if early and half is not None:
            first = [c[:, : half.repetitions] for c in columns]
            self._spans.append(_Span(half, first, self._frames.used, threshold, engine, EARLY_HANDICAP))
        self.reset()

    def reset(self) -> None:
        """Forget all sound: the next sample is number ``first_sample``."""
        if self._integers is not None:
            self._integers.reset()
            return
        self._input.reset()
        self._frames.reset()
        for span in self._spans:
            span.reset()
        self._ring = np.zeros((2 * self.profile.mark_frames, len(self.profile.bins)), np.complex64)
        self._count = 0
        self._told_early = [-self.profile.mark_frames] * len(self.keys)

    @property
    def score(self) -> float:
        """A running level: the first stage's score (short lags only), the highest of all keys; 0 before it has one."""
        return float(self._whole.level.max()) if self._integers is None else self._integers.raw.score_q8 / 256

    @property
    def dropped(self) -> int:
        """Candidates that could not be looked at in time since the last reset; 0 but for the integer engines."""
        return 0 if self._integers is None else self._integers.raw.dropped

    def process(self, samples: npt.NDArray[Any] | Pcm) -> list[Detection]:
        """Take the next samples; returns the marks now certain, in order of their place.

        Only an early one may come before another key's that began up to a second before it; the integer engines give
        marks in the order in which they became certain.

        samples: (n,) or (n, channels), int16 or float of full scale 1; channels are averaged. Or, as on a device, any
        object with the buffer protocol, of 16-bit samples of one channel, little-endian. However the stream is cut into
        calls, the detections are the same. Raises AirmarkError for another type, shape or kind of buffer, and where a
        sample is not finite.
        """
        if not isinstance(samples, np.ndarray):
            samples = _from_buffer(samples)
        samples = checked(samples, "the sound")
        found: list[Detection] = []
        for start in range(0, len(samples), PIECE):
            piece = samples[start : start + PIECE]
            if self._integers is not None:
                found += self._integers.process(piece)
                continue
            for frame in self._frames.process(self._input.process(piece)):
                found += self._step(frame)
        return found

    def flush(self) -> list[Detection]:
        """End of the stream: returns the marks that only wait for their neighbourhood. Call ``reset`` to go on."""
        if self._integers is not None:
            return self._integers.flush()
        tail = self.profile.fft + 8 * self.profile.hop
        return self.process(np.zeros(tail * self.rate // self.profile.rate + 4 * InputStage.PIECE + self.rate // 4))

    def _step(self, frame: npt.NDArray[np.complex64]) -> list[Detection]:
        frames = self.profile.mark_frames
        # Written twice, half a ring apart, so that every window of a mark's length is one slice.
        slot = self._count % frames
        self._ring[slot] = self._ring[slot + frames] = frame
        self._count += 1
        found = []
        for span in self._spans:
            length = span.profile.mark_frames
            window = self._ring[slot + 1 + frames - length : slot + 1 + frames]
            for key, peak in span.process(frame, window, self._count - length):
                if span is not self._whole:
                    self._told_early[key] = peak.frame
                elif abs(peak.frame - self._told_early[key]) <= frames // 2:
                    continue
                found.append(self._detection(peak, key, span is not self._whole))
        return sorted(found, key=lambda d: d.sample)

    def _detection(self, peak: Peak, key: int, early: bool) -> Detection:
        p = self.profile
        # A frame agrees best with a block when the middles of their stretches coincide: a quarter of a frame early.
        sample = ((peak.frame + peak.offset()) * p.hop + (p.fft - p.hop) / 2) * self.rate / p.rate
        at = self.first_sample + max(0, round(sample))
        return Detection(at, at / self.rate, peak.confirmed.score, peak.confirmed.drift_ppm, key, early)


def _from_buffer(samples: Pcm) -> npt.NDArray[np.int16]:
    """What a buffer of bytes or of int16 holds. Raises AirmarkError for any other."""
    try:
        view = memoryview(samples)
    except TypeError:
        view = memoryview(b"?")
    if view.format not in ("h", "<h", "B") or view.nbytes % 2 or not view.contiguous:
        raise AirmarkError("a buffer of sound holds whole 16-bit samples: array('h'), bytes, bytearray or a memoryview")
    return np.frombuffer(view, "<i2").astype(np.int16, copy=False)


class _Span:
    """The stages that look for marks of one length: whole ones, or their first halves."""

    def __init__(
        self,
        profile: Profile,
        columns: list[Real],
        used: npt.NDArray[np.bool_],
        threshold: float,
        engine: str,
        handicap: float = 0.0,
    ) -> None:
        """profile: of that length; columns: each key's signs (M bands, R) over it; handicap: taken off all scores."""
        self.profile, self.engine, self.handicap = profile, engine, handicap
        self.grid = LagGrid(profile)
        self.screen = ScreenStage(self.grid, columns)
        self.template = TemplateStage(self.grid, columns, used)
        self.confirm = ConfirmStage(self.grid, columns)
        self.peaks = [PeakStage(profile, threshold) for _ in columns]
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self.screen.reset()
        for peaks in self.peaks:
            peaks.reset()
        self.level = np.zeros(len(self.peaks))

    def process(self, frame: Frames, window: Frames, place: int) -> Iterator[tuple[int, Peak]]:
        """Take the next frame (bins,); gives each key's index and peak that are now certain.

        window: the last frames, as many as this length has; place: number of the first of them.
        """
        self.level = self.screen.process(frame)
        if place < 0:
            return
        products = None
        for key, peaks in enumerate(self.peaks):
            confirmed: Confirmed | None = None
            if self.engine == "full" or self._passes(window, key):
                products = self.grid.block_products(window) if products is None else products
                confirmed = self.confirm.score(products, key)
                confirmed = confirmed._replace(score=confirmed.score - self.handicap)
            peak = peaks.process(place, confirmed)
            if peak is not None:
                yield key, peak

    def _passes(self, window: Frames, key: int) -> bool:
        if self.level[key] < SCREEN_THRESHOLD:
            return False
        return bool(self.template.process(window, key).max() >= TEMPLATE_THRESHOLD)


class RawEngine(Protocol):
    """What the integer engines have in common: airmark.fixed.detector.FixedDetector, and the detector in C."""

    @property
    def score_q8(self) -> int:
        """The running level."""

    @property
    def dropped(self) -> int:
        """Candidates that could not be looked at in time."""

    def push(self, samples: npt.NDArray[np.int16]) -> list[RawDetection]:
        """Take the next samples (n,) of one channel."""

    def reset(self) -> None:
        """Forget all sound."""


def _fixed() -> Callable[..., RawEngine]:
    from airmark.fixed.detector import FixedDetector

    return FixedDetector


def _c() -> Callable[..., RawEngine]:
    try:
        engine: Callable[..., RawEngine] = import_module("airmark.native").NativeDetector
    except ImportError:
        raise AirmarkError("the c engine was not built: run 'reference/install' where there is a C compiler") from None
    return engine


_INTEGER_ENGINES = {"fixed": _fixed, "c": _c}
INTEGER_ENGINES = tuple(_INTEGER_ENGINES)


def check_built(engine: str) -> None:
    """Raises AirmarkError where an engine is missing: that in C is there only where there was a compiler."""
    if engine in _INTEGER_ENGINES:
        _INTEGER_ENGINES[engine]()


def is_built(engine: str) -> bool:
    """Whether an engine is there."""
    try:
        check_built(engine)
    except AirmarkError:
        return False
    return True


def default_engine(keys: Sequence[Key]) -> str:
    """``c`` where it is built and takes these keys (of the default profile, and not too many), else ``float``."""
    if keys[0].profile != profile() or not is_built("c"):
        return "float"
    most: int = import_module("airmark.native").NativeDetector.MAX_KEYS
    return "c" if len(keys) <= most else "float"


class PcmStage:
    """Makes of any sound what the integer engines take: one channel of 16-bit samples, at one of their rates."""

    def __init__(self, rate: int, profile: Profile) -> None:
        """rate: of the sound, Hz; profile: the engine's."""
        from airmark.fixed.tables import RATES

        # Other rates are brought to the frames'.
        self._input = None if rate in RATES else InputStage(rate, profile)
        self._waiting = np.zeros(0 if self._input is None else 4 * InputStage.PIECE + rate // 4)
        self.rate = rate if self._input is None else profile.rate
        """Of what it gives."""

    def reset(self) -> None:
        """Forget all sound."""
        if self._input is not None:
            self._input.reset()

    def process(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        """Take the next samples, as Detector.process has them."""
        if self._input is not None:
            samples = self._input.process(samples)
        elif samples.ndim > 1:
            whole = 1 if samples.dtype != np.int16 else 32_768
            samples = samples.mean(axis=1, dtype=np.float64) / whole
        if samples.dtype != np.int16:
            scaled = np.rint(samples.astype(np.float64) * 32_768)
            samples = np.clip(scaled, -32_768, 32_767).astype(np.int16)
        return np.ascontiguousarray(samples)

    def flush(self) -> npt.NDArray[np.int16]:
        """End of the stream: returns what waits."""
        return self.process(self._waiting)


def flushed(rate: int, profile: Profile) -> int:
    """Samples of silence after which an integer engine has decided on all it heard; rate: its input's, Hz."""
    return FLUSH_FRAMES * profile.hop * rate // profile.rate


def limited(threshold: float) -> int:
    """A threshold as the integer engines take it: Q8, rounded up, at the least one of 1."""
    from airmark.fixed.detector import LEAST_THRESHOLD, MOST_THRESHOLD

    return math.ceil(min(max(threshold * 256.0, LEAST_THRESHOLD), MOST_THRESHOLD))


class _Integers:
    """An integer engine under a Detector: 16-bit samples for it, its detections as others are."""

    def __init__(
        self, keys: Sequence[Key], rate: int, threshold: float, engine: str, early: bool, first_sample: int
    ) -> None:
        """engine: a name in _INTEGER_ENGINES; the rest as Detector has it."""
        from airmark.fixed.detector import key_columns

        self.rate, profile = rate, keys[0].profile
        self.pcm = PcmStage(rate, profile)
        self.flushed = flushed(self.pcm.rate, profile)
        columns = [key_columns(key) for key in keys]
        # At the engine's own rates it counts itself, to the last bit as on a device.
        self.first_sample, first = (0, first_sample) if rate == self.pcm.rate else (first_sample, 0)
        options = {"early": early, "threshold_q8": limited(threshold), "first_sample": first}
        self.raw = _INTEGER_ENGINES[engine]()(columns, self.pcm.rate, **options)

    def reset(self) -> None:
        """Forget all sound."""
        self.raw.reset()
        self.pcm.reset()

    def process(self, samples: npt.NDArray[Any]) -> list[Detection]:
        """Take the next samples, as Detector.process has them."""
        return self._push(self.pcm.process(samples))

    def flush(self) -> list[Detection]:
        """The marks that wait."""
        return self._push(self.pcm.flush()) + self._push(np.zeros(self.flushed, np.int16))

    def _push(self, samples: npt.NDArray[np.int16]) -> list[Detection]:
        return [self._detection(raw) for raw in self.raw.push(samples)]

    def _detection(self, raw: RawDetection) -> Detection:
        at = raw.sample if self.rate == self.pcm.rate else round(raw.sample * self.rate / self.pcm.rate)
        at += self.first_sample
        return Detection(at, at / self.rate, raw.score_q8 / 256, raw.drift_ppm_q4 / 16, raw.key, raw.early)
