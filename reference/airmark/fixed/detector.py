"""The whole detector (SPEC 6 and 10): stages, queue and slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from airmark.errors import AirmarkError
from airmark.fixed import confirm, statistic, template
from airmark.fixed.confirm import Band
from airmark.fixed.frames import WORDS, FrameStage
from airmark.fixed.input import InputStage
from airmark.fixed.peaks import PeakStage, sample_of
from airmark.fixed.screen import Candidate, ScreenStage
from airmark.fixed.tables import BANDS, BLOCK, HALF, QUEUE, REPETITIONS, RING, WHOLE, Ints, Span, rate_of, signs
from airmark.keys import Key
from airmark.profile import profile

LEAST_THRESHOLD = 256
MOST_THRESHOLD = 65_535
MOST_KEYS = 255
MOST_DROPPED = 65_535
BLANK = (0, 2**32 - 1)
"""Columns that no key has: of memory that was never written."""
BEGUN_AHEAD = 64
"""Q8, how much higher another candidate must be than one that has been begun to be worked on first."""
PIECE = 1 << 15
"""Input samples that are worked on at a time."""


class RawDetection(NamedTuple):
    """A mark that was found, as a small detector tells it."""

    sample: int
    """First sample of the mark, counted from first_sample at the input's rate."""
    score_q8: int
    drift_ppm_q4: int
    key: int
    early: bool
    at: int
    """Input samples since the last reset, with the one at which it became certain."""


class ScreenTap(NamedTuple):
    """What the screen gives after a frame."""

    blocks: tuple[int, ...]
    """c by lag and then by band."""
    levels: tuple[tuple[int, ...], ...]
    """Q8, by key and span."""


class DriftTap(NamedTuple):
    """What the template makes of a candidate after step 3 and, if it is likely, step 7; again where it begins anew."""

    candidate: Candidate
    chains: int
    """That were looked at."""
    all: tuple[int, ...]
    """E of all bands, by drift."""
    low: tuple[int, ...]
    z: int
    """Q8."""
    drift: int | None
    """Q4 ppm; none where the candidate is refused."""


class PlaceTap(NamedTuple):
    """What the template gives for a candidate in its last step."""

    candidate: Candidate
    energies: tuple[int, ...]
    """e of each of the four chains."""
    place: int
    """n*."""
    offset: int


class ConfirmTap(NamedTuple):
    """What confirm gives for a band of a place."""

    candidate: Candidate
    place: int
    band: int
    q: int
    v: int
    t: int
    crc: int
    """CRC32 of all c[x][y], by x and then by y, each a signed byte."""


class StatisticTap(NamedTuple):
    """The scores of a place, Q8."""

    candidate: Candidate
    place: int
    score_all: int
    score_low: int
    score: int


class PeaksTap(NamedTuple):
    """What becomes of a place."""

    candidate: Candidate
    place: int
    new: bool
    told: bool


@dataclass
class Taps:
    """Everything that was computed, stage by stage, in order of computing, for golden vectors."""

    input: list[int] = field(default_factory=list)
    """Samples that frames are made of."""
    frames: list[tuple[int, ...]] = field(default_factory=list)
    """14 words and the rest."""
    screen: list[ScreenTap] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    template: list[DriftTap | PlaceTap] = field(default_factory=list)
    confirm: list[ConfirmTap] = field(default_factory=list)
    statistic: list[StatisticTap] = field(default_factory=list)
    peaks: list[PeaksTap] = field(default_factory=list)
    detections: list[RawDetection] = field(default_factory=list)


@dataclass
class _Work:
    """What is known of the first candidate of the queue."""

    steps: int = 0
    """That are done."""
    curves: Ints = field(default_factory=lambda: np.zeros((2, 0), np.int64))
    drift: int = 0
    """Q4 ppm."""
    energies: list[int] = field(default_factory=list)
    """e of template.MORE_CHAINS."""
    found: template.Place | None = None
    schedule: list[list[int]] = field(default_factory=list)
    """The bands that each step of confirm completes."""
    bands: list[Band] = field(default_factory=list)


class FixedDetector:
    """Finds the marks of several keys in a stream of 16-bit samples."""

    def __init__(
        self,
        columns: Sequence[Sequence[int]],
        rate: int,
        *,
        early: bool,
        threshold_q8: int,
        first_sample: int = 0,
        taps: Taps | None = None,
    ) -> None:
        """columns: of each key four words of 32 bits, see key_columns; rate: of the input, Hz.

        early: whether first halves are looked for. threshold_q8: lowest score that is reported. first_sample: number of
        the first sample. taps: takes all that is computed. Raises AirmarkError for what the detector does not take.
        """
        self.columns = [tuple(int(word) for word in column) for column in columns]
        if not 1 <= len(self.columns) <= MOST_KEYS:
            raise AirmarkError(f"{len(self.columns)} keys: the fixed-point detector takes 1 to {MOST_KEYS}")
        if any(len(c) != BANDS or not all(0 <= word < 2**32 for word in c) for c in self.columns):
            raise AirmarkError(f"a key of the fixed-point detector is {BANDS} words of 32 bits")
        if any(word in BLANK for c in self.columns for word in c):
            raise AirmarkError(
                "a key of the fixed-point detector has no column of 0 or 0xFFFFFFFF: it was never written"
            )
        if not LEAST_THRESHOLD <= threshold_q8 <= MOST_THRESHOLD:
            raise AirmarkError(f"a threshold of {threshold_q8}: give {LEAST_THRESHOLD} to {MOST_THRESHOLD}, in 1/256")
        if not 0 <= first_sample < 2**63:
            raise AirmarkError(f"a first sample of {first_sample}: give 0 to 2^63 - 1")
        self.rate = rate_of(rate)
        self.first_sample, self.threshold, self.taps = first_sample, threshold_q8, taps
        self.spans: list[Span] = [WHOLE, HALF] if early else [WHOLE]
        self.signs = [[signs(c, span) for span in self.spans] for c in self.columns]
        self._input = InputStage(self.rate)
        self._frames = FrameStage(self.rate)
        self._screen = ScreenStage(self.rate, self.columns, self.spans)
        self._peaks = PeakStage(len(self.columns), self.spans, threshold_q8)
        self.reset()

    def reset(self) -> None:
        """Forget all sound, counts and reports; taps stay."""
        self._input.reset()
        self._frames.reset()
        self._screen.reset()
        self._peaks.reset()
        self._score = 0
        self._dropped = 0
        self._samples = 0
        """Of the frames' input so far."""
        self._slot = 0
        """The next slot: 2 f and 2 f + 1 come after frame f."""
        self._queue: list[Candidate] = []
        self._work: _Work | None = None
        self._history = np.zeros((RING, WORDS), np.int64)
        """Frames, the last of them number _count - 1."""
        self._count = 0

    @property
    def score_q8(self) -> int:
        """The screen's level of whole marks at the newest frame, the highest of all keys."""
        return self._score

    @property
    def dropped(self) -> int:
        """Candidates that could not be looked at in time since the last reset."""
        return self._dropped

    def push(self, samples: npt.NDArray[np.int16]) -> list[RawDetection]:
        """Take the next samples (n,); returns the marks that became certain with them."""
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise AirmarkError("the fixed-point detector takes one channel of 16-bit samples")
        found: list[RawDetection] = []
        for start in range(0, len(samples), PIECE):
            found += self._push(samples[start : start + PIECE].astype(np.int64))
        return found

    def _push(self, samples: Ints) -> list[RawDetection]:
        at_frame_rate = self._input.process(samples)
        self._samples += len(at_frame_rate)
        frames = self._frames.process(at_frame_rate)
        found: list[RawDetection] = []
        screened = None
        if len(frames):
            # Slots that were due before these frames came see none of them.
            screened = self._screen.process(frames)
            self._history = np.concatenate([self._history[-RING:], frames])
            self._count += len(frames)
            self._score = int(screened.levels[-1, :, 0].max())
            for frame, candidate in screened.candidates:
                found += self._slots(2 * frame)
                self._enqueue(candidate)
        found += self._slots(self._due())
        if self.taps is not None:
            self.taps.input += at_frame_rate.tolist()
            self.taps.frames += [tuple(words) for words in frames.tolist()]
            self.taps.detections += found
            if screened is not None:
                self.taps.candidates += [candidate for _, candidate in screened.candidates]
                blocks = screened.blocks.reshape(len(frames), -1)
                self.taps.screen += [
                    ScreenTap(tuple(c), tuple(map(tuple, levels)))
                    for c, levels in zip(blocks.tolist(), screened.levels.tolist(), strict=True)
                ]
        return found

    def _enqueue(self, candidate: Candidate) -> None:
        before = [(other.place, *other[1:3]) == (candidate.place - 1, *candidate[1:3]) for other in self._queue]
        if any(before):
            # The level has risen further: this one instead of that of the frame before.
            at = before.index(True)
            self._queue[at] = candidate
            self._work = self._work if at else None
            return
        if len(self._queue) == QUEUE:
            self._drop()
            lowest = min(range(self._work is not None, QUEUE), key=lambda i: self._queue[i].level)
            if candidate.level <= self._queue[lowest].level:
                return
            self._queue.pop(lowest)
        self._queue.append(candidate)

    def _drop(self) -> None:
        self._dropped = min(self._dropped + 1, MOST_DROPPED)

    def _sample_of_slot(self, slot: int) -> int:
        """The sample with which a slot is due, of those that frames are made of."""
        rate = self.rate
        return slot // 2 * rate.hop + rate.length - 1 + rate.slots[slot % 2]

    def _due(self) -> int:
        """How many slots are due."""
        slot = max(0, 2 * (self._count - 1))
        while self._count and self._sample_of_slot(slot) < self._samples:
            slot += 1
        return slot

    def _slots(self, end: int) -> list[RawDetection]:
        """Work through the slots before the one of number `end`."""
        found: list[RawDetection] = []
        while self._slot < end and self._queue:
            told = self._step(self._slot // 2)
            if told is not None:
                at = self._input.arrival(self._sample_of_slot(self._slot)) + 1
                found.append(told._replace(at=at))
            self._slot += 1
        self._slot = max(self._slot, end)
        return found

    def _step(self, newest: int) -> RawDetection | None:
        """One step of the work on the first candidate; newest: number of the newest frame."""
        self._choose(newest)
        if self._work is None:
            return None
        candidate, work = self._queue[0], self._work
        if work.found is not None and newest - work.found.place >= RING:
            self._leave()
            self._drop()
            return None
        if work.found is None:
            self._template_step(candidate, work, newest)
            return None
        return self._confirm_step(candidate, work, work.found, newest)

    def _choose(self, newest: int) -> None:
        """Bring the candidate to work on to the front, where there is one that can be worked on in time."""
        while self._queue:
            levels = [candidate.level for candidate in self._queue]
            if self._work is not None:
                levels[0] += BEGUN_AHEAD
            # The first of several is the oldest.
            highest = levels.index(max(levels))
            if highest:
                self._queue.insert(0, self._queue.pop(highest))
                self._work = None
            if self._work is not None:
                return
            if newest + template.FRAMES - (self._queue[0].place - 1) < RING:
                self._work = _Work()
                return
            self._queue.pop(0)
            self._drop()

    def _leave(self) -> None:
        self._queue.pop(0)
        self._work = None

    def _template_step(self, candidate: Candidate, work: _Work, newest: int) -> None:
        span = self.spans[candidate.span]
        work.steps += 1
        if work.steps not in (template.SEARCH_STEPS, template.LAST_SEARCH_STEPS, template.STEPS):
            return
        of_key = self.signs[candidate.key][candidate.span]
        stretch = self._stretch(candidate.place - 1, span.length + 2, newest)
        frames = [stretch[c::BLOCK][: span.repetitions] for c in range(template.CHAINS)]
        if work.steps == template.STEPS:
            first, last = (
                template.turned_energy(frames[c], of_key, work.drift, self.rate) for c in template.TURNED_CHAINS
            )
            energies = [first, *work.energies, last]
            work.found = template.find_place(energies, candidate.place)
            work.schedule = confirm.schedule(span, work.drift, self.rate)
            work.steps = 0
            if self.taps is not None:
                self.taps.template.append(PlaceTap(candidate, tuple(energies), *work.found))
            return
        if work.steps == template.SEARCH_STEPS:
            chains = [template.chain_sums(frames[c], of_key, self.rate) for c in template.DRIFT_CHAINS]
            work.curves = template.curves(chains)
            decision = template.decide(work.curves, candidate.level, span, self.rate)
        else:
            chains = [template.chain_sums(frames[c], of_key, self.rate) for c in template.MORE_CHAINS]
            work.energies = [template.chain_energy(chain, work.drift) for chain in chains]
            work.curves = work.curves + template.curves(chains)
            decision = template.decide_again(work.curves, span, self.rate)
        work.drift = template.find_drift(work.curves[int(decision.low)])
        if self.taps is not None:
            of_all, of_low = (tuple(curve) for curve in work.curves.tolist())
            drift = work.drift if decision.likely else None
            chains_so_far = work.steps // 2
            self.taps.template.append(DriftTap(candidate, chains_so_far, of_all, of_low, decision.z, drift))
        if not decision.likely:
            self._leave()
        elif work.steps == template.SEARCH_STEPS:
            self._queue[0] = candidate._replace(level=max(candidate.level, min(decision.z, template.MOST_LEVEL)))

    def _confirm_step(
        self, candidate: Candidate, work: _Work, found: template.Place, newest: int
    ) -> RawDetection | None:
        span = self.spans[candidate.span]
        of_key = self.signs[candidate.key][candidate.span]
        for band in work.schedule[work.steps]:
            pairs = confirm.pairs(self._stretch(found.place, span.length, newest), band, work.drift, self.rate)
            work.bands.append(confirm.statistics(pairs, of_key[:, band]))
            if self.taps is not None:
                crc = crc32(confirm.in_order(pairs))
                self.taps.confirm.append(ConfirmTap(candidate, found.place, band, *work.bands[-1], crc))
        work.steps += 1
        if work.steps < len(work.schedule):
            return None
        scores, agreement = statistic.scores_of_bands(work.bands, span, self.rate), statistic.agreement(work.bands)
        verdict = self._peaks.process(found.place, candidate.key, candidate.span, scores.place, agreement)
        self._leave()
        if scores.place >= self.threshold:
            self._leave_neighbours(candidate, span)
        if self.taps is not None:
            self.taps.statistic.append(StatisticTap(candidate, found.place, *scores))
            self.taps.peaks.append(PeaksTap(candidate, found.place, *verdict))
        if not verdict.told:
            return None
        sample = sample_of(found.place, found.offset, self.rate, self.first_sample)
        return RawDetection(sample, scores.place, work.drift, candidate.key, span is HALF, 0)

    def _leave_neighbours(self, confirmed: Candidate, span: Span) -> None:
        """Take out of the queue what is the same mark's."""
        self._queue = [
            other
            for other in self._queue
            if other[1:3] != confirmed[1:3] or abs(other.place - confirmed.place) > span.length // 2
        ]

    def _stretch(self, first: int, count: int, newest: int) -> Ints:
        """Frames from number `first` on, all of them still in the ring."""
        assert newest - RING < first <= first + count - 1 <= newest
        start = first - (self._count - len(self._history))
        return self._history[start : start + count]


def key_columns(key: Key) -> list[int]:
    """A key's four words (SPEC 2). Raises AirmarkError for one of another profile, or with a band of one sign alone."""
    if key.profile != profile():
        raise AirmarkError(
            f"{key.name or key}: a key of profile '{key.profile.name}', but the fixed-point detector is made for "
            f"profile 'default', {REPETITIONS} repetitions of 1 block in {BANDS} bands"
        )
    negative = key.signs.reshape(REPETITIONS, BANDS) < 0
    columns = [int("".join("1" if bit else "0" for bit in negative[:, band]), 2) for band in range(BANDS)]
    if any(column in BLANK for column in columns):
        raise AirmarkError(
            f"{key.name or key}: a key with a band of one sign alone would find hum and every steady tone; "
            "make one with 'airmark keygen'"
        )
    return columns
