"""Where the C detector's stages decide: at each limit and on either side of it, they do what the model does.

Vectors come to a limit only where a recording does. Here the numbers to compare are put into the detector's state.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import isqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from airmark.fixed import confirm, statistic, template
from airmark.fixed.frames import FrameStage
from airmark.fixed.tables import (
    BANDS,
    DRIFTS,
    HALF,
    LOW_BANDS,
    LOW_HANDICAP,
    RING,
    WHOLE,
    Rate,
    Span,
    rate_of,
    template_scale,
    used_bins_of_bands,
)  # fmt: skip
from airmark.fixed.vectors import STAGES
from tapped_build import BUILDS, tapped

KEY = [0x5A3C96E1, 0x1D2B4F77, 0xC0FFEE11, 0x13579BDF]
RATES = (rate_of(8_000), rate_of(16_000))
SPANS = (WHOLE, HALF)
NEWEST = 600
"""Frames that the detector has heard."""

Curves = NDArray[np.int64]


class Tapped:
    """A detector that has heard so many frames of noise."""

    def __init__(self, rate: Rate, build: str = "plain", threshold_q8: int = 65_535, frames: int = NEWEST) -> None:
        module = tapped(build)
        self.ffi, self.lib = module.ffi, module.lib
        self.state = self.ffi.new("airmark_t *")
        self.keys = self.ffi.new("airmark_key_t[]", [{"columns": KEY}])
        config = self.ffi.new("airmark_config_t *")
        config.rate, config.early, config.threshold_q8 = rate.hz, True, threshold_q8
        config.keys, config.key_count = self.keys, 1
        assert self.lib.airmark_init(self.state, config) == self.lib.AIRMARK_OK
        self.push(np.random.default_rng(0).integers(-3000, 3000, (frames + 1) * rate.hop if frames else 0, np.int16))
        assert self.now().frames == frames

    def push(self, samples: NDArray[np.int16]) -> int:
        """Returns how many marks are told by then."""
        told = self.ffi.new("airmark_detection_t[1]"), self.ffi.new("uint64_t[1]")
        first = self.ffi.cast("const int16_t *", samples.ctypes.data)
        return int(self.lib.tap_run(self.state, first, len(samples), len(samples), 1, *told, 1))

    def silence(self, count: int) -> int:
        """The same, of so many samples."""
        return self.push(np.zeros(count, np.int16))

    def now(self) -> Any:
        return self.lib.tap_state(self.state)

    def take(self, span: Span, level: int = 1000, count: int = 1, ago: int = 140, step: int = 0) -> None:
        """So many candidates wait, the first of the frame `ago` before the newest and with so many steps done."""
        self.lib.tap_queue(self.state, count, self.now().frames - ago, span is HALF, level, step)

    def rise(self, level: int, span: Span = WHOLE) -> None:
        """The level is that, and was nothing."""
        for one in (0, 0, level):
            self.lib.tap_level(self.state, 0, span is HALF, one)

    def template(self, first: int, last: int, e: Curves, energies: list[int]) -> bool:
        """e: the curves of all bands and of the lower ones, (2, DRIFTS), as the model has them."""
        words = self.ffi.new("int32_t[]", [*e[1].tolist(), *e[0].tolist()]), self.ffi.new("int32_t[]", energies)
        return bool(self.lib.tap_template(self.state, first, last, *words))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate.hz} Hz")
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_every_drift_has_its_steps(build: str, rate: Rate, span: Span):
    """SPEC 8.3, which says when an answer is told: of every drift that the template can find, and some more."""
    detector = Tapped(rate, build)
    bands, room = detector.ffi.new("uint8_t[64]"), 64
    detector.take(span)
    most, steps = 0, set()
    for drift in range(-3600, 3601, 1 if build == "plain" else 97):
        wanted = np.cumsum([len(ended) for ended in confirm.schedule(span, drift, rate)]).tolist()
        count = detector.lib.tap_confirm(detector.state, drift, bands, room)
        assert list(bands[0:count]) == wanted, drift
        most = max(most, count)
        steps.add(count)
    assert most <= 25
    assert len(steps) > 1


def shaped(rng: np.random.Generator, top: int, at: int) -> list[int]:
    """A curve whose highest value is `top`, first at drift `at`."""
    curve = top - rng.integers(1, 3000, DRIFTS)
    curve[at] = top
    if rng.random() < 0.3 and at + 1 < DRIFTS:
        curve[rng.integers(at + 1, DRIFTS)] = top
    return curve.tolist()


def tops(span: Span, rate: Rate, count: int, z: int, chains: int = 2) -> list[int]:
    """The least energies of the lower `count` bands that give z - 1, z and z + 1, or next to them."""
    bins = int(used_bins_of_bands(rate)[:count].sum())
    scale = template_scale(span.repetitions, bins)
    mean = chains * span.repetitions // 2 * bins
    return [mean + -(-(value << 16) // scale) for value in (max(z - 1, 0), z, z + 1)]


def decisions(span: Span, rate: Rate) -> Iterator[tuple[Curves, int]]:
    """Curves and levels where z and level are about the least, or the lower bands about as good as all."""
    rng = np.random.default_rng(1)
    for z in (0, 1, 300, 1000, 1343, 1344, 2048, 3000):
        for ahead in (LOW_HANDICAP, template.LOW_DRIFT_HANDICAP, 0, 1000):
            both = product(tops(span, rate, BANDS, z), tops(span, rate, LOW_BANDS, z + ahead))
            for all_top, low_top in both:
                at = rng.integers(0, DRIFTS, 2).tolist()
                e = np.array([shaped(rng, top, k) for top, k in zip((all_top, low_top), at, strict=True)])
                told = template.decide(e, 0, span, rate).z
                for level in {max(576, template.LEAST - told + d) for d in (-1, 0, 1)} | {65_535}:
                    yield e, level


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate.hz} Hz")
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_the_template_decides_as_the_model(rate: Rate, span: Span):
    """SPEC 7.3: likely or not, which curve tells the drift, the drift, and what the candidate's level becomes."""
    detector = Tapped(rate)
    ahead: set[int] = set()
    sums: set[int] = set()
    for e, level in decisions(span, rate):
        detector.take(span, level)
        likely = detector.template(0, template.SEARCH_STEPS - 1, e, [0, 0, 0, 0])
        wanted = template.decide(e, level, span, rate)
        assert likely == wanted.likely
        sums.add(wanted.z + level)
        if likely:
            now = detector.now()
            assert now.low == wanted.low
            assert now.drift_ppm_q4 == template.find_drift(e[1] if wanted.low else e[0])
            assert now.level == min(max(wanted.z, level), template.MOST_LEVEL)
            of_all, of_low = (template.decide(alone, 0, span, rate).z for alone in (e * [[1], [0]], e * [[0], [1]]))
            ahead.add(of_low + LOW_HANDICAP - of_all)
    assert {template.LEAST - 1, template.LEAST, template.LEAST + 1} <= sums
    assert {template.LOW_DRIFT_HANDICAP, template.LOW_DRIFT_HANDICAP + 1} <= ahead


def test_the_template_places_as_the_model():
    """SPEC 7.5: at, under and over each of its comparisons."""
    rng = np.random.default_rng(2)
    rate, span = rate_of(16_000), WHOLE
    detector = Tapped(rate)
    offsets, places = set(), set()
    for first, second in product((-900, -300, -299, -1, 0, 1, 299, 300, 901), repeat=2):
        likely = np.array([shaped(rng, top, int(rng.integers(DRIFTS))) for top in (20_000, 13_000)])
        detector.take(span, 2000)
        assert detector.template(0, template.SEARCH_STEPS - 1, likely, [0, 0, 0, 0])
        assert detector.template(template.SEARCH_STEPS, template.LAST_SEARCH_STEPS - 1, likely, [0, 0, 0, 0])
        energies = [5000, 7000, 5000 + first, 7000 + second]
        assert detector.template(template.STEPS - 1, template.STEPS - 1, likely, energies)
        wanted = template.find_place(energies, NEWEST - 140)
        now = detector.now()
        assert (now.place, now.offset) == wanted, (first, second)
        offsets.add(wanted.offset)
        places.add(wanted.place - NEWEST + 140)
    assert places == {-1, 0, 1}
    assert {-128, 0, 128} <= offsets


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate.hz} Hz")
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_the_template_decides_again_as_the_model(rate: Rate, span: Span):
    """SPEC 7.4: z of four chains at the least, under and over it, told by all bands or by the lower ones."""
    rng = np.random.default_rng(3)
    detector = Tapped(rate)
    likely = np.full((2, DRIFTS), tops(span, rate, BANDS, 1000)[1], np.int64)
    likely[1] = tops(span, rate, LOW_BANDS, 1000)[1]
    told: set[tuple[int, bool]] = set()
    for by_low in (False, True):
        count, z = (LOW_BANDS, LOW_HANDICAP) if by_low else (BANDS, 0)
        highest = [top for d in (-2, 1) for top in tops(span, rate, count, template.LAST_LEAST + z + d, 4)]
        for top, at in product(highest, (0, 7, DRIFTS - 1)):
            pair = (top - 500, top) if by_low else (top, top - 500)
            if not by_low and rate.hz > 8_000:
                pair = top, tops(span, rate, LOW_BANDS, 0, 4)[1]
            e = np.array([shaped(rng, one, at) for one in pair])
            detector.take(span, 2000)
            assert detector.template(0, template.SEARCH_STEPS - 1, likely, [0, 0, 0, 0])
            wanted = template.decide_again(e, span, rate)
            kept = detector.template(template.SEARCH_STEPS, template.LAST_SEARCH_STEPS - 1, e, [0, 0, 0, 0])
            assert kept == wanted.likely == (wanted.z >= template.LAST_LEAST), (wanted, by_low)
            now = detector.now()
            assert now.low == wanted.low
            assert now.level == 2000
            if kept:
                assert now.drift_ppm_q4 == template.find_drift(e[1] if wanted.low else e[0])
            told.add((wanted.z - template.LAST_LEAST, by_low))
    # A step of the energy is up to 2.4 of z.
    for by_low in {False, rate.hz > 8_000}:
        near = {z for z, low in told if low == by_low}
        assert any(-3 <= z < 0 for z in near), near
        assert any(0 <= z < 3 for z in near), near


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
@pytest.mark.parametrize("reached", [True, False])
def test_with_a_confirmed_candidate_leave_those_near_it(span: Span, reached: bool):
    """SPEC 6.4: of its key and span, n up to half a span away, where its score is at least the threshold."""
    q, v = 40_000, 600_000
    score = statistic.score(2 * q, 2 * v, 0) - statistic.handicap(2 * v, span, rate_of(16_000))
    detector = Tapped(rate_of(16_000), threshold_q8=score + (not reached))
    near = span.length // 2
    for d, moved in product((-near - 1, -near, -1, 1, near, near + 1), (-1, 0, 1)):
        detector.take(span, count=4, ago=140)
        first = detector.now().waiting[0]
        detector.lib.tap_place(detector.state, first + moved)
        others = [(first + d, 0, span is HALF), (first + 1, 1, span is HALF), (first + 1, 0, span is WHOLE)]
        for at, other in enumerate(others, 1):
            detector.lib.tap_put(detector.state, at, *other)
        detector.lib.tap_end_confirm(detector.state, q, q, v)
        detector.silence(85)
        now = detector.now()
        leaves = reached and abs(d) <= near
        assert list(now.waiting)[: now.queued] == [frame for frame, *_ in others[leaves:]], d
        detector.take(span, count=0)
        detector.silence(256 - 85)


@pytest.mark.parametrize("q", [1, 0, -5])
def test_a_place_is_told_once_whatever_its_agreement(q: int):
    """SPEC 9: it is 1 at least, where the lower bands alone score and all together do not agree."""
    detector = Tapped(rate_of(16_000), threshold_q8=1000)
    for place in range(2):
        detector.take(HALF, ago=140 - place)
        detector.lib.tap_end_confirm(detector.state, 40_000, q - 40_000, 600_000)
        assert detector.silence(85) == 1 - place
        detector.silence(256 - 85)
    detector.take(WHOLE)
    detector.lib.tap_end_confirm(detector.state, 40_000, q - 40_000, 600_000)
    assert detector.silence(85) == 0


@pytest.mark.parametrize(("q", "then", "told"), [(-5, 1, 0), (-5, 2, 1), (0, 1, 0), (0, 2, 1), (1, 2, 1), (2, 2, 0)])
def test_a_place_is_told_again_where_more_agrees(q: int, then: int, told: int):
    detector = Tapped(rate_of(16_000), threshold_q8=1000)
    for ago, agreement, wanted in ((140, q, 1), (139, then, told)):
        detector.take(HALF, ago=ago)
        detector.lib.tap_end_confirm(detector.state, 40_000, agreement - 40_000, 600_000)
        assert detector.silence(85) == wanted
        detector.silence(256 - 85)


def test_a_half_that_was_forgotten_silences_no_whole_one():
    """SPEC 10: when the low 32 bits of a place come round, 2.2 years later."""
    q, v = 40_000, 600_000
    detector = Tapped(rate_of(16_000), threshold_q8=1000)

    def told(span: Span) -> int:
        detector.take(span)
        detector.lib.tap_end_confirm(detector.state, q, q, v)
        count = detector.silence(85)
        detector.silence(256 - 85)
        return count

    assert (told(HALF), told(WHOLE)) == (1, 0)
    detector.lib.tap_skip_frames(detector.state, 2**30)
    detector.silence(2 * 256)
    detector.lib.tap_skip_frames(detector.state, 3 * 2**30)
    assert told(WHOLE) == 1


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate.hz} Hz")
def test_before_the_first_sample_all_was_zero(rate: Rate):
    """SPEC 4.1: so that the first one is a difference, too, here the largest of its frame."""
    steps = np.random.default_rng(4).integers(-3, 4, (200, rate.length))
    for first in (-8, -5, -4, 4, 5, 8):
        for row in steps:
            samples = np.cumsum([first, *row[1:]]).astype(np.int16)
            detector = Tapped(rate, frames=0)
            detector.lib.tap_clear()
            detector.push(samples)
            stage = STAGES.index("frames")
            words = detector.ffi.buffer(detector.lib.tap_values(stage), 4 * detector.lib.tap_count(stage))
            wanted = FrameStage(rate).process(samples.astype(np.int64))
            assert np.frombuffer(words, np.uint32).tolist() == wanted[0].tolist()


@pytest.mark.parametrize(("step", "gone"), [(0, 0), (1, 1), (2, 1), (33, 1)])
def test_a_first_candidate_that_was_begun_is_kept(step: int, gone: int):
    """SPEC 5.4: of all alike the oldest is taken out for a higher one, but a first one that has been begun."""
    detector = Tapped(rate_of(16_000))
    detector.take(WHOLE, count=4, ago=148, step=step)
    there = list(detector.now().waiting)
    detector.rise(1001)
    there.pop(gone)
    assert list(detector.now().waiting) == [*there, NEWEST - WHOLE.length]


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_candidate_takes_the_place_of_that_of_the_frame_before(span: Span, at: int):
    """SPEC 5.4: of the same key and span, whatever their levels; as the first it begins anew."""
    detector = Tapped(rate_of(16_000))
    n = NEWEST - span.length
    others = [(n - 1, 0, span is WHOLE), (n - 1, 1, span is HALF), (n - 2, 0, span is HALF), (n, 0, span is HALF)]
    others[at] = (n - 1, 0, span is HALF)
    detector.take(span, 60_000, count=4, step=2)
    for i, one in enumerate(others):
        detector.lib.tap_put(detector.state, i, *one)
    detector.rise(span.least_level, span)
    there = [one[0] for one in others]
    there[at] = n
    assert list(detector.now().waiting) == there
    assert detector.now().step == (2 if at else 0)
    assert detector.now().level == (1000 if at else span.least_level)
    assert detector.lib.airmark_dropped(detector.state) == 0


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_a_candidate_is_higher_than_two_levels_before(span: Span):
    """SPEC 5.4: and at least as high as G."""
    g = span.least_level
    for levels, found in (
        ((0, 0, g), True),
        ((0, 0, g - 1), False),
        ((g + 4, g + 4, g + 5), True),
        ((g + 4, g + 5, g + 5), False),
        ((g + 5, g + 4, g + 5), False),
        ((g + 5, 0, g + 6), True),
    ):
        detector = Tapped(rate_of(16_000))
        for level in levels[:2]:
            detector.lib.tap_level(detector.state, 0, span is HALF, level)
        detector.take(span, count=0)
        detector.lib.tap_level(detector.state, 0, span is HALF, levels[2])
        assert detector.now().queued == found, levels
        if found:
            assert detector.now().waiting[0] == NEWEST - span.length
            assert detector.now().level == levels[2]


@pytest.mark.parametrize("step", [0, 1, 5, 8])
def test_a_begun_candidate_gives_way_only_to_one_clearly_higher(step: int):
    """SPEC 6.1: to one whose level is more than 64 above its own; one that was not begun, to any higher one."""
    detector = Tapped(rate_of(16_000))
    for ahead in (0, 1, 63, 64, 65, 300):
        detector.take(WHOLE, 1000 - ahead, count=2, ago=140, step=step)
        first, second = list(detector.now().waiting)[:2]
        detector.lib.tap_put(detector.state, 1, second, 0, False)
        detector.silence(85)
        assert detector.now().waiting[0] == (second if ahead > (64 if step else 0) else first), ahead
        detector.take(WHOLE, count=0)
        detector.silence(256 - 85)


@pytest.mark.parametrize("step", [template.STEPS, template.STEPS + 1])
def test_confirm_needs_the_place_in_the_ring(step: int):
    """SPEC 6.3: from its first step on; else the candidate is dropped."""
    for ago, kept in ((RING, True), (RING + 1, False)):
        detector = Tapped(rate_of(16_000))
        detector.take(WHOLE, ago=ago, step=step)
        detector.silence(85)
        assert (detector.now().queued, detector.lib.airmark_dropped(detector.state)) == (kept, not kept)


def test_the_score_is_the_higher_of_all_and_of_the_lower_bands():
    """SPEC 9: max(score_all, score_low - 77), less the handicap, about where both are alike."""
    detector = Tapped(rate_of(16_000))
    stage, v = STAGES.index("statistic"), 600_000
    handicap = statistic.handicap(2 * v, WHOLE, rate_of(16_000))
    of_low = statistic.score(40_000, v, 0)
    alike = next(q for q in range(0, 40_000, 8) if statistic.score(40_000 + q, 2 * v, 0) >= of_low - LOW_HANDICAP)
    ahead = set()
    for q in range(alike - 40, alike + 40):
        of_all = statistic.score(40_000 + q, 2 * v, 0)
        detector.take(WHOLE)
        detector.lib.tap_clear()
        detector.lib.tap_end_confirm(detector.state, 40_000, q, v)
        detector.silence(85)
        words = detector.ffi.buffer(detector.lib.tap_values(stage), 4 * detector.lib.tap_count(stage))
        assert np.frombuffer(words, np.int32)[-3:].tolist() == [
            of_all,
            of_low,
            max(of_all, of_low - LOW_HANDICAP) - handicap,
        ]
        ahead.add(of_all - of_low + LOW_HANDICAP)
        detector.silence(256 - 85)
    assert {-1, 0, 1, 2} <= ahead


def test_the_count_of_dropped_candidates_stays_at_its_most():
    """SPEC 6: up to 65,535, whether a candidate is dropped as it joins a full queue or when its turn comes."""
    detector = Tapped(rate_of(16_000))
    for before, after in ((65_533, 65_534), (65_534, 65_535), (65_535, 65_535)):
        detector.take(WHOLE, 60_000, count=4)
        detector.lib.tap_dropped(detector.state, before)
        detector.rise(65_535)
        assert detector.now().queued == 4
        assert detector.lib.airmark_dropped(detector.state) == after
        detector.take(WHOLE, ago=148)
        detector.lib.tap_dropped(detector.state, before)
        detector.silence(85)
        assert detector.now().queued == 0
        assert detector.lib.airmark_dropped(detector.state) == after
        detector.silence(256 - 85)


def test_the_statistic_about_its_least_skewness():
    """SPEC 9: max(floor(98304 a / r), 4096), at each value about the least."""
    lib = tapped("plain").lib
    rng = np.random.default_rng(3)
    seen = set()
    for v in rng.integers(10**4, 25 * 10**6, 300).tolist():
        r = isqrt(v << 20)
        for ratio in range(4093, 4100):
            a = -(-ratio * r // 98_304)
            t = -(-a * v >> 16)
            for q in (1, 30_000, 200_000):
                assert lib.p_statistic(q, v, t) == statistic.score(q, v, t), (q, v, t)
            seen.add(98_304 * ((t << 16) // v) // r)
    assert set(range(4093, 4100)) <= seen
