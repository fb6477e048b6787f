"""The gate: whether a wake word that was heard was part of a marked broadcast.

The same as firmware/lib/airmark/src/airmark_gate.h, where the rules are: the same names, numbers and answers. ``Gate``
is it in Python, ``airmark.native.NativeGate`` that in C; what one refuses the other does too, and goes on as it was.

    gate, heard = Gate(GateConfig(rate, wait=rate // 2)), 0
    for block in sound:
        heard += len(block)
        for detection in detector.process(block):
            gate.mark(detection, heard)
        gate.heard(heard)
        if word is not None:  # Word(start, end, heard when it was reported)
            verdict = gate.ask(word).verdict  # WAIT: ask again after the next block
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from airmark.errors import AirmarkError

if TYPE_CHECKING:
    from airmark.detector import Detection

Length = TypeVar("Length", int, float)
"""Samples of a rate, or seconds."""

MARKS = 8
"""Marks remembered."""
OVERLAP = 50
"""Percent."""
ALL_KEYS = frozenset(range(256))
RATES = (8_000, 16_000, 32_000, 44_100, 48_000)
TOO_LARGE = 1 << 63
MARK, REPETITION = 32_768, 1_024
"""Samples of 16 kHz."""
RING, HOP, FRAME, LAST_SLOT = 152, 256, 512, 170
"""The detector's (SPEC.md, 2 and 6); all but the first in samples of 16 kHz."""
RESAMPLING_DELAY = 12
"""Input samples by which a reported place is earlier at rates over 16 kHz (SPEC.md, 3 and 10)."""


class Status(IntEnum):
    """What a call is refused for; the numbers are those of C."""

    BAD_ARGUMENT = -1
    BAD_RATE = -2
    BAD_OVERLAP = -3
    BAD_SAMPLE = -4
    BAD_WORD = -5
    BACKWARDS = -6
    FORGOTTEN = -7


TEXTS = {
    Status.BAD_ARGUMENT: "a null pointer",
    Status.BAD_RATE: "a rate that is not 8000, 16000, 32000, 44100 or 48000 Hz",
    Status.BAD_OVERLAP: "an overlap that is not 1 to 100 percent",
    Status.BAD_SAMPLE: "a sample's number of 2^63 or more",
    Status.BAD_WORD: "a word that does not end after its start, or was reported before its end",
    Status.BACKWARDS: "sound or a mark from before what was heard",
    Status.FORGOTTEN: "a word so old, or among so many marks, that one that might cover it was forgotten",
}


class GateError(AirmarkError):
    """The gate refuses a call."""

    def __init__(self, status: Status) -> None:
        """status: why."""
        super().__init__(f"the gate refuses {TEXTS[status]}")
        self.status = status


class Verdict(IntEnum):
    """What to do about a word."""

    WAIT = 0
    WAKE = 1
    SUPPRESS = 2


@dataclass(frozen=True)
class GateConfig:
    """A gate's configuration."""

    rate: int
    """Of the detector's input, Hz."""
    wait: int
    """Samples after a word's end; the answer comes no later."""
    overlap_percent: int = OVERLAP
    """Of the word, or of the mark if that is shorter; 1 to 100."""
    keys: Iterable[int] = field(default=ALL_KEYS)
    """Keys whose marks suppress."""

    def __post_init__(self) -> None:
        """Raises AirmarkError for other keys or another wait; a rate or an overlap that is none a gate refuses."""
        whole = {
            "rate": _whole(self.rate, "a rate"),
            "wait": _whole(self.wait, "a wait", 0, (1 << 32) - 1),
            "overlap_percent": _whole(self.overlap_percent, "an overlap in percent"),
            # Kept, for a generator gives them but once.
            "keys": frozenset(_whole(key, "a key's index", 0, 255) for key in self.keys),
        }
        for name, value in whole.items():
            object.__setattr__(self, name, value)


class Word(NamedTuple):
    """A word that a wake-word engine heard."""

    start: int
    end: int
    """After its last sample."""
    reported: int
    """Number of the next sample when the engine reported it, end or more."""


class Told(NamedTuple):
    """A mark as the C detector tells it; what the gate looks at are place and key."""

    sample: int
    score_q8: int = 0
    drift_ppm_q4: int = 0
    key: int = 0
    early: bool = False


def told(detection: Told | Detection) -> Told:
    """A detection of ``Detector`` or of the integer engines as the C detector would tell it."""
    if isinstance(detection, Told):
        return detection
    score, drift = round(detection.score * 256), round(detection.drift_ppm * 16)
    return Told(detection.sample, score, drift, detection.key, detection.early)


def whole_mark(detection: Told | Detection) -> Told:
    """The same, with whole numbers only. Raises AirmarkError for what C can't hold, but for the sample's number."""
    new = told(detection)
    return Told(
        whole_sample(new.sample),
        _whole(new.score_q8, "a score in 1/256", 0, (1 << 16) - 1),
        _whole(new.drift_ppm_q4, "a drift in 1/16 ppm", -(1 << 15), (1 << 15) - 1),
        _whole(new.key, "a key's index", 0, 255),
        bool(new.early),
    )


def whole_word(word: Word) -> Word:
    """That word. Raises AirmarkError where it is not three whole numbers."""
    numbers = tuple(word)
    if len(numbers) != 3:
        raise AirmarkError(f"the gate takes a word's start, end and report, not {len(numbers)} numbers")
    return Word(*map(whole_sample, numbers))


def whole_sample(number: int) -> int:
    """That number, of any size. Raises AirmarkError where it is not whole."""
    return _whole(number, "a sample's number")


class Answer(NamedTuple):
    """The answer for a word."""

    verdict: Verdict
    sample: int
    """WAIT, WAKE: the deadline; SUPPRESS: what had been heard when the mark was told."""
    limited: bool = False
    """WAKE at the limit: a mark might still be told."""
    late: bool = False
    """WAKE, and a mark that covers the word was told after the deadline."""
    mark: Told | None = None
    """SUPPRESS or late: the first of those marks that was told."""


class AnyGate(Protocol):
    """What ``Gate`` and ``NativeGate`` have in common."""

    def reset(self, first_sample: int) -> None:
        """Forget all marks: the detector begins anew, with that number."""

    def mark(self, detection: Told | Detection, heard: int) -> None:
        """A mark was told; heard: number of the next sample then, more than the last one given to ``heard``."""

    def heard(self, heard: int) -> None:
        """All samples before that number were pushed, and all marks that this brought were given."""

    def ask(self, word: Word) -> Answer:
        """The answer for a word."""


def length(rate: int) -> int:
    """Samples of a mark at a rate that the detector takes; 0 for another."""
    return _at_rate(MARK, rate) if rate in RATES else 0


def latest(rate: int) -> int:
    """Samples from a mark's first one to the last that can have been heard when it is told; 0 for a rate not taken."""
    if rate not in RATES:
        return 0
    return _at_rate((RING - 1) * HOP + FRAME + LAST_SLOT, rate) + (RESAMPLING_DELAY if rate > 16_000 else 0)


def needed(word_length: float, mark_length: float, overlap_percent: int = OVERLAP) -> float:
    """What a mark and a word must have in common, for the one to cover the other: rule 1, before it is rounded up."""
    return min(word_length, mark_length) * overlap_percent / 100


def begins(start: Length, end: Length, mark_length: Length, need: Length) -> tuple[Length, Length]:
    """Where the first and the last of the marks begin that cover the word from start to end: rule 1."""
    return start + need - mark_length, end - need


class Gate:
    """The gate in Python."""

    def __init__(self, config: GateConfig, first_sample: int = 0) -> None:
        """For a detector whose first sample is number first_sample. Raises GateError; all calls do, for wrong ones."""
        if config.rate not in RATES:
            raise GateError(Status.BAD_RATE)
        if not 1 <= config.overlap_percent <= 100:
            raise GateError(Status.BAD_OVERLAP)
        self.config = config
        self._length, self._latest = length(config.rate), latest(config.rate)
        self.reset(first_sample)

    def reset(self, first_sample: int) -> None:
        """Forget all marks: the detector begins anew, with that number."""
        (self._heard,) = _checked(whole_sample(first_sample))
        self._forgotten: int | None = None
        self._marks: list[tuple[int, Told]] = []

    def mark(self, detection: Told | Detection, heard: int) -> None:
        """A mark was told; heard: number of the next sample then, more than the last one given to ``heard``."""
        new = whole_mark(detection)
        _, heard = _checked(new.sample, whole_sample(heard))
        if heard <= self._heard:
            raise GateError(Status.BACKWARDS)
        repetition = _at_rate(REPETITION, self.config.rate)
        same = (mark for _, mark in self._marks if mark.key == new.key and abs(mark.sample - new.sample) <= repetition)
        if new.key not in self.config.keys or any(same):
            return
        self._marks.append((heard, new))
        if len(self._marks) > MARKS:
            first = min(self._marks[:-1], key=lambda mark: mark[1].sample)
            gone = self._marks[-1] if new.sample < first[1].sample else first
            self._marks.remove(gone)
            self._forgotten = max(gone[1].sample, self._forgotten or 0)

    def heard(self, heard: int) -> None:
        """All samples before that number were pushed, and all marks that this brought were given."""
        (heard,) = _checked(whole_sample(heard))
        if heard < self._heard:
            raise GateError(Status.BACKWARDS)
        self._heard = heard

    def ask(self, word: Word) -> Answer:
        """The answer for a word."""
        word = Word(*_checked(*whole_word(word)))
        if not word.start < word.end <= word.reported:
            raise GateError(Status.BAD_WORD)
        need = ceil(needed(word.end - word.start, self._length, self.config.overlap_percent))
        first, last = begins(word.start, word.end, self._length, need)
        certain = last + self._latest
        deadline = max(word.reported, min(certain, word.end + self.config.wait))
        covering = [mark for mark in self._marks if first <= mark[1].sample <= last]
        heard, mark = min(covering, key=lambda one: (one[0], one[1].sample, one[1].key), default=(0, None))
        if mark is not None and heard <= deadline:
            return Answer(Verdict.SUPPRESS, heard, mark=mark)
        if self._forgotten is not None and self._forgotten >= first:
            raise GateError(Status.FORGOTTEN)
        if self._heard < deadline:
            return Answer(Verdict.WAIT, deadline)
        return Answer(Verdict.WAKE, deadline, deadline < certain, mark is not None, mark)


def _at_rate(samples: int, rate: int) -> int:
    """Samples of 16 kHz at a rate, rounded up."""
    return -(-samples * rate // 16_000)


def _checked(*numbers: int) -> tuple[int, ...]:
    if not all(0 <= number < TOO_LARGE for number in numbers):
        raise GateError(Status.BAD_SAMPLE)
    return numbers


def _whole(value: int, what: str, least: int | None = None, most: int | None = None) -> int:
    """That number. Raises AirmarkError where it is not whole, or out of a range."""
    number: int | None
    within = "" if least is None else f" from {least} to {most}"
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least) or (most is not None and number > most):
        raise AirmarkError(f"the gate takes {what}, a whole number{within}, not {value!r}") from None
    return number
