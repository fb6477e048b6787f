"""The embedder: puts marks into recorded sound.

Every mark is made at 16 kHz from the host around its place, brought to the host's rate and added; samples outside the
marks are the host's own. Strength is in dB relative to the host's smoothed spectrum (airmark.masking).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from airmark import masking, quality
from airmark.audio import BITS, FullScaleError, check_loudest, check_rate, check_type, checked, quantise
from airmark.channel import active_part
from airmark.errors import AirmarkError, is_number
from airmark.keys import Key, check_key
from airmark.limiter import REACH_S, without_clipping
from airmark.masking import LOUDEST_DB, check_strength
from airmark.pattern import MARGIN, PATTERNS, make
from airmark.predict import Predictor
from airmark.stream import causal_mark
from airmark.words import covers, places_for_words

Real = npt.NDArray[np.float64]

FIXED_DB = -20.0
"""Strength of the baselines."""
QUIETEST_DB = -18.0
"""Strength ``auto`` goes no lower, however well the mark is predicted to be found: low bit rates would swallow it."""
FAINTEST_DB = -40.0
"""It goes as low only where the mark would be heard, among clicks for one; so faint a mark is hardly ever found."""
ZIMTOHRLI_FALL = 0.23
"""What a decibel more adds to the logarithm of what a mark takes from Zimtohrli's 5 (measured: 0.2 to 0.25)."""
FINE_STEPS_DB = (0.5, 0.25)
"""Steps in which a mark is brought up to what is not heard."""
TARGET_SCORE = 10.0
"""Predicted score that strength ``auto`` aims at.

Where it is reached a louder mark is predicted to score little more, and may score less: of 300 adaptive marks the 86
that 11 would make 4.3 dB louder, for 0.2, score 10.4 with noise 20 dB under them instead of 11.3, and 10.4 at 5 dB
instead of 10.0.
"""
LOUDEST_AUTO_DB = {"causal": -8.0}
"""Strength ``auto`` goes no higher under a pattern: at -6 dB PESQ of 69 causal marks in speech was 4.23, here 4.28
(of the 412 of the table 4.225)."""
LEAST_ZIMTOHRLI = 4.951
"""Quality over the mark and QUALITY_MARGIN_S on either side that strength ``auto`` keeps."""
WEAK_SCORE = 6.0
"""A mark predicted under this is called weak: it will be missed in many rooms."""
NEAR_S = 1.0
"""How far ``near`` may move a mark, either way."""
NEAR_STEPS = 8
"""Places tried to either side."""
NEAR_DB = -12.0
"""Strength at which they are compared."""
QUALITY_MARGIN_S = 0.25


@dataclass(frozen=True)
class Mark:
    """One mark, as it was made."""

    sample: int
    """First sample of the mark in the host."""
    samples: int
    """Length at the host's rate."""
    time_s: float
    strength_db: float
    """Relative to the host's smoothed spectrum."""
    predicted_score: float
    """In a room; see airmark.predict."""
    weak: bool
    """The place can carry only a mark that will be missed in many rooms."""
    lowered: bool
    """Samples of the mark were lowered so that none clips."""
    quality: quality.Quality | None
    """Over the mark and 0.25 s on either side; None where it was not asked for."""


@dataclass(frozen=True)
class Embedded:
    """Marked sound."""

    samples: Real
    """(n, channels) float64, full scale 1."""
    marks: list[Mark]
    silent: list[int]
    """Places in digital silence, where nothing can be hidden, and which got no mark."""


def _excess_db(judged: quality.Quality) -> float:
    """How much weaker a mark must be, so that it is not heard; about, and not over 0 where it needn't."""
    if judged.zimtohrli is None:
        return 0.0
    return float(np.log(max(5 - judged.zimtohrli, 1e-9) / (5 - LEAST_ZIMTOHRLI))) / ZIMTOHRLI_FALL


def _power(host: Real, rate: int) -> float:
    """Power of a recording's channels together, where it sounds. host: (n, channels)."""
    mono = host.mean(axis=1)
    active = active_part(mono, rate)
    return float(np.mean(mono[active] ** 2)) if active.any() else 0.0


class _Added:
    """A mark at its place in ``samples``, at the strength that was put in last."""

    def __init__(
        self,
        embedder: Embedder,
        host: Real,
        samples: Real,
        place: int,
        mark: Real,
        top: float,
        sample_type: str,
        power: float,
    ) -> None:
        """mark: at 0 dB, of ``Embedder._make``; top: the highest sample that may be; power: the recording's."""
        self._embedder, self._samples, self._place, self._full = embedder, samples, place, embedder._at_rate(mark)
        self._stretch = host[place : place + embedder.mark_samples]
        self._top, self._type, self._power = top, sample_type, power
        self._strength_db, self._lowered = -np.inf, False
        self._score: float | None = None

    def put(self, strength_db: float) -> None:
        """Put the mark in, instead of the one that is there."""
        wanted = self._full * 10 ** (strength_db / 20)
        added = without_clipping(self._stretch, wanted, self._top, max(1, round(REACH_S * self._embedder.rate)))
        self._samples[self._place : self._place + len(wanted)] = quantise(self._stretch + added, self._type)
        self._strength_db, self._lowered = strength_db, bool(np.any(added != wanted))
        self._score = None

    def predicted_score(self) -> float:
        """From the samples as they are written: rounding and lowering may have cost some of the mark."""
        if self._score is None:
            self._score = self._embedder._predict(self._embedder._hosts(self._samples, self._place), self._power)
        return self._score

    def mark(self) -> Mark:
        """The mark as it is."""
        score, seconds = self.predicted_score(), self._place / self._embedder.rate
        length = self._embedder.mark_samples
        weak = score < WEAK_SCORE
        return Mark(self._place, length, seconds, self._strength_db, score, weak, self._lowered, None)


@dataclass(frozen=True)
class Place:
    """Where a mark is wanted."""

    sample: int
    near: bool = False
    """It may move by NEAR_S to where it is predicted to be found best."""


class Embedder:
    """Puts marks of one key into sound of one rate; see ``embed`` for the arguments."""

    def __init__(
        self,
        key: Key,
        rate: int,
        *,
        pattern: str = "adaptive",
        strength: float | None = None,
        judge: bool = True,
        visqol: bool = False,
    ) -> None:
        """strength: dB, or None for auto. judge: measure the quality of each mark; visqol: by ViSQOL too.

        Raises AirmarkError for a rate, a strength or a pattern that can't be had and where ViSQOL is not installed.
        """
        check_key(key)
        check_rate(rate, "the recording")
        check_strength(strength)
        check_pattern(pattern)
        if visqol:
            quality.check_visqol()
        self.key, self.rate, self.kind, self.strength = key, rate, pattern, strength
        self.judge, self.visqol = judge, visqol
        self.mark_samples = -(-key.profile.mark_samples * rate // masking.RATE)
        self._predictor = Predictor(key)
        # Resampling starts at a sample that both rates share.
        self._unit = rate // gcd(rate, masking.RATE)
        self._margin = -(-MARGIN * rate // (masking.RATE * self._unit)) * self._unit

    def embed(
        self, host: Real, places: Sequence[Place] | None, span: tuple[int, int] | None = None,
        sample_type: str = "PCM_16", progress: Callable[[int, int], None] | None = None,
    ) -> Embedded:  # fmt: skip
        """Mark a recording; see ``airmark.embedder.embed``. Places and span are in samples."""
        check_loudest(host, "the recording")
        start, stop = span if span else (0, len(host))
        if stop - start < self.mark_samples:
            raise AirmarkError(
                f"{(stop - start) / self.rate:.3f} s of sound are too short for a mark of "
                f"{self.mark_samples / self.rate:.3f} s: give a longer part"
            )
        asked = self._everywhere(host, start, stop) if places is None else self._given(host, places, start, stop)
        samples = host.copy()
        power = _power(host, self.rate)
        top = 1 - 2.0 ** (1 - BITS[sample_type]) if sample_type in BITS else max(1.0, float(np.abs(host).max()))
        progress = progress or (lambda _done, _total: None)
        steps = len(asked) * (2 if self.judge else 1)
        marks: list[Mark] = []
        silent: list[int] = []
        for i, place in enumerate(asked):
            progress(i, steps)
            until = asked[i + 1] if i + 1 < len(asked) else len(host)
            mark = self._mark(host, samples, place, until, top, sample_type, power)
            if mark is not None:
                marks.append(mark)
            else:
                silent.append(place)
        if not marks:
            raise AirmarkError("there is only digital silence where the marks were wanted: nothing can be marked there")
        if self.strength is None:
            # One that stands alone has been judged as it is.
            reach = self.mark_samples + round(QUALITY_MARGIN_S * self.rate)
            crowded = {place for pair in pairwise(asked) if pair[1] - pair[0] < reach for place in pair}
            for i, mark in enumerate(marks):
                if mark.sample in crowded:
                    marks[i] = self._among_neighbours(host, samples, mark, top, sample_type, power)
        if self.judge:
            # Only now that all are as they stay.
            for i, mark in enumerate(marks):
                progress(len(asked) + i, steps)
                judged = self._judge(host, samples, mark.sample, len(host), self.visqol)
                marks[i] = replace(mark, quality=judged)
        progress(steps, steps)
        return Embedded(samples, marks, silent)

    def _everywhere(self, host: Real, start: int, stop: int) -> list[int]:
        sounding = np.flatnonzero(host[start:stop].any(axis=1))
        first = start + (int(sounding[0]) if len(sounding) else 0)
        first = min(first, stop - self.mark_samples)
        return list(range(first, stop - self.mark_samples + 1, self.mark_samples))

    def _given(self, host: Real, places: Sequence[Place], start: int, stop: int) -> list[int]:
        taken: list[int] = []
        power = _power(host, self.rate)
        ordered = sorted(places, key=lambda p: (p.near, p.sample))
        for i, place in enumerate(ordered):
            where = f"{place.sample / self.rate:.3f} s"
            reach = round(NEAR_S * self.rate) if place.near else 0
            if not start - reach <= place.sample <= stop - self.mark_samples + reach:
                raise AirmarkError(
                    f"a mark at {where} is not inside {start / self.rate:.3f} to {stop / self.rate:.3f} s with its "
                    f"{self.mark_samples / self.rate:.3f} s: give an earlier or later place"
                )
            steps = np.linspace(-reach, reach, 2 * NEAR_STEPS + 1) if place.near else np.zeros(1)
            inside = {place.sample + round(step) for step in steps}
            free = self._apart([s for s in inside if start <= s <= stop - self.mark_samples], taken)
            # Moved so that those still to come fit where they were asked for, if any place allows it.
            free = self._apart(free, [other.sample for other in ordered[i + 1 :]]) or free
            if not free:
                raise AirmarkError(f"a mark at {where} would lie over another one: give places further apart")
            taken.append(free[0] if len(free) == 1 else max(sorted(free), key=lambda s: self._worth(host, s, power)))
        return sorted(taken)

    def _apart(self, candidates: list[int], others: list[int]) -> list[int]:
        return [s for s in candidates if all(abs(s - other) >= self.mark_samples for other in others)]

    def _worth(self, host: Real, place: int, power: float) -> float:
        hosts = self._hosts(host, place)
        return self._predict(hosts, power, self._make(hosts).mean(axis=0) * 10 ** (NEAR_DB / 20))

    def _make(self, hosts: Real) -> Real:
        """The mark at 0 dB, (channels, mark_samples) at 16 kHz; hosts as ``_hosts`` gives them."""
        if self.kind == "causal":
            return causal_mark(hosts, self.key, MARGIN)
        return make(hosts, self.key.columns, self.key.profile, self.kind)

    def _hosts(self, host: Real, place: int) -> Real:
        """The host around a place at 16 kHz: (channels, margin + mark + margin)."""
        start, stop = place - self._margin, place + self.mark_samples + self._margin
        inside = host[max(0, start) : min(len(host), stop)]
        padded = np.pad(inside, ((max(0, -start), max(0, stop - len(host))), (0, 0)))
        at_16k = padded if self.rate == masking.RATE else soxr.resample(padded, self.rate, masking.RATE, "VHQ")
        lead = self._margin * masking.RATE // self.rate - MARGIN
        length = 2 * MARGIN + self.key.profile.mark_samples
        cut = at_16k[lead : lead + length].T
        return np.ascontiguousarray(np.pad(cut, ((0, 0), (0, length - cut.shape[1]))))

    def _predict(self, hosts: Real, power: float, mark: Real | None = None) -> float:
        """The score of the mark in hosts, or of one (mark_samples,) that is to be added to their mean."""
        heard = hosts.mean(axis=0)
        if mark is not None:
            heard[MARGIN : MARGIN + len(mark)] += mark
        return self._predictor.score(heard, MARGIN, power)

    def _mark(
        self, host: Real, samples: Real, place: int, until: int, top: float, sample_type: str, power: float
    ) -> Mark | None:
        stretch = host[place : place + self.mark_samples]
        if not stretch.any():
            return None
        hosts = self._hosts(host, place)
        marks = self._make(hosts)
        mono = marks.mean(axis=0)
        added = _Added(self, host, samples, place, marks, top, sample_type, power)
        if self.strength is not None:
            added.put(self.strength)
        else:
            # A mark that follows is not made yet, and sound without it would flatter this one.
            self._auto(
                added,
                lambda: self._judge(host, samples, place, until),
                lambda db: self._predict(hosts, power, mono * 10 ** (db / 20)),
            )
        return added.mark()

    def _among_neighbours(
        self, host: Real, samples: Real, mark: Mark, top: float, sample_type: str, power: float
    ) -> Mark:
        """Lower a mark of ``auto`` that is heard now that its neighbours are made, if that helps."""
        judged = self._judge(host, samples, mark.sample, len(host))
        if not _excess_db(judged) > 0:
            return mark
        marks = self._make(self._hosts(host, mark.sample))
        added = _Added(self, host, samples, mark.sample, marks, top, sample_type, power)
        step = FINE_STEPS_DB[-1]
        strength = mark.strength_db
        while (excess_db := _excess_db(judged)) > 0:
            if strength <= FAINTEST_DB:
                # What is heard is the neighbour, whatever becomes of this one.
                added.put(mark.strength_db)
                break
            strength = max(FAINTEST_DB, strength - step * max(1, int(excess_db / step)))
            added.put(strength)
            judged = self._judge(host, samples, mark.sample, len(host))
        return added.mark()

    def _auto(self, added: _Added, judge: Callable[[], quality.Quality], predict: Callable[[float], float]) -> None:
        """Put in the weakest mark that reaches the target, or the strongest that is not heard."""
        loudest = LOUDEST_AUTO_DB.get(self.kind, LOUDEST_DB)
        low, high = QUIETEST_DB - 1, loudest
        while high - low > 1:
            middle = float(round((low + high) / 2))
            low, high = (low, middle) if predict(middle) >= TARGET_SCORE else (middle, high)
        strength = high
        added.put(strength)
        # What rounding and clipping took of it is made up for.
        while strength < loudest and added.predicted_score() < TARGET_SCORE:
            strength = min(strength + 1, loudest)
            added.put(strength)
        judged = judge()
        while (excess_db := _excess_db(judged)) > 0 and strength > FAINTEST_DB:
            strength = max(FAINTEST_DB, strength - max(1.0, float(int(excess_db))))
            added.put(strength)
            judged = judge()
            if not _excess_db(judged) > 0:
                self._rise(added, judge, strength)

    def _rise(self, added: _Added, judge: Callable[[], quality.Quality], strength: float) -> None:
        """Put in as much of the last decibel as is not heard, from a strength that is not."""
        for step in FINE_STEPS_DB:
            added.put(strength + step)
            heard = _excess_db(judge()) > 0
            strength += 0 if heard else step
        if heard:
            added.put(strength)

    def _judge(self, host: Real, samples: Real, place: int, until: int, visqol: bool = False) -> quality.Quality:
        """The quality over a mark and QUALITY_MARGIN_S around it, up to ``until``."""
        margin = round(QUALITY_MARGIN_S * self.rate)
        part = slice(max(0, place - margin), min(place + self.mark_samples + margin, until))
        return quality.measure(host[part], samples[part], self.rate, visqol=visqol)

    def _at_rate(self, marks: Real) -> Real:
        """Marks (channels, mark_samples) at 16 kHz as (samples, channels) at the host's rate, zero at both ends."""
        if self.rate == masking.RATE:
            return np.asarray(marks.T)
        out = soxr.resample(np.ascontiguousarray(marks.T), masking.RATE, self.rate, "VHQ")
        out = np.pad(out, ((0, max(0, self.mark_samples - len(out))), (0, 0)))[: self.mark_samples]
        ramp = (np.arange(r := self.rate // 500) + 0.5) / r
        out[:r] *= ramp[:, None]
        out[-r:] *= ramp[::-1, None]
        return np.asarray(out, dtype=np.float64)


def embed(
    samples: npt.NDArray[Any],
    rate: int,
    key: Key,
    *,
    at: Sequence[float] = (),
    near: Sequence[float] = (),
    words: Sequence[tuple[float, float]] = (),
    span: tuple[float, float] | None = None,
    pattern: str = "adaptive",
    strength: float | None = None,
    sample_type: str = "FLOAT",
    judge: bool = True,
) -> Embedded:
    """Mark a recording.

    samples: (n,) or (n, channels), int16 or float of full scale 1; rate: Hz, 8,000 to 192,000. at, near: places in
    seconds; ``near`` may move by a second either way to a better one. words: wake words, start and end in seconds, that
    a headset shall suppress: each gets a mark before it (airmark.words). With none of these, mark follows mark. span:
    seconds from, to; marks stay inside. pattern: 'adaptive', 'causal' or 'noise'. strength: dB relative to the host's
    smoothed spectrum, at most LOUDEST_DB; None gives each mark what its own host needs and hides. sample_type: the grid
    to round to, see airmark.audio; samples outside the marks stay as they are. Returns samples of the shape
    (n, channels). Raises AirmarkError where a place, a part or a strength cannot be had.
    """
    samples = checked(samples, "the recording")
    host = samples / 32768.0 if samples.dtype == np.int16 else np.asarray(samples, dtype=np.float64)
    host = host if host.ndim == 2 else host[:, None]
    try:
        check_type(host, sample_type)
    except FullScaleError as error:
        raise AirmarkError(f"{error}: lower the recording, or take another sample_type") from None
    embedder = Embedder(key, rate, pattern=pattern, strength=strength, judge=judge)
    at, near = _seconds(at, "at"), _seconds(near, "near")
    start, stop = (None, None) if span is None else span
    part = span_of(start, stop, rate, len(host))
    before = word_places(words, at, part, rate, key)
    embedded = embedder.embed(host, places_of((*at, *before), near, rate), part, sample_type)
    check_marked(embedded, words, at=len(at) + len(near) > 0, rate=rate)
    return embedded


def _seconds(places: Sequence[float], name: str) -> tuple[float, ...]:
    """Raises AirmarkError for what is no sequence of numbers."""
    with contextlib.suppress(TypeError):
        given = tuple(places)
        if all(is_number(place) for place in given):
            return given
    raise AirmarkError(f"{name} is a sequence of places in seconds, such as [3.0], not {places!r}")


def word_places(
    words: Sequence[tuple[float, float]],
    at: Sequence[float],
    part: tuple[int, int],
    rate: int,
    key: Key,
    **options: Any,
) -> list[float]:
    """Places in seconds for wake words, beside the marks at ``at``. options: ``words.places_for_words``'s."""
    span = (part[0] / rate, part[1] / rate)
    mark_s = key.profile.mark_samples / key.profile.rate
    return places_for_words(words, at=at, span=span, mark_s=mark_s, **options)


def check_marked(embedded: Embedded, words: Sequence[tuple[float, float]], *, at: bool, rate: int) -> None:
    """Raises AirmarkError for a word or a place without a mark: where there is only digital silence none is made.

    at: whether places were given.
    """
    for word in words:
        if not any(covers(mark.time_s, word, mark.samples / rate) for mark in embedded.marks):
            raise AirmarkError(f"the word at {word[0]:.3f} s gets no mark: there is only digital silence before it")
    if at and embedded.silent:
        raise AirmarkError(
            f"there is only digital silence at {embedded.silent[0] / rate:.3f} s, where a mark was wanted: nothing can "
            "be marked there"
        )


def places_of(at: Sequence[float], near: Sequence[float], rate: int) -> list[Place] | None:
    """Places in seconds as Embedder takes them; None, everywhere, where none is given. Raises AirmarkError."""
    places = [Place(_sample(s, rate)) for s in at] + [Place(_sample(s, rate), near=True) for s in near]
    return places or None


def span_of(start: float | None, stop: float | None, rate: int, samples: int) -> tuple[int, int]:
    """A part from and to seconds, None for the recording's ends, in samples. Raises AirmarkError."""
    first = 0 if start is None else _sample(start, rate)
    last = samples if stop is None else _sample(stop, rate)
    if not first < last <= samples:
        raise AirmarkError(
            f"the part from {first / rate:.3f} to {last / rate:.3f} s is not inside the recording of "
            f"{samples / rate:.3f} s"
        )
    return first, last


def check_pattern(kind: str) -> None:
    """Raises AirmarkError for a pattern that there is not."""
    if kind not in PATTERNS:
        raise AirmarkError(f"no pattern '{kind}': there are {', '.join(PATTERNS)}")


def _sample(seconds: float, rate: int) -> int:
    if not 0 <= seconds <= 1e9:
        raise AirmarkError(f"{seconds} s is no place in a recording: give seconds from its start")
    return round(seconds * rate)
